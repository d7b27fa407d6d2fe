//! How customers move between segments.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::SegmentId;
use crate::error::DataError;

/// How many customers moved from which segment to which between two dates.
///
/// ```
/// use tenure::segment::{SegmentId, Transitions};
///
/// let names = ["Active", "Lost"].map(Into::into);
/// let (active, lost) = (SegmentId(0), SegmentId(1));
/// let march = [(1, active), (2, active), (4, lost)];
/// let april = [(1, active), (2, lost), (3, active), (4, lost)];
/// let moves = Transitions::between(&names, &march, &april)?;
/// assert_eq!(moves.count(active, lost), 1);
/// assert_eq!(moves.share(active, lost), Some(0.5));
/// assert_eq!(moves.entered(active), 1); // customer 3 was not there in March
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transitions {
    names: Vec<String>,
    /// Row-major, one row and one column more than segments, for the customers absent at a date.
    counts: Vec<u64>,
}

impl Transitions {
    /// Counts moves between the segments of two dates, each given as customers in ascending
    /// order with their segments. A customer may be absent at either date.
    ///
    /// # Errors
    /// [`DataError::Value`] where customers do not ascend or a segment has no name.
    pub fn between(
        names: &[Cow<'_, str>],
        before: &[(u32, SegmentId)],
        after: &[(u32, SegmentId)],
    ) -> Result<Self, DataError> {
        check(names.len(), before, "before")?;
        check(names.len(), after, "after")?;
        let absent = names.len();
        let mut moves = Self {
            names: names.iter().map(|name| name.clone().into_owned()).collect(),
            counts: vec![0; (absent + 1) * (absent + 1)],
        };
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(moves),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            let from = if order.is_le() { old.next() } else { None };
            let to = if order.is_ge() { new.next() } else { None };
            let place = |entry: Option<&(u32, SegmentId)>| entry.map_or(absent, |(_, s)| s.index());
            moves.counts[place(from) * (absent + 1) + place(to)] += 1;
        }
    }

    /// The segments' names, in the order of their numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Customers who were in `from` and then in `to`; 0 for a segment that does not exist.
    pub fn count(&self, from: SegmentId, to: SegmentId) -> u64 {
        let known = from.index() < self.names.len() && to.index() < self.names.len();
        if known {
            self.cell(from.index(), to.index())
        } else {
            0
        }
    }

    /// Of the customers in `from` at the first date, the share in `to` at the second; `None` when
    /// there was none in `from`.
    pub fn share(&self, from: SegmentId, to: SegmentId) -> Option<f64> {
        let absent = self.names.len();
        if from.index() >= absent {
            return None;
        }
        let all: u64 = (0..=absent).map(|to| self.cell(from.index(), to)).sum();
        (all > 0).then(|| self.count(from, to) as f64 / all as f64)
    }

    /// Customers in `to` at the second date who were absent at the first.
    pub fn entered(&self, to: SegmentId) -> u64 {
        let absent = self.names.len();
        if to.index() < absent {
            self.cell(absent, to.index())
        } else {
            0
        }
    }

    /// Customers in `from` at the first date who are absent at the second.
    pub fn left(&self, from: SegmentId) -> u64 {
        let absent = self.names.len();
        if from.index() < absent {
            self.cell(from.index(), absent)
        } else {
            0
        }
    }

    fn cell(&self, from: usize, to: usize) -> u64 {
        let width = self.names.len() + 1;
        self.counts.get(from * width + to).copied().unwrap_or(0)
    }
}

fn check(segments: usize, entries: &[(u32, SegmentId)], column: &str) -> Result<(), DataError> {
    let bad = |row: usize, value: u32, expected| {
        Err(DataError::Value {
            row: row as u64 + 1,
            column: column.to_owned(),
            value: value.to_string(),
            expected,
        })
    };
    if let Some(i) = entries.windows(2).position(|pair| pair[0].0 >= pair[1].0) {
        return bad(
            i + 1,
            entries[i + 1].0,
            "a customer with a higher number than the one before",
        );
    }
    match entries
        .iter()
        .position(|(_, segment)| segment.index() >= segments)
    {
        Some(i) => bad(i, entries[i].1.0, "the number of one of the names"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn disorder_is_named() {
        let names = ["a"].map(Cow::from);
        let a = SegmentId(0);
        let message = |before: &[(u32, SegmentId)]| {
            Transitions::between(&names, before, &[])
                .unwrap_err()
                .to_string()
        };
        assert!(message(&[(1, a), (1, a)]).starts_with("row 2, column `before`: found `1`"));
        assert!(message(&[(1, SegmentId(1))]).contains("the number of one of the names"));
        let none = Transitions::between(&[], &[], &[]).unwrap();
        assert_eq!(
            (none.count(a, a), none.entered(a), none.share(a, a)),
            (0, 0, None)
        );
    }

    proptest! {
        #[test]
        fn every_customer_is_counted_once(
            before in proptest::collection::btree_map(0_u32..60, 0_u32..3, 0..40),
            after in proptest::collection::btree_map(0_u32..60, 0_u32..3, 0..40),
        ) {
            let names = ["a", "b", "c"].map(Cow::from);
            let list = |map: &BTreeMap<u32, u32>| -> Vec<_> {
                map.iter().map(|(&c, &s)| (c, SegmentId(s))).collect()
            };
            let moves = Transitions::between(&names, &list(&before), &list(&after)).unwrap();
            let ids = [0, 1, 2].map(SegmentId);
            for s in ids {
                let rest = |a: &BTreeMap<u32, u32>, b: &BTreeMap<u32, u32>| {
                    a.iter().filter(|(c, v)| **v == s.0 && !b.contains_key(c)).count() as u64
                };
                prop_assert_eq!(moves.left(s), rest(&before, &after));
                prop_assert_eq!(moves.entered(s), rest(&after, &before));
                for t in ids {
                    let both = before
                        .iter()
                        .filter(|(c, v)| **v == s.0 && after.get(c) == Some(&t.0))
                        .count();
                    prop_assert_eq!(moves.count(s, t), both as u64);
                }
            }
        }
    }
}
