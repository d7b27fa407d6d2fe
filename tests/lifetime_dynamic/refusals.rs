//! What cannot be is refused by name.

use tenure::Error;
use tenure::lifetime::{DynamicCovariates, DynamicParetoNbd, FitOptions, ParetoNbd};
use tenure::summary::{PathHistories, PathValues, TimeUnit};

use super::{at, effects, example};

#[test]
fn what_cannot_be_is_named() {
    let (purchases, paths) = example();
    let data = PathHistories::new(&purchases, &paths, at(30.0), TimeUnit::Week).unwrap();
    let plain = ParetoNbd::new(1.0, 5.0, 1.0, 5.0).unwrap();
    let with = |name, coefficient| {
        DynamicParetoNbd::new(plain, effects(&[(name, coefficient)]), Vec::new())
    };
    let says = |error: Error, message: &str| {
        let error = error.to_string();
        assert!(error.contains(message), "{error}");
    };
    says(
        with("season", f64::NAN).unwrap_err().into(),
        "NaN for `season`",
    );
    says(
        with("sun", 1.0)
            .unwrap()
            .probability_alive(&data)
            .unwrap_err(),
        "`trans` is `sun`",
    );
    says(
        with("season", 201.0)
            .unwrap()
            .probability_alive(&data)
            .unwrap_err(),
        "exceeds 200",
    );
    let twice = effects(&[("season", 1.0), ("season", 2.0)]);
    says(
        DynamicParetoNbd::new(plain, Vec::new(), twice)
            .unwrap_err()
            .into(),
        "`season` twice",
    );
    let model = with("season", 1.0).unwrap();
    let late = model.expected_purchases(&data, 15.5).unwrap_err();
    says(late, "`horizon` is 15.5 weeks from 2005-07-31");
    says(
        model.count_probabilities(&data, 15.5, &[0; 6]).unwrap_err(),
        "`horizon` is 15.5 weeks",
    );
    says(
        model.count_probabilities(&data, 9.0, &[0; 5]).unwrap_err(),
        "column `counts` has 5 rows, expected 6",
    );
    assert_eq!(data.covered(), 15.0);
    assert_eq!(model.expected_purchases(&data, 0.0).unwrap(), [0.0; 6]);
    assert_eq!(model.expected_purchases(&data, f64::NAN).unwrap(), [0.0; 6]);
    says(model.tracking(&data, 0.0, 3).unwrap_err(), "`step` is 0");
    says(
        model.tracking(&data, 1.0, 46).unwrap_err(),
        "`horizon` is 46 weeks",
    );

    let fit = |trans, life| {
        let covariates = DynamicCovariates { trans, life };
        DynamicParetoNbd::fit(&data, &covariates, &FitOptions::default())
    };
    says(fit(&["sun"], &[]).unwrap_err(), "`trans` is `sun`");
    says(
        fit(&[], &["season", "season"]).unwrap_err(),
        "`life` is `season`",
    );
    let flat = super::paths(
        45,
        vec![
            ("a", PathValues::Constant(vec![2.0; 6])),
            (
                "b",
                PathValues::Shared((0..45).map(|w| f64::from(w % 2)).collect()),
            ),
            (
                "c",
                PathValues::Shared((0..45).map(|w| 3.0 - f64::from(w % 2)).collect()),
            ),
        ],
    );
    let flat = PathHistories::new(&purchases, &flat, at(30.0), TimeUnit::Week).unwrap();
    for (names, name) in [(["a", "b"], "`a`"), (["b", "c"], "`c`")] {
        let covariates = DynamicCovariates {
            trans: &names,
            life: &[],
        };
        let error = DynamicParetoNbd::fit(&flat, &covariates, &FitOptions::default());
        says(error.unwrap_err(), name);
    }

    // Known until the end, and not beyond.
    let mut season = vec![1.0; 45];
    season[33] = f64::NAN;
    let gap = super::paths(
        45,
        vec![
            ("season", PathValues::Shared(season)),
            ("place", PathValues::Constant(vec![0.0; 6])),
        ],
    );
    let gap = PathHistories::new(&purchases, &gap, at(30.0), TimeUnit::Week).unwrap();
    assert!(model.expected_purchases(&gap, 3.0).is_ok());
    says(
        model.expected_purchases(&gap, 3.5).unwrap_err(),
        "period 33 (from 2005-08-21",
    );
}

#[test]
fn what_cannot_be_is_not_loaded() {
    let file = r#"{"format":1,"r":1.0,"alpha":2.0,"s":1.0,"beta":3.0,"trans":[{"name":"a","coefficient":0.5}],"life":[]}"#;
    let model: DynamicParetoNbd = serde_json::from_str(file).unwrap();
    assert_eq!(serde_json::to_string(&model).unwrap(), file);
    assert_eq!(
        (model.base().alpha(), model.trans()[0].coefficient),
        (2.0, 0.5)
    );
    for (from, to) in [
        ("\"format\":1", "\"format\":2"),
        ("\"r\":1.0", "\"r\":-1.0"),
        (
            "\"life\":[]",
            "\"life\":[{\"name\":\"a\",\"coefficient\":0.5},{\"name\":\"a\",\"coefficient\":1}]",
        ),
        ("\"s\":1.0", "\"s\":1.0,\"k\":2"),
    ] {
        assert!(serde_json::from_str::<DynamicParetoNbd>(&file.replace(from, to)).is_err());
    }
}
