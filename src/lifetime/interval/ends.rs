//! Where an interval ends, and its mean.

use super::Interval;

impl Interval {
    /// From draws, of which there is at least one; their order is lost.
    pub(super) fn of(draws: &mut [f64], tail: f64) -> Self {
        Self {
            mean: sum(draws) / draws.len() as f64,
            lower: quantile(draws, tail),
            upper: quantile(draws, 1.0 - tail),
        }
    }
}

/// In an order that lets additions overlap.
fn sum(values: &[f64]) -> f64 {
    const ABREAST: usize = 8;
    let (blocks, rest) = values.as_chunks::<ABREAST>();
    let mut sums = [0.0; ABREAST];
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}

/// What a further draw would be below with this probability, by linear interpolation between order statistics
/// (Hyndman and Fan's type 6); the outermost draw where these are too few to tell.
fn quantile(draws: &mut [f64], share: f64) -> f64 {
    let last = (draws.len() - 1) as f64;
    let place = (share * (last + 2.0) - 1.0).clamp(0.0, last);
    let (low, rest) = (place as usize, place.fract());
    // The higher of two neighbours first where few lie below it, so that the search for the lower is short.
    if 2 * low < draws.len() {
        let next = (low + 1).min(draws.len() - 1);
        let (below, &mut next, _) = draws.select_nth_unstable_by(next, f64::total_cmp);
        let low = below.iter().copied().max_by(f64::total_cmp).unwrap_or(next);
        return between(low, next, rest);
    }
    let (_, &mut low, above) = draws.select_nth_unstable_by(low, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    between(low, next, rest)
}

/// Both may be infinite.
fn between(low: f64, next: f64, rest: f64) -> f64 {
    if low == next || rest == 0.0 {
        return low;
    }
    low + rest * (next - low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The truth is one more draw: each rank is equally probable.
        #[test]
        fn one_more_draw_is_held_with_the_probability_asked_for(
            twentieths in 1usize..40, order in any::<u64>(), level in prop_oneof![Just(0.9), Just(0.8), Just(0.5)],
        ) {
            let ranks = 20 * twentieths;
            let held = (0..ranks).filter(|&truth| {
                let mut draws: Vec<f64> = (0..ranks).filter(|&rank| rank != truth).map(|rank| rank as f64).collect();
                let turn = order as usize % draws.len();
                draws.rotate_left(turn);
                let Interval { lower, upper, .. } = Interval::of(&mut draws, 0.5 * (1.0 - level));
                // Ends that are draws hold themselves; rounding may put them beside.
                let (lower, upper) = (lower - 1e-6, upper + 1e-6);
                (lower..=upper).contains(&(truth as f64))
            });
            prop_assert_eq!(held.count() as f64, (level * ranks as f64).round());
        }

        #[test]
        fn infinite_answers_have_ends(finite in 0usize..=100) {
            let mut draws = vec![1.0; finite];
            draws.resize(100, f64::INFINITY);
            let interval = Interval::of(&mut draws, 0.05);
            let end = |most: usize| if finite >= most { 1.0 } else { f64::INFINITY };
            prop_assert_eq!((interval.lower, interval.upper), (end(6), end(96)));
            prop_assert!(interval.mean >= 1.0);
        }

        #[test]
        fn ends_are_those_of_sorted_draws(
            mut draws in proptest::collection::vec(-1e3..1e3_f64, 1..60), level in 0.01..0.99_f64,
        ) {
            let mut sorted = draws.clone();
            sorted.sort_by(f64::total_cmp);
            let tail = 0.5 * (1.0 - level);
            let at = |share: f64| {
                let place = (share * (sorted.len() + 1) as f64).clamp(1.0, sorted.len() as f64) - 1.0;
                let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
                low + place.fract() * (high - low)
            };
            let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
            let interval = Interval::of(&mut draws, tail);
            prop_assert!((interval.lower - at(tail)).abs() < 1e-9);
            prop_assert!((interval.upper - at(1.0 - tail)).abs() < 1e-9);
            prop_assert!((interval.mean - mean).abs() < 1e-9);
        }
    }
}
