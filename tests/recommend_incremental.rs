//! What is learnt from parts is what is learnt from all: merged counts, new items, fits that go on.

use proptest::collection::vec;
use proptest::prelude::*;
use tenure::error::{Error, FitError};
use tenure::recommend::{
    Als, AlsConfig, AlsFit, Ease, EaseConfig, ItemKnn, ItemSimilarity, Precision, Query,
    QueryError, Scorer, Scratch, Solver, Weighting, laws,
};
use tenure::summary::{self, InteractionMatrix, InteractionSummary, ItemGram};

const HU_KOREN: Weighting = Weighting::HuKoren {
    alpha: 8.0,
    lambda: 0.7,
};
const RENDLE: Weighting = Weighting::Rendle {
    alpha0: 0.1,
    lambda: 0.02,
    nu: 0.8,
};

type Baskets = Vec<Vec<u32>>;

fn matrix(baskets: &Baskets) -> InteractionMatrix {
    summary(baskets, |_, _| true).matrix()
}

/// Of some of the entries, told by customer and item.
fn summary(baskets: &Baskets, which: impl Fn(u32, u32) -> bool) -> InteractionSummary {
    let mut log = InteractionSummary::new();
    for (customer, basket) in (0..).zip(baskets) {
        for &item in basket.iter().filter(|&&item| which(customer, item)) {
            log.push(customer, item, 1.0).unwrap();
        }
    }
    log
}

/// Each customer's items, each once.
fn baskets() -> impl Strategy<Value = Baskets> {
    vec(vec(0..14_u32, 0..9), 1..25).prop_map(|mut baskets| {
        for basket in &mut baskets {
            basket.sort_unstable();
            basket.dedup();
        }
        baskets
    })
}

/// Dealt to three parts, customer by customer, and merged.
fn merged(baskets: &Baskets, deal: &[usize]) -> ItemGram {
    let mut parts = [const { None }; 3];
    for (basket, part) in baskets.iter().zip(deal.iter().cycle()) {
        let part: &mut Option<ItemGram> = &mut parts[*part];
        part.get_or_insert_default().add(basket).unwrap();
    }
    let mut all = ItemGram::new();
    parts.into_iter().flatten().for_each(|part| all.merge(part));
    all
}

fn ease(precision: Precision) -> EaseConfig {
    EaseConfig {
        lambda: 2.7,
        precision,
        items_max: 100,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn counts_keep_the_law_of_summaries(facts in vec((0..9_u32, 0..9_u32), 0..120), seed: u64) {
        prop_assert_eq!(summary::laws::check(&ItemGram::new(), &facts, seed), Ok(()));
    }

    #[test]
    fn counts_are_those_of_the_customers(baskets in baskets(), deal in vec(0..3_usize, 1..9)) {
        let gram = merged(&baskets, &deal);
        let matrix = matrix(&baskets);
        prop_assert_eq!(&gram, &ItemGram::collect(&matrix));
        for (left, right) in (0..15).flat_map(|left| (0..15).map(move |right| (left, right))) {
            let both = baskets.iter().filter(|basket| basket.contains(&left) && basket.contains(&right));
            prop_assert_eq!(gram.count(left, right), both.count() as u64);
        }
        for (left, right, count) in gram.pairs() {
            prop_assert!(left <= right && count > 0 && count == gram.count(right, left));
        }
    }

    #[test]
    fn who_is_taken_out_leaves_no_trace(baskets in baskets(), which in 0..25_usize) {
        let mut gram = merged(&baskets, &[0]);
        let which = which % baskets.len();
        gram.remove(&baskets[which]).unwrap();
        let mut others = baskets.clone();
        others.remove(which);
        let others = merged(&others, &[1]);
        // The numbers of items that were seen stay.
        prop_assert_eq!(gram.pairs(), others.pairs());
    }

    #[test]
    fn item_models_of_merged_counts_are_those_of_all_data(baskets in baskets(), deal in vec(0..3_usize, 1..9)) {
        let (gram, matrix) = (merged(&baskets, &deal), matrix(&baskets));
        let merged = Ease::fit_gram(&gram, &matrix, &ease(Precision::Double)).unwrap();
        prop_assert_eq!(&merged, &Ease::fit(&matrix, &ease(Precision::Double)).unwrap());
        let (single, exact) = (Ease::fit_gram(&gram, &matrix, &ease(Precision::Single)).unwrap(), merged);
        let all = Ease::fit(&matrix, &ease(Precision::Single)).unwrap();
        if matrix.rows() >= matrix.columns() {
            prop_assert_eq!(&single, &all);
        }
        // Whichever way leads there.
        for (from, to) in (0..matrix.columns()).flat_map(|from| (0..matrix.columns()).map(move |to| (from, to))) {
            let exact = exact.weight(from, to).unwrap();
            for model in [&single, &all] {
                prop_assert!((model.weight(from, to).unwrap() - exact).abs() < 1e-5);
            }
        }
        let merged = ItemKnn::fit_gram(&gram, &matrix, 100).unwrap();
        let all = ItemKnn::fit(&matrix, ItemSimilarity::Cosine, 100).unwrap();
        for item in 0..matrix.columns() {
            let (merged, all): (Vec<_>, Vec<_>) = (merged.neighbours(item).collect(), all.neighbours(item).collect());
            prop_assert_eq!(merged.len(), all.len());
            for (left, right) in merged.iter().zip(&all) {
                prop_assert!(left.0 == right.0 && (left.1 - right.1).abs() < 1e-12);
            }
        }
        let few = ItemKnn::fit_gram(&gram, &matrix, 2).unwrap();
        prop_assert!((0..matrix.columns()).all(|item| few.neighbours(item).len() <= 2));
        prop_assert_eq!(laws::check(&few, &[Query::Basket(&[])]), Ok(()));
    }

    /// The factors of an item are where its part of the objective is least.
    #[test]
    fn a_new_item_has_the_best_factors_for_its_buyers(
        buyers in vec((0..30_u32, 0.1_f32..9.0), 0..12),
        rendle: bool,
    ) {
        let mut buyers = buyers;
        buyers.sort_by_key(|buyer| buyer.0);
        buyers.dedup_by_key(|buyer| buyer.0);
        let weighting = if rendle { RENDLE } else { HU_KOREN };
        let model = Als::fit(&shop(), &AlsConfig::new(weighting, 5, 3)).unwrap().model;
        let y: Vec<f64> = model.buyers().factors(&buyers).unwrap().iter().map(|&y| f64::from(y)).collect();
        let objective = |y: &[f64]| {
            let mut sum = 0.0;
            for customer in 0..30 {
                let x = model.customer(customer).unwrap();
                let score: f64 = x.iter().zip(y).map(|(x, y)| f64::from(*x) * y).sum();
                let bought = buyers.iter().find(|buyer| buyer.0 == customer);
                let miss = (score - 1.0) * (score - 1.0);
                sum += match (weighting, bought) {
                    (Weighting::HuKoren { alpha, .. }, Some((_, r))) => alpha * f64::from(*r) * miss,
                    (Weighting::HuKoren { .. }, None) => score * score,
                    (Weighting::Rendle { alpha0, .. }, Some(_)) => miss + alpha0 * score * score,
                    (Weighting::Rendle { alpha0, .. }, None) => alpha0 * score * score,
                };
            }
            let lambda = match weighting {
                Weighting::HuKoren { lambda, .. } => lambda,
                Weighting::Rendle { alpha0, lambda, nu } => lambda * (buyers.len() as f64 + alpha0 * 30.0).powf(nu),
            };
            sum + lambda * y.iter().map(|y| y * y).sum::<f64>()
        };
        let least = objective(&y);
        for at in 0..5 {
            for step in [-1e-2, 1e-2] {
                let mut other = y.clone();
                other[at] += step;
                prop_assert!(objective(&other) > least);
            }
        }
        let with = model.with_items(&[&[(1, 1.0)], &buyers]).unwrap();
        prop_assert_eq!((with.items(), with.customers()), (model.items() + 2, model.customers()));
        let added: Vec<f64> = with.item(model.items() + 1).unwrap().map(f64::from).collect();
        prop_assert_eq!(added, y);
        for item in 0..model.items() {
            prop_assert!(with.item(item).unwrap().eq(model.item(item).unwrap()));
        }
    }
}

/// Thirty customers of two tastes, twenty items.
fn shop() -> InteractionMatrix {
    matrix(&tastes(30, 20))
}

fn tastes(customers: u32, items: u32) -> Baskets {
    let likes = |customer: u32, item: u32| {
        let mixed = (customer * 7_919 + item * 104_729).wrapping_mul(2_654_435_761) >> 24;
        mixed < if customer % 2 == item % 2 { 150 } else { 15 }
    };
    let basket = |customer| (0..items).filter(|&item| likes(customer, item)).collect();
    (0..customers).map(basket).collect()
}

fn least(fit: &AlsFit) -> f64 {
    *fit.report.objective.last().unwrap()
}

#[test]
fn buyers_that_cannot_be_are_refused() {
    let model = Als::fit(&shop(), &AlsConfig::new(RENDLE, 4, 3))
        .unwrap()
        .model;
    let refused = |buyers: &[(u32, f32)]| model.with_items(&[buyers]).unwrap_err();
    let unknown = QueryError::UnknownCustomer {
        customer: 30,
        customers: 30,
    };
    assert_eq!(refused(&[(0, 1.0), (30, 1.0)]), unknown);
    assert_eq!(
        refused(&[(7, -1.0)]),
        QueryError::BuyerWeight { customer: 7 }
    );
    assert_eq!(
        refused(&[(7, f32::NAN)]),
        QueryError::BuyerWeight { customer: 7 }
    );
    assert_eq!(model.with_items(&[]).unwrap(), model);
}

#[test]
fn a_refit_goes_on_where_the_fit_ended() {
    let matrix = shop();
    let cg = Solver::ConjugateGradient { steps: 3 };
    for weighting in [HU_KOREN, RENDLE] {
        for solver in [Solver::Cholesky, cg] {
            let config = AlsConfig {
                solver,
                iterations: 3,
                ..AlsConfig::new(weighting, 6, 1)
            };
            let first = Als::fit(&matrix, &config).unwrap();
            let more = first.model.refit(&matrix, &config, &|| false).unwrap();
            assert!(more.report.objective[0] < least(&first), "{solver:?}");
            let never_stopped = Als::fit(
                &matrix,
                &AlsConfig {
                    iterations: 6,
                    ..config
                },
            )
            .unwrap();
            let ratio = least(&more) / least(&never_stopped);
            assert!((ratio - 1.0).abs() < 0.01, "{solver:?}: {ratio}");
        }
    }
}

#[test]
fn what_came_today_is_learnt_in_a_few_iterations() {
    let baskets = tastes(60, 40);
    // The last customers and items are new, so are some entries of known ones; customer 60 takes new items alone.
    let is_new = |customer: u32, item: u32| {
        customer >= 50 || item >= 35 || (customer + item).is_multiple_of(11)
    };
    let yesterday = summary(&baskets, |customer, item| !is_new(customer, item));
    let mut today = summary(&baskets, is_new);
    for item in [36, 38] {
        today.push(60, item, 1.0).unwrap();
    }
    let (mut all, mut other) = (yesterday.clone(), today.clone());
    all.merge(today);
    other.merge(yesterday.clone());
    let few = AlsConfig {
        iterations: 2,
        ..AlsConfig::new(RENDLE, 6, 1)
    };
    let known = Als::fit(
        &yesterday.matrix(),
        &AlsConfig {
            iterations: 30,
            ..few
        },
    )
    .unwrap()
    .model;

    let warm = known.refit(&all.matrix(), &few, &|| false).unwrap();
    let same = known.refit(&other.matrix(), &few, &|| false).unwrap();
    assert_eq!(warm, same);
    let cold = Als::fit(&all.matrix(), &few).unwrap();
    let long = Als::fit(
        &all.matrix(),
        &AlsConfig {
            iterations: 60,
            ..few
        },
    )
    .unwrap();
    let (warm_gap, cold_gap) = (least(&warm) - least(&long), least(&cold) - least(&long));
    assert!(warm_gap < 0.5 * cold_gap, "{warm_gap} and {cold_gap}");

    let model = warm.model;
    assert_eq!((model.customers(), model.items()), (61, 40));
    assert_eq!(
        laws::check(&model, &[Query::Customer(60), Query::Item(39)]),
        Ok(())
    );
    let mut scores = [0.0; 2];
    model
        .score(
            &Query::Customer(60),
            &[36, 37],
            &mut Scratch::new(),
            &mut scores,
        )
        .unwrap();
    assert!(scores[0] > 0.2 && scores[0] > scores[1], "{scores:?}");
}

#[test]
fn a_customer_and_an_item_known_to_each_other_alone_are_learnt() {
    let mut baskets = tastes(30, 20);
    let known = Als::fit(&matrix(&baskets), &AlsConfig::new(RENDLE, 4, 1))
        .unwrap()
        .model;
    baskets.push(vec![20, 21]);
    let fit = known
        .refit(&matrix(&baskets), &AlsConfig::new(RENDLE, 4, 1), &|| false)
        .unwrap();
    let mut scores = [0.0; 2];
    fit.model
        .score(
            &Query::Customer(30),
            &[20, 0],
            &mut Scratch::new(),
            &mut scores,
        )
        .unwrap();
    assert!(scores[0] > 0.2 && scores[0] > scores[1], "{scores:?}");
}

#[test]
fn a_refit_needs_as_many_factors_and_can_be_stopped() {
    let matrix = shop();
    let config = AlsConfig::new(RENDLE, 4, 3);
    let model = Als::fit(&matrix, &config).unwrap().model;
    let error = model
        .refit(
            &matrix,
            &AlsConfig {
                factors: 5,
                ..config
            },
            &|| false,
        )
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the setting `factors` is 5; it must be as many"),
        "{error}"
    );
    let stopped = model.refit(&matrix, &config, &|| true);
    assert_eq!(
        stopped,
        Err(Error::Fit(FitError::Cancelled { iterations: 0 }))
    );
}

#[test]
fn counts_that_cannot_be_are_refused() {
    let mut gram = ItemGram::new();
    gram.add(&[1, 2, 2]).unwrap();
    let before = gram.clone();
    let error = gram.remove(&[1, 3]).unwrap_err().to_string();
    assert!(error.contains("found `items 1 and 3`"), "{error}");
    let error = gram.add(&[0, u32::MAX]).unwrap_err().to_string();
    assert!(error.contains("table of items"), "{error}");
    assert_eq!(gram, before);

    let taken = matrix(&vec![vec![5]]);
    let error = Ease::fit_gram(&gram, &taken, &ease(Precision::Single)).unwrap_err();
    assert!(error.to_string().contains("6 taken"), "{error}");
    let error = ItemKnn::fit_gram(&gram, &taken, 3).unwrap_err();
    assert!(error.to_string().contains("6 taken"), "{error}");
    let error = ItemKnn::fit_gram(&gram, &taken, 0).unwrap_err();
    assert!(
        error.to_string().starts_with("the setting `neighbours`"),
        "{error}"
    );
    // Pairs pushed by themselves, without how often each item was taken.
    let mut odd = ItemGram::new();
    summary::Summary::push_fact(&mut odd, (0, 1)).unwrap();
    let nobody = InteractionSummary::new().matrix();
    let model = ItemKnn::fit_gram(&odd, &nobody, 3).unwrap();
    assert_eq!(laws::check(&model, &[Query::Item(0)]), Ok(()));
}
