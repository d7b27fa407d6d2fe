//! What goes with a visit so far: the latest visits like it.

use std::mem;

use serde::{Deserialize, Serialize};

use super::item_weights::finite;
use super::saved::{Format, Sealed, sealed, wrong};
use super::{
    Contribution, Explainer, Explanation, Query, QueryError, Scorer, Scratch, check_places,
};
use crate::error::{ConfigError, DataError, Error};
use crate::event::{Interactions, Timestamp};
use crate::summary::InteractionSummary;

/// How [`SessionKnn`] looks for sessions that are alike. There is no default: choose on held-out sessions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionKnnConfig {
    /// m, the latest sessions of each item that are kept, and the latest sessions that are compared with a visit. At
    /// least 1; 500 is usual.
    pub latest: u32,
    /// k, how many of them, the most similar ones, have a say. At least 1; 100 is usual.
    pub neighbours: u32,
    /// How much more a rare item counts than one that is in many sessions, at least 0. At 0 all count alike, and 1 is usual.
    pub idf_weighting: f64,
}

/// VMIS-kNN: items of past sessions that are like the visit so far, the later ones and their last items before others.
///
/// A query is a [`Query::Basket`] of the items visited, *the oldest first*, each at its last visit; how much of each does not
/// count, but what has a weight of 0 was not visited. [`Query::Item`] is a visit of one item. The model knows no customers. The
/// item that is being visited scores 0, and so do all that no neighbour holds.
///
/// ```
/// use tenure::event::{Interactions, Timestamp};
/// use tenure::recommend::{Explainer, Query, Scratch, SessionKnn, SessionKnnConfig, Allowed, recommend};
///
/// let day = |d| Timestamp::from_civil(2024, 5, d).unwrap();
/// let (log, _, items) = Interactions::from_rows([
///     ("monday", "tea", 1.0, day(6)), ("monday", "pot", 1.0, day(6)),
///     ("tuesday", "tea", 1.0, day(7)), ("tuesday", "jam", 1.0, day(7)), ("tuesday", "bread", 1.0, day(7)),
/// ])?;
/// let config = SessionKnnConfig { latest: 500, neighbours: 100, idf_weighting: 1.0 };
/// let model = SessionKnn::fit(&log, &config)?;
///
/// let number = |key| *items.get(key).as_ref().unwrap();
/// let visit = [(number("bread"), 1.0), (number("tea"), 1.0)];
/// let (mut scratch, mut next) = (Scratch::new(), Vec::new());
/// recommend(&model, &Query::Basket(&visit), 1, &|item| item != number("bread"), &mut scratch, &mut next)?;
/// assert_eq!(items.key(next[0].item), Some(&"jam"));
/// // Because of the tea, which is visited now, more than of the bread before it.
/// let why = model.explain(&Query::Basket(&visit), next[0].item)?.reasons(2);
/// assert_eq!(why[0].item, number("tea"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The score
/// Of a visit of n items, the one at place p from its end (p = 0 for the last) gives (n − p) / n to each of the m latest
/// sessions that hold it. Of the m latest sessions that have something, the k with the most are the neighbours, the later one first
/// where two have as much. A neighbour whose nearest item of the visit stands at place p gives to each of its items
/// (1 − (p + 1) / 10) · similarity · idf; nothing from the tenth place on. idf = weighting · ln(events / events of the item), or 1
/// where that is not positive.
///
/// # Cost
/// Memory: 4 bytes an item of each session, at most 4 m for each item. A query sorts at most n · m numbers, and shows
/// all items' scores.
///
/// # Source
/// Kersbergen, Sprangers and Schelter (2022), *Serenade: low-latency session-based recommendation in e-commerce at scale*,
/// algorithm 1; its idf and weights as in the authors' implementation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct SessionKnn {
    config: SessionKnnConfig,
    /// The items of each, ascending. By their time, the oldest first; at the same time by number.
    sessions: Lists,
    /// The number of each in the log.
    number: Vec<u32>,
    /// How often each item was visited in all sessions.
    events: Vec<u64>,
    idf: Vec<f64>,
    /// Of each item, the places of the latest sessions that hold it, the latest first.
    latest: Lists,
}

/// A past session that is like a visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimilarSession {
    /// Its number in the log.
    pub session: u32,
    /// What the items in common give it; positive.
    pub similarity: f64,
}

impl SessionKnn {
    /// From a log whose "customers" are sessions: visits, orders, days of a customer. Rows of weight 0 are left out, other
    /// weights do not count. A session's time is that of its last row.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for a setting that cannot be used; [`DataError::TooLarge`] when the log claims more
    /// sessions or items than [`TABLE_BYTES_MAX`](crate::summary::TABLE_BYTES_MAX) has room for.
    pub fn fit(log: &Interactions, config: &SessionKnnConfig) -> Result<Self, Error> {
        config.check()?;
        let matrix = InteractionSummary::collect(log)?.matrix();
        let mut events = vec![0_u64; matrix.columns() as usize];
        let mut time: Vec<Option<Timestamp>> = vec![None; matrix.rows() as usize];
        let rows = log.customer().iter().zip(log.item());
        let rows = rows.zip(log.weight().iter().zip(log.time()));
        for ((&session, &item), (_, &at)) in rows.filter(|(_, (weight, _))| **weight > 0.0) {
            if let Some(events) = events.get_mut(item as usize) {
                *events += 1;
            }
            if let Some(time) = time.get_mut(session as usize) {
                *time = (*time).max(Some(at));
            }
        }
        let timed = (0..).zip(time);
        let timed = timed.filter_map(|(session, time)| Some((time?, session)));
        let mut order: Vec<(Timestamp, u32)> = timed.collect();
        order.sort_unstable();
        let mut sessions = Lists::default();
        for &(_, session) in &order {
            let (items, weights) = matrix.row(session);
            let visited = items.iter().zip(weights);
            let visited = visited.filter(|(_, weight)| **weight > 0.0);
            sessions.push(visited.map(|(&item, _)| item));
        }
        let number = order.into_iter().map(|(_, session)| session).collect();
        Ok(Self::assemble(*config, sessions, number, events))
    }

    /// How the model was made.
    pub fn config(&self) -> &SessionKnnConfig {
        &self.config
    }

    /// The sessions that have a say in the answer to a visit, the most similar first.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub fn neighbours(&self, query: &Query<'_>) -> Result<Vec<SimilarSession>, QueryError> {
        let mut near = Near::default();
        self.find(query, &mut near)?;
        let sessions = near.found.iter().map(|found| SimilarSession {
            session: self.number.get(found.at as usize).copied().unwrap_or(0),
            similarity: found.similarity,
        });
        Ok(sessions.collect())
    }

    fn assemble(
        config: SessionKnnConfig,
        sessions: Lists,
        number: Vec<u32>,
        events: Vec<u64>,
    ) -> Self {
        let all: u64 = events.iter().sum();
        let idf = events.iter().map(|&events| {
            let idf = config.idf_weighting * (all as f64 / events as f64).ln();
            if idf > 0.0 && idf.is_finite() {
                idf
            } else {
                1.0
            }
        });
        Self {
            idf: idf.collect(),
            latest: sessions.latest(events.len(), config.latest as usize),
            config,
            sessions,
            number,
            events,
        }
    }

    /// Finds the neighbours of a query's visit.
    fn find(&self, query: &Query<'_>, near: &mut Near) -> Result<(), QueryError> {
        query.check(0, self.items())?;
        near.visit(query);
        near.entries.clear();
        for (place, &item) in (0..).zip(&near.visited) {
            let sessions = self.latest.get(item).iter();
            // Sorted, the latest sessions come first, and of each the last items of the visit.
            near.entries
                .extend(sessions.map(|&at| u64::from(!at) << 32 | place));
        }
        near.entries.sort_unstable();
        let length = near.visited.len() as f64;
        let session = |entry: u64| !((entry >> 32) as u32);
        near.found.clear();
        let sessions = near.entries.chunk_by(|&a, &b| session(a) == session(b));
        for own in sessions.take(self.config.latest as usize) {
            // Whole numbers, so that sessions that are as similar are so to the last bit.
            let ranks = own.iter().map(|&entry| rank(entry, length));
            near.found.push(Found {
                at: own.first().map_or(0, |&entry| session(entry)),
                similarity: ranks.sum::<f64>() / length,
            });
        }
        let most = self.config.neighbours as usize;
        if near.found.len() > most {
            near.found.select_nth_unstable_by(most, Found::best_first);
            near.found.truncate(most);
        }
        near.found.sort_unstable_by(Found::best_first);
        Ok(())
    }

    /// What a neighbour gives to its items, for each unit of its similarity, but for their idf.
    fn weight(&self, items: &[u32], visited: &[u32]) -> f64 {
        let nearest = visited
            .iter()
            .take(HEARD)
            .position(|item| items.binary_search(item).is_ok());
        nearest.map_or(0.0, |place| 1.0 - 0.1 * (place + 1) as f64)
    }

    fn idf(&self, item: u32) -> f64 {
        self.idf.get(item as usize).copied().unwrap_or(1.0)
    }

    /// As [`Scorer::score`] of one known item.
    fn score_of(&self, item: u32, near: &Near) -> f64 {
        if near.visited.first() == Some(&item) {
            return 0.0;
        }
        let mut sum = 0.0;
        for found in &near.found {
            let items = self.sessions.get(found.at);
            if items.binary_search(&item).is_ok() {
                sum += self.weight(items, &near.visited) * found.similarity * self.idf(item);
            }
        }
        sum
    }

    /// Lends the working memory to `work`, as the neighbours and the rest of the scratch are needed together.
    fn with_near<T>(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        work: impl FnOnce(&Near, &mut Scratch) -> T,
    ) -> Result<T, QueryError> {
        let mut near = mem::take(&mut scratch.near);
        let done = self.find(query, &mut near).map(|()| work(&near, scratch));
        scratch.near = near;
        done
    }
}

/// So many items from a visit's end give weight to a neighbour; the tenth would give 0.
const HEARD: usize = 9;

/// n − p of an entry.
fn rank(entry: u64, length: f64) -> f64 {
    length - f64::from(entry as u32)
}

impl Scorer for SessionKnn {
    fn items(&self) -> u32 {
        self.events.len() as u32
    }

    fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        check_places(items, out)?;
        self.with_near(query, scratch, |near, _| {
            for (place, &item) in out.iter_mut().zip(items) {
                Query::Item(item).check(0, self.items())?;
                *place = finite(self.score_of(item, near) as f32);
            }
            Ok(())
        })?
    }

    fn scan(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        self.with_near(query, scratch, |near, scratch| {
            let (scores, sums) = scratch.zeros_and_doubles(self.events.len(), self.events.len());
            for found in &near.found {
                let items = self.sessions.get(found.at);
                let weight = self.weight(items, &near.visited) * found.similarity;
                for &item in items {
                    if let Some(sum) = sums.get_mut(item as usize) {
                        *sum += weight * self.idf(item);
                    }
                }
            }
            for (score, &sum) in scores.iter_mut().zip(&*sums) {
                *score = finite(sum as f32);
            }
            let current = near.visited.first();
            if let Some(score) = current.and_then(|&item| scores.get_mut(item as usize)) {
                *score = 0.0;
            }
            visit(0, scores);
        })
    }
}

impl Explainer for SessionKnn {
    /// The items of the visit, and what each gives through the sessions that it makes similar.
    fn explain(&self, query: &Query<'_>, item: u32) -> Result<Explanation, QueryError> {
        let mut near = Near::default();
        self.find(query, &mut near)?;
        Query::Item(item).check(0, self.items())?;
        let mut amounts = vec![0.0; near.visited.len()];
        let current = near.visited.first() == Some(&item);
        for found in near.found.iter().filter(|_| !current) {
            let items = self.sessions.get(found.at);
            if items.binary_search(&item).is_err() {
                continue;
            }
            let weight = self.weight(items, &near.visited) * self.idf(item);
            let first = u64::from(!found.at) << 32;
            let begin = near.entries.partition_point(|&entry| entry < first);
            let own = near.entries.iter().skip(begin);
            for &entry in own.take_while(|&&entry| entry >> 32 == first >> 32) {
                if let Some(amount) = amounts.get_mut(entry as u32 as usize) {
                    let length = near.visited.len() as f64;
                    *amount += weight * rank(entry, length) / length;
                }
            }
        }
        let contributions = near.visited.iter().zip(amounts);
        let contributions = contributions.map(|(&item, amount)| Contribution { item, amount });
        Ok(Explanation::of(contributions.rev().collect()))
    }
}

impl SessionKnnConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |setting, value: String, expected| {
            Err(ConfigError::OutOfRange {
                setting,
                value,
                expected,
            })
        };
        if self.latest == 0 {
            return wrong("latest", "0".to_owned(), "at least 1 session");
        }
        if self.neighbours == 0 {
            return wrong("neighbours", "0".to_owned(), "at least 1 session");
        }
        if !(self.idf_weighting >= 0.0 && self.idf_weighting.is_finite()) {
            let value = self.idf_weighting.to_string();
            let expected = "a finite number that is not negative";
            return wrong("idf_weighting", value, expected);
        }
        Ok(())
    }
}

/// Working memory of a query.
#[derive(Debug, Clone, Default)]
pub(super) struct Near {
    /// The items of the visit, the last one first.
    visited: Vec<u32>,
    /// What a session and an item of the visit have in common: the complement of the session's place, then the item's place.
    entries: Vec<u64>,
    found: Vec<Found>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    /// The session's place: later ones are larger.
    at: u32,
    similarity: f64,
}

impl Found {
    fn best_first(left: &Self, right: &Self) -> std::cmp::Ordering {
        let by_similarity = right.similarity.total_cmp(&left.similarity);
        by_similarity.then(right.at.cmp(&left.at))
    }
}

impl Near {
    fn visit(&mut self, query: &Query<'_>) {
        self.visited.clear();
        match *query {
            Query::Basket(basket) => {
                let visited = basket.iter().rev().filter(|(_, weight)| *weight > 0.0);
                self.visited.extend(visited.map(|&(item, _)| item));
            }
            Query::Item(item) => self.visited.push(item),
            // Refused before.
            Query::Customer(_) => {}
        }
    }
}

/// Lists of numbers, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    ends: Vec<usize>,
    numbers: Vec<u32>,
}

impl Lists {
    fn push(&mut self, list: impl Iterator<Item = u32>) {
        self.numbers.extend(list);
        self.ends.push(self.numbers.len());
    }

    fn get(&self, list: u32) -> &[u32] {
        let list = list as usize;
        let end = self.ends.get(list).copied().unwrap_or(0);
        let begin = list.checked_sub(1).and_then(|before| self.ends.get(before));
        let range = begin.copied().unwrap_or(0)..end;
        self.numbers.get(range).unwrap_or_default()
    }

    /// Of each number, at most `most` of the last lists that hold it, the last first.
    fn latest(&self, numbers: usize, most: usize) -> Self {
        let mut counts = vec![0; numbers];
        for &number in &self.numbers {
            if let Some(count) = counts.get_mut(number as usize) {
                *count = most.min(*count + 1);
            }
        }
        let mut free = Vec::with_capacity(numbers);
        let mut ends = Vec::with_capacity(numbers);
        let mut total = 0;
        for count in counts {
            free.push(total);
            total += count;
            ends.push(total);
        }
        let mut latest = vec![0; total];
        for list in (0..self.ends.len() as u32).rev() {
            for &number in self.get(list) {
                let at = number as usize;
                if let (Some(free), Some(&end)) = (free.get_mut(at), ends.get(at))
                    && *free < end
                    && let Some(place) = latest.get_mut(*free)
                {
                    *place = list;
                    *free += 1;
                }
            }
        }
        Self {
            ends,
            numbers: latest,
        }
    }
}

/// The model as it is saved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<2>,
    config: SessionKnnConfig,
    sessions: Lists,
    number: Vec<u32>,
    events: Vec<u64>,
    checksum: u64,
}

sealed!(Saved);

impl From<SessionKnn> for Saved {
    fn from(model: SessionKnn) -> Self {
        let saved = Self {
            format: Format::LATEST,
            config: model.config,
            sessions: model.sessions,
            number: model.number,
            events: model.events,
            checksum: 0,
        };
        saved.sealed()
    }
}

impl TryFrom<Saved> for SessionKnn {
    type Error = Error;

    fn try_from(mut saved: Saved) -> Result<Self, Error> {
        saved.config.check()?;
        saved.check_lists()?;
        saved.check_seal()?;
        let Saved {
            config,
            sessions,
            number,
            events,
            ..
        } = saved;
        Ok(Self::assemble(config, sessions, number, events))
    }
}

impl Saved {
    /// Refuses sessions that no fit can have made.
    fn check_lists(&self) -> Result<(), DataError> {
        let Self {
            sessions,
            number,
            events,
            ..
        } = self;
        let wrong = |field, value: String, expected| Err(wrong(field, value, expected));
        let held = sessions.ends.last().copied().unwrap_or(0);
        if !sessions.ends.is_sorted() || held != sessions.numbers.len() {
            let expected = "ascending to the number of items";
            return wrong("sessions.ends", format!("up to {held}"), expected);
        }
        let count = sessions.ends.len();
        if number.len() != count || u32::try_from(count.max(events.len())).is_err() {
            let value = format!("of length {}", number.len());
            return wrong("number", value, "as long as there are sessions");
        }
        for session in 0..count as u32 {
            let items = sessions.get(session);
            let known = items
                .last()
                .is_none_or(|&item| (item as usize) < events.len());
            if !known || !items.is_sorted_by(|left, right| left < right) {
                let value = format!("{items:?} in session {session}");
                let expected = "known items, ascending in each session";
                return wrong("sessions.numbers", value, expected);
            }
        }
        if events
            .iter()
            .try_fold(0_u64, |sum, &events| sum.checked_add(events))
            .is_none()
        {
            return wrong("events", "beyond 2^64 in all".to_owned(), "counts of rows");
        }
        Ok(())
    }
}
