//! What each segment amounts to.

use std::borrow::Cow;

use super::{RfmFeatures, SegmentId};
use crate::error::DataError;

/// What a segment amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRow {
    /// The segment's name.
    pub name: String,
    /// Its customers.
    pub customers: u64,
    /// Their purchases.
    pub orders: u64,
    /// What they spent, in minor units of money.
    pub revenue_minor: i64,
}

impl SegmentRow {
    /// Average order value in minor units: revenue by orders; `None` without an order.
    pub fn average_order_minor(&self) -> Option<f64> {
        (self.orders > 0).then(|| self.revenue_minor as f64 / self.orders as f64)
    }
}

/// Customers, orders and revenue of each segment, one row a segment in the order of their numbers;
/// empty segments keep their row.
///
/// ```
/// use tenure::segment::{Binning, Rfm, RfmFeatureColumns, RfmConfig, RfmFeatures, RuleSet, SegmentTable, Segmenter};
///
/// let features = RfmFeatures::from_columns(RfmFeatureColumns {
///     recency_days: vec![2, 10, 40, 90, 300],
///     frequency: vec![9, 4, 2, 2, 1],
///     monetary_minor: vec![800_00, 90_00, 120_00, 30_00, 10_00],
///     ..RfmFeatureColumns::default()
/// })?;
/// let rfm = Rfm::fit(&features, &RfmConfig::quintiles(Binning::Quantile))?;
/// let rules = RuleSet::standard();
/// let segments = rules.assign_all(&rfm.scores(&features));
/// let table = SegmentTable::new(&rules.names(), &segments, &features)?;
/// let champions = &table.rows()[0];
/// assert_eq!((champions.name.as_str(), champions.customers, champions.orders), ("Champions", 1, 9));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentTable {
    rows: Vec<SegmentRow>,
}

impl SegmentTable {
    /// Adds the customers of `features` up by their `segments`, row by row.
    ///
    /// # Errors
    /// [`DataError::Length`] when there are not as many segments as customers; [`DataError::Value`] for a
    /// segment without a name; [`DataError::Overflow`] when a segment's revenue leaves 64 bits.
    pub fn new(
        names: &[Cow<'_, str>],
        segments: &[SegmentId],
        features: &RfmFeatures,
    ) -> Result<Self, DataError> {
        if segments.len() != features.len() {
            return Err(DataError::Length {
                column: "segments",
                found: segments.len(),
                reference: "features",
                expected: features.len(),
            });
        }
        let named = |name: &Cow<'_, str>| SegmentRow {
            name: name.clone().into_owned(),
            customers: 0,
            orders: 0,
            revenue_minor: 0,
        };
        let mut rows: Vec<SegmentRow> = names.iter().map(named).collect();
        for (i, (segment, values)) in segments.iter().zip(features.iter()).enumerate() {
            let Some(row) = rows.get_mut(segment.index()) else {
                return Err(DataError::Value {
                    row: i as u64 + 1,
                    column: "segments".to_owned(),
                    value: segment.0.to_string(),
                    expected: "the number of one of the names",
                });
            };
            row.customers += 1;
            row.orders += u64::from(values.frequency);
            let sum = row.revenue_minor.checked_add(values.monetary_minor);
            row.revenue_minor = sum.ok_or(DataError::Overflow {
                what: "a segment's revenue up to that",
                customer: values.customer,
            })?;
        }
        Ok(Self { rows })
    }

    /// One row a segment.
    pub fn rows(&self) -> &[SegmentRow] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::RfmFeatureColumns;

    fn features(monetary_minor: Vec<i64>) -> RfmFeatures {
        let rows = monetary_minor.len();
        RfmFeatures::from_columns(RfmFeatureColumns {
            recency_days: vec![1; rows],
            frequency: vec![3; rows],
            monetary_minor,
            ..RfmFeatureColumns::default()
        })
        .unwrap()
    }

    #[test]
    fn customers_orders_and_revenue_are_added_up() {
        let names = ["a", "b", "c"].map(Cow::from);
        let ids = [2, 0, 2].map(SegmentId);
        let table = SegmentTable::new(&names, &ids, &features(vec![100, 50, -20])).unwrap();
        let rows: Vec<_> = table
            .rows()
            .iter()
            .map(|r| (r.name.as_str(), r.customers, r.orders, r.revenue_minor))
            .collect();
        assert_eq!(rows, [("a", 1, 3, 50), ("b", 0, 0, 0), ("c", 2, 6, 80)]);
        assert_eq!(table.rows()[1].average_order_minor(), None);
        assert!(
            (table.rows()[2].average_order_minor().unwrap() - 13.333333333333334).abs() < 1e-12
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let names = ["a"].map(Cow::from);
        let message = |ids: &[SegmentId], money| {
            SegmentTable::new(&names, ids, &features(money))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            message(&[SegmentId(0)], vec![1, 2]),
            "column `segments` has 1 rows, expected 2 as in `features`"
        );
        assert_eq!(
            message(&[SegmentId(0), SegmentId(1)], vec![1, 2]),
            "row 2, column `segments`: found `1`, expected the number of one of the names"
        );
        assert!(message(&[SegmentId(0); 2], vec![i64::MAX, 1]).contains("customer 1"));
    }
}
