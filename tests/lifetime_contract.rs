//! Contracts and discrete occasions: laws over twelve orders of magnitude, recovery, boundaries.

#[path = "common/sizes.rs"]
mod sizes;

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tenure::error::{Error, FitError};
use tenure::lifetime::{
    Bdw, BgBb, FitOptions, FitStatus, Fitted, Geometric, Limit, RetentionCurve, Sbg, laws,
};
use tenure::summary::{OccasionHistory, OccasionSummary, RenewalSummary, Subscription};

use sizes::any_size;

fn any_rate() -> impl Strategy<Value = f64> {
    (-7.0..3.0f64).prop_map(|power| 10f64.powf(power))
}

fn any_bg_bb() -> impl Strategy<Value = BgBb> {
    [any_size(), any_size(), any_size(), any_size()]
        .prop_map(|[alpha, beta, gamma, delta]| BgBb::new(alpha, beta, gamma, delta).unwrap())
}

fn any_history() -> impl Strategy<Value = OccasionHistory> {
    let most = prop_oneof![0u32..8, 0u32..600];
    (most.clone(), most.clone(), most).prop_map(|(x, missed, silent)| {
        let t_x = if x == 0 { 0 } else { x + missed };
        OccasionHistory::new(x, t_x, t_x + silent).unwrap()
    })
}

proptest! {
    #[test]
    fn curves_keep_the_laws(alpha in any_size(), beta in any_size(), c in -2.0..2.0f64, theta in 0.0..=1.0f64) {
        laws::check_curve(&Sbg::new(alpha, beta).unwrap()).unwrap();
        laws::check_curve(&Bdw::new(alpha, beta, 10f64.powf(c)).unwrap()).unwrap();
        laws::check_curve(&Geometric::new(theta).unwrap()).unwrap();
    }

    #[test]
    fn curves_answer_with_numbers(
        sizes in [any_size(), any_size(), any_size()], rate in any_rate(), t: u32, short in 0u32..40,
    ) {
        let [alpha, beta, c] = sizes;
        let curves: [&dyn RetentionCurve; 2] = [&Sbg::new(alpha, beta).unwrap(), &Bdw::new(alpha, beta, c).unwrap()];
        for curve in curves {
            for t in [t, short] {
                for probability in [curve.survival(t), curve.retention_rate(t)] {
                    prop_assert!((0.0..=1.0).contains(&probability), "{probability} at {t}");
                }
                let residual = curve.discounted_residual_lifetime(t, rate);
                let most = 1.0 + 1.0 / rate;
                prop_assert!((0.0..=most * (1.0 + 1e-9)).contains(&residual), "{residual} at {t}");
            }
        }
        prop_assert!(curves[0].discounted_residual_lifetime(t, 0.0).is_nan());
        prop_assert!(curves[1].discounted_residual_lifetime(t, f64::NAN).is_nan());
    }

    #[test]
    fn without_change_bdw_is_sbg(alpha in any_size(), beta in any_size(), t in 0u32..2000) {
        let (sbg, bdw) = (Sbg::new(alpha, beta).unwrap(), Bdw::new(alpha, beta, 1.0).unwrap());
        for (left, right) in [
            (sbg.survival(t), bdw.survival(t)),
            (sbg.retention_rate(t), bdw.retention_rate(t)),
            (sbg.residual_lifetime(t, 30), bdw.residual_lifetime(t, 30)),
        ] {
            prop_assert!((left - right).abs() <= 1e-11 * left + 1e-300, "{left} {right}");
        }
    }

    #[test]
    fn customers_alike_are_geometric(theta in 0.01..0.99f64, t in 0u32..100) {
        let size = 1e12;
        let sbg = Sbg::new(theta * size, (1.0 - theta) * size).unwrap();
        let geometric = Geometric::new(theta).unwrap();
        for (left, right) in [
            (sbg.survival(t), geometric.survival(t)),
            (sbg.residual_lifetime(t, 40), geometric.residual_lifetime(t, 40)),
            (sbg.discounted_residual_lifetime(t, 0.1), geometric.discounted_residual_lifetime(t, 0.1)),
        ] {
            prop_assert!((left - right).abs() <= 1e-6 * right, "{left} {right}");
        }
    }

    #[test]
    fn bg_bb_answers_with_numbers(
        model in any_bg_bb(), history in any_history(), occasions in 0u32..300, rate in any_rate(),
    ) {
        let mut before = 1.0;
        for ahead in [0, 1, 2, 50] {
            let alive = model.probability_alive_at(&history, ahead);
            prop_assert!((0.0..=before).contains(&alive), "P(alive) {alive} after {before}");
            before = alive;
        }
        let expected = model.expected_purchases(&history, occasions);
        let alive = model.probability_alive(&history);
        let most = alive * f64::from(occasions) * (1.0 + 1e-9);
        prop_assert!((0.0..=most).contains(&expected), "{expected} of {most}");
        let residual = model.discounted_residual_purchases(&history, rate);
        prop_assert!((0.0..=alive / rate * (1.0 + 1e-9)).contains(&residual), "{residual}");
        let log_likelihood = model.log_likelihood(&history);
        prop_assert!(log_likelihood.is_finite() && log_likelihood < 1e-9, "{log_likelihood}");
    }

    #[test]
    fn a_longer_silence_is_a_worse_sign(model in any_bg_bb(), history in any_history()) {
        let n = history.occasions();
        let longer = OccasionHistory::new(history.frequency(), history.recency(), n + 1).unwrap();
        let (now, then) = (model.probability_alive(&history), model.probability_alive(&longer));
        let stayed = model.probability_alive_at(&history, 1);
        prop_assert!(model.probability_alive_at(&longer, 0) <= stayed * (1.0 + 1e-9) + 1e-300);
        prop_assert!((0.0..=1.0).contains(&now) && (0.0..=1.0).contains(&then));
    }

    #[test]
    fn histories_have_a_total_probability_of_one(
        sizes in [0.05..5.0f64, 0.05..5.0f64, 0.05..5.0f64, 0.05..5.0f64], n in 0u32..9,
    ) {
        let [alpha, beta, gamma, delta] = sizes;
        let model = BgBb::new(alpha, beta, gamma, delta).unwrap();
        // In how many ways x purchases with the last on t_x can fall: choose x − 1 of t_x − 1.
        let choose = |n: u32, k: u32| (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
        let mut by_purchases = vec![0.0; n as usize + 2];
        for x in 0..=n {
            let places = if x == 0 { 0..=0 } else { x..=n };
            for t_x in places {
                let ways = if x == 0 { 1.0 } else { choose(t_x - 1, x - 1) };
                let history = OccasionHistory::new(x, t_x, n).unwrap();
                by_purchases[x as usize] += ways * model.log_likelihood(&history).exp();
            }
        }
        let total: f64 = by_purchases.iter().sum();
        prop_assert!((total - 1.0).abs() < 1e-12, "{total}");
        let mut probabilities = vec![f64::NAN; n as usize + 2];
        model.purchase_probabilities(n, &mut probabilities);
        let mut mean = 0.0;
        for (x, (sum, found)) in by_purchases.iter().zip(&probabilities).enumerate() {
            prop_assert!((sum - found).abs() < 1e-12, "P({x}) {sum} {found}");
            mean += x as f64 * found;
        }
        let expected = model.expected_purchases(&OccasionHistory::NEW, n);
        prop_assert!((mean - expected).abs() < 1e-11, "{mean} {expected}");
    }

    #[test]
    fn many_purchases_are_a_distribution(model in any_bg_bb(), n in 0u32..600) {
        let mut probabilities = vec![f64::NAN; n as usize + 1];
        model.purchase_probabilities(n, &mut probabilities);
        prop_assert!(probabilities.iter().all(|p| (0.0..=1.0 + 1e-9).contains(p)));
        let total: f64 = probabilities.iter().sum();
        prop_assert!((total - 1.0).abs() < 1e-9, "{total}");
    }
}

#[test]
fn the_next_purchase_discounted_is_the_sum_of_the_occasions() {
    let model = BgBb::new(1.204, 0.75, 0.657, 2.783).unwrap();
    let history = OccasionHistory::new(2, 4, 6).unwrap();
    let upto = |occasions| model.expected_purchases(&history, occasions);
    let rate = 0.1f64;
    let terms = (1..400).map(|k| (upto(k) - upto(k - 1)) * (1.0 + rate).powi(-(k as i32)));
    let sum: f64 = terms.sum();
    let residual = model.discounted_residual_purchases(&history, rate);
    assert!((sum / residual - 1.0).abs() < 1e-9, "{sum} {residual}");
}

#[test]
fn batches_are_their_histories() {
    let model = BgBb::new(1.204, 0.75, 0.657, 2.783).unwrap();
    let of = |x, t_x| OccasionHistory::new(x, t_x, 6).unwrap();
    let histories = [of(0, 0), of(2, 4), of(0, 0), of(6, 6), of(2, 4)];
    let mut out = [f64::NAN; 5];
    model.probability_alive_batch(&histories, &mut out).unwrap();
    assert_eq!(out, histories.map(|h| model.probability_alive(&h)));
    model
        .expected_purchases_batch(&histories, 5, &mut out)
        .unwrap();
    assert_eq!(out, histories.map(|h| model.expected_purchases(&h, 5)));
    assert!(
        model
            .probability_alive_batch(&histories, &mut out[..4])
            .is_err()
    );
}

/// A Beta variate by Jöhnk's method, for shapes not far above 1.
fn beta(rng: &mut ChaCha8Rng, a: f64, b: f64) -> f64 {
    loop {
        let x = rng.random::<f64>().powf(1.0 / a);
        let y = rng.random::<f64>().powf(1.0 / b);
        if x + y <= 1.0 && x + y > 0.0 {
            return x / (x + y);
        }
    }
}

/// Contracts of customers with (1 − θ)^(t^c), in three cohorts seen for 12, 8 and 5 renewals.
fn contracts(customers: u32, alpha: f64, shape: f64, c: f64, seed: u64) -> RenewalSummary {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut summary = RenewalSummary::new();
    for customer in 0..customers {
        let seen = [12, 8, 5][customer as usize % 3];
        let theta = beta(&mut rng, alpha, shape);
        let u = 1.0 - rng.random::<f64>();
        let survives = |t: u32| u < (1.0 - theta).powf(f64::from(t).powf(c));
        let ended = (1..=seen).find(|&t| !survives(t));
        let (periods, active) = ended.map_or((seen, true), |t| (t, false));
        summary.push(Subscription { periods, active }).unwrap();
    }
    summary
}

fn donors(customers: u32, [alpha, shape, gamma, delta]: [f64; 4], seed: u64) -> OccasionSummary {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut summary = OccasionSummary::new();
    for customer in 0..customers {
        let n = 4 + customer % 9;
        let (buys, leaves) = (beta(&mut rng, alpha, shape), beta(&mut rng, gamma, delta));
        let (mut x, mut t_x) = (0, 0);
        for occasion in 1..=n {
            if rng.random::<f64>() < leaves {
                break;
            }
            if rng.random::<f64>() < buys {
                (x, t_x) = (x + 1, occasion);
            }
        }
        summary
            .push(OccasionHistory::new(x, t_x, n).unwrap())
            .unwrap();
    }
    summary
}

#[track_caller]
fn recovered<M>(fitted: &Fitted<M>, truth: &[f64]) {
    assert_eq!(fitted.report.status, FitStatus::Interior);
    for (estimate, truth) in fitted.report.parameters.iter().zip(truth) {
        let error = estimate.standard_error.unwrap();
        let off = (estimate.value - truth) / error;
        assert!(
            off.abs() < 4.0 && error < 0.5 * truth,
            "{estimate:?}: {truth}"
        );
    }
}

#[test]
fn parameters_of_simulated_customers_are_recovered() {
    let options = FitOptions::default();
    let same = contracts(40_000, 0.7, 1.2, 1.0, 1);
    recovered(&Sbg::fit(&same, &options).unwrap(), &[0.7, 1.2]);
    let changing = contracts(60_000, 0.7, 1.5, 1.4, 2);
    recovered(&Bdw::fit(&changing, &options).unwrap(), &[0.7, 1.5, 1.4]);
    let truth = [1.2, 0.75, 0.66, 2.0];
    recovered(
        &BgBb::fit(&donors(40_000, truth, 3), &options).unwrap(),
        &truth,
    );
}

#[test]
fn change_is_told_from_difference_by_likelihood() {
    let options = FitOptions::default();
    let data = contracts(60_000, 0.7, 1.5, 1.4, 4);
    let [geometric, sbg, bdw] = [
        Geometric::fit(&data).unwrap().report,
        Sbg::fit(&data, &options).unwrap().report,
        Bdw::fit(&data, &options).unwrap().report,
    ];
    assert!(geometric.bic() > sbg.bic() && sbg.bic() > bdw.bic());
}

#[test]
fn posteriors_are_as_wide_as_the_standard_errors() {
    #[track_caller]
    fn compare<M>(fitted: &Fitted<M>, interval: tenure::lifetime::interval::Interval) {
        let estimate = &fitted.report.parameters[0];
        let width = (interval.upper - interval.lower) / (3.29 * estimate.standard_error.unwrap());
        assert!((0.85..1.15).contains(&width), "{width}");
    }
    let options = FitOptions::default();
    let data = contracts(40_000, 0.7, 1.2, 1.0, 5);
    let sbg = Sbg::fit(&data, &options).unwrap();
    let draws = sbg.posterior(&data, 800, 1).unwrap();
    compare(&sbg, draws.interval(0.9, Sbg::alpha).unwrap());
    let survival = draws.interval(0.9, |curve| curve.survival(24)).unwrap();
    assert!(survival.lower < sbg.survival(24) && sbg.survival(24) < survival.upper);
    let bdw = Bdw::fit(&data, &options).unwrap();
    compare(
        &bdw,
        bdw.posterior(&data, 800, 1)
            .unwrap()
            .interval(0.9, Bdw::alpha)
            .unwrap(),
    );
    let geometric = Geometric::fit(&data).unwrap();
    let draws = geometric.posterior(&data, 800, 1).unwrap();
    compare(&geometric, draws.interval(0.9, Geometric::theta).unwrap());
    let data = donors(20_000, [1.2, 0.75, 0.66, 2.0], 6);
    let bg_bb = BgBb::fit(&data, &options).unwrap();
    compare(
        &bg_bb,
        bg_bb
            .posterior(&data, 800, 1)
            .unwrap()
            .interval(0.9, BgBb::alpha)
            .unwrap(),
    );
}

fn drift<M>(fitted: &Fitted<M>) -> Vec<(&str, Limit)> {
    let FitStatus::Boundary { drift } = &fitted.report.status else {
        panic!("{:?}", fitted.report);
    };
    assert!(fitted.report.covariance.is_none());
    drift
        .iter()
        .map(|d| (d.parameter.as_ref(), d.limit))
        .collect()
}

fn cohort(survivors: &[u64]) -> RenewalSummary {
    RenewalSummary::from_cohorts([survivors]).unwrap()
}

#[test]
fn nobody_leaves() {
    let data = cohort(&[50, 50, 50, 50]);
    assert_eq!(
        drift(&Geometric::fit(&data).unwrap()),
        [("theta", Limit::Zero)]
    );
    for survival in [
        {
            let fitted = Sbg::fit(&data, &FitOptions::default()).unwrap();
            assert!(!drift(&fitted).is_empty());
            fitted.survival(3)
        },
        {
            let fitted = Bdw::fit(&data, &FitOptions::default()).unwrap();
            assert!(!drift(&fitted).is_empty());
            fitted.survival(3)
        },
    ] {
        assert!(survival > 1.0 - 1e-6, "{survival}");
    }
}

#[test]
fn everybody_leaves() {
    let data = cohort(&[50, 0]);
    let geometric = Geometric::fit(&data).unwrap();
    assert_eq!(drift(&geometric), [("theta", Limit::One)]);
    assert_eq!(geometric.report.log_likelihood, 0.0);
    assert_eq!((geometric.survival(0), geometric.survival(1)), (1.0, 0.0));
    let error = Sbg::fit(&data, &FitOptions::default()).unwrap_err();
    let message = "1 renewals that somebody came up for, but at least 2 are needed";
    assert_eq!(error.to_string(), message);
}

#[test]
fn customers_alike_run_off_together() {
    // Half of the rest at every renewal: geometric, so that α and β go to infinity alike.
    let data = cohort(&[1024, 512, 256, 128, 64, 32]);
    let fitted = Sbg::fit(&data, &FitOptions::default()).unwrap();
    let both = [("alpha", Limit::Infinity), ("beta", Limit::Infinity)];
    assert_eq!(drift(&fitted), both);
    assert!((fitted.retention_rate(5) - 0.5).abs() < 1e-3);
    assert!(fitted.report.iterations < 200);
}

#[test]
fn falling_retention_is_beyond_sbg() {
    let data = cohort(&[1000, 950, 800, 500, 200, 40]);
    let fitted = Sbg::fit(&data, &FitOptions::default()).unwrap();
    assert!(drift(&fitted).contains(&("alpha", Limit::Infinity)));
    let bdw = Bdw::fit(&data, &FitOptions::default()).unwrap();
    assert!(bdw.c() > 1.0 && bdw.report.log_likelihood > fitted.report.log_likelihood + 50.0);
}

#[test]
fn boundaries_of_occasions() {
    let options = FitOptions::default();
    let summary = |rows: &[(u32, u32, u32, u64)]| {
        let mut summary = OccasionSummary::new();
        for &(x, t_x, n, count) in rows {
            let history = OccasionHistory::new(x, t_x, n).unwrap();
            summary.add(history, count).unwrap();
        }
        summary
    };
    let nobody_buys = BgBb::fit(&summary(&[(0, 0, 6, 30), (0, 0, 4, 9)]), &options).unwrap();
    assert_eq!(drift(&nobody_buys), [("alpha", Limit::Zero)]);
    assert!(nobody_buys.report.log_likelihood.abs() < 1e-6);

    let nobody_leaves = summary(&[(1, 6, 6, 10), (3, 6, 6, 30), (6, 6, 6, 20)]);
    let fitted = BgBb::fit(&nobody_leaves, &options).unwrap();
    let names: Vec<_> = drift(&fitted).into_iter().map(|(name, _)| name).collect();
    assert!(
        names.iter().any(|name| ["gamma", "delta"].contains(name)),
        "{names:?}"
    );
    let silent = OccasionHistory::new(3, 5, 6).unwrap();
    assert!(fitted.probability_alive(&silent) > 0.999);

    for rows in [
        &[(6, 6, 6, 10)][..],
        &[(1, 1, 6, 10)],
        &[(1, 1, 1, 1)],
        &[(0, 0, 6, 10), (6, 6, 6, 10)],
        &[(2, 3, 400, 5), (200, 400, 400, 2)],
    ] {
        let data = summary(rows);
        let fitted = BgBb::fit(&data, &options).unwrap();
        assert!(fitted.report.log_likelihood.is_finite() && fitted.report.iterations < 200);
        for (history, _) in data.iter() {
            let alive = fitted.probability_alive(&history);
            assert!((0.0..=1.0).contains(&alive), "{rows:?}: {alive}");
        }
    }

    let error = BgBb::fit(&summary(&[(0, 0, 0, 5)]), &options).unwrap_err();
    assert!(
        matches!(error, Error::Fit(FitError::NotIdentified { .. })),
        "{error}"
    );
    let error = BgBb::fit(&OccasionSummary::new(), &options).unwrap_err();
    assert_eq!(error.to_string(), "0 customers, but at least 1 are needed");
}

#[test]
fn too_few_renewals_are_named() {
    let options = FitOptions::default();
    for data in [RenewalSummary::new(), cohort(&[100])] {
        assert!(matches!(
            Geometric::fit(&data),
            Err(FitError::TooFew {
                have: 0,
                need: 1,
                ..
            })
        ));
        assert!(Sbg::fit(&data, &options).is_err());
    }
    assert!(Sbg::fit(&cohort(&[100, 80, 70]), &options).is_ok());
    assert!(Bdw::fit(&cohort(&[100, 80, 70]), &options).is_err());
    assert!(Bdw::fit(&cohort(&[100, 80, 70, 65]), &options).is_ok());
}

#[test]
fn what_is_saved_is_what_is_loaded() {
    fn check<M>(model: M, file: &str)
    where
        M: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        assert_eq!(serde_json::to_string(&model).unwrap(), file);
        assert_eq!(serde_json::from_str::<M>(file).unwrap(), model);
        assert!(serde_json::from_str::<M>(&file.replace(":1,", ":2,")).is_err());
        assert!(serde_json::from_str::<M>(&file.replace("0.5", "-0.5")).is_err());
    }
    check(
        Sbg::new(0.5, 1.5).unwrap(),
        r#"{"format":1,"alpha":0.5,"beta":1.5}"#,
    );
    let bdw = Bdw::new(0.5, 1.5, 1.25).unwrap();
    check(bdw, r#"{"format":1,"alpha":0.5,"beta":1.5,"c":1.25}"#);
    check(Geometric::new(0.5).unwrap(), r#"{"format":1,"theta":0.5}"#);
    let bg_bb = BgBb::new(0.5, 1.5, 0.75, 2.5).unwrap();
    check(
        bg_bb,
        r#"{"format":1,"alpha":0.5,"beta":1.5,"gamma":0.75,"delta":2.5}"#,
    );
}
