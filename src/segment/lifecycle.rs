//! Lifecycle stages: new, active, at risk, dormant, lost, resurrected.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::rhythm::{Multiples, Rhythm};
use super::stage::{Stage, Windows};
use super::timeline::Timeline;
use super::wording::{explain_rhythm, explain_windows};
use super::{SegmentId, Segmenter};
use crate::error::{ConfigError, FitError};
use crate::event::Timestamp;
use crate::summary::Purchases;

/// What a [`Lifecycle`] measures silence by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleRule {
    /// Each customer's own usual time between purchases.
    Rhythm(Rhythm),
    /// The same days for everybody.
    Windows(Windows),
}

/// Tells each customer's [`Stage`] at a date.
///
/// The stage follows from the silence, the days from the last purchase to the date:
///
/// 1. **Lost**, **Dormant** or **AtRisk** when the silence reaches that limit;
/// 2. else **New**: with windows, while the first purchase is fewer than `new_days` old; by rhythm,
///    until the second purchase, because no gap of their own is known yet;
/// 3. else **Resurrected** when the gap before the last purchase reached the limit of dormant (by
///    rhythm: of the usual gap as it was known *before* that gap);
/// 4. else **Active**.
///
/// Limits are days ([`Windows`]) or multiples of the customer's usual gap ([`Rhythm`]).
///
/// ```
/// use tenure::segment::{Lifecycle, Multiples, Rhythm, Segmenter, Stage, Timeline};
///
/// let lifecycle = Lifecycle::by_rhythm(Rhythm {
///     usual_gap_days: 30.0,
///     weight: 2.0,
///     multiples: Multiples::default(),
/// })?;
/// // Purchases on days 0, 16, 30 and 45; the usual gap is (2·30 + 45) / (2 + 3) = 21 days.
/// let ann = Timeline::from_days(&[0, 16, 30, 45], 95).unwrap();
/// assert_eq!(lifecycle.stage(&ann), Stage::AtRisk);
/// assert_eq!(
///     lifecycle.explain(&ann),
///     "AtRisk: 50 days since the last purchase are 2.3 times the usual 21 days \
///      (at risk from 2 times, dormant from 3)"
/// );
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Lifecycle {
    rule: LifecycleRule,
}

impl Lifecycle {
    /// Stages by each customer's own rhythm, with the rhythm of the population fitted on the purchases up
    /// to `as_of`: see [`Rhythm::fit`].
    ///
    /// # Errors
    /// As [`Rhythm::fit`].
    pub fn from_rhythm(
        purchases: &Purchases,
        as_of: Timestamp,
        multiples: Multiples,
    ) -> Result<Self, crate::Error> {
        multiples.check()?;
        let rhythm: Result<Rhythm, FitError> = Rhythm::fit(purchases, as_of, multiples);
        Ok(Self::by_rhythm(rhythm?)?)
    }

    /// Stages by each customer's own rhythm, with a given rhythm of the population.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a field outside its range.
    pub fn by_rhythm(rhythm: Rhythm) -> Result<Self, ConfigError> {
        rhythm.check()?;
        Ok(Self {
            rule: LifecycleRule::Rhythm(rhythm),
        })
    }

    /// Stages by days that are the same for everybody.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless `at_risk_days` < `dormant_days` < `lost_days` and `new_days` ≤
    /// `dormant_days`, all at least 1.
    pub fn by_windows(windows: Windows) -> Result<Self, ConfigError> {
        windows.check()?;
        Ok(Self {
            rule: LifecycleRule::Windows(windows),
        })
    }

    /// What silence is measured by.
    pub fn rule(&self) -> &LifecycleRule {
        &self.rule
    }

    /// A customer's stage.
    pub fn stage(&self, timeline: &Timeline) -> Stage {
        let (silence, limits) = (timeline.silence_days(), self.limits(timeline));
        if silence >= limits.lost {
            Stage::Lost
        } else if silence >= limits.dormant {
            Stage::Dormant
        } else if silence >= limits.at_risk {
            Stage::AtRisk
        } else if limits.new {
            Stage::New
        } else if timeline
            .last_gap_days()
            .is_some_and(|gap| gap >= limits.came_back)
        {
            Stage::Resurrected
        } else {
            Stage::Active
        }
    }

    /// The stages of all customers with a purchase up to `as_of`, in ascending order of customers: what
    /// [`Transitions::between`](super::Transitions::between) takes.
    pub fn over(&self, purchases: &Purchases, as_of: Timestamp) -> Vec<(u32, SegmentId)> {
        let as_of = purchases.period_of(as_of);
        (0..)
            .zip(purchases.iter())
            .filter_map(|(customer, run)| {
                let timeline = Timeline::of_run(purchases, run, as_of)?;
                Some((customer, self.stage(&timeline).id()))
            })
            .collect()
    }

    /// The limits of silence in days for one customer.
    fn limits(&self, timeline: &Timeline) -> Limits {
        match &self.rule {
            LifecycleRule::Rhythm(rhythm) => {
                let usual = rhythm.usual_days(timeline);
                let Multiples {
                    at_risk,
                    dormant,
                    lost,
                } = rhythm.multiples;
                Limits {
                    at_risk: at_risk * usual,
                    dormant: dormant * usual,
                    lost: lost * usual,
                    came_back: dormant * rhythm.usual_days_before_last(timeline),
                    new: timeline.purchases() == 1,
                }
            }
            LifecycleRule::Windows(windows) => Limits {
                at_risk: windows.at_risk_days.into(),
                dormant: windows.dormant_days.into(),
                lost: windows.lost_days.into(),
                came_back: windows.dormant_days.into(),
                new: timeline.age_days() < windows.new_days.into(),
            },
        }
    }
}

struct Limits {
    at_risk: f64,
    dormant: f64,
    lost: f64,
    came_back: f64,
    new: bool,
}

impl Segmenter for Lifecycle {
    type Features = Timeline;

    fn assign(&self, timeline: &Timeline) -> SegmentId {
        self.stage(timeline).id()
    }

    fn names(&self) -> Vec<Cow<'_, str>> {
        Stage::ALL.iter().map(|stage| stage.name().into()).collect()
    }

    fn explain(&self, timeline: &Timeline) -> String {
        let stage = self.stage(timeline);
        match &self.rule {
            LifecycleRule::Rhythm(rhythm) => explain_rhythm(rhythm, stage, timeline),
            LifecycleRule::Windows(windows) => explain_windows(windows, stage, timeline),
        }
    }
}

/// The saved form, with its version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    rule: LifecycleRule,
}

const VERSION: u32 = 1;

impl From<Lifecycle> for Saved {
    fn from(lifecycle: Lifecycle) -> Self {
        Self {
            version: VERSION,
            rule: lifecycle.rule,
        }
    }
}

impl TryFrom<Saved> for Lifecycle {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        if saved.version != VERSION {
            return Err(ConfigError::OutOfRange {
                setting: "version",
                value: saved.version.to_string(),
                expected: "1, the only version of this format so far",
            });
        }
        match saved.rule {
            LifecycleRule::Rhythm(rhythm) => Self::by_rhythm(rhythm),
            LifecycleRule::Windows(windows) => Self::by_windows(windows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Decimals, Period, Transactions, Zone};
    use crate::segment::Transitions;
    use crate::summary::{Grain, PurchaseOptions, PurchaseSummary, Refunds};
    use proptest::prelude::*;

    fn rhythm() -> Lifecycle {
        let multiples = Multiples::default();
        Lifecycle::by_rhythm(Rhythm {
            usual_gap_days: 30.0,
            weight: 2.0,
            multiples,
        })
        .unwrap()
    }

    fn windows() -> Lifecycle {
        Lifecycle::by_windows(Windows {
            new_days: 30,
            at_risk_days: 60,
            dormant_days: 120,
            lost_days: 365,
        })
        .unwrap()
    }

    #[test]
    fn each_stage_by_rhythm_says_its_numbers() {
        let lifecycle = rhythm();
        // Gaps of 10 days, five of them: usual (60 + 50) / 7 = 15.71 days, at risk from 31.4 days,
        // dormant from 47.1, lost from 78.6.
        let steady = [0, 10, 20, 30, 40, 50];
        for (days, as_of, says) in [
            (
                &[0][..],
                59,
                "New: 59 days since the only purchase are 1.9 times the usual 30 days (at risk from 2 times)",
            ),
            (
                &[0],
                60,
                "AtRisk: 60 days since the last purchase are 2 times the usual 30 days (at risk from 2 times, dormant from 3)",
            ),
            (
                &steady,
                81,
                "Active: 31 days since the last purchase are 1.9 times the usual 15.7 days (at risk from 2 times)",
            ),
            (
                &steady,
                82,
                "AtRisk: 32 days since the last purchase are 2 times the usual 15.7 days (at risk from 2 times, dormant from 3)",
            ),
            (
                &steady,
                98,
                "Dormant: 48 days since the last purchase are 3 times the usual 15.7 days (dormant from 3 times, lost from 5)",
            ),
            (
                &steady,
                129,
                "Lost: 79 days since the last purchase are 5 times the usual 15.7 days (lost from 5 times)",
            ),
            // Before the last purchase the usual gap was 110 / 7 days; 48 of them are 3.05 times that.
            (
                &[0, 10, 20, 30, 40, 50, 98],
                100,
                "Resurrected: came back 2 days ago after 48 days, 3 times the usual 15.7 days (dormant from 3 times)",
            ),
            (
                &[0, 10, 20, 30, 40, 50, 97],
                100,
                "Active: 3 days since the last purchase are 0.1 times the usual 19.6 days (at risk from 2 times)",
            ),
            (
                &[0, 90],
                91,
                "Resurrected: came back 1 days ago after 90 days, 3 times the usual 30 days (dormant from 3 times)",
            ),
            (
                &[0, 89],
                91,
                "Active: 2 days since the last purchase are 0 times the usual 49.7 days (at risk from 2 times)",
            ),
        ] {
            let timeline = Timeline::from_days(days, as_of).unwrap();
            assert_eq!(lifecycle.explain(&timeline), says);
        }
    }

    #[test]
    fn each_stage_by_windows_says_its_numbers() {
        let lifecycle = windows();
        for (days, as_of, says) in [
            (
                &[0][..],
                29,
                "New: 29 days since the first purchase (new for 30 days)",
            ),
            (
                &[0, 20],
                29,
                "New: 29 days since the first purchase (new for 30 days)",
            ),
            (
                &[0],
                30,
                "Active: 30 days since the last purchase (at risk from 60 days)",
            ),
            (
                &[0, 20],
                80,
                "AtRisk: 60 days since the last purchase (at risk from 60 days, dormant from 120)",
            ),
            (
                &[0, 20],
                140,
                "Dormant: 120 days since the last purchase (dormant from 120 days, lost from 365)",
            ),
            (
                &[0, 20],
                385,
                "Lost: 365 days since the last purchase (lost from 365 days)",
            ),
            (
                &[0, 120],
                125,
                "Resurrected: came back 5 days ago after 120 days (dormant from 120 days)",
            ),
            (
                &[0, 119],
                125,
                "Active: 6 days since the last purchase (at risk from 60 days)",
            ),
        ] {
            let timeline = Timeline::from_days(days, as_of).unwrap();
            assert_eq!(lifecycle.explain(&timeline), says);
        }
    }

    #[test]
    fn windows_that_contradict_are_named() {
        let good = Windows {
            new_days: 30,
            at_risk_days: 60,
            dormant_days: 120,
            lost_days: 365,
        };
        for (bad, says) in [
            (
                Windows {
                    at_risk_days: 0,
                    ..good
                },
                "at_risk_days",
            ),
            (
                Windows {
                    dormant_days: 60,
                    ..good
                },
                "dormant_days",
            ),
            (
                Windows {
                    lost_days: 100,
                    ..good
                },
                "lost_days",
            ),
            (
                Windows {
                    new_days: 0,
                    ..good
                },
                "new_days",
            ),
            (
                Windows {
                    new_days: 121,
                    ..good
                },
                "new_days",
            ),
        ] {
            let error = Lifecycle::by_windows(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("`{says}` is")), "{error}");
        }
    }

    #[test]
    fn saved_and_loaded_is_the_same_and_loading_checks() {
        for lifecycle in [rhythm(), windows()] {
            let json = serde_json::to_string(&lifecycle).unwrap();
            assert_eq!(serde_json::from_str::<Lifecycle>(&json).unwrap(), lifecycle);
            let newer = json.replace("\"version\":1", "\"version\":2");
            assert!(serde_json::from_str::<Lifecycle>(&newer).is_err());
        }
        let json = serde_json::to_string(&windows())
            .unwrap()
            .replace("365", "60");
        assert!(
            serde_json::from_str::<Lifecycle>(&json)
                .unwrap_err()
                .to_string()
                .contains("lost_days")
        );
    }

    #[test]
    fn a_log_is_staged_at_two_dates() {
        let day = |m, d| Timestamp::from_civil(2024, m, d).unwrap();
        let rows = [
            ("ann", day(1, 1), 100),
            ("ann", day(1, 11), 100),
            ("ann", day(1, 21), 100),
            ("bob", day(1, 5), 100),
            ("bob", day(2, 4), 100),
            ("bob", day(3, 25), 100),
            ("cat", day(3, 20), 100),
        ];
        let (log, _) = Transactions::from_rows(Decimals::TWO, rows).unwrap();
        for grain in [Grain::Period(Period::Day), Grain::Instant] {
            let options = PurchaseOptions {
                grain,
                zone: Zone::UTC,
                refunds: Refunds::Ignore,
            };
            let purchases = PurchaseSummary::collect(&log, &options)
                .unwrap()
                .purchases()
                .unwrap();
            // By February 11 the gaps are 10, 10 and 30 days. The later purchases are not looked at.
            let lifecycle =
                Lifecycle::from_rhythm(&purchases, day(2, 11), Multiples::default()).unwrap();
            let LifecycleRule::Rhythm(found) = lifecycle.rule() else {
                panic!("not a rhythm")
            };
            assert_eq!(found.weight, 1e-3); // ann's gaps are equal: her own rhythm is all that counts
            assert!((found.usual_gap_days - 20.0).abs() < 0.01, "{found:?}");

            let before = lifecycle.over(&purchases, day(2, 11));
            let after = lifecycle.over(&purchases, day(3, 31));
            assert_eq!(before, [(0, Stage::AtRisk.id()), (1, Stage::Active.id())]);
            assert_eq!(
                after,
                [
                    (0, Stage::Lost.id()),
                    (1, Stage::Active.id()),
                    (2, Stage::New.id())
                ]
            );
            let moves = Transitions::between(&lifecycle.names(), &before, &after).unwrap();
            assert_eq!(moves.count(Stage::AtRisk.id(), Stage::Lost.id()), 1);
            assert_eq!(moves.entered(Stage::New.id()), 1);
            let bob = Timeline::of(&purchases, 1, day(3, 31)).unwrap();
            assert_eq!(lifecycle.stage(&bob), Stage::Active);
            assert_eq!(Timeline::of(&purchases, 2, day(2, 11)), None);
        }
    }

    proptest! {
        /// Waiting never brings a customer back to an earlier stage.
        #[test]
        fn silence_only_leads_downward(
            mut days in proptest::collection::vec(0_i32..2_000, 1..20),
            gap in 1.0_f64..400.0, weight in 0.01_f64..50.0,
        ) {
            days.sort_unstable();
            let last = days[days.len() - 1];
            let multiples = Multiples::default();
            let own = Rhythm { usual_gap_days: gap, weight, multiples };
            for lifecycle in [Lifecycle::by_rhythm(own).unwrap(), windows()] {
                let rank = |as_of: i32| {
                    let timeline = Timeline::from_days(&days, as_of).unwrap();
                    let stage = lifecycle.stage(&timeline);
                    assert!(lifecycle.explain(&timeline).starts_with(stage.name()));
                    assert_eq!(lifecycle.assign(&timeline), stage.id());
                    match stage {
                        Stage::New => 0,
                        Stage::Active | Stage::Resurrected => 1,
                        Stage::AtRisk => 2,
                        Stage::Dormant => 3,
                        Stage::Lost => 4,
                    }
                };
                let path: Vec<i32> = (0..3_000).step_by(37).map(|wait| rank(last + wait)).collect();
                prop_assert!(path.is_sorted());
                prop_assert!(lifecycle != windows() || path.last() == Some(&4));
            }
        }
    }
}
