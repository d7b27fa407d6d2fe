//! What every kind of model keeps: lists under all rules of a shop, the same bits at any number of threads, a fit that stops when it
//! is told to, and an answer or a clear error to whatever it is given.

#[path = "common/recommenders.rs"]
mod recommenders;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use recommenders::{Data, Kind, factor_kinds, graph_kinds, item_kinds, kinds, with_threads};
use rustix::time::{ClockId, clock_gettime};
use tenure::error::{DataError, Error, FitError};
use tenure::event::{InteractionColumns, Interactions, Timestamp};
use tenure::recommend::{
    AllOf, AllowList, Allowed, Availability, Cap, CustomerLists, DenyList, ItemFilter, ItemGroups,
    ItemSet, PriceRange, Query, QueryError, Rule, Scored, Scorer, Scratch, Unseen, laws, recommend,
    recommend_capped,
};
use tenure::summary::InteractionSummary;

const CUSTOMERS: u32 = 70;
const ITEMS: u32 = 300;

/// More items than a panel, more customers than are scored together, several with the same items.
fn shop() -> Data {
    let mut rows = Vec::new();
    for customer in 0..CUSTOMERS {
        for item in 0..ITEMS {
            if (customer / 2 * 31 + item * 17) % (item / 8 + 5) < 3 {
                rows.push((customer, item, 1.0 + (item % 3) as f32));
            }
        }
    }
    Data::new(rows)
}

/// What a shop allows, by chance, as filters and caps, shown to `ask`.
fn by_chance<T>(seed: u64, data: &Data, ask: impl FnOnce(&dyn ItemFilter, &[Cap<'_>]) -> T) -> T {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let stock: ItemSet = (0..ITEMS).filter(|_| rng.random_bool(0.9)).collect();
    let mut lists = || {
        let mut lists = CustomerLists::new();
        for _ in 0..12 {
            let items: Vec<u32> = (0..rng.random_range(0..150))
                .map(|_| rng.random_range(0..ITEMS))
                .collect();
            lists.set(rng.random_range(0..CUSTOMERS), items);
        }
        lists
    };
    let (only, never) = (lists(), lists());
    let prices: Vec<i64> = (0..ITEMS).map(|_| rng.random_range(0..100)).collect();
    let price = PriceRange::new(&prices, rng.random_range(0..40)..=rng.random_range(50..100));
    let instant = |s| Timestamp::from_unix_s(s).unwrap();
    let times: Vec<_> = (0..40)
        .map(|_| {
            let from = rng.random_range(0..50);
            (
                rng.random_range(0..ITEMS),
                instant(from)..instant(from + rng.random_range(0..30)),
            )
        })
        .collect();
    let times = Availability::new(times).unwrap();
    let at = times.at(instant(rng.random_range(0..60)));
    let step = rng.random_range(1..4);
    let own = Rule(|query: &Query<'_>, item: u32| match query {
        Query::Customer(customer) => (customer + item).is_multiple_of(step),
        _ => true,
    });
    let (allow, deny, unseen) = (AllowList(&only), DenyList(&never), Unseen(&data.matrix));
    let mut filters: Vec<&dyn ItemFilter> = vec![&stock, &allow, &deny, &price, &at, &own];
    if rng.random_bool(0.5) {
        filters.push(&unseen);
    }
    // By chance, or in long runs: then one group has the best items of many.
    let brands: Vec<Option<u32>> = (0..ITEMS)
        .map(|_| rng.random_bool(0.9).then(|| rng.random_range(0..9)))
        .collect();
    let run = rng.random_range(1..60);
    let brands = ItemGroups::of(brands).unwrap();
    let categories = ItemGroups::of((0..ITEMS).map(|item| Some(item / run))).unwrap();
    let caps = [
        Cap {
            groups: &categories,
            most: rng.random_range(0..6),
        },
        Cap {
            groups: &brands,
            most: rng.random_range(0..9),
        },
    ];
    ask(&AllOf(&filters), &caps)
}

/// All items in order, each taken when it is allowed and none of its groups is full.
fn walked(
    all: &[Scored],
    k: usize,
    customer: u32,
    filter: &dyn ItemFilter,
    caps: &[Cap<'_>],
) -> Vec<Scored> {
    let mut list: Vec<Scored> = Vec::new();
    for scored in all {
        let full = caps.iter().any(|cap| {
            let group = cap.groups.group(scored.item);
            let same = list
                .iter()
                .filter(|other| cap.groups.group(other.item) == group);
            group.is_some() && same.count() >= cap.most as usize
        });
        if list.len() < k && !full && filter.allows(&Query::Customer(customer), scored.item) {
            list.push(*scored);
        }
    }
    list
}

/// Every customer's list, asked for one by one, and all at once by 1, 2 and 8 threads, is that of a walk through all items.
fn agree(name: &str, model: &dyn Scorer, k: usize, filter: &dyn ItemFilter, caps: &[Cap<'_>]) {
    let range = 3..CUSTOMERS;
    let (mut scratch, mut all, mut list) = (Scratch::new(), Vec::new(), Vec::new());
    let lists = |threads| {
        with_threads(threads, || {
            model.lists_capped(range.clone(), k, filter, caps).unwrap()
        })
    };
    let batch = lists(1);
    assert_eq!(lists(2), batch, "{name}");
    assert_eq!(lists(8), batch, "{name}");
    assert_eq!(batch.customers(), CUSTOMERS - 3);
    for (customer, of_all) in range.zip(batch.iter()) {
        let query = Query::Customer(customer);
        recommend(model, &query, usize::MAX, &Allowed, &mut scratch, &mut all).unwrap();
        let expected = walked(&all, k, customer, filter, caps);
        recommend_capped(model, &query, k, filter, caps, &mut scratch, &mut list).unwrap();
        assert_eq!(list, expected, "{name}, customer {customer}, alone");
        assert_eq!(of_all, expected, "{name}, customer {customer}, of all");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn lists_keep_every_rule_for_every_kind_of_model(
        seed: u64, k in prop_oneof![4 => 1..40_usize, 1 => Just(0), 1 => Just(usize::MAX)],
    ) {
        let data = shop();
        for kind in kinds() {
            let model = (kind.fit)(&data, &|| false).unwrap().scorer;
            by_chance(seed, &data, |filter, caps| {
                if kind.name == "sessions" {
                    // It knows visits, not customers.
                    let lists = model.lists_capped(0..1, k, filter, caps);
                    assert!(matches!(lists, Err(QueryError::UnknownCustomer { .. })) || k == 0);
                    return;
                }
                agree(kind.name, &*model, k, filter, &caps[..(seed % 3) as usize]);
            });
        }
    }
}

/// Six groups of at most three never fill a list of twenty: the way goes on behind the first stretch, past groups that are full and
/// items that are in the list already, to the end.
#[test]
fn a_list_goes_on_behind_full_groups() {
    let data = shop();
    let runs = ItemGroups::of((0..ITEMS).map(|item| Some(item / 50))).unwrap();
    let caps = [Cap {
        groups: &runs,
        most: 3,
    }];
    for kind in kinds().iter().filter(|kind| kind.name != "sessions") {
        let model = (kind.fit)(&data, &|| false).unwrap().scorer;
        agree(kind.name, &*model, 20, &Allowed, &caps);
    }
}

/// Several pieces of every loop that threads share.
fn crowd(customers: u32, items: u32, each: u32) -> Data {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    Data::new((0..customers * each).map(|row| {
        // The first items are taken most.
        let share: f64 = rng.random();
        let item = if row < items {
            row
        } else {
            (share * share * f64::from(items)) as u32
        };
        (row % customers, item, 1.0 + (row % 3) as f32)
    }))
}

#[test]
fn the_bits_do_not_depend_on_the_threads() {
    let data = crowd(700, 530, 12);
    for kind in kinds() {
        let saved =
            |threads| with_threads(threads, || (kind.fit)(&data, &|| false).unwrap().saved());
        let alone = saved(1);
        assert!(alone.len() > 1_000, "{}", kind.name);
        for threads in [2, 8] {
            assert!(saved(threads) == alone, "{}, {threads} threads", kind.name);
        }
    }
}

/// CPU seconds of this thread: other work on the machine does not count.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Fits by this thread alone until `budget_s` are over; the longest time without a question, from the stop to the end included,
/// and when it was.
fn longest_silence(kind: &Kind, data: &Data, budget_s: f64) -> (f64, f64, Result<(), Error>) {
    with_threads(1, || {
        let begin = cpu_s();
        // When was last asked, and the longest silence with its end.
        let asked = Mutex::new((begin, 0.0, 0.0));
        let ask = || {
            let mut asked = asked.lock().unwrap();
            let now = cpu_s();
            let silence = now - asked.0;
            if silence > asked.1 {
                (asked.1, asked.2) = (silence, now - begin);
            }
            asked.0 = now;
            now - begin > budget_s
        };
        let fit = (kind.fit)(data, &|| ask()).map(drop);
        ask();
        let (_, silence, at) = *asked.lock().unwrap();
        (silence, at, fit)
    })
}

/// Whenever a fit is told to stop, it has stopped within the longest time between two of its questions. Measured on data of
/// the size of Gowalla (30,000 customers, 41,000 items, 810,000 pairs) where the code is optimised, and on a small shop where not.
#[test]
fn a_fit_stops_within_a_tenth_of_a_second() {
    const SMALL: bool = cfg!(debug_assertions);
    let (customers, items, each) = if SMALL {
        (600, 800, 27)
    } else {
        (30_000, 41_000, 27)
    };
    let data = crowd(customers, items, each);
    // EASE is for fewer items.
    let fewer = crowd(customers, items.min(6_000), each);
    let all = item_kinds().into_iter().chain(factor_kinds(64, 2));
    let all = all.chain(graph_kinds(if SMALL { 16 } else { 256 }));
    let mut slow = Vec::new();
    for kind in all.filter(|kind| kind.stops) {
        let data = if kind.name.starts_with("ease") {
            &fewer
        } else {
            &data
        };
        // Code that waits for its data is slower beside others: the best of some runs.
        let mut best = (f64::INFINITY, 0.0);
        for _ in 0..3 {
            let (silence, at, fit) = longest_silence(&kind, data, 6.0);
            if let Err(error) = fit {
                let stopped = matches!(error, Error::Fit(FitError::Cancelled { .. }));
                assert!(stopped, "{}: {error}", kind.name);
            }
            if silence < best.0 {
                best = (silence, at);
            }
            if silence <= 0.1 {
                break;
            }
        }
        eprintln!(
            "{}: {:.1} ms of silence, {:.2} s after the beginning",
            kind.name,
            best.0 * 1e3,
            best.1
        );
        if best.0 > 0.1 {
            slow.push((kind.name, best));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

/// Told to stop at any of its questions, a fit has no model.
#[test]
fn a_fit_that_is_stopped_has_no_model() {
    let data = crowd(40, 60, 8);
    for kind in kinds().into_iter().filter(|kind| kind.stops) {
        let asked = AtomicU64::new(0);
        let until = |most: u64| {
            asked.store(0, Ordering::Relaxed);
            (kind.fit)(&data, &|| asked.fetch_add(1, Ordering::Relaxed) >= most)
        };
        assert!(until(u64::MAX).is_ok(), "{}", kind.name);
        let questions = asked.load(Ordering::Relaxed);
        assert!(questions > 0, "{} asks nothing", kind.name);
        for most in (0..questions).step_by((questions / 20).max(1) as usize) {
            let error = until(most).err();
            let stopped = matches!(error, Some(Error::Fit(FitError::Cancelled { .. })));
            assert!(stopped, "{} at question {most}: {error:?}", kind.name);
        }
    }
}

/// A model answers with finite scores and lists of the length that is due, and refuses what it does not know.
fn answers(name: &str, model: &dyn Scorer, data: &Data) {
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    let items = model.items();
    let queries = [
        Query::Customer(0),
        Query::Item(0),
        Query::Basket(&[(0, 1.0)]),
        Query::Basket(&[]),
    ];
    for query in queries {
        let mut ask = |k, filter: &dyn ItemFilter| {
            recommend(model, &query, k, filter, &mut scratch, &mut list).map(|()| list.clone())
        };
        match ask(5, &Allowed) {
            Ok(list) => {
                assert_eq!(list.len(), items.min(5) as usize, "{name}, {query:?}");
                assert!(
                    list.iter().all(|scored| scored.score.is_finite()),
                    "{name}, {query:?}"
                );
                if items > 0 {
                    laws::check(model, &[query]).unwrap();
                }
                assert_eq!(ask(0, &Allowed), Ok(Vec::new()), "{name}");
                assert_eq!(ask(5, &|_| false), Ok(Vec::new()), "{name}");
                let left = ask(usize::MAX, &Unseen(&data.matrix)).unwrap();
                let seen = |item| !Unseen(&data.matrix).allows(&query, item);
                assert!(left.iter().all(|scored| !seen(scored.item)), "{name}");
                assert_eq!(
                    left.len(),
                    (0..items).filter(|&item| !seen(item)).count(),
                    "{name}"
                );
            }
            Err(error) => {
                let unknown = data.matrix.rows() == 0 || items == 0;
                let refuses = matches!(error, QueryError::Unsupported { .. }) || name == "sessions";
                assert!(unknown || refuses, "{name}, {query:?}: {error}");
            }
        }
    }
    let all = model.lists(0..data.matrix.rows(), 2, &Unseen(&data.matrix));
    assert!(all.is_ok() || name == "sessions", "{name}");
    if items == 0 {
        return;
    }
    // What is popular is so whoever asks, for whatever.
    let whoever = name.starts_with("popularity");
    let weights = [f32::NAN, f32::INFINITY, -1.0].map(|weight| [(0, weight)]);
    let baskets = weights.iter().map(|basket| Query::Basket(basket));
    let unknown = [
        Query::Customer(u32::MAX),
        Query::Item(items),
        Query::Item(u32::MAX),
        Query::Basket(&[(u32::MAX, 1.0)]),
    ];
    for query in unknown.into_iter().chain(baskets) {
        let asked = recommend(model, &query, 3, &Allowed, &mut scratch, &mut list);
        assert_eq!(asked.is_ok(), whoever, "{name}: {query:?}");
    }
    let most = data.matrix.rows().saturating_add(3);
    assert!(
        model.lists(0..most, 2, &Allowed).is_ok() == whoever,
        "{name}"
    );
}

/// Data at the edges of what is possible: each model answers, or says that there is nothing to learn from or no finite solution.
#[test]
fn poor_data_has_a_model_or_a_clear_error() {
    let cases = [
        ("nothing", Data::new([])),
        ("one pair", Data::new([(0, 0, 1.0)])),
        ("one customer", Data::new((0..9).map(|item| (0, item, 1.0)))),
        (
            "one item",
            Data::new((0..9).map(|customer| (customer, 0, 1.0))),
        ),
        (
            "weights of nothing",
            Data::new((0..20).map(|row| (row % 4, row % 5, 0.0))),
        ),
        (
            "the largest weights",
            Data::new((0..20).map(|row| (row % 4, row % 5, f32::MAX))),
        ),
        (
            "the least weights",
            Data::new((0..20).map(|row| (row % 4, row % 5, f32::MIN_POSITIVE))),
        ),
        (
            "everybody has everything",
            Data::new((0..30).map(|row| (row % 6, row / 6, 1.0))),
        ),
    ];
    for (case, data) in &cases {
        for kind in kinds() {
            let name = format!("{}, {case}", kind.name);
            match (kind.fit)(data, &|| false) {
                Ok(fitted) => answers(
                    if kind.name == "sessions" {
                        kind.name
                    } else {
                        &name
                    },
                    &fitted.scorer,
                    data,
                ),
                Err(Error::Data(DataError::Empty { .. })) => {
                    assert!(["nothing", "weights of nothing"].contains(case), "{name}");
                }
                Err(Error::Fit(FitError::NotIdentified { .. })) => {
                    assert_eq!(*case, "the largest weights", "{name}");
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
}

#[test]
fn what_no_model_could_learn_from_does_not_reach_one() {
    let mut log = InteractionSummary::new();
    for weight in [f32::NAN, f32::INFINITY, -1.0] {
        let error = log.push(0, 0, weight).unwrap_err().to_string();
        assert!(error.contains("column `weight`"), "{error}");
        let row = (1, 1, weight, Timestamp::EPOCH);
        let error = Interactions::from_rows([row]).err().unwrap().to_string();
        assert!(error.contains("column `weight`"), "{error}");
    }
    // The numbers of 2³² customers or items.
    let columns = |customers, items| InteractionColumns {
        customers,
        items,
        ..InteractionColumns::default()
    };
    for (customers, items, what) in [(u32::MAX, 1, "customers"), (1, u32::MAX, "items")] {
        let error = log
            .push(customers - 1, items - 1, 1.0)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("table of {what}")), "{error}");
        let claimed = Interactions::from_columns(columns(customers, items)).unwrap();
        let error = InteractionSummary::collect(&claimed)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("table of {what}")), "{error}");
    }
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Damage {
    /// Characters of a number are put for others, from a place on.
    Digits(prop::sample::Index, String),
    Cut(prop::sample::Index),
    Lose(prop::sample::Index, usize),
    Twice(prop::sample::Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), "[-0-9.e]{1,6}").prop_map(|(at, text)| Damage::Digits(at, text)),
        1 => at().prop_map(Damage::Cut),
        2 => (at(), 1..9_usize).prop_map(|(at, length)| Damage::Lose(at, length)),
        2 => (at(), 1..40_usize).prop_map(|(at, length)| Damage::Twice(at, length)),
    ]
}

impl Damage {
    fn done_to(&self, saved: &str) -> String {
        let end = |at: usize, length: usize| (at + length).min(saved.len());
        match self {
            Self::Digits(at, digits) => {
                // From a digit on, so that most files are still ones of numbers.
                let start = at.index(saved.len());
                let digit = saved[start..].find(|c: char| c.is_ascii_digit());
                let at = start + digit.unwrap_or(0);
                format!(
                    "{}{digits}{}",
                    &saved[..at],
                    &saved[end(at, digits.len())..]
                )
            }
            Self::Cut(at) => saved[..at.index(saved.len())].to_owned(),
            Self::Lose(at, length) => {
                let at = at.index(saved.len());
                format!("{}{}", &saved[..at], &saved[end(at, *length)..])
            }
            Self::Twice(at, length) => {
                let at = at.index(saved.len());
                format!("{}{}", &saved[..end(at, *length)], &saved[at..])
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A saved model is read back; cut or damaged, it is an error or a model that answers.
    #[test]
    fn a_damaged_file_is_an_error_or_a_model(damages in proptest::collection::vec(damage(), 8)) {
        let data = crowd(7, 11, 8);
        for kind in kinds() {
            let saved = (kind.fit)(&data, &|| false).unwrap().saved();
            prop_assert!((kind.read)(&saved).unwrap().saved() == saved, "{}", kind.name);
            for damage in &damages {
                let Ok(model) = (kind.read)(&damage.done_to(&saved)).map(|fitted| fitted.scorer) else {
                    continue;
                };
                prop_assert!(!matches!(damage, Damage::Cut(_)), "{}: {damage:?}", kind.name);
                let (mut scratch, mut list) = (Scratch::new(), Vec::new());
                for query in [Query::Customer(1), Query::Item(0), Query::Basket(&[(1, 1.0)])] {
                    let asked = recommend(&*model, &query, 3, &Allowed, &mut scratch, &mut list);
                    let finite = list.iter().all(|scored| scored.score.is_finite());
                    prop_assert!(asked.is_err() || finite, "{}: {damage:?}", kind.name);
                }
            }
        }
    }
}
