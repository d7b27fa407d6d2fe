//! The distribution of the purchases to come.

use proptest::prelude::*;
use tenure::lifetime::{DynamicParetoNbd, FuturePurchases, ParetoNbd};
use tenure::summary::{PathHistories, PathValues, TimeUnit};

use super::{at, close, effects, example, paths, purchases, wave};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn constant_covariates_give_the_counts_of_pareto_nbd(
        logs in prop::array::uniform4(-4.0..4.0f64),
        trans in -2.0..2.0f64,
        life in -2.0..2.0f64,
        horizon in 0.01..15.0f64,
    ) {
        let [r, alpha, s, beta] = logs.map(f64::exp);
        let plain = ParetoNbd::new(r, alpha, s, beta).unwrap();
        let (on_trans, on_life) = (effects(&[("place", trans), ("season", 0.0)]), effects(&[("place", life)]));
        let model = DynamicParetoNbd::new(plain, on_trans, on_life).unwrap();
        let (purchases, paths) = example();
        let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
        for n in [0, 1, 2, 7, 30] {
            let found = model.count_probabilities(&data, horizon, &[n; 6]).unwrap();
            for (i, history) in data.histories().iter().enumerate() {
                let (of_trans, of_life) = ((-trans * wave(i)).exp(), (-life * wave(i)).exp());
                let own = ParetoNbd::new(r, alpha * of_trans, s, beta * of_life).unwrap();
                let mut expected = vec![0.0; n as usize + 1];
                own.future_purchase_probabilities(&history, horizon, &mut expected);
                close(found[i], expected[n as usize], 1e-9);
            }
        }
    }

}

proptest! {
    // Hundreds of counts each.
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn counts_add_up_to_the_expected_purchases(
        logs in prop::array::uniform4(-1.0..1.0f64),
        coefficients in prop::array::uniform4(-1.0..1.0f64),
    ) {
        let [r, alpha, s, beta] = logs.map(f64::exp);
        let [a, b, c, d] = coefficients;
        let plain = ParetoNbd::new(r, 4.0 * alpha, s, 9.0 * beta).unwrap();
        let (trans, life) = (effects(&[("season", a), ("price", b)]), effects(&[("season", c), ("price", d)]));
        let model = DynamicParetoNbd::new(plain, trans, life).unwrap();
        let (purchases, paths) = example();
        let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
        let (mut whole, mut mean) = ([0.0; 6], [0.0; 6]);
        for n in 0..300 {
            let found = model.count_probabilities(&data, 6.5, &[n; 6]).unwrap();
            for (i, p) in found.into_iter().enumerate() {
                whole[i] += p;
                mean[i] += f64::from(n) * p;
            }
        }
        let expected = model.expected_purchases(&data, 6.5).unwrap();
        for i in 0..6 {
            close(whole[i], 1.0, 1e-9);
            close(mean[i], expected[i], 1e-8);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn probabilities_stay_in_their_bounds(
        logs in prop::array::uniform4(-13.8..13.8f64),
        coefficients in prop::array::uniform4(-150.0..150.0f64),
        n in 0..1_000_000_u32,
    ) {
        let [r, alpha, s, beta] = logs.map(f64::exp);
        let [a, b, c, d] = coefficients;
        let plain = ParetoNbd::new(r, alpha, s, beta).unwrap();
        let trans = effects(&[("season", a), ("price", 0.3 * b)]);
        let life = effects(&[("season", c), ("place", 0.3 * d)]);
        let model = DynamicParetoNbd::new(plain, trans, life).unwrap();
        let (purchases, paths) = example();
        let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
        let found = model.count_probabilities(&data, 15.0, &[0, 1, 3, 40, 1_000, n]).unwrap();
        prop_assert!(found.iter().all(|p| (0.0..=1.0).contains(p)), "{found:?}");
    }
}

/// A year of one level, in which a customer is sure to leave at some time, is as good as 52 weeks that differ by
/// nothing that acts.
#[test]
fn a_long_segment_is_its_parts() {
    let purchases = purchases(&[vec![0.0, 3.0, 29.0], vec![2.0]]);
    let steady = vec![1.0; 90];
    let restless = (0..90).map(|week| 1.0 + 1e-13 * f64::from(week % 7));
    let of = |values: Vec<f64>, n| {
        let paths = paths(
            90,
            vec![
                ("level", PathValues::Shared(values)),
                ("place", PathValues::Constant(vec![0.0; 2])),
            ],
        );
        let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
        let plain = ParetoNbd::new(3.0, 0.7, 40.0, 3.0).unwrap();
        let model = DynamicParetoNbd::new(
            plain,
            effects(&[("level", 1.5)]),
            effects(&[("level", -0.5)]),
        );
        model
            .unwrap()
            .count_probabilities(&data, 60.0, &[n; 2])
            .unwrap()
    };
    for n in [0, 1, 5, 80, 700] {
        let (whole, parts) = (of(steady.clone(), n), of(restless.clone().collect(), n));
        super::all_close(&whole, &parts, 1e-9);
    }
}

#[test]
fn no_time_holds_no_purchase() {
    let (purchases, paths) = example();
    let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
    let plain = ParetoNbd::new(1.0, 5.0, 1.0, 5.0).unwrap();
    let model = DynamicParetoNbd::new(plain, effects(&[("season", 0.5)]), Vec::new()).unwrap();
    for horizon in [0.0, -1.0, f64::NAN] {
        let found = model.count_probabilities(&data, horizon, &[0, 0, 0, 1, 2, 0]);
        super::all_close(&found.unwrap(), &[1.0, 1.0, 1.0, 0.0, 0.0, 1.0], 1e-12);
    }
}
