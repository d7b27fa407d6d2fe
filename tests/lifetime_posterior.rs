//! Posteriors of every model: their diagnosis, chains beside weights, priors where nothing fits best.

#[path = "common/counted.rs"]
mod counted;

use tenure::Error;
use tenure::error::FitError;
use tenure::lifetime::interval::{
    Chains, Diagnosis, Interval, Posterior, PosteriorOptions, Prior, Sampler,
};
use tenure::lifetime::{
    Bdw, BgBb, BgNbd, FitOptions, FitStatus, Fitted, GammaGamma, Geometric, MbgCnbd, MbgNbd, Nbd,
    ParetoNbd, Regularity, Sbg,
};
use tenure::simulate::{Retailer, RetailerConfig};
use tenure::summary::{
    Grain, Histories, OccasionColumns, OccasionSummary, PurchaseOptions, PurchaseSummary, Refunds,
    RenewalSummary, TimeUnit,
};

use counted::histories;

fn shop(customers: u64, seed: u64) -> Histories {
    let retailer = Retailer::new(RetailerConfig::cdnow_like(customers, seed)).unwrap();
    let log = retailer.transactions().unwrap();
    let options = PurchaseOptions {
        grain: Grain::Instant,
        zone: tenure::event::Zone::UTC,
        refunds: Refunds::Ignore,
    };
    let summary = PurchaseSummary::collect(&log, &options).unwrap();
    let purchases = summary.into_purchases().unwrap();
    purchases.histories(retailer.end(), TimeUnit::Week).unwrap()
}

fn options(draws: u32, sampler: Sampler) -> PosteriorOptions {
    PosteriorOptions {
        sampler,
        ..PosteriorOptions::new(draws, 11)
    }
}

/// Chains and weights draw from one posterior: each interval's ends lie within a fifth of its width.
fn agree<M>(
    what: &str,
    draw: impl Fn(&PosteriorOptions) -> Result<Posterior<M>, Error>,
    answers: &[fn(&M) -> f64],
) {
    let weighted = draw(&options(1_000, Sampler::Importance)).unwrap();
    let walked = draw(&options(1_000, Sampler::Nuts(Chains::default()))).unwrap();
    let (w, c) = (weighted.diagnosis(), walked.diagnosis());
    assert!(w.is_reliable(), "{what}: {w:?}");
    let Diagnosis::Chains { split_r_hat, .. } = c else {
        panic!("{what}: {c:?}");
    };
    assert!(*split_r_hat < 1.02, "{what}: {c:?}");
    for (i, answer) in answers.iter().enumerate() {
        let of = |posterior: &Posterior<M>| posterior.interval(0.8, |m| answer(m).ln()).unwrap();
        let (left, right): (Interval, Interval) = (of(&weighted), of(&walked));
        let width = left.upper - left.lower;
        for (left, right) in [
            (left.lower, right.lower),
            (left.mean, right.mean),
            (left.upper, right.upper),
        ] {
            assert!(
                (left - right).abs() < 0.2 * width,
                "{what} {i}: {left} {right} of {width}"
            );
        }
    }
    let automatic = draw(&options(1_000, Sampler::Automatic)).unwrap();
    assert!(matches!(
        automatic.diagnosis(),
        Diagnosis::Importance { .. }
    ));
}

#[test]
fn chains_and_weights_agree_for_purchases() {
    let shop = shop(400, 3);
    let distinct = shop.distinct();
    let plain = FitOptions::default();
    let bg = BgNbd::fit(&shop, &plain).unwrap();
    agree(
        "bg",
        |o| bg.posterior_with(&distinct, o),
        &[BgNbd::r, BgNbd::alpha, BgNbd::a, BgNbd::b],
    );
    let mbg = MbgNbd::fit(&shop, &plain).unwrap();
    agree(
        "mbg",
        |o| mbg.posterior_with(&distinct, o),
        &[MbgNbd::r, MbgNbd::a],
    );
    let regular = MbgCnbd::fit(&shop, Regularity::Fixed(2), &plain).unwrap();
    agree(
        "mbg-cnbd",
        |o| regular.posterior_with(&distinct, o),
        &[MbgCnbd::r, MbgCnbd::b],
    );
    let pareto = ParetoNbd::fit(&shop, &plain).unwrap();
    agree(
        "pareto",
        |o| pareto.posterior_with(&distinct, o),
        &[ParetoNbd::r, ParetoNbd::s],
    );
    let nbd = Nbd::fit(&shop, &plain).unwrap();
    agree(
        "nbd",
        |o| nbd.posterior_with(&distinct, o),
        &[Nbd::r, Nbd::alpha],
    );
    let spend = GammaGamma::fit(&shop, &plain).unwrap();
    agree(
        "spend",
        |o| spend.posterior_with(&shop, o),
        &[GammaGamma::p, GammaGamma::q],
    );
}

#[test]
fn chains_and_weights_agree_for_contracts() {
    let plain = FitOptions::default();
    let survivors = [1000, 869, 743, 653, 593, 551, 517, 491];
    let cohort = RenewalSummary::from_cohorts([&survivors[..]]).unwrap();
    let sbg = Sbg::fit(&cohort, &plain).unwrap();
    agree(
        "sbg",
        |o| sbg.posterior_with(&cohort, o),
        &[Sbg::alpha, Sbg::beta],
    );
    let bdw = Bdw::fit(&cohort, &plain).unwrap();
    agree(
        "bdw",
        |o| bdw.posterior_with(&cohort, o),
        &[Bdw::alpha, Bdw::c],
    );
    let geometric = Geometric::fit(&cohort).unwrap();
    agree(
        "geometric",
        |o| geometric.posterior_with(&cohort, o),
        &[Geometric::theta],
    );
}

#[test]
fn chains_walk_what_three_occasions_leave_open() {
    let columns = OccasionColumns {
        frequency: vec![0, 1, 1, 2, 2, 2, 3],
        recency: vec![0, 1, 3, 2, 3, 3, 3],
        occasions: vec![3; 7],
        count: vec![900, 400, 90, 250, 180, 120, 600],
    };
    let data = OccasionSummary::from_columns(&columns).unwrap();
    let fitted = BgBb::fit(&data, &FitOptions::default()).unwrap();
    assert_eq!(fitted.report.status, FitStatus::Interior);
    let weighted = fitted.posterior(&data, 2_000, 11).unwrap();
    assert!(!weighted.diagnosis().is_reliable() && weighted.pareto_k().unwrap() > 0.7);
    let options = PosteriorOptions::new(2_000, 11);
    let walked = fitted.posterior_with(&data, &options).unwrap();
    let diagnosis = walked.diagnosis();
    assert!(
        matches!(diagnosis, Diagnosis::Chains { .. }) && diagnosis.is_reliable(),
        "{diagnosis:?}"
    );
}

/// Fits without a maximum in the interior.
fn boundaries() -> Vec<(&'static str, Histories, Fitted<BgNbd>)> {
    let sets: [(&str, &[_]); 5] = [
        ("nobody repeats", &[(0, 0.0, 39.0, 50), (0, 0.0, 30.0, 10)]),
        (
            "nobody leaves",
            &[
                (0, 0.0, 2.0, 30),
                (1, 38.0, 39.0, 20),
                (4, 38.0, 39.0, 20),
                (12, 38.5, 39.0, 20),
            ],
        ),
        (
            "one rate",
            &[
                (4, 36.0, 39.0, 40),
                (4, 30.0, 39.0, 20),
                (4, 20.0, 39.0, 10),
                (3, 10.0, 39.0, 10),
            ],
        ),
        ("one customer", &[(3, 20.0, 39.0, 1)]),
        (
            "all leave",
            &[(1, 1.0, 39.0, 30), (1, 3.0, 39.0, 30), (0, 0.0, 10.0, 5)],
        ),
    ];
    let fitted = sets.into_iter().map(|(name, rows)| {
        let histories = histories(rows);
        let fitted = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
        (name, histories, fitted)
    });
    fitted.collect()
}

#[test]
fn without_a_best_model_a_proper_prior_still_has_a_posterior() {
    use tenure::lifetime::PurchaseModel;
    for (name, histories, fitted) in boundaries() {
        assert_ne!(fitted.report.status, FitStatus::Interior, "{name}");
        let distinct = histories.distinct();
        let error = fitted.posterior(&distinct, 100, 1).unwrap_err();
        assert!(
            matches!(error, Error::Fit(FitError::NotIdentified { .. })),
            "{error}"
        );
        assert!(error.to_string().contains("LogNormal"), "{error}");
        let posterior = fitted
            .posterior_with(&distinct, &PosteriorOptions::new(1_000, 2))
            .unwrap();
        assert_eq!(posterior.draws().len(), 1_000);
        let diagnosis = posterior.diagnosis();
        eprintln!("{name}: {diagnosis:?}");
        assert!(
            posterior.effective_sample_size() > 150.0,
            "{name}: {diagnosis:?}"
        );
        if let Diagnosis::Chains { split_r_hat, .. } = diagnosis {
            assert!(*split_r_hat < 1.03, "{name}: {diagnosis:?}");
        }
        let history = histories.get(0).unwrap();
        let expected = posterior
            .interval(0.9, |m| m.expected_purchases(&history, 39.0))
            .unwrap();
        assert!(
            expected.lower < expected.upper && expected.upper.is_finite(),
            "{name}"
        );
    }
}

#[test]
fn a_narrow_prior_holds_what_the_data_do_not() {
    let (_, histories, fitted) = boundaries().swap_remove(0);
    let draw = |spread| {
        let options = PosteriorOptions {
            prior: Prior::LogNormal { spread },
            ..PosteriorOptions::new(2_000, 2)
        };
        let posterior = fitted
            .posterior_with(&histories.distinct(), &options)
            .unwrap();
        posterior.interval(0.9, |m| m.a().ln()).unwrap()
    };
    // Nobody ever bought again: of a there is nothing but the prior, whose 5% point is −1.645 spread.
    for spread in [0.5, 3.0] {
        let interval = draw(spread);
        assert!(
            (interval.lower / spread + 1.645).abs() < 0.2,
            "{interval:?}"
        );
        assert!(
            (interval.upper / spread - 1.645).abs() < 0.2,
            "{interval:?}"
        );
    }
}

#[test]
fn the_same_draws_at_any_number_of_threads() {
    let shop = shop(5_000, 8);
    let distinct = shop.distinct();
    let fitted = BgNbd::fit(&shop, &FitOptions::default()).unwrap();
    for sampler in [
        Sampler::Importance,
        Sampler::Nuts(Chains {
            chains: 2,
            warm_up: 100,
        }),
    ] {
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                fitted
                    .posterior_with(&distinct, &options(60, sampler))
                    .unwrap()
            })
        };
        let alone = with_threads(1);
        assert_eq!(alone, with_threads(2));
        assert_eq!(alone, with_threads(7));
    }
}
