//! Data whose likelihood has no maximum in the interior: the fit says so, and promptly.

use tenure::lifetime::{
    BgNbd, CovariateOptions, FitOptions, FitReport, FitStatus, Limit, ParetoNbd, PurchaseModel,
    WithCovariates,
};
use tenure::summary::{Histories, HistoryColumns, TimeUnit};

use super::counted::histories;
use super::{covariates, data};

fn drift(report: &FitReport) -> Vec<(&str, Limit)> {
    assert!(report.covariance.is_none());
    let FitStatus::Boundary { drift } = &report.status else {
        panic!("{report:?}");
    };
    let named = drift.iter().map(|d| (d.parameter.as_ref(), d.limit));
    named.collect()
}

#[test]
fn nobody_of_one_channel_repeats() {
    let with_repeats = [
        (0, 0.0, 38.0, 120),
        (1, 3.0, 38.0, 20),
        (1, 9.0, 38.0, 20),
        (1, 20.0, 38.0, 20),
        (1, 33.0, 38.0, 20),
        (2, 18.0, 38.0, 20),
        (2, 10.0, 38.0, 20),
        (3, 35.0, 38.0, 20),
        (6, 32.0, 38.0, 20),
        (11, 37.0, 38.0, 20),
    ];
    let without = [(0, 0.0, 39.0, 40), (0, 0.0, 25.0, 10)];
    let customers = histories(&[&with_repeats[..], &without].concat());
    let channel = (0..350).map(|i| if i < 300 { 0.0 } else { 1.0 }).collect();
    let channel = covariates(&[("channel", channel)]);
    let options = CovariateOptions {
        lifetime: Some(vec![]),
        ..CovariateOptions::default()
    };
    let fitted = WithCovariates::<BgNbd>::fit(&customers, &channel, &options).unwrap();
    assert!(fitted.report.iterations < 200);
    assert_eq!(
        drift(&fitted.report),
        [("trans.channel", Limit::NegativeInfinity)]
    );
    let bound = fitted.bind(&channel).unwrap();
    let mut expected = vec![0.0; 350];
    bound
        .expected_purchases_batch(&customers, 52.0, &mut expected)
        .unwrap();
    assert!(expected[..300].iter().all(|e| *e > 1e-3) && expected[300..].iter().all(|e| *e < 1e-3));

    let nobody = histories(&without);
    let channel = covariates(&[("channel", (0..50).map(|i| f64::from(i % 2)).collect())]);
    let fitted = WithCovariates::<BgNbd>::fit(&nobody, &channel, &options).unwrap();
    assert_eq!(drift(&fitted.report), [("r", Limit::Zero)]);
    assert_eq!(fitted.transaction()[0].value, 0.0);
}

/// In one channel all are equally ready to leave, so that a and b go to infinity there, and in the other
/// not.
#[test]
fn one_channel_is_equally_ready_to_leave() {
    // Some buy ten times as fast as others, all of them long before the end.
    let kind = |x: u32, customers: usize| {
        let at = |pace: f64| (x, pace * f64::from(x), 1000.0, customers);
        [at(0.2), at(2.0)]
    };
    // Of one channel hardly anybody stays much longer than others.
    let alike = [kind(1, 100), kind(2, 100), kind(3, 40), kind(4, 5)].concat();
    let unlike = [kind(1, 100), kind(2, 20), kind(30, 10), kind(90, 10)].concat();
    let n: usize = alike.iter().map(|row| row.3).sum();
    let customers = histories(&[alike, unlike].concat());
    let channel = (0..customers.len())
        .map(|i| if i < n { 0.0 } else { 1.0 })
        .collect();
    let channel = covariates(&[("channel", channel)]);
    let options = CovariateOptions::default();
    let fitted = WithCovariates::<BgNbd>::fit(&customers, &channel, &options).unwrap();
    assert!(fitted.report.iterations < 200);
    let drift = drift(&fitted.report);
    for parameter in ["a", "b"] {
        assert!(drift.contains(&(parameter, Limit::Infinity)), "{drift:?}");
    }
    let share = fitted.base().a() / (fitted.base().a() + fitted.base().b());
    assert!((0.2..0.8).contains(&share), "{share}");
}

/// Data that cannot be shipped: read where they are.
#[test]
fn apparel_has_no_best_bg_nbd() {
    let Some(folder) = std::env::var_os("TENURE_DATA_DIR") else {
        return;
    };
    let Some(table) = data::DataFolder::new(folder.into()).table("apparel_cbs_104w.csv") else {
        return;
    };
    let numbers = |name: &str| table.numbers(&[name]).unwrap().1;
    let weeks = |name: &str| numbers(name).iter().map(|days| days / 7.0).collect();
    let columns = HistoryColumns {
        frequency: numbers("x").iter().map(|&x| x as u32).collect(),
        recency: weeks("t_x_days"),
        age: weeks("T_days"),
        ..HistoryColumns::default()
    };
    let histories = Histories::from_columns(TimeUnit::Week, columns).unwrap();
    let names = ["Gender", "Channel"];
    let covariates = covariates(&names.map(|name| (name, numbers(name))));
    let options = CovariateOptions::default();
    let fitted = WithCovariates::<BgNbd>::fit(&histories, &covariates, &options).unwrap();
    assert!(fitted.report.iterations < 200);
    let drift = drift(&fitted.report);
    for parameter in ["a", "b"] {
        assert!(drift.contains(&(parameter, Limit::Infinity)), "{drift:?}");
    }
    let log_likelihood = fitted.report.log_likelihood;
    assert!(
        (-5839.8621..-5839.8620).contains(&log_likelihood),
        "{log_likelihood}"
    );

    let fitted = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &options).unwrap();
    assert_eq!(fitted.report.status, FitStatus::Interior);
    // The closed form with ₂F₁ at these parameters, with 30 digits, in mpmath.
    let by_mpmath = -5_821.062_685_868_87;
    assert!((fitted.report.log_likelihood / by_mpmath - 1.0).abs() < 1e-13);
    // A search that goes on to the last digit finds the same.
    let sharp = CovariateOptions {
        search: FitOptions {
            tolerance: 1e-14,
            ..FitOptions::default()
        },
        ..options
    };
    let sharp = WithCovariates::<ParetoNbd>::fit(&histories, &covariates, &sharp).unwrap();
    for (here, there) in fitted
        .report
        .parameters
        .iter()
        .zip(&sharp.report.parameters)
    {
        assert!(
            (here.value / there.value - 1.0).abs() < 1e-7,
            "{here:?} {there:?}"
        );
    }
}
