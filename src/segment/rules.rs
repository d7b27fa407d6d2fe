//! Segments by rule: named boxes of RFM scores.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::rfm::{BINS_MAX, RfmScore};
use super::{SegmentId, Segmenter};
use crate::error::ConfigError;

/// A named segment: the customers whose three scores lie in three closed ranges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The segment's name.
    pub name: String,
    /// The recency scores that belong to it.
    pub recency: RangeInclusive<u8>,
    /// The frequency scores that belong to it.
    pub frequency: RangeInclusive<u8>,
    /// The monetary scores that belong to it.
    pub monetary: RangeInclusive<u8>,
}

impl Rule {
    /// A rule by its name and its ranges of recency, frequency and monetary scores.
    pub fn new(
        name: impl Into<String>,
        recency: RangeInclusive<u8>,
        frequency: RangeInclusive<u8>,
        monetary: RangeInclusive<u8>,
    ) -> Self {
        Self {
            name: name.into(),
            recency,
            frequency,
            monetary,
        }
    }

    /// Whether the scores lie in all three ranges.
    pub fn holds(&self, score: &RfmScore) -> bool {
        self.recency.contains(&score.recency)
            && self.frequency.contains(&score.frequency)
            && self.monetary.contains(&score.monetary)
    }

    /// Every combination of scores in the ranges.
    fn scores(&self) -> impl Iterator<Item = RfmScore> + '_ {
        self.recency.clone().flat_map(move |recency| {
            self.frequency.clone().flat_map(move |frequency| {
                let monetary = self.monetary.clone();
                monetary.map(move |monetary| RfmScore {
                    recency,
                    frequency,
                    monetary,
                })
            })
        })
    }
}

/// The rule in words: `Champions: recency 5, frequency 5, monetary 5`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |range: &RangeInclusive<u8>| match (range.start(), range.end()) {
            (low, high) if low == high => low.to_string(),
            (low, high) => format!("{low} to {high}"),
        };
        write!(
            f,
            "{}: recency {}, frequency {}, monetary {}",
            self.name,
            range(&self.recency),
            range(&self.frequency),
            range(&self.monetary)
        )
    }
}

/// An ordered list of rules: the first that holds names the segment, else the default does.
///
/// Segments are numbered as the rules stand; the default is the last.
///
/// ```
/// use tenure::segment::{Rule, RuleSet, RfmScore, Segmenter};
///
/// let rules = RuleSet::new(5, vec![
///     Rule::new("VIP", 4..=5, 4..=5, 5..=5),
///     Rule::new("Slipping VIP", 1..=3, 4..=5, 5..=5),
/// ], "Everyone else")?;
/// let score = RfmScore { recency: 2, frequency: 5, monetary: 5 };
/// assert_eq!(rules.name(rules.assign(&score)), Some("Slipping VIP"));
/// assert_eq!(rules.explain(&score), "Slipping VIP: recency 1 to 3, frequency 4 to 5, monetary 5");
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct RuleSet {
    bins: u8,
    rules: Vec<Rule>,
    default: String,
}

impl RuleSet {
    /// A rule set over scores from 1 to `bins`, with the name of the segment of those whom no rule
    /// takes.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for bins outside 2–99 or an empty default name; [`ConfigError::Rule`] for
    /// a range that is empty or leaves 1–`bins`, for a name that is empty or stands twice, and for a
    /// rule that can never apply because the rules before it take every combination of its scores.
    pub fn new(
        bins: u8,
        rules: Vec<Rule>,
        default: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let default = default.into();
        let bad = |setting, value: String, expected| {
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        if !(2..=BINS_MAX).contains(&bins) {
            return bad("bins", bins.to_string(), "from 2 to 99");
        }
        if default.trim().is_empty() {
            return bad("default", default, "a name");
        }
        let set = Self {
            bins,
            rules,
            default,
        };
        set.check_rules()?;
        Ok(set)
    }

    /// The standard rule set over quintiles: the ten segments of R's package rfm, with `Others` for the rest.
    ///
    /// | segment | R | F | M | who they are | what helps |
    /// |---|---|---|---|---|---|
    /// | Champions | 5 | 5 | 5 | bought just now, often, and most | thank them, let them see new things first, ask for a review |
    /// | Potential Loyalist | 3–5 | 3–5 | 2–5 | recent, already a habit | membership, recommendations, a second category |
    /// | Loyal Customers | 2–4 | 2–4 | 2–4 | steady in all three | more of the basket: complements, better variants |
    /// | Promising | 3–4 | 1–3 | 3–5 | few but large purchases, not long ago | a reason for the next purchase soon |
    /// | New Customers | 4–5 | 1–3 | 1–5 | bought just now, not yet often | welcome, help with the first use, a second purchase within the usual gap |
    /// | Can't Lose Them | 1–2 | 3–4 | 4–5 | spent much and often, long ago | call them in person; find out what happened |
    /// | At Risk | 1–2 | 2–5 | 4–5 | spent much, long ago | a personal offer, news of what they used to buy |
    /// | Need Attention | 1–3 | 3–5 | 3–5 | above average, getting quiet | an offer with an end date on what they like |
    /// | About To Sleep | 2–3 | 1–3 | 1–4 | below average, getting quiet | popular items, a reminder, little money |
    /// | Lost | 1 | 1–5 | 1–5 | last seen longest ago | one cheap attempt, then let them be |
    ///
    /// The rules overlap; the first that holds wins. Names and ranges:
    /// <https://github.com/rsquaredacademy/rfm>, `rfm_segment`.
    pub fn standard() -> Self {
        let rules = [
            ("Champions", 5..=5, 5..=5, 5..=5),
            ("Potential Loyalist", 3..=5, 3..=5, 2..=5),
            ("Loyal Customers", 2..=4, 2..=4, 2..=4),
            ("Promising", 3..=4, 1..=3, 3..=5),
            ("New Customers", 4..=5, 1..=3, 1..=5),
            ("Can't Lose Them", 1..=2, 3..=4, 4..=5),
            ("At Risk", 1..=2, 2..=5, 4..=5),
            ("Need Attention", 1..=3, 3..=5, 3..=5),
            ("About To Sleep", 2..=3, 1..=3, 1..=4),
            ("Lost", 1..=1, 1..=5, 1..=5),
        ];
        let rules = rules.map(|(name, r, f, m)| Rule::new(name, r, f, m));
        Self {
            bins: 5,
            rules: rules.into(),
            default: "Others".to_owned(),
        }
    }

    /// The number of bins of the scores that the rules speak of.
    pub fn bins(&self) -> u8 {
        self.bins
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The name of the segment of those whom no rule takes.
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// A segment's name, or `None` for a number that is none of this set's.
    pub fn name(&self, segment: SegmentId) -> Option<&str> {
        match segment.index() {
            i if i == self.rules.len() => Some(&self.default),
            i => self.rules.get(i).map(|rule| rule.name.as_str()),
        }
    }

    /// The segments of many customers.
    pub fn assign_all(&self, scores: &[RfmScore]) -> Vec<SegmentId> {
        let bins = usize::from(self.bins);
        let cell = |score: &RfmScore| {
            let [r, f, m] = [score.recency, score.frequency, score.monetary].map(usize::from);
            let inside = [r, f, m].iter().all(|s| (1..=bins).contains(s));
            inside.then(|| ((r - 1) * bins + f - 1) * bins + m - 1)
        };
        if scores.len() < bins.pow(3) {
            return scores.iter().map(|score| self.assign(score)).collect();
        }
        let whole = Rule::new("", 1..=self.bins, 1..=self.bins, 1..=self.bins);
        let table: Vec<SegmentId> = whole.scores().map(|score| self.assign(&score)).collect();
        let looked_up = |score| cell(score).and_then(|cell| table.get(cell).copied());
        scores
            .iter()
            .map(|score| looked_up(score).unwrap_or_else(|| self.assign(score)))
            .collect()
    }

    fn check_rules(&self) -> Result<(), ConfigError> {
        let mut taken = vec![false; usize::from(self.bins).pow(3)];
        for (i, rule) in self.rules.iter().enumerate() {
            let bad = |setting, value: String, expected| {
                Err(ConfigError::Rule {
                    position: i + 1,
                    name: rule.name.clone(),
                    setting,
                    value,
                    expected,
                })
            };
            if rule.name.trim().is_empty() {
                return bad("name", format!("{:?}", rule.name), "a name");
            }
            let before = self
                .rules
                .iter()
                .take(i)
                .position(|other| other.name == rule.name);
            if let Some(other) = before {
                return bad(
                    "name",
                    format!("that of rule {}", other + 1),
                    "a name of its own",
                );
            }
            if rule.name == self.default {
                return bad(
                    "name",
                    "that of the default".to_owned(),
                    "a name of its own",
                );
            }
            for (setting, range) in [
                ("recency", &rule.recency),
                ("frequency", &rule.frequency),
                ("monetary", &rule.monetary),
            ] {
                if range.is_empty() || *range.start() < 1 || *range.end() > self.bins {
                    let expected =
                        "a range of scores, from low to high, within 1 to the number of bins";
                    return bad(setting, format!("{range:?}"), expected);
                }
            }
            let bins = usize::from(self.bins);
            let mut reached = false;
            for score in rule.scores() {
                let [r, f, m] = [score.recency, score.frequency, score.monetary].map(usize::from);
                if let Some(cell) = taken.get_mut(((r - 1) * bins + f - 1) * bins + m - 1) {
                    reached |= !*cell;
                    *cell = true;
                }
            }
            if !reached {
                let value = "taken whole by the rules before it".to_owned();
                return bad("reach", value, "scores of which no earlier rule takes all");
            }
        }
        Ok(())
    }
}

impl Segmenter for RuleSet {
    type Features = RfmScore;

    fn assign(&self, score: &RfmScore) -> SegmentId {
        let first = self.rules.iter().position(|rule| rule.holds(score));
        SegmentId(first.unwrap_or(self.rules.len()) as u32)
    }

    fn names(&self) -> Vec<Cow<'_, str>> {
        let rules = self.rules.iter().map(|rule| rule.name.as_str());
        rules
            .chain([self.default.as_str()])
            .map(Cow::from)
            .collect()
    }

    fn explain(&self, score: &RfmScore) -> String {
        match self.rules.get(self.assign(score).index()) {
            Some(rule) => rule.to_string(),
            None => format!(
                "{}: no rule holds for recency {}, frequency {}, monetary {}",
                self.default, score.recency, score.frequency, score.monetary
            ),
        }
    }
}

/// The saved form, with its version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    bins: u8,
    rules: Vec<Rule>,
    default: String,
}

const VERSION: u32 = 1;

impl From<RuleSet> for Saved {
    fn from(set: RuleSet) -> Self {
        let RuleSet {
            bins,
            rules,
            default,
        } = set;
        Self {
            version: VERSION,
            bins,
            rules,
            default,
        }
    }
}

impl TryFrom<Saved> for RuleSet {
    type Error = ConfigError;

    fn try_from(saved: Saved) -> Result<Self, ConfigError> {
        if saved.version != VERSION {
            return Err(ConfigError::OutOfRange {
                setting: "version",
                value: saved.version.to_string(),
                expected: "1, the only version of this format so far",
            });
        }
        Self::new(saved.bins, saved.rules, saved.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn score(code: u32) -> RfmScore {
        let digit = |place: u32| (code / place % 10) as u8;
        RfmScore {
            recency: digit(100),
            frequency: digit(10),
            monetary: digit(1),
        }
    }

    #[test]
    fn the_standard_rules_name_what_r_names() {
        let rules = RuleSet::standard();
        for (code, name) in [
            (555, "Champions"),
            (343, "Potential Loyalist"),
            (423, "Loyal Customers"),
            (413, "Promising"),
            (523, "New Customers"),
            (245, "Can't Lose Them"),
            (155, "At Risk"),
            (233, "Loyal Customers"),
            (253, "Need Attention"),
            (213, "About To Sleep"),
            (112, "Lost"),
            (531, "New Customers"),
            (325, "Promising"),
            (225, "At Risk"),
            (215, "Others"),
            (341, "Others"),
        ] {
            let segment = rules.assign(&score(code));
            assert_eq!(rules.name(segment), Some(name), "{code}");
            assert_eq!(rules.names()[segment.index()], name);
        }
    }

    #[test]
    fn the_standard_rules_pass_their_own_check() {
        let standard = RuleSet::standard();
        let again = RuleSet::new(5, standard.rules.clone(), "Others").unwrap();
        assert_eq!(again, standard);
    }

    #[test]
    fn every_answer_gives_its_rule() {
        let rules = RuleSet::standard();
        assert_eq!(
            rules.explain(&score(555)),
            "Champions: recency 5, frequency 5, monetary 5"
        );
        assert_eq!(
            rules.explain(&score(341)),
            "Others: no rule holds for recency 3, frequency 4, monetary 1"
        );
    }

    #[test]
    fn contradictions_are_named() {
        let ok = || Rule::new("A", 1..=5, 1..=3, 1..=5);
        let message = |rules| RuleSet::new(5, rules, "Rest").unwrap_err().to_string();
        #[allow(clippy::reversed_empty_ranges, reason = "the very thing under test")]
        let empty = Rule::new("B", 4..=2, 1..=1, 1..=1);
        assert_eq!(
            message(vec![ok(), empty]),
            "rule 2 `B`: the recency is 4..=2; it must be a range of scores, from low to high, \
             within 1 to the number of bins"
        );
        assert!(message(vec![Rule::new("B", 0..=2, 1..=1, 1..=1)]).contains("recency is 0..=2"));
        assert!(message(vec![Rule::new("B", 1..=2, 1..=1, 1..=6)]).contains("monetary is 1..=6"));
        assert_eq!(
            message(vec![ok(), Rule::new("A", 1..=5, 4..=4, 1..=5)]),
            "rule 2 `A`: the name is that of rule 1; it must be a name of its own"
        );
        assert!(
            message(vec![Rule::new("Rest", 1..=1, 1..=1, 1..=1)]).contains("that of the default")
        );
        assert!(message(vec![Rule::new(" ", 1..=1, 1..=1, 1..=1)]).contains("a name"));
        let above = Rule::new("C", 1..=5, 4..=5, 1..=5);
        let covered = Rule::new("D", 2..=3, 3..=4, 5..=5);
        assert_eq!(
            message(vec![ok(), above, covered]),
            "rule 3 `D`: the reach is taken whole by the rules before it; it must be scores \
             of which no earlier rule takes all"
        );
        assert!(RuleSet::new(1, vec![], "Rest").is_err());
        assert!(RuleSet::new(5, vec![], "").is_err());
    }

    #[test]
    fn saved_and_loaded_is_the_same_and_loading_checks() {
        let rules = RuleSet::standard();
        let json = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<RuleSet>(&json).unwrap(), rules);
        let other = json.replace("\"version\":1", "\"version\":2");
        assert!(
            serde_json::from_str::<RuleSet>(&other)
                .unwrap_err()
                .to_string()
                .contains("version")
        );
        let twice = json.replace("\"Lost\"", "\"At Risk\"");
        assert!(
            serde_json::from_str::<RuleSet>(&twice)
                .unwrap_err()
                .to_string()
                .contains("rule 10")
        );
    }

    proptest! {
        #[test]
        fn many_at_once_are_as_one_by_one(
            triples in proptest::collection::vec((0_u8..8, 0_u8..8, 0_u8..8), 100..400)
        ) {
            let rules = RuleSet::standard();
            let scores: Vec<RfmScore> = triples
                .iter()
                .map(|&(recency, frequency, monetary)| RfmScore { recency, frequency, monetary })
                .collect();
            let single: Vec<SegmentId> = scores.iter().map(|s| rules.assign(s)).collect();
            prop_assert_eq!(rules.assign_all(&scores), single);
        }
    }
}
