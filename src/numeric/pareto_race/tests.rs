use super::*;
use crate::numeric::close;
use proptest::prelude::*;

// ((a, A, b, B), ln P, ln (1 - P), derivatives of ln P in a, b, l, then aa, ab, al, bb, bl, ll): mpmath
// with 60 digits, hyp2f1 of the exact doubles, derivatives by central differences of 1e-15.
type Row = ((f64, f64, f64, f64), f64, f64, [f64; 9]);
const RACES: &[Row] = &[
    (
        (0.606, 11.669, 0.553, 10.578),
        -0.6739120568047059,
        -0.712759562773938,
        [
            0.798914512375,
            -0.897114840416,
            -0.263003662353,
            -1.98920426709,
            0.754671916647,
            0.116930800888,
            0.776263206193,
            -0.354377079683,
            -0.0699885059936,
        ],
    ),
    (
        (0.606, 40.0, 29.553, 49.0),
        -3.7158737509877815,
        -0.024635138306066673,
        [
            1.61027538241,
            -0.0327941680546,
            -0.93838023301,
            -2.72147355856,
            0.00130034703054,
            0.0360331280751,
            0.00107635258032,
            -0.00193250650188,
            -0.0536144623006,
        ],
    ),
    (
        (0.606, 500.02, 120.5, 0.03),
        -15.005398472357863,
        -3.0425541108830814e-07,
        [
            1.65016451019,
            -0.00836819397496,
            -0.999999186869,
            -2.72304458169,
            4.27263711256e-09,
            5.06307507106e-07,
            7.00266694335e-05,
            -6.86184816541e-09,
            -8.13129026018e-07,
        ],
    ),
    (
        (2.0, 200.0, 1.5, 0.051),
        -6.934565044826127,
        -0.0009740206298118511,
        [
            0.49162644472,
            -1.73996619059,
            -0.976901195543,
            -0.248494159226,
            0.0333441513633,
            0.00413260701884,
            2.34817101946,
            -0.0885275150273,
            -0.0113442745098,
        ],
    ),
    (
        (0.1, 0.02, 8.0, 300.0),
        -0.6926717786571889,
        -0.6936228085771704,
        [
            6.83486279568,
            -0.0131475979619,
            -0.0993782340988,
            -95.4532404803,
            0.049441577641,
            0.367297916591,
            0.00139759274564,
            -0.00256177392913,
            -0.0193407814128,
        ],
    ),
    (
        (0.553, 10.578, 0.606, 10.578),
        -0.7399548418174169,
        -0.6484328572704373,
        [
            0.945505494385,
            -0.862812769629,
            -0.280685502547,
            -2.52556906853,
            0.744445875435,
            0.13000718043,
            0.744445875435,
            -0.333170216513,
            -0.0740751612058,
        ],
    ),
    (
        (1e-06, 1.0, 1e-06, 1000000.0),
        -0.6931333652435427,
        -0.6931609960672135,
        [
            499999.999903,
            -499986.184781,
            -9.9997236953e-07,
            -750000000000.0,
            249999999903.0,
            1.38150406356e-05,
            249999999806.0,
            -0.999958554681,
            -1.9998914788e-12,
        ],
    ),
    (
        (1e-06, 1000000.0, 1000000.0, 1.0),
        -41.44653067389332,
        -1.000001e-18,
        [
            1000000.0,
            -1.000001e-6,
            -0.999999999999,
            -1.0e+12,
            1.00000400001e-18,
            1.000002e-12,
            1.000002e-12,
            -1.00000500001e-18,
            -1.000003e-12,
        ],
    ),
    (
        (1000000.0, 1.0, 1e-06, 1000000.0),
        -1.000001e-18,
        -41.44653067389332,
        [
            1.000002e-24,
            -1.000001e-12,
            -1.000001e-18,
            -2.00000600001e-30,
            1.000002e-18,
            1.000002e-24,
            -3.88948454886e-20,
            -1.000001e-12,
            -1.000001e-18,
        ],
    ),
    (
        (64.3, 7721.5, 3.5, 98.0),
        -1.4843749159309068,
        -0.2570157516203449,
        [
            0.0113124629361,
            -0.257125728493,
            -0.724545371831,
            -0.000216904417218,
            0.00116199493941,
            0.00260706349107,
            0.0567023747756,
            -0.0751115921663,
            -0.168699569041,
        ],
    ),
    (
        (1000000.0, 1000000.0, 0.3, 1.0),
        -0.1712099010285115,
        -1.8492488646343137,
        [
            1.13260368852e-07,
            -0.545846745173,
            -0.113260292471,
            -1.65589751134e-13,
            3.52222498103e-07,
            5.23292832853e-08,
            0.160408013002,
            -0.352222283677,
            -0.0523292606692,
        ],
    ),
    (
        (1000000.0, 1000000.0, 500000.0, 1.0),
        -13.122363377410329,
        -2.0000019999906665e-06,
        [
            9.99997999996e-07,
            -1.99999999998e-06,
            -0.999997999994,
            -9.99999999996e-13,
            4.00001599992e-18,
            1.99999999994e-12,
            3.99999999989e-12,
            -4.00001999992e-12,
            -2.00000199994e-06,
        ],
    ),
    (
        (0.01, 0.001, 0.01, 10000.0),
        -0.5546173765881917,
        -0.8540015120612745,
        [
            48.9753450449,
            -37.0756618948,
            -0.00741274578993,
            -7489.94989454,
            2410.97774468,
            0.111520652199,
            2330.59208217,
            -0.645589049719,
            -0.000129076014146,
        ],
    ),
    (
        (5000.5, 1010.0, 0.606, 1012.0),
        -0.0001209411135846431,
        -9.02026726536425,
        [
            2.41843512184e-08,
            -0.000199560726893,
            -0.000120909671666,
            -9.67219214636e-12,
            3.99033440749e-08,
            2.41717780659e-08,
            3.98245151766e-08,
            -0.000199496786313,
            -0.000120846819928,
        ],
    ),
    (
        (100000.0, 1000000.0, 100000.0, 1000000.0),
        -std::f64::consts::LN_2,
        -std::f64::consts::LN_2,
        [
            5.0e-6,
            -5.0e-6,
            -0.499997500012,
            -7.5e-11,
            2.5e-11,
            2.49997500019e-06,
            2.5e-11,
            -2.49999999994e-06,
            -0.249997500019,
        ],
    ),
    (
        (3.0, 1e-06, 2.0, 1000000.0),
        -9.999999999974999e-13,
        -27.63102111593155,
        [
            4.99999999996e-13,
            -4.99999999998e-13,
            -9.99999999995e-13,
            -4.9999999999e-13,
            2.49999999997e-13,
            4.99999999992e-13,
            7.50000006493e-25,
            -4.99999999996e-13,
            -9.9999999999e-13,
        ],
    ),
    (
        (0.3, 1000000.0, 0.2, 1e-06),
        -5.897577596815306,
        -0.002749866321832495,
        [
            1.53901419593,
            -28.6295225793,
            -0.199999999891,
            -7.31056234548,
            4.9348021939,
            1.95022692744e-10,
            7.2342762169,
            -0.999999996873,
            -8.68970248462e-11,
        ],
    ),
    (
        (1.0, 2.0, 1.0, 50.0),
        -0.10318675272039274,
        -2.322364568923861,
        [
            0.165286093013,
            -0.0840065219724,
            -0.071560877285,
            -0.408932384519,
            0.10664593325,
            0.0776604079651,
            0.0251161286699,
            -0.0553519792134,
            -0.0439602794367,
        ],
    ),
];

fn times(a: f64, first: f64, b: f64, second: f64) -> (Lomax, Lomax) {
    let time = |shape, scale| Lomax { shape, scale };
    (time(a, first), time(b, second))
}

fn derivatives(of: &LnProbability) -> [f64; 9] {
    [of.a, of.b, of.l, of.aa, of.ab, of.al, of.bb, of.bl, of.ll]
}

#[test]
fn table() {
    for &((a, first_scale, b, second_scale), ln, ln_rest, slopes) in RACES {
        let (first, second) = times(a, first_scale, b, second_scale);
        let (wins, loses) = race(first, second);
        close(wins, ln.exp(), 2e-13, 0.0);
        close(loses, ln_rest.exp(), 2e-13, 0.0);
        let (first_ends, second_ends) = ln_race(first, second);
        close(first_ends.ln, ln, 1e-13, 1e-13);
        close(second_ends.ln, ln_rest, 1e-13, 1e-13);
        // In units of the parameters, as a fit sees them; two differences of neighbours are
        // magnified by the shapes.
        let unit = [a, b, 1.0, a * a, a * b, a, b * b, b, 1.0];
        let rounding = 2e-11 + 4e-16 * a.max(b).powi(2);
        let slopes = derivatives(&first_ends).into_iter().zip(slopes);
        for ((actual, expected), unit) in slopes.zip(unit) {
            close(actual * unit, expected * unit, 1e-9, rounding);
        }
    }
}

#[test]
fn exchanging_the_times_exchanges_the_answers() {
    for &((a, first_scale, b, second_scale), ..) in RACES {
        // At equal rates either may be computed from the other.
        if a / first_scale == b / second_scale {
            continue;
        }
        let (first, second) = times(a, first_scale, b, second_scale);
        let (wins, loses) = race(first, second);
        assert_eq!(race(second, first), (loses, wins));
        let (here, there) = (ln_race(first, second), ln_race(second, first));
        assert_eq!((here.0.ln, here.1.ln), (there.1.ln, there.0.ln));
    }
}

#[test]
fn equal_scales_are_a_coin() {
    for (a, b) in [(0.5, 0.5), (1e-6, 3.0), (2e5, 0.1)] {
        let (first, second) = times(a, 7.0, b, 7.0);
        close(race(first, second).0, a / (a + b), 1e-15, 0.0);
    }
}

fn size() -> impl Strategy<Value = f64> {
    (-6.0..6.0f64).prop_map(|power| 10f64.powf(power))
}

proptest! {
    #[test]
    fn probabilities_of_any_times(a in size(), b in size(), first in size(), second in size()) {
        let (one, other) = times(a, first, b, second);
        let (wins, loses) = race(one, other);
        prop_assert!(wins > 0.0 && loses > 0.0 && wins <= 1.0 && loses <= 1.0);
        close(wins + loses, 1.0, 1e-12, 0.0);
        let (ln_first, ln_second) = ln_race(one, other);
        close(ln_first.ln.exp(), wins, 1e-13, 0.0);
        close(ln_second.ln.exp(), loses, 1e-13, 0.0);
        for slope in derivatives(&ln_first).into_iter().chain(derivatives(&ln_second)) {
            prop_assert!(slope.is_finite());
        }
    }

    #[test]
    fn series_and_panels_agree(
        p in -0.99..50.0f64, q in 2.0..50.0f64, sigma in 0.08..0.999f64,
    ) {
        let sum = series::<true>(p + q, q, 1.0 - sigma);
        let integral = panels::<true>(p, q, sigma, 1.0 - sigma);
        close(integral.value, sum.value, 1e-13, 0.0);
        for (integral, sum) in [
            (integral.p, sum.p), (integral.q, sum.q), (integral.pp, sum.pp),
            (integral.pq, sum.pq), (integral.qq, sum.qq),
        ] {
            close(integral, sum, 1e-11, 1e-14 * sum.abs().max(integral.abs()));
        }
    }

    #[test]
    fn derivatives_are_those_of_the_value(
        a in 0.05..30.0f64, b in 0.05..30.0f64, l in -8.0..8.0f64,
    ) {
        const STEP: f64 = 1e-4;
        let at = |a: f64, b: f64, l: f64| ln_race(times(a, l.exp(), b, 1.0).0, times(a, 1.0, b, 1.0).1);
        let here = at(a, b, l);
        let moves = [(STEP * a, 0.0, 0.0), (0.0, STEP * b, 0.0), (0.0, 0.0, STEP)];
        for (i, (da, db, dl)) in moves.into_iter().enumerate() {
            let (up, down) = (at(a + da, b + db, l + dl), at(a - da, b - db, l - dl));
            for (here, up, down) in [(here.0, up.0, down.0), (here.1, up.1, down.1)] {
                let by = 2.0 * (da + db + dl);
                let slope = (up.ln - down.ln) / by;
                close(derivatives(&here)[i], slope, 1e-6, 1e-6);
                let curved = match i {
                    0 => [here.aa, here.ab, here.al],
                    1 => [here.ab, here.bb, here.bl],
                    _ => [here.al, here.bl, here.ll],
                };
                for (j, curved) in curved.into_iter().enumerate() {
                    let slope = (derivatives(&up)[j] - derivatives(&down)[j]) / by;
                    close(curved, slope, 1e-5, 1e-5);
                }
            }
        }
    }
}

fn lomax(shape: f64, scale: f64) -> Lomax {
    Lomax { shape, scale }
}

#[test]
fn a_race_without_a_limit_is_a_race() {
    for &((a, first, b, second), ..) in RACES {
        // Times so long that the limit cuts some are no test.
        if a + b < 0.1 {
            continue;
        }
        let (first, second) = (lomax(a, first), lomax(b, second));
        let (wins, loses) = race(first, second);
        close(
            race_until::<false>(first, second, 1e300).whole,
            wins,
            1e-11,
            0.0,
        );
        close(
            race_until::<true>(second, first, 1e300).whole,
            loses,
            1e-11,
            0.0,
        );
    }
}

#[test]
fn the_moments_are_those_of_the_moment_of_winning() {
    for (first, second, limit) in [
        (lomax(0.6, 11.0), lomax(2.5, 3.0), 0.5),
        (lomax(0.6, 3.0), lomax(2.5, 11.0), 0.5),
        (lomax(1.5, 0.01), lomax(30.0, 200.0), 4.0),
        (lomax(0.2, 500.0), lomax(0.3, 0.4), 60.0),
        (lomax(3.0, 2.0), lomax(3.0, 2.0), 1e-3),
    ] {
        let moments = race_until::<true>(first, second, limit);
        let place = |t: f64| {
            let (by_first, by_second) = (1.0 + t / first.scale, 1.0 + t / second.scale);
            [
                by_first.ln(),
                by_first.recip(),
                by_second.ln(),
                by_second.recip(),
            ]
        };
        // In ln t, where the far ends are cut: it is the logarithm of a uniform time.
        let moment = |of: &dyn Fn([f64; 4]) -> f64| {
            let rule = GaussLegendre::new(32);
            rule.composite(-45.0, 0.0, 60, |ln| {
                let t = limit * ln.exp();
                let [_, stays, _, also] = place(t);
                let both = stays.powf(first.shape + 1.0) * also.powf(second.shape);
                t * first.shape / first.scale * both * of(place(t))
            })
        };
        close(moments.whole, moment(&|_| 1.0), 1e-12, 0.0);
        close(
            race_until::<false>(first, second, limit).whole,
            moments.whole,
            1e-14,
            0.0,
        );
        for i in 0..4 {
            close(moments.means[i], moment(&|at| at[i]), 1e-12, 0.0);
            for j in 0..4 {
                close(
                    moments.product(i, j),
                    moment(&|at| at[i] * at[j]),
                    1e-12,
                    0.0,
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn two_stretches_make_one(
        logs in prop::array::uniform6(-6.0..6.0f64),
    ) {
        let [a, first, b, second, one, two] = logs.map(f64::exp);
        let (leaves, buys) = (lomax(a, first), lomax(b, second));
        let whole = race_until::<false>(leaves, buys, one + two).whole;
        let stays = (-a * (one / first).ln_1p() - b * (one / second).ln_1p()).exp();
        let (later, then) = (lomax(a, first + one), lomax(b, second + one));
        let parts = race_until::<false>(leaves, buys, one).whole
            + stays * race_until::<false>(later, then, two).whole;
        close(parts, whole, 1e-12, 1e-300);
    }
}
