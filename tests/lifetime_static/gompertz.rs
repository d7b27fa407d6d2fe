//! Covariates on GG/NBD: α and β of each customer by hand, and the limit that is Pareto/NBD.

use tenure::lifetime::{
    Coefficient, CovariateOptions, GompertzGammaNbd, ParetoNbd, PurchaseModel, WithCovariates,
};

use super::pareto_shops;

const BUYING: [f64; 2] = [0.5, -0.3];
const LEAVING: [f64; 2] = [-0.6, 0.4];

fn coefficients(values: [f64; 2]) -> Vec<Coefficient> {
    let named = ["online", "abroad"].into_iter().zip(values);
    let named = named.map(|(name, value)| Coefficient {
        covariate: name.into(),
        value,
    });
    named.collect()
}

#[test]
fn each_customer_has_a_model_of_its_own() {
    let (histories, known) = pareto_shops(40, 52);
    let base = GompertzGammaNbd::new(0.8, 5.0, 0.05, 1.2, 0.9).unwrap();
    let model =
        WithCovariates::<GompertzGammaNbd>::new(base, coefficients(BUYING), coefficients(LEAVING))
            .unwrap();
    let bound = model.bind(&known).unwrap();
    let mut expected = vec![0.0; histories.len()];
    bound
        .expected_purchases_batch(&histories, 26.0, &mut expected)
        .unwrap();
    let columns = ["online", "abroad"].map(|name| known.column(name).unwrap());
    let mut sum = 0.0;
    for (row, history) in histories.iter().enumerate() {
        let moved = |by: [f64; 2]| (by[0] * columns[0][row] + by[1] * columns[1][row]).exp();
        let (alpha, beta) = (5.0 / moved(BUYING), 0.9 / moved(LEAVING));
        let own = GompertzGammaNbd::new(0.8, alpha, 0.05, 1.2, beta).unwrap();
        sum += own.log_likelihood(&history);
        let by_hand = own.expected_purchases(&history, 26.0);
        assert!((expected[row] / by_hand - 1.0).abs() < 1e-12, "{row}");
    }
    let together = model.log_likelihood_of(&histories, &known).unwrap();
    assert!((together / sum - 1.0).abs() < 1e-12, "{together} {sum}");
}

/// A hazard that grows e-fold in 1 / b, b → 0, of levels with the rate b β is that of Pareto/NBD with β.
#[test]
fn a_hazard_that_does_not_grow_is_that_of_pareto_nbd() {
    const SLOW: f64 = 1e-8;
    let (histories, known) = pareto_shops(200, 52);
    let (trans, life) = (coefficients(BUYING), coefficients(LEAVING));
    let gompertz = GompertzGammaNbd::new(0.8, 5.0, SLOW, 1.2, SLOW * 20.0).unwrap();
    let gompertz =
        WithCovariates::<GompertzGammaNbd>::new(gompertz, trans.clone(), life.clone()).unwrap();
    let pareto = ParetoNbd::new(0.8, 5.0, 1.2, 20.0).unwrap();
    let pareto = WithCovariates::<ParetoNbd>::new(pareto, trans, life).unwrap();
    let here = gompertz.log_likelihood_of(&histories, &known).unwrap();
    let there = pareto.log_likelihood_of(&histories, &known).unwrap();
    assert!((here / there - 1.0).abs() < 1e-6, "{here} {there}");

    // So of the same data GG/NBD finds the same effects, and explains them no worse.
    let options = CovariateOptions::default();
    let gompertz = WithCovariates::<GompertzGammaNbd>::fit(&histories, &known, &options).unwrap();
    let pareto = WithCovariates::<ParetoNbd>::fit(&histories, &known, &options).unwrap();
    let gain = gompertz.report.log_likelihood - pareto.report.log_likelihood;
    assert!((-1e-4..10.0).contains(&gain), "{gain}");
    for of_pareto in &pareto.report.parameters[4..] {
        let of_gompertz = gompertz.report.value(&of_pareto.name).unwrap();
        let error = of_pareto.standard_error.unwrap();
        let away = (of_gompertz - of_pareto.value).abs();
        assert!(away < error, "{of_pareto:?}: {of_gompertz}");
    }
}
