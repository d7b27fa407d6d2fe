//! `segment.json`, section `rfm`: a table of orders scored as R's package rfm does.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenure::event::{Decimals, Timestamp, Transactions, Zone};
use tenure::segment::{
    Binning, Rfm, RfmConfig, RfmFeatures, RfmScore, Rule, RuleSet, SegmentTable, Segmenter,
    Thresholds,
};
use tenure::summary::{Refunds, RfmSummary};

use super::data::{DataFolder, Table};
use super::tally::{ABOUT, Tally};

/// Keys of the section that are given, not computed.
const GIVEN: &[&str] = &["analysis_date", "bins", "segment_rules"];
const THRESHOLDS_REL: f64 = 1e-12;

pub fn evaluate(section: &Value, data: &DataFolder, tally: &mut Tally) {
    let tables = section.as_object().into_iter().flatten();
    let tables =
        tables.filter(|(key, _)| !ABOUT.contains(&key.as_str()) && !GIVEN.contains(&key.as_str()));
    let file = section["data"]
        .as_str()
        .and_then(|d| d.split_whitespace().next())
        .unwrap_or("?");
    let orders = data.table(file);
    for (name, expected) in tables {
        let entry = format!("rfm.{name}");
        match &orders {
            None => tally.without_data(&entry, file, expected),
            Some(_) if expected["thresholds"].is_null() => {
                tally.unsupported(&entry, "(all)", expected, true)
            }
            Some(orders) => Scored::new(orders, section, expected).check(&entry, expected, tally),
        }
    }
}

/// The customers of a table of orders with their scores.
struct Scored {
    /// Customer keys by number.
    keys: Vec<String>,
    decimals: Decimals,
    features: RfmFeatures,
    rfm: Rfm,
    scores: Vec<RfmScore>,
    rules: RuleSet,
}

impl Scored {
    fn new(orders: &Table, section: &Value, expected: &Value) -> Self {
        let (_, customers) = orders
            .column(&["customer_id"])
            .expect("a column of customers");
        let (_, dates) = orders.column(&["order_date"]).expect("a column of dates");
        let (_, amounts) = orders.column(&["revenue"]).expect("a column of amounts");
        let whole = amounts.iter().all(|amount| !amount.contains('.'));
        let decimals = if whole { Decimals::ZERO } else { Decimals::TWO };
        let rows = customers
            .iter()
            .zip(dates)
            .zip(amounts)
            .map(|((customer, date), amount)| {
                let time = date.parse::<Timestamp>().expect("a date");
                (
                    customer.to_string(),
                    time,
                    decimals.parse(amount).expect("an amount"),
                )
            });
        let (log, ids) = Transactions::from_rows(decimals, rows).expect("valid orders");

        let summary = RfmSummary::collect(&log, &Zone::UTC, Refunds::Net).expect("a small log");
        let columns = summary.columns().expect("sums in range");
        let date: Timestamp = section["analysis_date"]
            .as_str()
            .and_then(|d| d.parse().ok())
            .expect("a date");
        let today = Zone::UTC.day(date);
        let features =
            RfmFeatures::from_summary(columns, today).expect("no order after the analysis date");

        let bins = expected["bins"]
            .as_u64()
            .or(section["bins"].as_u64())
            .expect("bins") as u8;
        let rfm =
            Rfm::fit(&features, &config(bins, decimals, &expected["thresholds"])).expect("a fit");
        let scores = rfm.scores(&features);
        let rules = rule_set(bins, &section["segment_rules"]);
        Self {
            keys: ids.keys().to_vec(),
            decimals,
            features,
            rfm,
            scores,
            rules,
        }
    }

    fn check(&self, entry: &str, expected: &Value, tally: &mut Tally) {
        for (quantity, expected) in expected.as_object().into_iter().flatten() {
            match quantity.as_str() {
                "bins" => {}
                "thresholds" => self.check_thresholds(entry, expected, tally),
                "n_customers" => tally.equal(entry, quantity, self.features.len(), expected),
                "score_counts" => tally.equal(entry, quantity, counts(self.codes()), expected),
                "recency_score_counts" => {
                    tally.equal(entry, quantity, counts(self.each(|s| s.recency)), expected)
                }
                "frequency_score_counts" => {
                    tally.equal(
                        entry,
                        quantity,
                        counts(self.each(|s| s.frequency)),
                        expected,
                    );
                }
                "monetary_score_counts" => {
                    tally.equal(entry, quantity, counts(self.each(|s| s.monetary)), expected);
                }
                "segment_summary" => tally.equal(entry, quantity, self.segment_summary(), expected),
                "checksum_rfm_score_sum" => {
                    tally.equal(
                        entry,
                        quantity,
                        self.codes().map(u64::from).sum::<u64>(),
                        expected,
                    );
                }
                "checksum_position_weighted" => {
                    tally.equal(entry, quantity, self.position_weighted(), expected);
                }
                "rows" => self.check_rows(entry, expected, tally),
                other => tally.unsupported(entry, other, expected, true),
            }
        }
    }

    fn check_thresholds(&self, entry: &str, expected: &Value, tally: &mut Tally) {
        let minor = self.decimals.minor_per_major() as f64;
        for (column, thresholds, unit) in [
            ("recency", self.rfm.recency(), 1.0),
            ("frequency", self.rfm.frequency(), 1.0),
            ("monetary", self.rfm.monetary(), minor),
        ] {
            let edges = edges(thresholds, unit);
            let bins = edges.len() - 1;
            let (lower, upper) = (format!("{column}_lower"), format!("{column}_upper"));
            tally.list(
                entry,
                &lower,
                &edges[..bins],
                &expected[&lower],
                THRESHOLDS_REL,
            );
            tally.list(
                entry,
                &upper,
                &edges[1..],
                &expected[&upper],
                THRESHOLDS_REL,
            );
        }
    }

    fn check_rows(&self, entry: &str, expected: &Value, tally: &mut Tally) {
        let by_key: BTreeMap<&str, usize> = self
            .customers()
            .enumerate()
            .map(|(row, key)| (key, row))
            .collect();
        let keys = expected["customer_id"].as_array().into_iter().flatten();
        let rows: Vec<usize> = keys
            .map(|key| by_key[key.as_str().unwrap_or("?")])
            .collect();
        for (column, expected) in expected.as_object().into_iter().flatten() {
            let cell = |row: usize| -> Option<Value> {
                let (values, score) = (self.features.get(row)?, self.scores.get(row)?);
                Some(match column.as_str() {
                    "customer_id" => json!(self.keys[values.customer as usize]),
                    "segment" => json!(self.rules.name(self.rules.assign(score))),
                    "rfm_score" => json!(self.rfm.code(*score)),
                    "transaction_count" => json!(values.frequency),
                    "recency_days" => json!(values.recency_days),
                    "amount" => json!(self.decimals.to_major(values.monetary_minor)),
                    "recency_score" => json!(score.recency),
                    "frequency_score" => json!(score.frequency),
                    "monetary_score" => json!(score.monetary),
                    _ => return None,
                })
            };
            match rows
                .iter()
                .map(|&row| cell(row))
                .collect::<Option<Vec<Value>>>()
            {
                Some(actual) => tally.equal(entry, &format!("rows.{column}"), actual, expected),
                None => tally.unsupported(entry, &format!("rows.{column}"), expected, true),
            }
        }
    }

    /// The segments that have customers, by name.
    fn segment_summary(&self) -> Value {
        let segments = self.rules.assign_all(&self.scores);
        let table = SegmentTable::new(&self.rules.names(), &segments, &self.features)
            .expect("named segments");
        let mut rows: Vec<_> = table
            .rows()
            .iter()
            .filter(|row| row.customers > 0)
            .collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        let minor = self.decimals.minor_per_major() as f64;
        let cents = |row: f64| (row / minor * 100.0).round() / 100.0;
        json!({
            "segment": rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
            "customers": rows.iter().map(|row| row.customers).collect::<Vec<_>>(),
            "orders": rows.iter().map(|row| row.orders).collect::<Vec<_>>(),
            "revenue": rows.iter().map(|row| self.decimals.to_major(row.revenue_minor)).collect::<Vec<_>>(),
            "aov": rows.iter().map(|row| row.average_order_minor().map(cents)).collect::<Vec<_>>(),
        })
    }

    /// Σ (position of the customer's key in byte order, from 1) × score.
    fn position_weighted(&self) -> u64 {
        let mut rows: Vec<(&str, u32)> = self.customers().zip(self.codes()).collect();
        rows.sort_unstable();
        (1..)
            .zip(rows)
            .map(|(position, (_, code))| position * u64::from(code))
            .sum()
    }

    fn customers(&self) -> impl Iterator<Item = &str> {
        self.features
            .customer()
            .iter()
            .map(|&number| self.keys[number as usize].as_str())
    }

    fn codes(&self) -> impl Iterator<Item = u32> {
        self.scores.iter().map(|&score| self.rfm.code(score))
    }

    fn each(&self, part: fn(&RfmScore) -> u8) -> impl Iterator<Item = u32> {
        self.scores.iter().map(move |score| part(score).into())
    }
}

/// Thresholds that are all whole numbers although quantiles are not were given by the caller: the
/// entry is then checked with these as cuts, and otherwise with R's quantiles.
fn config(bins: u8, decimals: Decimals, thresholds: &Value) -> RfmConfig {
    let quantiles = RfmConfig::r_compatible(bins, decimals);
    let custom = thresholds.as_object().is_some_and(|t| {
        t.values()
            .flat_map(|list| list.as_array())
            .flatten()
            .all(Value::is_i64)
    });
    if !custom {
        return quantiles;
    }
    let cuts = |column: &str, unit: i64| {
        let lower = thresholds[format!("{column}_lower")].as_array();
        let inner = lower
            .into_iter()
            .flatten()
            .skip(1)
            .filter_map(Value::as_i64);
        Binning::Cuts(inner.map(|cut| cut * unit).collect())
    };
    RfmConfig {
        bins,
        recency: cuts("recency", 1),
        frequency: cuts("frequency", 1),
        monetary: cuts("monetary", decimals.minor_per_major()),
    }
}

/// The largest value plus 1 ends the last bin, in the unit that R's user sees.
fn edges(thresholds: &Thresholds, unit: f64) -> Vec<f64> {
    let mut edges: Vec<f64> = thresholds.edges().iter().map(|edge| edge / unit).collect();
    if let (Binning::Cuts(_), Some(last)) = (thresholds.binning(), edges.last_mut()) {
        *last = thresholds.range().1 as f64 / unit + 1.0;
    }
    edges
}

fn rule_set(bins: u8, rules: &Value) -> RuleSet {
    let list = |key: &str| rules[key].as_array().into_iter().flatten();
    let ranges = |column: &str| {
        let lower = list(&format!("{column}_lower")).filter_map(Value::as_u64);
        let upper = rules[format!("{column}_upper")]
            .as_array()
            .into_iter()
            .flatten();
        let upper = upper.filter_map(Value::as_u64);
        lower
            .zip(upper)
            .map(|(low, high)| low as u8..=high as u8)
            .collect::<Vec<_>>()
    };
    let (recency, frequency, monetary) =
        (ranges("recency"), ranges("frequency"), ranges("monetary"));
    let names = list("name").filter_map(Value::as_str);
    let scores = recency.into_iter().zip(frequency).zip(monetary);
    let rules = names
        .zip(scores)
        .map(|(name, ((r, f), m))| Rule::new(name, r, f, m));
    RuleSet::new(bins, rules.collect(), "Others").expect("the golden rules are sound")
}

fn counts(values: impl Iterator<Item = u32>) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for value in values {
        *counts.entry(value.to_string()).or_default() += 1;
    }
    json!(counts)
}
