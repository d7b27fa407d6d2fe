//! A query allocates nothing once its scratch and its list have grown.
#![allow(
    unsafe_code,
    reason = "an allocator that counts is unsafe by its trait"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tenure::event::{Interactions, Timestamp};
use tenure::recommend::{
    AllOf, Als, AlsConfig, Availability, Cap, ContentCosine, CustomerLists, DenyList, Ease,
    EaseConfig, ItemFilter, ItemGroups, ItemKnn, ItemSet, ItemSimilarity, Mmr, Popularity,
    Precision, PriceRange, Query, Reranker, Scorer, Scratch, SessionKnn, SessionKnnConfig, Unseen,
    Weighting, recommend, recommend_capped,
};
use tenure::summary::InteractionSummary;

/// The system's allocator, and how often this thread asked for memory.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator with the same arguments; `realloc` is that of the trait, which
// calls these.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ITEMS: u32 = 500;

#[test]
fn a_query_with_every_rule_allocates_nothing() {
    let mut log = InteractionSummary::new();
    for row in 0..9_000_u32 {
        let item = row.wrapping_mul(2_654_435_761) >> 7;
        log.push(row % 300, item % ITEMS, 1.0).unwrap();
    }
    let matrix = log.matrix();
    let ease = EaseConfig {
        lambda: 10.0,
        precision: Precision::Single,
        items_max: ITEMS,
    };
    let weighting = Weighting::HuKoren {
        alpha: 5.0,
        lambda: 1.0,
    };
    let als = AlsConfig {
        iterations: 2,
        ..AlsConfig::new(weighting, 8, 1)
    };
    let features = (0..3 * ITEMS).map(|at| f64::from(at * 7 % 13));
    let rows = (0..9_000_u32).map(|row| (row % 700, row * 31 % ITEMS, 1.0, Timestamp::EPOCH));
    // Items are numbered as they come.
    let sessions = Interactions::from_rows(rows).unwrap().0;
    let alike = SessionKnnConfig {
        latest: 50,
        neighbours: 20,
        idf_weighting: 1.0,
    };
    let models: Vec<Box<dyn Scorer>> = vec![
        Box::new(Popularity::of(&matrix)),
        Box::new(ItemKnn::fit(&matrix, ItemSimilarity::Cosine, 30).unwrap()),
        Box::new(Ease::fit(&matrix, &ease).unwrap()),
        Box::new(Als::fit(&matrix, &als).unwrap().model),
        Box::new(ContentCosine::new(&matrix, 3, features.collect()).unwrap()),
        Box::new(SessionKnn::fit(&sessions, &alike).unwrap()),
    ];
    let stock: ItemSet = (0..ITEMS).filter(|item| item % 7 != 0).collect();
    let prices: Vec<i64> = (0..i64::from(ITEMS)).collect();
    let mut lists = CustomerLists::new();
    lists.set(3, [5, 6]);
    let availability = Availability::new([(4, Timestamp::MIN..Timestamp::EPOCH)]).unwrap();
    let (unseen, price) = (Unseen(&matrix), PriceRange::new(&prices, 3..=400));
    let (denied, available) = (DenyList(&lists), availability.at(Timestamp::MAX));
    let filters: [&dyn ItemFilter; 5] = [&stock, &unseen, &price, &denied, &available];
    // The best items are of few groups, so that the walk is a long one.
    let categories = ItemGroups::of((0..ITEMS).map(|item| Some(item / 100))).unwrap();
    let brands = ItemGroups::of((0..ITEMS).map(|item| Some(item % 3))).unwrap();
    let caps = [
        Cap {
            groups: &categories,
            most: 3,
        },
        Cap {
            groups: &brands,
            most: 4,
        },
    ];

    let basket = [(1, 1.0), (40, 2.0)];
    let queries = [Query::Basket(&basket), Query::Item(9), Query::Customer(3)];
    let diverse = Mmr::new(0.7, |a: u32, b: u32| f64::from(u8::from(a % 9 == b % 9))).unwrap();
    let mut few = Vec::new();
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    for (number, model) in models.iter().enumerate() {
        let mut asked = || {
            let before = ASKED.with(Cell::get);
            // Sessions have no customers.
            for query in queries.iter().take(if number == 5 { 2 } else { 3 }) {
                let all = AllOf(&filters);
                recommend(model, query, 10, &all, &mut scratch, &mut list).unwrap();
                assert_eq!(list.len(), 10);
                recommend_capped(model, query, 50, &all, &caps, &mut scratch, &mut list).unwrap();
                assert_eq!(list.len(), 12);
                diverse.rerank(&list, 5, &mut scratch, &mut few);
                assert_eq!(few.len(), 5);
            }
            ASKED.with(Cell::get) - before
        };
        let first = asked();
        assert!(number > 0 || first > 0, "the allocator does not count");
        assert_eq!(asked(), 0, "model {number}");
    }
}
