//! What customers will do next: the laws for every model, and simulated customers who then do it.

#[path = "common/any_history.rs"]
mod any_history;
#[path = "common/sizes.rs"]
mod sizes;

use proptest::prelude::*;
use tenure::lifetime::{
    BgBb, BgCnbd, BgNbd, FuturePurchases, GompertzGammaNbd, MbgCnbd, MbgNbd, Nbd, ParetoNbd,
    forecast, laws,
};
use tenure::simulate::{PurchaseProcess, Retailer, RetailerConfig};
use tenure::summary::{Histories, History, HistoryColumns, OccasionHistory, TimeUnit};

use any_history::any_history;

fn models([r, alpha, a, b]: [f64; 4], k: u32) -> [Box<dyn FuturePurchases>; 7] {
    [
        Box::new(BgNbd::new(r, alpha, a, b).unwrap()),
        Box::new(MbgNbd::new(r, alpha, a, b).unwrap()),
        Box::new(BgCnbd::new(k, r, alpha, a, b).unwrap()),
        Box::new(MbgCnbd::new(k, r, alpha, a, b).unwrap()),
        Box::new(ParetoNbd::new(r, alpha, a, b).unwrap()),
        Box::new(GompertzGammaNbd::new(r, alpha, 0.3 / alpha, a, b).unwrap()),
        Box::new(Nbd::new(r, alpha).unwrap()),
    ]
}

#[test]
fn every_model_keeps_the_laws() {
    for (parameters, k) in [
        ([0.243, 4.414, 0.793, 2.426], 2),
        ([2.5, 1.4, 0.6, 20.0], 3),
        ([0.05, 30.0, 1.0, 0.5], 7),
        ([12.0, 0.3, 2.0, 3.0], 1),
    ] {
        for model in models(parameters, k) {
            laws::check_future(&*model).unwrap();
        }
    }
}

#[test]
fn batches_have_the_bits_of_single_answers() {
    let histories = Histories::from_columns(
        TimeUnit::Week,
        HistoryColumns {
            frequency: vec![0, 3, 0, 1, 3, 40],
            recency: vec![0.0, 30.5, 0.0, 2.0, 30.5, 31.0],
            age: vec![38.0, 38.0, 20.0, 38.0, 38.0, 38.0],
            ..HistoryColumns::default()
        },
    )
    .unwrap();
    for (number, model) in models([2.5, 1.4, 0.6, 20.0], 3).iter().enumerate() {
        let model = &**model;
        let mut out = vec![f64::NAN; histories.len()];
        let compare = |out: &[f64], what, single: &dyn Fn(&History) -> f64| {
            for (history, batch) in histories.iter().zip(out) {
                let single = single(&history);
                assert_eq!(
                    batch.to_bits(),
                    single.to_bits(),
                    "{number}: {what} {single}"
                );
            }
        };
        model
            .probability_alive_after_batch(&histories, 9.0, &mut out)
            .unwrap();
        compare(&out, "alive", &|h| model.probability_alive_after(h, 9.0));
        model
            .probability_of_purchase_batch(&histories, 9.0, &mut out)
            .unwrap();
        compare(&out, "bought", &|h| model.probability_of_purchase(h, 9.0));
        model
            .time_to_purchase_batch(&histories, 0.9, &mut out)
            .unwrap();
        compare(&out, "time", &|h| {
            model.time_to_purchase(h, 0.9).unwrap_or(f64::INFINITY)
        });
        model
            .mean_time_to_purchase_batch(&histories, &mut out)
            .unwrap();
        compare(&out, "mean", &|h| model.mean_time_to_purchase(h));
        let error = model
            .mean_time_to_purchase_batch(&histories, &mut out[1..])
            .unwrap_err();
        assert!(error.to_string().contains('5'), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_stay_in_their_ranges(
        logs in [-14.0..14.0f64, -14.0..14.0f64, -14.0..14.0f64, -14.0..14.0f64],
        k in 1u32..=12,
        history in any_history(),
        ln_t in -14.0..14.0f64,
    ) {
        let t = ln_t.exp();
        for (number, model) in models(logs.map(f64::exp), k).iter().enumerate() {
            let alive = model.probability_alive_after(&history, t);
            prop_assert!((0.0..=1.0).contains(&alive), "{number}: {alive}");
            let last = model.probability_alive_after(&history, f64::MAX);
            prop_assert!((0.0..=alive + 1e-9).contains(&last), "{number}: {last} {alive}");
            let mut counts = [f64::NAN; 4];
            model.future_purchase_probabilities(&history, t, &mut counts);
            prop_assert!(counts.iter().all(|p| (0.0..=1.0).contains(p)), "{number}: {counts:?}");
            let bought = model.probability_of_purchase(&history, t);
            let ever = model.probability_of_any_purchase(&history);
            prop_assert!((0.0..=1.0).contains(&bought), "{number}: {bought}");
            prop_assert!((0.0..=1.0).contains(&ever), "{number}: {ever}");
            prop_assert!(bought <= ever + 1e-9, "{number}: {bought} {ever}");
            let mean = model.mean_time_to_purchase(&history);
            prop_assert!(mean >= 0.0, "{number}: {mean}");
            if let Some(time) = model.time_to_purchase(&history, 0.5 * ever) {
                prop_assert!((0.0..=f64::MAX).contains(&time), "{number}: {time}");
            }
        }
    }
}

/// What simulated customers did before and after the end of the observation.
struct Study {
    histories: Histories,
    after: Vec<u32>,
    /// The time to the next purchase; infinite where there was none before the end of all.
    next: Vec<f64>,
    /// Whether alive after the hold-out.
    alive: Vec<bool>,
}

const CUSTOMERS: u64 = 20_000;
const WEEKS: f64 = 39.0;
const HOLD_OUT: f64 = 26.0;

fn study(purchase: PurchaseProcess) -> Study {
    let retailer = Retailer::new(RetailerConfig {
        purchase,
        days: 65 * 7,
        acquisition_days: 0,
        ..RetailerConfig::cdnow_like(CUSTOMERS, 17)
    })
    .unwrap();
    let mut columns = HistoryColumns::default();
    let (mut after, mut next, mut alive) = (Vec::new(), Vec::new(), Vec::new());
    let weeks = |from: i64, to: i64| (to - from) as f64 / (7.0 * 86_400.0);
    for customer in retailer.customers() {
        let first = customer.first().unix_s();
        let (mut x, mut recency, mut more, mut time) = (0, 0.0, 0, f64::INFINITY);
        for purchase in customer.purchases().skip(1) {
            let at = weeks(first, purchase.time.unix_s());
            if at <= WEEKS {
                x += 1;
                recency = at;
            } else if at <= WEEKS + HOLD_OUT {
                more += 1;
                time = time.min(at - WEEKS);
            }
        }
        columns.frequency.push(x);
        columns.recency.push(recency);
        columns.age.push(WEEKS);
        after.push(more);
        next.push(time);
        let left = customer.dropout();
        alive.push(left.is_none_or(|left| weeks(first, left.unix_s()) > WEEKS + HOLD_OUT));
    }
    Study {
        histories: Histories::from_columns(TimeUnit::Week, columns).unwrap(),
        after,
        next,
        alive,
    }
}

/// Fails unless a sum of indicators is within four standard deviations of the sum of probabilities.
fn agrees(what: &str, probabilities: &[f64], happened: impl Iterator<Item = bool>) {
    let expected: f64 = probabilities.iter().sum();
    let variance: f64 = probabilities.iter().map(|p| p * (1.0 - p)).sum();
    let count = happened.filter(|happened| *happened).count() as f64;
    let away = (count - expected).abs();
    assert!(
        away <= 4.0 * variance.sqrt() + 1e-6,
        "{what}: {count}, expected {expected}"
    );
}

fn check(name: &str, model: &dyn FuturePurchases, purchase: PurchaseProcess) {
    let study = study(purchase);
    let rows: Vec<_> = study.histories.iter().collect();
    let of = |answer: &dyn Fn(&History) -> f64| -> Vec<f64> { rows.iter().map(answer).collect() };
    let alive = of(&|h| model.probability_alive_after(h, HOLD_OUT));
    agrees(
        &format!("{name} alive"),
        &alive,
        study.alive.iter().copied(),
    );
    let mut counts = vec![[0.0; 5]; rows.len()];
    for (history, counts) in rows.iter().zip(&mut counts) {
        model.future_purchase_probabilities(history, HOLD_OUT, counts);
    }
    for n in 0..5 {
        let probabilities: Vec<f64> = counts.iter().map(|counts| counts[n]).collect();
        let happened = study.after.iter().map(|&x| x as usize == n);
        agrees(&format!("{name} {n} purchases"), &probabilities, happened);
        // Among those who had bought in the observation, too.
        let repeats = |i: usize| rows[i].frequency > 0;
        let some: Vec<f64> = (0..rows.len())
            .filter(|&i| repeats(i))
            .map(|i| counts[i][n])
            .collect();
        let did = (0..rows.len())
            .filter(|&i| repeats(i))
            .map(|i| study.after[i] as usize == n);
        agrees(&format!("{name} {n} purchases of repeaters"), &some, did);
    }
    for t in [2.0, 10.0] {
        let bought = of(&|h| model.probability_of_purchase(h, t));
        agrees(
            &format!("{name} by {t}"),
            &bought,
            study.next.iter().map(|&next| next <= t),
        );
    }
    // The time by which a tenth of such customers have bought again.
    let times: Vec<_> = rows
        .iter()
        .map(|h| model.time_to_purchase(h, 0.1))
        .collect();
    let seen: Vec<usize> = (0..rows.len())
        .filter(|&i| times[i].is_some_and(|t| t < HOLD_OUT))
        .collect();
    let early = seen
        .iter()
        .map(|&i| times[i].is_some_and(|t| study.next[i] <= t));
    agrees(&format!("{name} early"), &vec![0.1; seen.len()], early);
    assert!(seen.len() > 500, "{name}: {}", seen.len());
    let classes =
        forecast::conditional_expectations(model, &study.histories, &study.after, HOLD_OUT, 7)
            .unwrap();
    assert_eq!(
        classes.iter().map(|c| u64::from(c.customers)).sum::<u64>(),
        CUSTOMERS
    );
    for class in classes {
        // Counts vary more than a Poisson's; three times as much is generous.
        let slack = 4.0 * (3.0 * class.expected).sqrt();
        assert!(
            (class.actual as f64 - class.expected).abs() < slack,
            "{name}: {class:?}"
        );
    }
}

#[test]
fn simulated_customers_do_what_is_expected_of_them() {
    let (r, alpha, a, b) = (0.6, 6.0, 0.8, 2.4);
    check(
        "bg",
        &BgNbd::new(r, alpha, a, b).unwrap(),
        PurchaseProcess::bg_nbd(r, alpha, a, b),
    );
    check(
        "mbg",
        &MbgNbd::new(r, alpha, a, b).unwrap(),
        PurchaseProcess::mbg_nbd(r, alpha, a, b),
    );
    let alpha = 2.0;
    check(
        "bg-3",
        &BgCnbd::new(3, r, alpha, a, b).unwrap(),
        PurchaseProcess {
            k: 3,
            ..PurchaseProcess::bg_nbd(r, alpha, a, b)
        },
    );
    check(
        "mbg-3",
        &MbgCnbd::new(3, r, alpha, a, b).unwrap(),
        PurchaseProcess::mbg_cnbd(3, r, alpha, a, b),
    );
    let (r, alpha, s, beta) = (0.6, 6.0, 0.6, 12.0);
    let pareto = ParetoNbd::new(r, alpha, s, beta).unwrap();
    check(
        "pareto",
        &pareto,
        PurchaseProcess::pareto_nbd(r, alpha, s, beta),
    );
    check(
        "nbd",
        &Nbd::new(r, alpha).unwrap(),
        PurchaseProcess::nbd(r, alpha),
    );
}

/// Many customers of one history: rates and dropout drawn given what is known of them until t_x; then they leave at once
/// or run through the stages of the next purchase, and those who bought before T are turned away.
struct Alike {
    k: u32,
    rate: (u32, f64),
    dropout: (u32, u32),
    silence: f64,
    horizon: f64,
}

/// What they did after T: numbers of purchases, and whether they were alive at T.
fn play(alike: &Alike, customers: usize) -> Vec<(bool, usize)> {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};
    let mut rng = ChaCha8Rng::seed_from_u64(29);
    // Of whole shapes: Gamma as a sum of exponential numbers, Beta as one of some sorted uniform ones.
    let stages = |rng: &mut ChaCha8Rng, count: u32| -> f64 {
        (0..count).map(|_| -(1.0 - rng.random::<f64>()).ln()).sum()
    };
    let mut played = Vec::with_capacity(customers);
    while played.len() < customers {
        let rate = stages(&mut rng, alike.rate.0) / alike.rate.1;
        let (leave, stay) = alike.dropout;
        let mut uniform: Vec<f64> = (1..leave + stay).map(|_| rng.random()).collect();
        uniform.sort_by(f64::total_cmp);
        let dropout = uniform[leave as usize - 1];
        if rng.random::<f64>() < dropout {
            played.push((false, 0));
            continue;
        }
        let mut time = stages(&mut rng, alike.k) / rate;
        if time <= alike.silence {
            continue;
        }
        let mut count = 0;
        while time <= alike.silence + alike.horizon {
            count += 1;
            if rng.random::<f64>() < dropout {
                break;
            }
            time += stages(&mut rng, alike.k) / rate;
        }
        played.push((true, count));
    }
    played
}

#[test]
fn customers_of_one_history_buy_as_often_as_is_probable() {
    const CUSTOMERS: usize = 10_000;
    let (r, alpha, a, b) = (2, 3.0, 1, 3);
    // The silence is short, or long enough to leave few alive, among some stages passed.
    let histories = [
        (0, 0.0, 9.0),
        (2, 30.0, 33.0),
        (5, 30.0, 44.0),
        (12, 20.0, 24.5),
    ];
    for k in [1, 2, 5] {
        for (first, (x, recency, age)) in [0, 1]
            .into_iter()
            .zip([histories; 2])
            .flat_map(|(f, h)| h.map(|h| (f, h)))
        {
            if first == 0 && x == 0 {
                continue;
            }
            let model: Box<dyn FuturePurchases> = match first {
                0 => Box::new(
                    BgCnbd::new(k, f64::from(r), alpha, f64::from(a), f64::from(b)).unwrap(),
                ),
                _ => Box::new(
                    MbgCnbd::new(k, f64::from(r), alpha, f64::from(a), f64::from(b)).unwrap(),
                ),
            };
            let played = play(
                &Alike {
                    k,
                    rate: (r + k * x, alpha + recency),
                    dropout: (a, b + x + first - 1),
                    silence: age - recency,
                    horizon: 12.0,
                },
                CUSTOMERS,
            );
            let history = History::new(x, recency, age).unwrap();
            let what = format!("k = {k}, first = {first}, x = {x}");
            let all = |probability| vec![probability; CUSTOMERS];
            let alive = all(model.probability_alive(&history));
            agrees(
                &format!("{what}: alive"),
                &alive,
                played.iter().map(|p| p.0),
            );
            let mut counts = [0.0; 8];
            model.future_purchase_probabilities(&history, 12.0, &mut counts);
            for (n, probability) in counts.into_iter().enumerate() {
                // Of fewer a normal law says nothing.
                if probability * (CUSTOMERS as f64) < 10.0 {
                    continue;
                }
                let happened = played.iter().map(|p| p.1 == n);
                agrees(&format!("{what}: {n}"), &all(probability), happened);
            }
        }
    }
}

#[test]
fn the_mean_time_is_the_area_above_the_probability() {
    use tenure::summary::History;
    let history = History::new(3, 20.0, 39.0).unwrap();
    for model in models([0.6, 6.0, 0.6, 12.0], 4) {
        let ever = model.probability_of_any_purchase(&history);
        // The trapezoidal rule in the logarithm of time, which is exact for what vanishes at both ends.
        let step = 0.02;
        let area: f64 = (-1000..2000)
            .map(|i| {
                let t = (f64::from(i) * step).exp();
                (ever - model.probability_of_purchase(&history, t)) * t * step
            })
            .sum();
        let mean = model.mean_time_to_purchase(&history);
        assert!(
            (area / ever / mean - 1.0).abs() < 1e-4,
            "{area} {ever} {mean}"
        );
        let seldom = History::new(0, 0.0, 39.0).unwrap();
        assert!(model.mean_time_to_purchase(&seldom) > mean);
    }
}

#[test]
fn a_hazard_that_hardly_grows_is_that_of_pareto_nbd_ahead_too() {
    use tenure::summary::History;
    let (r, alpha, s, beta) = (0.6, 6.0, 0.6, 12.0);
    let small = 1e-9;
    let gompertz = GompertzGammaNbd::new(r, alpha, small, s, small * beta).unwrap();
    let pareto = ParetoNbd::new(r, alpha, s, beta).unwrap();
    let close =
        |left: f64, right: f64| assert!((left - right).abs() < 1e-6 * right, "{left} {right}");
    for (x, recency) in [(0, 0.0), (3, 20.0), (9, 38.0)] {
        let history = History::new(x, recency, 39.0).unwrap();
        let ever = pareto.probability_of_any_purchase(&history);
        close(gompertz.probability_of_any_purchase(&history), ever);
        for t in [0.1, 5.0, 300.0] {
            let by = pareto.probability_of_purchase(&history, t);
            close(gompertz.probability_of_purchase(&history, t), by);
        }
        for share in [0.05, 0.5, 0.9] {
            let time = pareto.time_to_purchase(&history, share * ever).unwrap();
            close(
                gompertz.time_to_purchase(&history, share * ever).unwrap(),
                time,
            );
        }
        // Times to purchase of (x = 0) have no mean without the growth of the hazard.
        if x > 0 {
            let mean = pareto.mean_time_to_purchase(&history);
            close(gompertz.mean_time_to_purchase(&history), mean);
        }
    }
}

#[test]
fn occasions_to_come_have_probabilities() {
    let model = BgBb::new(1.204, 0.75, 0.657, 2.783).unwrap();
    for (x, t_x, n) in [(0, 0, 0), (0, 0, 6), (3, 5, 6), (6, 6, 6), (1, 1, 500)] {
        let history = OccasionHistory::new(x, t_x, n).unwrap();
        for ahead in [0, 1, 5, 30] {
            let mut counts = [f64::NAN; 31];
            model.future_purchase_probabilities(&history, ahead, &mut counts);
            let total: f64 = counts.iter().sum();
            assert!((total - 1.0).abs() < 1e-12, "{total}");
            let mean: f64 = (0..).zip(counts).map(|(n, p)| f64::from(n) * p).sum();
            let expected = model.expected_purchases(&history, ahead);
            assert!((mean - expected).abs() < 1e-11, "{mean} {expected}");
        }
        // By the likelihoods of the histories that may follow.
        let mut counts = [f64::NAN; 2];
        model.future_purchase_probabilities(&history, 1, &mut counts);
        let bought = OccasionHistory::new(x + 1, n + 1, n + 1).unwrap();
        let odds = (model.log_likelihood(&bought) - model.log_likelihood(&history)).exp();
        assert!((counts[1] - odds).abs() < 1e-12, "{} {odds}", counts[1]);
    }
}
