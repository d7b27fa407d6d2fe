//! Scales: from numbers to places, and round numbers for the axis.

/// Powers of ten from 10⁻⁹ to 10¹⁹, spelled out: a logarithm need not give the same bits everywhere.
const POWERS: [f64; 29] = [
    1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
];
/// Where 10⁰ stands in [`POWERS`].
const UNIT: usize = 9;

/// A map from a stretch of numbers to a stretch of the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    /// `from.0` goes to `to.0`, `from.1` to `to.1`. An empty stretch goes to the start.
    pub(super) fn new(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from, to }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let span = self.from.1 - self.from.0;
        if span == 0.0 {
            return self.to.0;
        }
        self.to.0 + (value - self.from.0) / span * (self.to.1 - self.to.0)
    }
}

/// Round numbers on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ticks {
    /// The numbers, ascending, equally far apart.
    pub(super) values: Vec<f64>,
    /// Decimals that tell neighbours apart.
    pub(super) places: usize,
}

impl Ticks {
    /// The axis' first and last number.
    pub(super) fn ends(&self) -> (f64, f64) {
        let first = self.values.first().copied().unwrap_or(0.0);
        let last = self.values.last().copied().unwrap_or(1.0);
        (first, last)
    }
}

/// Round numbers from at or below `low` to at or above `high`, about `target` steps of them.
///
/// Steps are 1, 2 or 5 times a power of ten, and never below `step_min` (1 for counts, 0 otherwise).
pub(super) fn ticks_around(low: f64, high: f64, target: usize, step_min: f64) -> Ticks {
    let (low, high) = if low == high {
        (low.min(0.0), if low == 0.0 { 1.0 } else { low.max(0.0) })
    } else {
        (low.min(high), low.max(high))
    };
    let (step, places) = step(high - low, target, step_min);
    let first = (low / step).floor();
    let last = (high / step).ceil();
    Ticks {
        values: run(first, last, step),
        places,
    }
}

/// Round numbers within `low..=high`, about `target` steps of them.
pub(super) fn ticks_within(low: f64, high: f64, target: usize, step_min: f64) -> Ticks {
    let (step, places) = step((high - low).max(0.0), target, step_min);
    let first = (low / step).ceil();
    let last = (high / step).floor();
    Ticks {
        values: run(first, last, step),
        places,
    }
}

/// The smallest round step that covers `span` in at most `target` steps, and the decimals it needs.
fn step(span: f64, target: usize, step_min: f64) -> (f64, usize) {
    let wanted = (span / target.max(1) as f64).max(step_min);
    for (i, power) in POWERS.iter().enumerate() {
        for factor in [1.0, 2.0, 5.0] {
            // The slack keeps a step that misses by rounding alone (0.6 / 6 against 0.1).
            if factor * power >= wanted * (1.0 - 1e-9) {
                return (factor * power, UNIT.saturating_sub(i));
            }
        }
    }
    (1e20, 0)
}

fn run(first: f64, last: f64, step: f64) -> Vec<f64> {
    // At most `target + 2` of them, by the choice of the step.
    let steps = (last - first).clamp(0.0, 1000.0) as usize;
    (0..=steps).map(|i| (first + i as f64) * step).collect()
}

/// At most `most` of the positions `0..len`, equally far apart, with the first and the last.
///
/// Returns the positions and their distance; 1 when all of them are there.
pub(super) fn thin(len: usize, most: usize) -> (Vec<usize>, usize) {
    let every = len.saturating_sub(1).div_ceil(most.max(2) - 1).max(1);
    let mut kept: Vec<usize> = (0..len).step_by(every).collect();
    if let (Some(&last), true) = (kept.last(), len > 0)
        && last != len - 1
    {
        kept.push(len - 1);
    }
    (kept, every)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_round() {
        let cases: [(f64, f64, f64, &[f64]); 6] = [
            (0.0, 0.437, 0.0, &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
            (0.0, 1882.0, 1.0, &[0.0, 500.0, 1000.0, 1500.0, 2000.0]),
            (0.0, 3.0, 1.0, &[0.0, 1.0, 2.0, 3.0]),
            (0.0, 0.0, 0.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (-40.0, 80.0, 0.0, &[-50.0, 0.0, 50.0, 100.0]),
            (5.0, 5.0, 1.0, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        ];
        for (low, high, step_min, expected) in cases {
            let ticks = ticks_around(low, high, 5, step_min);
            assert_eq!(
                ticks.values.len(),
                expected.len(),
                "{low} {high}: {ticks:?}"
            );
            for (found, expected) in ticks.values.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{low} {high}: {ticks:?}");
            }
        }
        assert_eq!(ticks_around(0.0, 0.437, 5, 0.0).places, 1);
        assert_eq!(ticks_within(0.0, 78.0, 8, 1.0).values.last(), Some(&70.0));
    }

    proptest! {
        #[test]
        fn an_axis_covers_its_numbers_with_few_ticks(
            low in prop_oneof![-1.0..1.0_f64, -1e6..1e6_f64, -1e18..1e18_f64],
            wide in prop_oneof![Just(0.0), 0.0..1e-6_f64, 0.0..1.0_f64, 0.0..1e18_f64],
            target in 1_usize..12,
        ) {
            // Below the spacing of 64-bit numbers there is no tick between two neighbours.
            let span = if wide == 0.0 { 0.0 } else { wide.max(low.abs() * 1e-12) };
            let high = low + span;
            let ticks = ticks_around(low, high, target, 0.0);
            let (first, last) = ticks.ends();
            let slack = (low.abs() + span) * 1e-9;
            prop_assert!(first <= low + slack && last >= high - slack, "{ticks:?}");
            prop_assert!(ticks.values.len() <= target + 3, "{ticks:?}");
            prop_assert!(ticks.values.iter().all(|v| v.is_finite()));
        }

        #[test]
        fn thinning_keeps_both_ends(len in 0_usize..5000, most in 2_usize..300) {
            let (kept, every) = thin(len, most);
            prop_assert!(kept.len() <= most + 1);
            prop_assert_eq!(kept.first().copied(), (len > 0).then_some(0));
            prop_assert_eq!(kept.last().copied(), len.checked_sub(1));
            prop_assert!(every == 1 || len > most);
        }
    }

    #[test]
    fn a_scale_maps_its_ends() {
        let scale = Scale::new((0.0, 10.0), (100.0, 0.0));
        assert_eq!(
            (scale.place(0.0), scale.place(10.0), scale.place(2.5)),
            (100.0, 0.0, 75.0)
        );
        assert_eq!(Scale::new((1.0, 1.0), (7.0, 9.0)).place(1.0), 7.0);
    }
}
