use super::*;
use crate::numeric::close;
use proptest::prelude::*;

// ((s, B, a, σ), ln P(ends first), ln P(purchase first)): mpmath with 30 digits, adaptive tanh-sinh
// quadrature of the integrals; the two sum to 1 to all of them.
type Row = ((f64, f64, f64, f64), f64, f64);
const RACES: &[Row] = &[
    (
        (0.6068, 0.12, 0.5531, 0.105758),
        -0.6172888248427377,
        -0.7752358822947784,
    ),
    (
        (0.6068, 0.5, 26.55, 0.4),
        -3.9979333832653237,
        -0.01852404505330568,
    ),
    (
        (2.5, 40.0, 1.3, 3.0),
        -0.7396454110847356,
        -0.6487153091563045,
    ),
    (
        (0.01, 1.0, 0.2, 100.0),
        -0.1158143666603981,
        -2.213115029251723,
    ),
    (
        (3.0, 1e6, 2.0, 0.05),
        -10.95995022711559,
        -1.7384326475371377e-5,
    ),
    (
        (1e-3, 1e-4, 0.3, 1e-5),
        -4.9822331034083,
        -0.0068823583810217,
    ),
    (
        (500.0, 1e4, 3.0, 2.0),
        -2.0786955507060543,
        -0.13363800820694074,
    ),
    (
        (0.3, 0.9, 4000.0, 50.0),
        -5.485907366741196,
        -0.00415338592207344,
    ),
    (
        (20.0, 1e-3, 0.5, 1e3),
        -2.6314325810973144e-8,
        -17.453152351577646,
    ),
];

fn race((shape, scale, a, sigma): (f64, f64, f64, f64)) -> (GompertzGamma, Lomax) {
    let purchase = Lomax {
        shape: a,
        scale: sigma,
    };
    (GompertzGamma { shape, scale }, purchase)
}

#[test]
fn probabilities_of_other_quadrature() {
    for &(parameters, ends, outlasts) in RACES {
        let (life, purchase) = race(parameters);
        close(life.ln_ends_first(purchase).ln, ends, 1e-13, 1e-13);
        close(life.ln_outlasts(purchase).ln, outlasts, 1e-13, 1e-13);
        close(life.ends_first(purchase), ends.exp(), 1e-13, 0.0);
        close(life.outlasts(purchase), outlasts.exp(), 1e-13, 0.0);
    }
}

#[test]
fn stays_of_other_quadrature() {
    for (shape, scale, end, discount, expected) in [
        (0.6, 0.12, 39.0, 0.0, 0.6708623218387869),
        (2.0, 1e4, 12.0, 0.0, 8.210339730082014),
        (5.0, 1e-4, 0.3, 0.2, 2.4999000109964798e-5),
        (0.5, 3.0, f64::INFINITY, 0.05, 2.5183887087126147),
        // Without growth of the scale a lifetime is exponential: (1 − e⁻¹⁰⁰) · 100.
        (0.01, 1.0, 1e4, 0.0, 100.0),
    ] {
        let life = GompertzGamma { shape, scale };
        close(life.stay(end, discount), expected, 1e-13, 0.0);
    }
}

fn size(powers: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    powers.prop_map(|power| 10f64.powf(power))
}

proptest! {
    #[test]
    fn one_of_the_two_comes_first(
        s in size(-6.0..6.0), scale in size(-12.0..9.0), a in size(-6.0..6.0), sigma in size(-12.0..12.0),
    ) {
        let (life, purchase) = race((s, scale, a, sigma));
        let (ends, outlasts) = (life.ends_first(purchase), life.outlasts(purchase));
        prop_assert!((0.0..=1.0).contains(&ends) && (0.0..=1.0).contains(&outlasts), "{ends} {outlasts}");
        close(ends + outlasts, 1.0, 1e-11, 0.0);
    }

    #[test]
    fn stays_add_up(
        s in size(-6.0..6.0), scale in size(-12.0..9.0), end in size(-9.0..9.0), share in 0.0..1.0f64,
    ) {
        let life = GompertzGamma { shape: s, scale };
        let (early, late) = (share * end, (1.0 - share) * end);
        let still_there = (-s * life.ln_growth(early)).exp();
        let parts = life.stay(early, 0.0) + still_there * life.after(early).stay(late, 0.0);
        close(parts, life.stay(end, 0.0), 1e-10, 1e-300);
    }

    #[test]
    fn derivatives_are_those_of_the_logarithm(
        s in size(-1.5..2.0), scale in size(-3.0..3.0), a in size(-1.5..2.0), sigma in size(-3.0..3.0),
    ) {
        const STEP: f64 = 1e-4;
        for ends in [true, false] {
            let outcome = |at: [f64; 4]| {
                let (life, purchase) = race((at[2], at[3].exp(), at[0], at[1].exp()));
                if ends { life.ln_ends_first(purchase) } else { life.ln_outlasts(purchase) }
            };
            let at = [a, sigma.ln(), s, scale.ln()];
            let here = outcome(at);
            for i in 0..4 {
                let step = STEP * if i % 2 == 0 { at[i] } else { 1.0 };
                let moved = |by: f64| {
                    let mut at = at;
                    at[i] += by;
                    outcome(at)
                };
                let (up, down) = (moved(step), moved(-step));
                close(here.slope[i], (up.ln - down.ln) / (2.0 * step), 1e-6, 1e-7);
                for j in 0..4 {
                    let slope = (up.slope[j] - down.slope[j]) / (2.0 * step);
                    close(here.curve[i][j], slope, 1e-5, 1e-6);
                }
            }
        }
    }
}
