//! A list keeps every rule, and is as long as the rules allow: compared with a walk through all items.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use tenure::error::DataError;
use tenure::event::Timestamp;
use tenure::recommend::{
    AllOf, AllowList, Allowed, Availability, Cap, CustomerLists, DenyList, Except, ItemFilter,
    ItemGroups, ItemSet, PriceRange, Query, QueryError, Rule, Scored, Scorer, Scratch, Unseen,
    recommend, recommend_capped,
};
use tenure::summary::InteractionSummary;

/// The same scores for everybody.
struct Fixed(Vec<f32>);

impl Scorer for Fixed {
    fn items(&self) -> u32 {
        self.0.len() as u32
    }

    fn score(
        &self,
        _: &Query<'_>,
        items: &[u32],
        _: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        for (place, &item) in out.iter_mut().zip(items) {
            *place = self.0[item as usize];
        }
        Ok(())
    }
}

type Keys = Vec<Option<u8>>;

/// All items in order, each taken when it is allowed and none of its groups is full.
fn walked(
    scores: &[f32],
    k: usize,
    allowed: impl Fn(u32) -> bool,
    caps: &[(&Keys, u32)],
) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| {
        let by_score = scores[b as usize].partial_cmp(&scores[a as usize]);
        by_score.unwrap().then(a.cmp(&b))
    });
    let mut counts: HashMap<(usize, u8), u32> = HashMap::new();
    let mut list = Vec::new();
    for item in order {
        let own: Vec<_> = caps
            .iter()
            .enumerate()
            .filter_map(|(at, (keys, most))| {
                let key = keys.get(item as usize).copied().flatten()?;
                Some(((at, key), *most))
            })
            .collect();
        let full = own
            .iter()
            .any(|(group, most)| counts.get(group).copied().unwrap_or(0) >= *most);
        if list.len() < k && allowed(item) && !full {
            list.push(item);
            own.into_iter()
                .for_each(|(group, _)| *counts.entry(group).or_default() += 1);
        }
    }
    list
}

fn groups(keys: &Keys) -> ItemGroups {
    ItemGroups::of(keys.iter().copied()).unwrap()
}

fn items(list: &[Scored]) -> Vec<u32> {
    list.iter().map(|scored| scored.item).collect()
}

/// Few scores, so that many are equal; or falling ones, of which the first belong together.
fn scores() -> impl Strategy<Value = Vec<f32>> {
    let few = vec(
        prop_oneof![Just(0.0_f32), Just(-0.0), Just(1.0), -3_f32..3.0],
        0..400,
    );
    prop_oneof![
        few,
        (1..700_u32).prop_map(|n| (0..n).map(|item| -(item as f32)).collect())
    ]
}

/// Groups by chance, or in long runs: then one group holds all the best items.
fn keys() -> impl Strategy<Value = Keys> {
    let run = (option::of(0..6_u8), 1..150_usize);
    let runs = vec(run, 0..12).prop_map(|runs| {
        runs.into_iter()
            .flat_map(|(key, length)| vec![key; length])
            .collect()
    });
    prop_oneof![vec(option::weighted(0.9, 0..6_u8), 0..700), runs]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_capped_list_is_that_of_a_walk_through_all_items(
        scores in scores(),
        (categories, brands) in (keys(), keys()),
        (most, of_brand) in (0..5_u32, 0..8_u32),
        k in prop_oneof![0..30_usize, Just(usize::MAX)],
        step in 1..4_u32,
    ) {
        let allowed = |item: u32| item.is_multiple_of(step);
        let (by_category, by_brand) = (groups(&categories), groups(&brands));
        let caps = [
            Cap { groups: &by_category, most },
            Cap { groups: &by_brand, most: of_brand },
        ];
        let model = Fixed(scores.clone());
        let (mut scratch, mut list) = (Scratch::new(), vec![Scored { item: 9, score: 9.0 }]);
        let naive = [(&categories, most), (&brands, of_brand)];
        // The scratch of one is that of the next.
        for number in [2, 1, 0] {
            recommend_capped(
                &model, &Query::Customer(0), k, &allowed, &caps[..number], &mut scratch, &mut list,
            ).unwrap();
            prop_assert_eq!(items(&list), walked(&scores, k, allowed, &naive[..number]));
            prop_assert!(list.iter().all(|scored| scored.score == scores[scored.item as usize]));
        }
    }

    #[test]
    fn filters_allow_what_their_sets_say(
        (stock, own, denied) in (btree_set(0..40_u32, 0..40), btree_set(0..40_u32, 0..20), btree_set(0..40_u32, 0..20)),
        prices in vec(-3..10_i64, 0..40),
        (least, most) in (-3..10_i64, -3..10_i64),
        times in vec((0..40_u32, 0..50_i64, 0..20_i64), 0..30),
        now in 0..60_i64,
        seen in btree_set(0..40_u32, 0..20),
        customer in 0..3_u32,
    ) {
        let mut log = InteractionSummary::new();
        log.push(2, 40, 1.0).unwrap();
        seen.iter().for_each(|&item| log.push(1, item, 1.0).unwrap());
        let matrix = log.matrix();
        let (mut only, mut never) = (CustomerLists::new(), CustomerLists::new());
        only.set(1, own.iter().rev().copied());
        never.set(1, denied.iter().rev().copied());
        let instant = |s| Timestamp::from_unix_s(s).unwrap();
        let spans = times.iter().map(|&(item, from, length)| (item, instant(from)..instant(from + length)));
        let availability = Availability::new(spans).unwrap();
        let in_stock: ItemSet = stock.iter().copied().collect();
        let (price, at) = (PriceRange::new(&prices, least..=most), availability.at(instant(now)));
        let odd = |item: u32| item % 2 == 1;
        let not_for_two = Rule(|query: &Query<'_>, _: u32| *query != Query::Customer(2));
        let unseen = Unseen(&matrix);
        let (allow, deny) = (AllowList(&only), DenyList(&never));

        let mut by_item: BTreeMap<u32, Vec<std::ops::Range<i64>>> = BTreeMap::new();
        for &(item, from, length) in &times {
            by_item.entry(item).or_default().push(from..from + length);
        }
        let query = Query::Customer(customer);
        for item in 0..45 {
            let is_first = customer == 1;
            let expected: [(&dyn ItemFilter, bool); 8] = [
                (&in_stock, stock.contains(&item)),
                (&allow, !is_first || own.contains(&item)),
                (&deny, !is_first || !denied.contains(&item)),
                (&price, prices.get(item as usize).is_some_and(|price| least <= *price && *price <= most)),
                (&at, by_item.get(&item).is_none_or(|spans| spans.iter().any(|span| span.contains(&now)))),
                (&odd, item % 2 == 1),
                (&not_for_two, customer != 2),
                (&unseen, if is_first { !seen.contains(&item) } else { customer != 2 || item != 40 }),
            ];
            for (at, (filter, expected)) in expected.iter().enumerate() {
                prop_assert_eq!(filter.allows(&query, item), *expected, "filter {}, item {}", at, item);
            }
            let filters = expected.map(|(filter, _)| filter);
            let all = expected.iter().all(|(_, allowed)| *allowed);
            prop_assert_eq!(AllOf(&filters).allows(&query, item), all);
            prop_assert_eq!(Except(AllOf(&filters)).allows(&query, item), !all);
            // Who is no customer has no list.
            prop_assert!(allow.and(deny).allows(&Query::Basket(&[]), item));
        }
    }

    #[test]
    fn a_set_of_items_is_a_set(changes in vec((any::<bool>(), 0..300_u32), 0..200)) {
        let (mut set, mut other) = (ItemSet::new(), BTreeSet::new());
        for (add, item) in changes {
            if add {
                set.insert(item);
                other.insert(item);
            } else {
                set.remove(item);
                other.remove(&item);
            }
            prop_assert_eq!(set.contains(item), add);
        }
        prop_assert!(set.iter().eq(other.iter().copied()));
        prop_assert_eq!((set.len(), set.is_empty()), (other.len(), other.is_empty()));
        prop_assert_eq!(other.iter().rev().copied().collect::<ItemSet>(), set);
    }
}

#[test]
fn a_room_that_fills_late_gives_back_no_place() {
    // By score: 0 (x, p), 1 (x, q), 2 (y, p), 3 (y, q). One of each letter: the walk takes 0 and 3. To keep the best
    // of each category and then of each brand would end with 0 alone.
    let (first, second) = (
        groups(&vec![Some(0), Some(0), Some(1), Some(1)]),
        groups(&vec![Some(0), Some(1), Some(0), Some(1)]),
    );
    let caps = [&first, &second].map(|groups| Cap { groups, most: 1 });
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    let model = Fixed(vec![4.0, 3.0, 2.0, 1.0]);
    recommend_capped(
        &model,
        &Query::Item(0),
        3,
        &Allowed,
        &caps,
        &mut scratch,
        &mut list,
    )
    .unwrap();
    assert_eq!(items(&list), [0, 3]);
}

#[test]
fn where_nothing_is_left_the_list_is_empty() {
    let model = Fixed(vec![1.0; 100]);
    let all_in_one = groups(&vec![Some(0); 100]);
    let cap = |most| {
        [Cap {
            groups: &all_in_one,
            most,
        }]
    };
    let nothing = ItemSet::new();
    let (mut scratch, mut list) = (
        Scratch::new(),
        vec![Scored {
            item: 1,
            score: 1.0,
        }],
    );
    let mut length = |k, filter: &dyn ItemFilter, caps: &[Cap<'_>]| {
        recommend_capped(
            &model,
            &Query::Customer(0),
            k,
            filter,
            caps,
            &mut scratch,
            &mut list,
        )
        .unwrap();
        list.len()
    };
    assert_eq!(length(0, &Allowed, &cap(5)), 0);
    assert_eq!(length(10, &Allowed, &cap(0)), 0);
    assert_eq!(length(10, &nothing, &cap(5)), 0);
    assert_eq!(length(10, &Allowed, &cap(5)), 5);
    assert_eq!(length(usize::MAX, &Allowed, &cap(u32::MAX)), 100);

    let empty = Fixed(Vec::new());
    recommend_capped(
        &empty,
        &Query::Customer(0),
        3,
        &Allowed,
        &cap(1),
        &mut scratch,
        &mut list,
    )
    .unwrap();
    assert!(list.is_empty());
    recommend(
        &empty,
        &Query::Customer(0),
        3,
        &Allowed,
        &mut scratch,
        &mut list,
    )
    .unwrap();
    assert!(list.is_empty());
}

#[test]
fn an_error_of_the_model_is_passed_on_and_the_scratch_stays_useful() {
    /// Knows no baskets.
    struct Choosy;
    impl Scorer for Choosy {
        fn items(&self) -> u32 {
            3
        }
        fn score(
            &self,
            query: &Query<'_>,
            _: &[u32],
            _: &mut Scratch,
            out: &mut [f32],
        ) -> Result<(), QueryError> {
            if matches!(query, Query::Basket(_)) {
                return Err(QueryError::Unsupported { query: "a basket" });
            }
            out.fill(1.0);
            Ok(())
        }
    }
    let one = groups(&vec![Some(0), Some(0), Some(1)]);
    let caps = [Cap {
        groups: &one,
        most: 1,
    }];
    let (mut scratch, mut list) = (Scratch::new(), Vec::new());
    let mut ask = |query: &Query<'_>, list: &mut Vec<Scored>| {
        recommend_capped(&Choosy, query, 3, &Allowed, &caps, &mut scratch, list)
    };
    let refused = ask(&Query::Basket(&[]), &mut list);
    assert_eq!(refused, Err(QueryError::Unsupported { query: "a basket" }));
    assert!(list.is_empty());
    ask(&Query::Customer(0), &mut list).unwrap();
    assert_eq!(items(&list), [0, 2]);
}

#[test]
fn a_time_that_ends_before_it_begins_is_named() {
    let day = |d| Timestamp::from_civil(2024, 5, d).unwrap();
    let error = Availability::new([(0, day(1)..day(2)), (4, day(3)..day(2))]).unwrap_err();
    assert!(matches!(error, DataError::Value { row: 2, .. }));
    let expected = "row 2, column `until`: found `2024-05-02T00:00:00Z`, expected not before";
    assert!(error.to_string().starts_with(expected), "{error}");
}
