//! From the CDNOW log to fits, forecasts and counts that were published or computed elsewhere.

use approx::assert_relative_eq;
use tenure::lifetime::{BgNbd, FitOptions, FitStatus, GammaGamma, forecast};

#[path = "common/cdnow.rs"]
mod cdnow;

use cdnow::{calibration, day, purchases};

#[test]
fn the_published_fits_are_found_from_the_log() {
    let histories = calibration(&purchases());
    let fit = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
    assert_eq!(fit.report.status, FitStatus::Interior);
    let found = ["r", "alpha", "a", "b"].map(|name| fit.report.value(name).unwrap());
    for (found, published) in found
        .into_iter()
        .zip([0.242_595, 4.413_602, 0.792_922, 2.425_907])
    {
        assert_relative_eq!(found, published, epsilon = 1e-6);
    }
    assert_relative_eq!(fit.report.log_likelihood, -9_582.429_207, epsilon = 1e-6);

    let fit = GammaGamma::fit(&histories, &FitOptions::default()).unwrap();
    let found = ["p", "q", "v"].map(|name| fit.report.value(name).unwrap());
    for (found, published) in found.into_iter().zip([6.2496, 3.7442, 15.4435]) {
        assert_relative_eq!(found, published, epsilon = 1e-4);
    }
}

#[test]
fn the_hold_out_is_forecast_as_elsewhere() {
    let purchases = purchases();
    let histories = calibration(&purchases);
    let model = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
    let expected = forecast::expected_total(&*model, &histories, 39.0).unwrap();
    assert!((expected - 1653.4).abs() < 0.1, "{expected}");
    let holdout = purchases
        .holdout(&histories, day(1997, 9, 30), day(1998, 6, 30))
        .unwrap();
    assert_eq!(holdout.purchases.iter().sum::<u32>(), 1882);
}

#[test]
fn the_counts_of_repeat_purchases_are_fitted_closely() {
    let histories = calibration(&purchases());
    let model = BgNbd::fit(&histories, &FitOptions::default()).unwrap();
    let classes = forecast::frequency_fit(&*model, &histories, 7);
    let actual: Vec<u32> = classes.iter().map(|class| class.actual).collect();
    assert_eq!(actual, [1411, 439, 214, 100, 62, 38, 29, 64]);
    let expected: f64 = classes.iter().map(|class| class.expected).sum();
    assert_relative_eq!(expected, 2357.0, max_relative = 1e-12);
    // Figure 2 of Fader, Hardie and Lee (2005) shows how close.
    for class in classes {
        let difference = (class.expected - f64::from(class.actual)).abs();
        assert!(difference < 25.0, "{class:?}");
    }
}
