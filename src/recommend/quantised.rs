//! Factors in a byte or two a number.

use serde::{Deserialize, Serialize};

use super::factors::PANEL;
use super::latent::{FACTORS_MAX, Latent};
use super::saved::{Format, Sealed, checksum, sealed, words, wrong};
use super::{Als, Bpr, Query, QueryError, Scorer, Scratch, Warp, check_places};
use crate::error::{DataError, Error};
use crate::numeric::compact::{BLOCK, Compact, Half, products};
use crate::numeric::lanes::Level;

const _: () = assert!(BLOCK == PANEL);

/// How a number is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compactness {
    /// A byte: a whole number from −127 to 127 times a scale of the row's own. A quarter of the memory.
    I8,
    /// Two bytes, IEEE 754 half precision of a row whose largest number is 1, times that number. Half of the memory, and
    /// hardly any loss.
    F16,
}

/// A factor model in a quarter or half of its memory: the same scores, rounded.
///
/// For catalogues that do not fit the cache; a model that does fit gains memory alone. Customers that are
/// known and items can be asked for; a basket is for the model that this was made of, whose
/// [`fold_in`](Als::fold_in) needs all digits.
///
/// What is lost is measured, not promised: compare the lists of both on your own data, as in `benches/README.md`.
///
/// ```
/// use tenure::recommend::{Als, AlsConfig, Compactness, Quantised, Query, Scorer, Scratch, Weighting};
/// use tenure::summary::InteractionSummary;
///
/// let mut log = InteractionSummary::new();
/// for (customer, item) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0)] {
///     log.push(customer, item, 1.0)?;
/// }
/// let weighting = Weighting::Rendle { alpha0: 0.1, lambda: 0.01, nu: 1.0 };
/// let model = Als::fit(&log.matrix(), &AlsConfig::new(weighting, 2, 7))?.model;
/// let small = Quantised::from_als(&model, Compactness::I8);
///
/// let (mut scratch, mut exact, mut rounded) = (Scratch::new(), [0.0], [0.0]);
/// model.score(&Query::Customer(3), &[1], &mut scratch, &mut exact)?;
/// small.score(&Query::Customer(3), &[1], &mut scratch, &mut rounded)?;
/// assert!((exact[0] - rounded[0]).abs() < 0.02);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Saved form
/// Serde, with a format version, checked sizes and a checksum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Quantised {
    width: usize,
    likeness: usize,
    customers: Side,
    items: Side,
    /// 1 / |y| of the rounded likeness, or 0.
    inverse_norms: Vec<f32>,
}

/// Rows in panels of [`PANEL`], factor by factor (0 past the last row), each to be multiplied with its scale.
#[derive(Debug, Clone, PartialEq)]
struct Side {
    scales: Vec<f32>,
    numbers: Numbers,
}

#[derive(Debug, Clone, PartialEq)]
enum Numbers {
    I8(Vec<i8>),
    F16(Vec<Half>),
}

impl Quantised {
    /// Rounds the factors of a model.
    pub fn from_als(model: &Als, compactness: Compactness) -> Self {
        Self::of(model.latent(), compactness)
    }

    /// Rounds the factors of a model.
    pub fn from_bpr(model: &Bpr, compactness: Compactness) -> Self {
        Self::of(model.latent(), compactness)
    }

    /// Rounds the factors of a model.
    pub fn from_warp(model: &Warp, compactness: Compactness) -> Self {
        Self::of(model.latent(), compactness)
    }

    fn of(latent: &Latent, compactness: Compactness) -> Self {
        let width = latent.width();
        let items = latent.items();
        let rows = latent.rows().chunks_exact(width);
        let customers = rows.map(|row| row.iter().copied());
        Self::assemble(
            width,
            latent.likeness(),
            Side::new(width, compactness, customers),
            Side::new(
                width,
                compactness,
                (0..items.rows()).map(|item| items.row(item)),
            ),
        )
    }

    fn assemble(width: usize, likeness: usize, customers: Side, items: Side) -> Self {
        let norms = (0..items.count()).map(|item| {
            let row = items.row(width, item).take(likeness);
            let square: f64 = row.map(|y| f64::from(y) * f64::from(y)).sum();
            let inverse = (1.0 / square.sqrt()) as f32;
            if inverse.is_finite() { inverse } else { 0.0 }
        });
        Self {
            inverse_norms: norms.collect(),
            width,
            likeness,
            customers,
            items,
        }
    }

    /// How many customers the model knows: their numbers are below it.
    pub fn customers(&self) -> u32 {
        self.customers.count()
    }

    /// Bytes of the numbers and their scales, of customers and items.
    pub fn bytes(&self) -> usize {
        self.customers.bytes() + self.items.bytes() + 4 * self.inverse_norms.len()
    }

    fn vector<'a>(
        &self,
        query: &Query<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<&'a [f32], QueryError> {
        query.check(self.customers(), self.items.count())?;
        let vector = scratch.zeros(self.width);
        match *query {
            Query::Customer(customer) => {
                let row = self.customers.row(self.width, customer);
                vector.iter_mut().zip(row).for_each(|(place, x)| *place = x);
            }
            Query::Item(item) => {
                let inverse = self.inverse_norm(item);
                let row = self.items.row(self.width, item).take(self.likeness);
                let places = vector.iter_mut().zip(row);
                places.for_each(|(place, y)| *place = y * inverse);
            }
            Query::Basket(_) => return Err(QueryError::Unsupported { query: "a basket" }),
        }
        Ok(vector)
    }

    fn inverse_norm(&self, item: u32) -> f32 {
        let norm = self.inverse_norms.get(item as usize);
        norm.copied().unwrap_or(0.0)
    }
}

impl Scorer for Quantised {
    fn items(&self) -> u32 {
        self.items.count()
    }

    fn score(
        &self,
        query: &Query<'_>,
        items: &[u32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), QueryError> {
        check_places(items, out)?;
        let vector = self.vector(query, scratch)?;
        for (place, &item) in out.iter_mut().zip(items) {
            Query::Item(item).check(0, self.items.count())?;
            let row = vector.iter().zip(self.items.row(self.width, item));
            let product: f32 = row.map(|(x, y)| x * y).sum();
            *place = match query {
                Query::Item(_) => product * self.inverse_norm(item),
                _ => product,
            };
        }
        Ok(())
    }

    fn scan(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        visit: &mut dyn FnMut(u32, &[f32]),
    ) -> Result<(), QueryError> {
        let vector = self.vector(query, scratch)?;
        let level = Level::detect();
        let mut scores = [0.0; BLOCK];
        let panels = (0..self.items.count()).step_by(BLOCK).enumerate();
        for (panel, first) in panels {
            let range = panel * BLOCK * self.width..(panel + 1) * BLOCK * self.width;
            match &self.items.numbers {
                Numbers::I8(numbers) => {
                    let rows = numbers.get(range).unwrap_or_default();
                    products(level, vector, rows, &mut scores);
                }
                Numbers::F16(numbers) => {
                    let rows = numbers.get(range).unwrap_or_default();
                    products(level, vector, rows, &mut scores);
                }
            }
            let scales = self.items.scales.get(first as usize..).unwrap_or_default();
            for (score, scale) in scores.iter_mut().zip(scales) {
                *score *= scale;
            }
            if matches!(query, Query::Item(_)) {
                let norms = self.inverse_norms.get(first as usize..).unwrap_or_default();
                for (score, inverse) in scores.iter_mut().zip(norms) {
                    *score *= inverse;
                }
            }
            let known = scales.len().min(BLOCK);
            visit(first, scores.get(..known).unwrap_or_default());
        }
        Ok(())
    }
}

impl Side {
    fn new<R: Iterator<Item = f32> + Clone>(
        width: usize,
        compactness: Compactness,
        rows: impl ExactSizeIterator<Item = R> + Clone,
    ) -> Self {
        let largest = |row: R| row.fold(0.0_f32, |most, number| most.max(number.abs()));
        let steps = match compactness {
            Compactness::I8 => 127.0,
            Compactness::F16 => 1.0,
        };
        // Divided first: the largest number of a row times anything may not be one any more.
        let rounded = rows.clone().map(|row| {
            let largest = largest(row.clone());
            let scaled = move |number: f32| {
                if largest > 0.0 {
                    number / largest * steps
                } else {
                    0.0
                }
            };
            row.map(scaled)
        });
        let scales = rows.map(|row| largest(row) / steps).collect();
        let numbers = match compactness {
            Compactness::I8 => {
                let byte = |number: f32| libm::rintf(number) as i8;
                Numbers::I8(in_panels(width, rounded.map(|row| row.map(byte)), 0))
            }
            Compactness::F16 => {
                let rows = rounded.map(|row| row.map(Half::nearest));
                Numbers::F16(in_panels(width, rows, Half(0)))
            }
        };
        Self { scales, numbers }
    }

    fn count(&self) -> u32 {
        self.scales.len() as u32
    }

    fn bytes(&self) -> usize {
        let numbers = match &self.numbers {
            Numbers::I8(numbers) => numbers.len(),
            Numbers::F16(numbers) => 2 * numbers.len(),
        };
        numbers + 4 * self.scales.len()
    }

    /// A row's numbers; of one that is not there zeros, or none.
    fn row(&self, width: usize, row: u32) -> impl Iterator<Item = f32> {
        let at = row as usize;
        let scale = self.scales.get(at).copied().unwrap_or(0.0);
        let begin = at / PANEL * PANEL * width + at % PANEL;
        (0..width).map_while(move |factor| {
            let at = begin + factor * PANEL;
            let number = match &self.numbers {
                Numbers::I8(numbers) => numbers.get(at)?.widen(),
                Numbers::F16(numbers) => numbers.get(at)?.widen(),
            };
            Some(number * scale)
        })
    }
}

fn in_panels<T: Copy>(
    width: usize,
    rows: impl ExactSizeIterator<Item = impl Iterator<Item = T>>,
    zero: T,
) -> Vec<T> {
    let mut numbers = vec![zero; rows.len().div_ceil(PANEL) * PANEL * width];
    for (at, row) in rows.enumerate() {
        let begin = at / PANEL * PANEL * width + at % PANEL;
        let places = numbers.iter_mut().skip(begin).step_by(PANEL);
        places.zip(row).for_each(|(place, number)| *place = number);
    }
    numbers
}

/// What is written; checked when it is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format<2, 1>,
    compactness: Compactness,
    width: usize,
    likeness: usize,
    customer_scales: Vec<f32>,
    item_scales: Vec<f32>,
    /// The bits of the numbers, in panels.
    customers: Vec<u16>,
    items: Vec<u16>,
    checksum: u64,
}

sealed!(Saved, before: sum_of_numbers);

impl From<Quantised> for Saved {
    fn from(model: Quantised) -> Self {
        let bits = |numbers: &Numbers| match numbers {
            Numbers::I8(numbers) => numbers
                .iter()
                .map(|&n| u16::from(n.cast_unsigned()))
                .collect(),
            Numbers::F16(numbers) => numbers.iter().map(|half| half.0).collect(),
        };
        let saved = Self {
            format: Format::LATEST,
            compactness: match model.items.numbers {
                Numbers::I8(_) => Compactness::I8,
                Numbers::F16(_) => Compactness::F16,
            },
            width: model.width,
            likeness: model.likeness,
            customers: bits(&model.customers.numbers),
            items: bits(&model.items.numbers),
            customer_scales: model.customers.scales,
            item_scales: model.items.scales,
            checksum: 0,
        };
        saved.sealed()
    }
}

impl TryFrom<Saved> for Quantised {
    type Error = Error;

    fn try_from(mut saved: Saved) -> Result<Self, Error> {
        if !(1..=FACTORS_MAX + 1).contains(&saved.width) {
            return Err(wrong("width", saved.width, "from 1 to 1025").into());
        }
        if !(1..=saved.width).contains(&saved.likeness) {
            return Err(wrong("likeness", saved.likeness, "from 1 to `width`").into());
        }
        let side = |field: &str, scales: Vec<f32>, bits: &[u16]| {
            let panels = scales.len().div_ceil(PANEL);
            let due = panels.checked_mul(PANEL * saved.width);
            if due != Some(bits.len()) || u32::try_from(scales.len()).is_err() {
                let found = format!("{} numbers", bits.len());
                return Err(wrong(
                    field,
                    found,
                    "whole panels of `width` for the scales",
                ));
            }
            let good = |scale: &&f32| !(0.0..=1e16).contains(*scale);
            if let Some(scale) = scales.iter().find(good) {
                return Err(wrong(field, scale, "scales from 0 to 1e16"));
            }
            let numbers = match saved.compactness {
                Compactness::I8 => {
                    let byte = |&bits: &u16| u8::try_from(bits).map(u8::cast_signed).ok();
                    let bytes: Option<Vec<i8>> = bits.iter().map(byte).collect();
                    bytes.map(Numbers::I8)
                }
                Compactness::F16 => {
                    let half = |&bits: &u16| (bits & 0x7fff <= 0x3c00).then_some(Half(bits));
                    let halves: Option<Vec<Half>> = bits.iter().map(half).collect();
                    halves.map(Numbers::F16)
                }
            };
            let numbers = numbers
                .ok_or_else(|| wrong(field, "too large a number", "bytes, or halves up to 1"))?;
            Ok::<Side, DataError>(Side { scales, numbers })
        };
        let customers = side("customers", saved.customer_scales.clone(), &saved.customers)?;
        let items = side("items", saved.item_scales.clone(), &saved.items)?;
        saved.check_seal()?;
        Ok(Self::assemble(
            saved.width,
            saved.likeness,
            customers,
            items,
        ))
    }
}

impl Saved {
    /// Of version 1.
    fn sum_of_numbers(&self) -> u64 {
        let lengths = [
            self.width,
            self.likeness,
            self.customers.len(),
            self.items.len(),
        ];
        let lengths = lengths.into_iter().map(|length| length as u64);
        let scales = words(&self.customer_scales).chain(words(&self.item_scales));
        let numbers = self.customers.iter().chain(&self.items);
        checksum(
            lengths
                .chain(scales)
                .chain(numbers.map(|&bits| u64::from(bits))),
        )
    }
}
