//! Paid memberships: what the renewals to come are worth.

use serde::{Deserialize, Serialize};

use super::{Discount, RetentionCurve};
use crate::error::{ConfigError, DataError, Error};
use crate::summary::TimeUnit;

/// What a paid membership is worth, from the renewals that its [`RetentionCurve`] lets expect.
///
/// A member pays a fee when joining and at every renewal, in advance for one period, and the benefits
/// of a period cost something, counted when its fee falls due. Each fee less cost is discounted to
/// now:
///
/// value = (fee − cost) Σ P(the fee is paid) dᵏ, k periods from now, d = 1 / (1 + discount of a period).
///
/// ```
/// use tenure::lifetime::{Discount, Geometric, MemberStage, Membership, MembershipTerms, Span};
/// use tenure::summary::TimeUnit;
///
/// // 79 a year, benefits of 49 a year, and 80% of the members renew.
/// let curve = Geometric::new(0.2)?;
/// let terms = MembershipTerms { fee: 79.0, benefit_cost: 49.0, period: TimeUnit::Year };
/// let membership = Membership::new(&curve, terms, Discount::annual(0.08)?)?;
///
/// // 30 now, and 30 × 0.8 / (1.08 − 0.8) later.
/// let new = membership.value(MemberStage::New, Span::Life)?;
/// assert!((new - 115.71).abs() < 0.01);
/// // Of two members after three renewals, the one whose next is due now may leave now.
/// let due = membership.value(MemberStage::Due { tenure: 3 }, Span::Life)?;
/// let renewed = membership.value(MemberStage::Renewed { tenure: 3 }, Span::Life)?;
/// assert!((due / renewed - 1.08).abs() < 1e-12);
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// The renewals alone: whoever buys more as a member is worth more than this.
///
/// Source: Fader and Hardie (2010), Customer-Base Valuation in a Contractual Setting: The Perils of
/// Ignoring Heterogeneity, *Marketing Science* 29(1), 85–93, whose discounted expected residual lifetime
/// (DERL) is the sum.
#[derive(Clone, Copy)]
pub struct Membership<'a> {
    curve: &'a dyn RetentionCurve,
    margin: f64,
    /// Per period.
    rate: f64,
}

/// What a membership brings and costs in one period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipTerms {
    /// What a member pays for one period, in advance, in major units of money.
    pub fee: f64,
    /// What the benefits of one period cost: deliveries, vouchers, points.
    pub benefit_cost: f64,
    /// How long a period is, from renewal to renewal.
    pub period: TimeUnit,
}

/// Where a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberStage {
    /// About to join: the first fee is paid now.
    New,
    /// Has made `tenure` renewals; the next falls due now, and the member may leave instead.
    Due {
        /// Renewals made.
        tenure: u32,
    },
    /// Has just made renewal number `tenure` (0: has just joined); the next is a period away.
    Renewed {
        /// Renewals made.
        tenure: u32,
    },
}

/// How far ahead fees are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    /// The fees that fall due from now until just before so many periods from now.
    Periods(u32),
    /// All fees to come.
    Life,
}

/// The members that are left of a cohort, who joined at one time, and what they are worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CohortValue {
    /// Renewals that its members have made.
    pub tenure: u32,
    /// Members left.
    pub members: u64,
    /// The value of one.
    pub value: f64,
    /// The value of all.
    pub total: f64,
}

impl<'a> Membership<'a> {
    /// Values memberships whose renewals follow a curve, one step of which is one period of the terms.
    ///
    /// [`Discount::per_step`] is per period.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a fee or a cost that is negative or not finite.
    pub fn new(
        curve: &'a dyn RetentionCurve,
        terms: MembershipTerms,
        discount: Discount,
    ) -> Result<Self, ConfigError> {
        let fee = amount("fee", terms.fee)?;
        let benefit_cost = amount("benefit_cost", terms.benefit_cost)?;
        Ok(Self {
            curve,
            margin: fee - benefit_cost,
            rate: discount.of_period(terms.period),
        })
    }

    /// What the fees of one member are worth now, less the benefits. Negative where the benefits cost
    /// more than the fee; nothing for a tenure that nobody reaches.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for the span of a life without a discount, whose value may be
    /// infinite.
    pub fn value(&self, stage: MemberStage, span: Span) -> Result<f64, ConfigError> {
        Ok(self.margin * self.fees(stage, span)?)
    }

    /// What each of several cohorts is worth, given how many of it were there at each renewal: the
    /// survivor counts that [`RenewalSummary`](crate::summary::RenewalSummary) takes, beginning with
    /// those who joined. The last renewal has just been made by those left.
    ///
    /// ```
    /// use tenure::lifetime::{Discount, Membership, MembershipTerms, Sbg, Span};
    /// use tenure::summary::{RenewalSummary, TimeUnit};
    ///
    /// let cohorts: [&[u64]; 3] = [&[1000, 631, 468], &[1200, 770], &[900]];
    /// let model = Sbg::fit(&RenewalSummary::from_cohorts(cohorts)?, &Default::default())?;
    /// let terms = MembershipTerms { fee: 79.0, benefit_cost: 49.0, period: TimeUnit::Year };
    /// let membership = Membership::new(&*model, terms, Discount::annual(0.08)?)?;
    /// let values = membership.cohorts(cohorts, Span::Life)?;
    /// // Those who stayed are those who stay.
    /// assert!(values[0].value > values[1].value && values[1].value > values[2].value);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`value`](Self::value), and [`DataError::Empty`] for a cohort without any count.
    pub fn cohorts<'c>(
        &self,
        survivors: impl IntoIterator<Item = &'c [u64]>,
        span: Span,
    ) -> Result<Vec<CohortValue>, Error> {
        let of_cohort = |survivors: &[u64]| {
            let Some((&members, before)) = survivors.split_last() else {
                return Err(Error::from(DataError::Empty {
                    what: "survivor counts",
                    expected: "each cohort begins with the number of those who joined",
                }));
            };
            let tenure = u32::try_from(before.len()).unwrap_or(u32::MAX);
            let value = self.value(MemberStage::Renewed { tenure }, span)?;
            Ok(CohortValue {
                tenure,
                members,
                value,
                total: members as f64 * value,
            })
        };
        survivors.into_iter().map(of_cohort).collect()
    }

    /// How many fees are still to come, each discounted to now.
    fn fees(&self, stage: MemberStage, span: Span) -> Result<f64, ConfigError> {
        match (stage, span) {
            (_, Span::Periods(0)) => Ok(0.0),
            (MemberStage::New, span) => {
                Ok(1.0 + self.fees(MemberStage::Renewed { tenure: 0 }, span)?)
            }
            (MemberStage::Renewed { tenure }, span) => {
                let then = match span {
                    Span::Periods(periods) => Span::Periods(periods - 1),
                    Span::Life => Span::Life,
                };
                Ok(self.fees(MemberStage::Due { tenure }, then)? / (1.0 + self.rate))
            }
            (MemberStage::Due { tenure }, Span::Life) => {
                if self.rate > 0.0 {
                    return Ok(self.curve.discounted_residual_lifetime(tenure, self.rate));
                }
                Err(ConfigError::OutOfRange {
                    setting: "discount",
                    value: self.rate.to_string(),
                    expected: "a positive rate for the value of a whole life",
                })
            }
            (MemberStage::Due { tenure }, Span::Periods(periods)) => {
                if self.rate == 0.0 {
                    return Ok(self.curve.residual_lifetime(tenure, periods));
                }
                Ok(self.renewals_until(tenure, periods))
            }
        }
    }

    /// Σ S(tenure + k) / S(tenure) · (1 + rate)^(1 − k) over k = 1 to `periods`.
    fn renewals_until(&self, tenure: u32, periods: u32) -> f64 {
        const NOTHING: f64 = 1e-17;
        let alive = self.curve.survival(tenure);
        if alive <= 0.0 {
            return 0.0;
        }
        let (mut sum, mut discount) = (0.0, 1.0);
        for ahead in 1..=periods {
            let term = self.curve.survival(tenure.saturating_add(ahead)) / alive * discount;
            sum += term;
            // Survival does not rise: the rest is at most a geometric series.
            if term <= NOTHING * self.rate * sum {
                break;
            }
            discount /= 1.0 + self.rate;
        }
        sum
    }
}

fn amount(setting: &'static str, value: f64) -> Result<f64, ConfigError> {
    if value >= 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(ConfigError::OutOfRange {
        setting,
        value: value.to_string(),
        expected: "a finite amount that is not negative",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::{Bdw, Geometric, Sbg};
    use proptest::prelude::*;

    fn terms(fee: f64, benefit_cost: f64) -> MembershipTerms {
        MembershipTerms {
            fee,
            benefit_cost,
            period: TimeUnit::Month,
        }
    }

    proptest! {
        /// Who renews with probability p pays p + p²d + … = p / (1 − p d) fees from a renewal on.
        #[test]
        fn lives_of_customers_who_are_all_alike(leaves in 0.001..0.999f64, rate in 0.001..2.0f64, tenure in 0u32..50) {
            let curve = Geometric::new(leaves).unwrap();
            let discount = Discount::per_step(rate).unwrap();
            let membership = Membership::new(&curve, terms(10.0, 4.0), discount).unwrap();
            let value = |stage| membership.value(stage, Span::Life).unwrap();
            let due = 6.0 * (1.0 - leaves) / (1.0 - (1.0 - leaves) / (1.0 + rate));
            for (value, expected) in [
                (value(MemberStage::Due { tenure }), due),
                (value(MemberStage::Renewed { tenure }), due / (1.0 + rate)),
                (value(MemberStage::New), 6.0 + due / (1.0 + rate)),
            ] {
                prop_assert!((value / expected - 1.0).abs() < 1e-11, "{value} {expected}");
            }
        }

        /// Fee by fee, along the retention rates.
        #[test]
        fn spans_are_sums_over_their_fees(
            alpha in 0.05..5.0f64, beta in 0.05..5.0f64, c in 0.5..2.0f64, rate in 0.0..0.5f64,
            tenure in 0u32..20, periods in 0u32..60,
        ) {
            let (sbg, bdw) = (Sbg::new(alpha, beta).unwrap(), Bdw::new(alpha, beta, c).unwrap());
            let curves: [&dyn RetentionCurve; 2] = [&sbg, &bdw];
            for curve in curves {
                let discount = Discount::per_step(rate).unwrap();
                let membership = Membership::new(curve, terms(10.0, 4.0), discount).unwrap();
                let walk = |paid_now: bool, mut renewals: u32, mut from: u32| {
                    let (mut sum, mut there) = (if paid_now && periods > 0 { 6.0 } else { 0.0 }, 1.0);
                    while from < periods {
                        renewals += 1;
                        there *= curve.retention_rate(renewals);
                        sum += 6.0 * there * (1.0 + rate).powi(-(from as i32));
                        from += 1;
                    }
                    sum
                };
                for (stage, expected) in [
                    (MemberStage::New, walk(true, 0, 1)),
                    (MemberStage::Due { tenure }, walk(false, tenure, 0)),
                    (MemberStage::Renewed { tenure }, walk(false, tenure, 1)),
                ] {
                    let value = membership.value(stage, Span::Periods(periods)).unwrap();
                    prop_assert!((value - expected).abs() < 1e-9 * (1.0 + expected), "{value} {expected}");
                }
            }
        }
    }

    #[test]
    fn a_long_span_is_a_life() {
        let curve = Sbg::new(0.668, 3.806).unwrap();
        let discount = Discount::annual(0.3).unwrap();
        let membership = Membership::new(&curve, terms(10.0, 4.0), discount).unwrap();
        let stage = MemberStage::Due { tenure: 4 };
        let life = membership.value(stage, Span::Life).unwrap();
        let long = membership.value(stage, Span::Periods(5_000)).unwrap();
        assert!((long / life - 1.0).abs() < 1e-11, "{long} {life}");
    }

    #[test]
    fn a_year_of_months_discounts_as_a_year() {
        // Nobody leaves: twelve fees, and each year is worth 1 / 1.1 of the one before.
        let curve = Geometric::new(0.0).unwrap();
        let discount = Discount::annual(0.1).unwrap();
        let membership = Membership::new(&curve, terms(1.0, 0.0), discount).unwrap();
        let of = |periods| {
            let span = Span::Periods(periods);
            membership.value(MemberStage::New, span).unwrap()
        };
        assert!((of(24) / of(12) - (1.0 + 1.0 / 1.1)).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        let curve = Geometric::new(0.2).unwrap();
        assert!(Membership::new(&curve, terms(-1.0, 0.0), Discount::none()).is_err());
        assert!(Membership::new(&curve, terms(1.0, f64::NAN), Discount::none()).is_err());
        let free = Membership::new(&curve, terms(1.0, 0.0), Discount::none()).unwrap();
        let error = free.value(MemberStage::New, Span::Life).unwrap_err();
        assert!(error.to_string().contains("`discount`"), "{error}");
        assert!(free.cohorts([&[][..]], Span::Periods(3)).is_err());
        let gone = Geometric::new(1.0).unwrap();
        let gone = Membership::new(&gone, terms(1.0, 0.0), Discount::none()).unwrap();
        let stage = MemberStage::Renewed { tenure: 3 };
        assert_eq!(gone.value(stage, Span::Periods(3)).unwrap(), 0.0);
    }
}
