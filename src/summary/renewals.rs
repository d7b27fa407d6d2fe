//! Contracts: how long each customer has renewed, and who still does.

use super::Summary;
use super::counted::Counted;
use crate::error::DataError;

/// One contract: for how many periods it ran, and whether it still runs.
///
/// Ordered by how long they last: one that ended after t periods before one that runs on after t.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscription {
    /// A contract that has ended: how many periods were paid for, from 1 (it was not renewed after
    /// the first). One that still runs: how often it was renewed so far, from 0.
    pub periods: u32,
    /// Whether it still runs (is censored): then all that is known is that it lasts longer than
    /// `periods`.
    pub active: bool,
}

/// How many contracts ended after each number of periods, and how many still run: all that a
/// retention curve is fitted from.
///
/// Time is counted in renewal periods (months, years) since each customer's own start, so that
/// cohorts that began at different times add up.
///
/// ```
/// use tenure::summary::{RenewalSummary, Subscription};
///
/// // 1000 customers began; 631 renewed once, 468 twice. A later cohort was seen for one renewal.
/// let cohorts = RenewalSummary::from_cohorts([&[1000, 631, 468][..], &[500, 320]])?;
/// let renewals: Vec<_> = cohorts.renewals().collect();
/// assert_eq!((renewals[0].due, renewals[0].renewed), (1500, 951));
/// assert_eq!((renewals[1].due, renewals[1].renewed), (631, 468));
///
/// // The same from single contracts: one ended after 2 periods, one was renewed 5 times so far.
/// let mut contracts = RenewalSummary::new();
/// contracts.push(Subscription { periods: 2, active: false })?;
/// contracts.push(Subscription { periods: 5, active: true })?;
/// assert_eq!(contracts.customers(), 2);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Cost
/// Some 30 bytes for each distinct (periods, active), whatever the number of customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalSummary {
    counted: Counted<Subscription>,
}

/// One renewal date on the way: how many could have renewed, and how many did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewals {
    /// Which renewal, from 1: the one at the end of this period.
    pub period: u32,
    /// Customers whose contract came up for this renewal and whose decision is known.
    pub due: u64,
    /// Those of them who renewed.
    pub renewed: u64,
}

impl RenewalSummary {
    /// No contracts yet.
    #[expect(
        clippy::new_without_default,
        reason = "a summary is begun by name, as all others are"
    )]
    pub const fn new() -> Self {
        Self {
            counted: Counted::new(),
        }
    }

    /// From survivor counts of one or several cohorts, of any lengths; see
    /// [`add_cohort`](Self::add_cohort).
    ///
    /// # Errors
    /// As [`add_cohort`](Self::add_cohort).
    pub fn from_cohorts<'a>(
        cohorts: impl IntoIterator<Item = &'a [u64]>,
    ) -> Result<Self, DataError> {
        let mut summary = Self::new();
        for cohort in cohorts {
            summary.add_cohort(cohort)?;
        }
        Ok(summary)
    }

    /// From columns with one row a contract: its periods and whether it still runs, as in
    /// [`Subscription`].
    ///
    /// # Errors
    /// [`DataError::Length`] when the columns differ in length, [`DataError::Value`] for a contract
    /// that ended after 0 periods.
    pub fn from_columns(periods: &[u32], active: &[bool]) -> Result<Self, DataError> {
        if active.len() != periods.len() {
            return Err(DataError::Length {
                column: "active",
                found: active.len(),
                reference: "periods",
                expected: periods.len(),
            });
        }
        let mut summary = Self::new();
        for (row, (&periods, &active)) in (1..).zip(periods.iter().zip(active)) {
            let subscription = Subscription { periods, active };
            check(subscription, row)?;
            summary.counted.add(subscription, 1)?;
        }
        Ok(summary)
    }

    /// Adds one contract.
    ///
    /// # Errors
    /// [`DataError::Value`] for a contract that ended after 0 periods, [`DataError::Field`] beyond
    /// 2^53 customers.
    pub fn push(&mut self, subscription: Subscription) -> Result<(), DataError> {
        check(subscription, 1)?;
        self.counted.add(subscription, 1)
    }

    /// Adds a cohort by its survivors: `survivors[t]` customers were left after t renewals, of the
    /// `survivors[0]` who began. The last are taken to be customers still.
    ///
    /// # Errors
    /// [`DataError::Empty`] without a count, [`DataError::Value`] for a count above the one before
    /// (its row being its position, counted from 1), [`DataError::Field`] beyond 2^53 customers. The
    /// summary is then as before.
    pub fn add_cohort(&mut self, survivors: &[u64]) -> Result<(), DataError> {
        let Some(&last) = survivors.last() else {
            return Err(DataError::Empty {
                what: "survivors",
                expected: "the number of customers who began, then of those left after each renewal",
            });
        };
        let mut cohort = Self::new();
        let mut renewals = 0_u32;
        for (row, step) in (2..).zip(survivors.windows(2)) {
            let &[before, after] = step else { continue };
            renewals = renewals.saturating_add(1);
            let Some(lost) = before.checked_sub(after) else {
                return Err(DataError::Value {
                    row,
                    column: "survivors".to_owned(),
                    value: after.to_string(),
                    expected: "at most the survivors of the period before",
                });
            };
            let (periods, active) = (renewals, false);
            cohort.counted.add(Subscription { periods, active }, lost)?;
        }
        let (periods, active) = (renewals, true);
        cohort.counted.add(Subscription { periods, active }, last)?;
        self.merge(cohort)
    }

    /// Adds all that another summary holds.
    ///
    /// # Errors
    /// [`DataError::Field`] beyond 2^53 customers.
    pub fn merge(&mut self, other: Self) -> Result<(), DataError> {
        self.counted.merge(other.counted)
    }

    /// How many contracts there are.
    pub fn customers(&self) -> u64 {
        self.counted.customers()
    }

    /// How many distinct (periods, active) there are.
    pub fn distinct(&self) -> usize {
        self.counted.len()
    }

    /// The distinct contracts, ascending, with their numbers of customers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Subscription, u64)> + '_ {
        self.counted.iter()
    }

    /// Every renewal that some contract came up for, first to last: the raw retention rates to lay
    /// beside a fitted curve.
    ///
    /// The product of `renewed` / `due` up to a period is the Kaplan–Meier estimate of survival.
    pub fn renewals(&self) -> impl Iterator<Item = Renewals> + '_ {
        let mut due = self.customers();
        let mut contracts = self.iter().peekable();
        (1..=self.last_renewal()).map(move |period| {
            // Those who run on after fewer renewals have not come to this one yet.
            while let Some((_, count)) = contracts.next_if(|(c, _)| c.periods < period) {
                due -= count;
            }
            let ends_here = |(c, _): &(Subscription, u64)| c.periods == period && !c.active;
            let left = contracts.next_if(ends_here).map_or(0, |(_, count)| count);
            let renewals = Renewals {
                period,
                due,
                renewed: due - left,
            };
            due -= left;
            renewals
        })
    }

    /// The last renewal that some contract came up for; 0 without any.
    pub fn last_renewal(&self) -> u32 {
        let longest = self.counted.iter().next_back();
        longest.map_or(0, |(contract, _)| contract.periods)
    }
}

impl Summary for RenewalSummary {
    type Fact = Subscription;

    fn empty(&self) -> Self {
        Self::new()
    }

    fn push_fact(&mut self, fact: Subscription) -> Result<(), DataError> {
        self.push(fact)
    }

    fn merge(&mut self, other: Self) -> Result<(), DataError> {
        Self::merge(self, other)
    }
}

fn check(subscription: Subscription, row: u64) -> Result<(), DataError> {
    if !subscription.active && subscription.periods == 0 {
        return Err(DataError::Value {
            row,
            column: "periods".to_owned(),
            value: "0".to_owned(),
            expected: "at least 1 for a contract that has ended",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::laws;
    use proptest::prelude::*;

    fn contract(periods: u32, active: bool) -> Subscription {
        Subscription { periods, active }
    }

    #[test]
    fn a_cohort_is_its_contracts() {
        let cohorts = RenewalSummary::from_cohorts([&[5, 3, 3, 2][..], &[2, 1]]).unwrap();
        let periods = [1, 1, 3, 3, 3, 1, 1];
        let active = [false, false, false, true, true, false, true];
        let contracts = RenewalSummary::from_columns(&periods, &active).unwrap();
        assert_eq!(cohorts, contracts);
        let listed: Vec<_> = cohorts.iter().collect();
        let expected = [
            (contract(1, false), 3),
            (contract(1, true), 1),
            (contract(3, false), 1),
            (contract(3, true), 2),
        ];
        assert_eq!(listed, expected);
    }

    #[test]
    fn raw_renewals_count_those_who_came_up() {
        // 4 began; one left at the first renewal, one is before it, one renewed once, one thrice.
        let periods = [1, 0, 1, 3];
        let active = [false, true, true, true];
        let summary = RenewalSummary::from_columns(&periods, &active).unwrap();
        let renewals: Vec<_> = summary
            .renewals()
            .map(|r| (r.period, r.due, r.renewed))
            .collect();
        assert_eq!(renewals, [(1, 3, 2), (2, 1, 1), (3, 1, 1)]);
        assert_eq!(RenewalSummary::new().renewals().count(), 0);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let summary = || RenewalSummary::from_cohorts([&[1000, 631, 468][..]]).unwrap();
        let message = |result: Result<(), DataError>| result.unwrap_err().to_string();
        assert_eq!(
            message(summary().add_cohort(&[10, 8, 9])),
            "row 3, column `survivors`: found `9`, expected at most the survivors of the period before"
        );
        assert!(message(summary().add_cohort(&[])).starts_with("no survivors"));
        assert_eq!(
            message(summary().push(contract(0, false))),
            "row 1, column `periods`: found `0`, expected at least 1 for a contract that has ended"
        );
        let error = RenewalSummary::from_columns(&[1, 0], &[true, false]).unwrap_err();
        assert!(error.to_string().starts_with("row 2"), "{error}");
        assert!(RenewalSummary::from_columns(&[1], &[]).is_err());

        let mut unchanged = summary();
        unchanged.add_cohort(&[10, 8, 9]).unwrap_err();
        unchanged.add_cohort(&[u64::MAX]).unwrap_err();
        assert_eq!(unchanged, summary());
    }

    proptest! {
        #[test]
        fn order_and_parts_do_not_matter(
            facts in proptest::collection::vec((0u32..6, proptest::bool::ANY), 0..60),
            seed: u64,
        ) {
            let facts: Vec<_> = facts.into_iter().map(|(t, active)| contract(t, active)).collect();
            laws::check(&RenewalSummary::new(), &facts, seed).unwrap();
        }

        #[test]
        fn one_cohort_is_raw_survival(drops in proptest::collection::vec(0u64..50, 0..20)) {
            let mut survivors = vec![2000u64];
            for drop in drops {
                survivors.push(survivors.last().unwrap() - drop);
            }
            let summary = RenewalSummary::from_cohorts([&survivors[..]]).unwrap();
            let renewals: Vec<_> = summary.renewals().collect();
            prop_assert_eq!(renewals.len(), survivors.len() - 1);
            for (step, renewals) in survivors.windows(2).zip(renewals) {
                prop_assert_eq!((renewals.due, renewals.renewed), (step[0], step[1]));
            }
        }
    }
}
