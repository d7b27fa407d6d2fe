//! How sure the answers are: draws from the posterior and intervals over them.

use tenure::Error;
use tenure::error::FitError;
use tenure::lifetime::interval::{Chains, Diagnosis, Posterior, PosteriorOptions, Prior, Sampler};
use tenure::lifetime::{
    CovariateOptions, Discount, DynamicCovariates, DynamicParetoNbd, FitOptions, FitStatus, Fitted,
    GammaGamma, Horizon, ParetoNbd, PurchaseModel, Support, UnitSpend, WithCovariates,
};
use tenure::summary::{Covariates, PathHistories, PathValues, TimeUnit};

use super::{all_close, at, close, example, paths, simulated};

const SEASON: DynamicCovariates<'_> = DynamicCovariates {
    trans: &["season"],
    life: &["season"],
};

fn fitted(data: &PathHistories<'_>) -> Fitted<DynamicParetoNbd> {
    let fit = DynamicParetoNbd::fit(data, &SEASON, &FitOptions::default()).unwrap();
    assert_eq!(fit.report.status, FitStatus::Interior);
    fit
}

/// The parameters in the order of a report, by their logarithms where they are positive.
fn places(model: &DynamicParetoNbd) -> [f64; 6] {
    let base = model.base();
    let (trans, life) = (model.trans()[0].coefficient, model.life()[0].coefficient);
    [
        base.r().ln(),
        base.alpha().ln(),
        base.s().ln(),
        base.beta().ln(),
        trans,
        life,
    ]
}

#[test]
fn of_many_customers_the_draws_are_around_the_maximum_as_wide_as_its_errors() {
    let (purchases, paths) = simulated(1_500, 5);
    let data = PathHistories::new(&purchases, &paths, at(90.0), TimeUnit::Week).unwrap();
    let fit = fitted(&data);
    let posterior = fit.posterior(&data, 300, 3).unwrap();
    assert!(
        posterior.diagnosis().is_reliable(),
        "{:?}",
        posterior.diagnosis()
    );
    let at_best = places(&fit);
    for (i, estimate) in fit.report.parameters.iter().enumerate() {
        let error = match estimate.support {
            Support::Positive => estimate.standard_error.unwrap() / estimate.value,
            _ => estimate.standard_error.unwrap(),
        };
        let draws: Vec<f64> = posterior.draws().iter().map(|m| places(m)[i]).collect();
        let mean = draws.iter().sum::<f64>() / 300.0;
        let width = (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 299.0).sqrt();
        let off = (mean - at_best[i]) / error;
        assert!(off.abs() < 0.35, "{}: {off}", estimate.name);
        assert!(
            (width / error - 1.0).abs() < 0.25,
            "{}: {width} {error}",
            estimate.name
        );
    }
}

#[test]
fn intervals_hold_the_answer_and_a_total_is_surer_than_its_parts() {
    let (purchases, paths) = simulated(250, 7);
    let data = PathHistories::new(&purchases, &paths, at(90.0), TimeUnit::Week).unwrap();
    let fit = fitted(&data);
    let posterior = fit.posterior(&data, 300, 3).unwrap();
    let (horizon, level) = (13.5, 0.9);
    let prospects = posterior.prospects(&data, horizon, level).unwrap();
    let later = posterior
        .probability_alive_after(&data, horizon, level)
        .unwrap();
    let answers = [
        (&prospects.alive, fit.probability_alive(&data).unwrap()),
        (
            &prospects.purchases,
            fit.expected_purchases(&data, horizon).unwrap(),
        ),
        (&later, fit.probability_alive_after(&data, horizon).unwrap()),
    ];
    for (portfolio, at_best) in answers {
        assert_eq!(portfolio.customers.len(), at_best.len());
        for (interval, best) in portfolio.customers.iter().zip(&at_best) {
            assert!(interval.lower <= interval.mean && interval.mean <= interval.upper);
            assert!(
                (interval.lower..=interval.upper).contains(best),
                "{interval:?} {best}"
            );
        }
        let total: f64 = at_best.iter().sum();
        let all = portfolio.total;
        assert!(all.lower < total && total < all.upper, "{all:?} {total}");
        close(
            all.mean,
            portfolio.customers.iter().map(|i| i.mean).sum(),
            1e-9,
        );
        let widths: f64 = portfolio.customers.iter().map(|i| i.upper - i.lower).sum();
        assert!(all.upper - all.lower < widths);
    }
    // Alone and in one go, and one draw at a time.
    assert_eq!(
        posterior.probability_alive(&data, level).unwrap(),
        prospects.alive
    );
    let alone = posterior.expected_purchases(&data, horizon, level).unwrap();
    assert_eq!(alone, prospects.purchases);
    let total = |model: &DynamicParetoNbd| model.expected_total(&data, horizon).unwrap();
    let by_draw = posterior.interval(level, total).unwrap();
    close(by_draw.lower, alone.total.lower, 1e-9);
    close(by_draw.upper, alone.total.upper, 1e-9);
    for level in [0.0, 1.0, f64::NAN] {
        assert!(posterior.probability_alive(&data, level).is_err());
    }
    let late = posterior
        .expected_purchases(&data, 14.5, level)
        .unwrap_err();
    assert!(
        late.to_string().contains("`horizon` is 14.5 weeks"),
        "{late}"
    );
}

#[test]
fn values_are_purchases_times_spend_draw_by_draw() {
    let (purchases, paths) = simulated(80, 7);
    let data = PathHistories::new(&purchases, &paths, at(90.0), TimeUnit::Week).unwrap();
    let fit = DynamicParetoNbd::fit(&data, &SEASON, &FitOptions::default()).unwrap();
    let options = PosteriorOptions {
        sampler: Sampler::Importance,
        ..PosteriorOptions::new(60, 3)
    };
    let posterior = fit.posterior_with(&data, &options).unwrap();
    let (discount, horizon) = (Discount::annual(0.1).unwrap(), Horizon::weeks(13));
    let units = Posterior::certain(UnitSpend);
    let purchases = posterior
        .value_over(&data, &units, discount, horizon, 0.8)
        .unwrap();
    let by_draw = posterior.interval(0.8, |model| {
        model
            .discounted_purchases(&data, discount, horizon)
            .unwrap()[2]
    });
    let by_draw = by_draw.unwrap();
    close(purchases.customers[2].upper, by_draw.upper, 1e-9);
    close(purchases.customers[2].mean, by_draw.mean, 1e-9);
    let spend = GammaGamma::new(6.25, 3.74, 10.0).unwrap();
    let certain = Posterior::certain(spend);
    let found = posterior
        .value_over(&data, &certain, discount, horizon, 0.8)
        .unwrap();
    let all = posterior.interval(0.8, |model| {
        let values = model.value_over(&data, &spend, discount, horizon);
        values.unwrap().iter().sum()
    });
    let all = all.unwrap();
    close(found.total.lower, all.lower, 1e-9);
    close(found.total.upper, all.upper, 1e-9);
    let without_mean = Posterior::certain(GammaGamma::new(6.25, 0.7, 10.0).unwrap());
    let error = posterior.value_over(&data, &without_mean, discount, horizon, 0.8);
    assert!(matches!(
        error,
        Err(Error::Fit(FitError::NotIdentified { .. }))
    ));
}

/// Where the covariates do not vary, the draws are those of Pareto/NBD with static covariates.
#[test]
fn static_covariates_have_the_posterior_of_the_static_model() {
    let (purchases, _) = simulated(300, 5);
    let group: Vec<f64> = (0..300).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
    let paths = paths(104, vec![("group", PathValues::Constant(group.clone()))]);
    let data = PathHistories::new(&purchases, &paths, at(90.0), TimeUnit::Week).unwrap();
    let histories = data.histories();
    let group: Vec<f64> = histories
        .customer()
        .iter()
        .map(|&c| group[c as usize])
        .collect();
    let fixed =
        Covariates::from_columns(histories.customer().to_vec(), [("group", group)]).unwrap();
    let options = CovariateOptions::default();
    let moving = DynamicParetoNbd::fit_with(&data, &options).unwrap();
    let still = WithCovariates::<ParetoNbd>::fit(histories, &fixed, &options).unwrap();
    close(
        moving.report.log_likelihood,
        still.report.log_likelihood,
        1e-9,
    );
    for prior in [Prior::Flat, Prior::LogNormal { spread: 3.0 }] {
        let options = PosteriorOptions {
            prior,
            sampler: Sampler::Importance,
            ..PosteriorOptions::new(250, 8)
        };
        let moving = moving.posterior_with(&data, &options).unwrap();
        let still = still.posterior_with(histories, &fixed, &options).unwrap();
        let (k, other) = (moving.pareto_k().unwrap(), still.pareto_k().unwrap());
        assert!((k - other).abs() < 1e-3, "{k} {other}");
        close(
            moving.effective_sample_size(),
            still.effective_sample_size(),
            1e-3,
        );
        let expected = moving
            .expected_purchases(&data, 13.0, 0.8)
            .unwrap()
            .customers;
        let of_still = still.intervals_with(histories, &fixed, 0.8, |model, histories, out| {
            model.expected_purchases_batch(histories, 13.0, out)
        });
        for (left, right) in expected.iter().zip(of_still.unwrap()) {
            close(left.lower, right.lower, 1e-3);
            close(left.mean, right.mean, 1e-3);
            close(left.upper, right.upper, 1e-3);
        }
    }
}

#[test]
fn coefficients_that_were_held_equal_are_equal_in_every_draw() {
    let (purchases, paths) = simulated(600, 9);
    let data = PathHistories::new(&purchases, &paths, at(104.0), TimeUnit::Week).unwrap();
    let options = CovariateOptions {
        transaction: Some(vec!["mailing".into(), "season".into()]),
        lifetime: Some(vec!["season".into()]),
        equal: vec!["season".into()],
        ..CovariateOptions::default()
    };
    let fit = DynamicParetoNbd::fit_with(&data, &options).unwrap();
    let posterior = fit.posterior(&data, 40, 2).unwrap();
    for model in posterior.draws() {
        assert_eq!(model.trans()[0].name, "mailing");
        assert_eq!(model.trans()[1], model.life()[0]);
    }
    let season = posterior
        .interval(0.9, |model| model.life()[0].coefficient)
        .unwrap();
    let error = fit.report.parameters[5].standard_error.unwrap();
    assert!(
        (1.0..6.0).contains(&((season.upper - season.lower) / error)),
        "{season:?} {error}"
    );

    // A report of another fit is not taken for the model's own.
    let mut mixed = fit.clone();
    mixed.report.parameters.swap(4, 5);
    let error = mixed.posterior(&data, 40, 2).unwrap_err().to_string();
    assert!(error.contains("constr.season, trans.mailing"), "{error}");
    mixed.report.parameters.truncate(3);
    assert!(mixed.posterior(&data, 40, 2).is_err());
}

#[test]
fn without_a_best_model_a_proper_prior_still_has_a_posterior() {
    let (purchases, paths) = example();
    let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
    let fit = DynamicParetoNbd::fit(&data, &SEASON, &FitOptions::default()).unwrap();
    assert_ne!(fit.report.status, FitStatus::Interior);
    let error = fit.posterior(&data, 100, 1).unwrap_err();
    assert!(error.to_string().contains("LogNormal"), "{error}");
    let draw = |sampler| {
        let options = PosteriorOptions {
            sampler,
            ..PosteriorOptions::new(1_000, 2)
        };
        fit.posterior_with(&data, &options).unwrap()
    };
    let walked = draw(Sampler::Nuts(Chains::default()));
    let Diagnosis::Chains { split_r_hat, .. } = walked.diagnosis() else {
        panic!("{:?}", walked.diagnosis());
    };
    assert!(*split_r_hat < 1.03, "{:?}", walked.diagnosis());
    // Chains and weights draw from one posterior: each interval's ends lie within a fifth of its width.
    let automatic = draw(Sampler::Automatic);
    let of = |posterior: &Posterior<DynamicParetoNbd>, i: usize| {
        posterior.interval(0.8, |model| places(model)[i]).unwrap()
    };
    for i in 0..6 {
        let (left, right) = (of(&automatic, i), of(&walked, i));
        let width = right.upper - right.lower;
        for (left, right) in [(left.lower, right.lower), (left.upper, right.upper)] {
            assert!(
                (left - right).abs() < 0.2 * width,
                "{i}: {left} {right} {width}"
            );
        }
    }
    let ahead = automatic.expected_purchases(&data, 15.0, 0.9).unwrap();
    assert!(
        ahead
            .customers
            .iter()
            .all(|i| i.lower < i.upper && i.upper.is_finite())
    );
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let (purchases, paths) = simulated(700, 8);
    let data = PathHistories::new(&purchases, &paths, at(90.0), TimeUnit::Week).unwrap();
    let fit = fitted(&data);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new();
        let pool = pool.num_threads(threads).build().unwrap();
        pool.install(|| {
            let posterior = fit.posterior(&data, 20, 4).unwrap();
            let purchases = posterior.expected_purchases(&data, 10.0, 0.9).unwrap();
            (posterior, purchases)
        })
    };
    let alone = with_threads(1);
    assert_eq!(alone, with_threads(3));
    let other = fit.posterior(&data, 20, 5).unwrap();
    assert_ne!(alone.0, other);
    all_close(
        &[alone.1.customers.len() as f64],
        &[data.histories().len() as f64],
        0.0,
    );
}
