//! RFM against R: the package rfm on its own example orders (golden/segment.json).
//!
//! The orders are not part of the project. The test reads them from the folder named by
//! `TENURE_DATA_DIR`, searched recursively, and says so when it cannot.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tenure::event::{Decimals, Ids, Timestamp, Transactions, Zone};
use tenure::segment::{
    Binning, Rfm, RfmConfig, RfmFeatures, Rule, RuleSet, SegmentTable, Segmenter, Thresholds,
};
use tenure::summary::{Refunds, RfmSummary};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/segment.json");
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["rfm"].clone()
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .collect();
    entries.sort();
    let here = entries
        .iter()
        .find(|path| path.file_name().is_some_and(|n| n == name))
        .cloned();
    here.or_else(|| {
        entries
            .iter()
            .filter(|path| path.is_dir())
            .find_map(|path| find(path, name))
    })
}

fn orders() -> Option<(Transactions, Ids<String>)> {
    let folder = std::env::var_os("TENURE_DATA_DIR")?;
    let file = find(Path::new(&folder), "rfm_data_orders.csv")?;
    let mut reader = csv::Reader::from_path(file).unwrap();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let time: Timestamp = record[1].parse().unwrap();
        (
            record[0].to_owned(),
            time,
            record[2].parse::<i64>().unwrap(),
        )
    });
    Some(Transactions::from_rows(Decimals::ZERO, rows.collect::<Vec<_>>()).unwrap())
}

fn integers(value: &Value) -> Vec<i64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_i64().unwrap())
        .collect()
}

fn check_thresholds(ours: &Thresholds, golden: &Value, column: &str) {
    let edges = ours.edges();
    let (lower, upper) = (&edges[..edges.len() - 1], &edges[1..]);
    for (ours, side) in [(lower, "lower"), (upper, "upper")] {
        let theirs = golden[format!("{column}_{side}")].as_array().unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(theirs) {
            approx::assert_relative_eq!(*a, b.as_f64().unwrap(), max_relative = 1e-12);
        }
    }
}

#[test]
fn the_standard_rules_are_those_of_r() {
    let golden = &golden()["segment_rules"];
    let column = |name: &str| integers(&golden[name]);
    let sides = ["recency", "frequency", "monetary"]
        .map(|c| (column(&format!("{c}_lower")), column(&format!("{c}_upper"))));
    let rules = golden["name"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let [r, f, m] = sides
                .each_ref()
                .map(|(low, high)| low[i] as u8..=high[i] as u8);
            Rule::new(name.as_str().unwrap(), r, f, m)
        });
    assert_eq!(
        RuleSet::new(5, rules.collect(), "Others").unwrap(),
        RuleSet::standard()
    );
}

#[test]
fn scores_and_segments_are_those_of_r() {
    let Some((log, customers)) = orders() else {
        println!("SKIPPED: rfm_data_orders.csv is not in the folder TENURE_DATA_DIR");
        return;
    };
    let golden = golden();
    let as_of: Timestamp = golden["analysis_date"].as_str().unwrap().parse().unwrap();
    let summary = RfmSummary::collect(&log, &Zone::UTC, Refunds::Net).unwrap();
    let features =
        RfmFeatures::from_summary(summary.columns().unwrap(), Zone::UTC.day(as_of)).unwrap();
    let keys: Vec<&str> = features
        .customer()
        .iter()
        .map(|&c| customers.key(c).unwrap().as_str())
        .collect();

    let entry = &golden["quintile"];
    let config = RfmConfig::r_compatible(5, Decimals::ZERO);
    check_entry(entry, &features, &keys, &config);

    let entry = &golden["custom_bins"];
    let cuts = |column: &str| {
        let upper = integers(&entry["thresholds"][format!("{column}_upper")]);
        Binning::Cuts(upper[..4].to_vec())
    };
    let config = RfmConfig {
        bins: 5,
        recency: cuts("recency"),
        frequency: cuts("frequency"),
        monetary: cuts("monetary"),
    };
    check_entry(entry, &features, &keys, &config);
}

fn check_entry(entry: &Value, features: &RfmFeatures, keys: &[&str], config: &RfmConfig) {
    let rfm = Rfm::fit(features, config).unwrap();
    check_thresholds(rfm.recency(), &entry["thresholds"], "recency");
    check_thresholds(rfm.frequency(), &entry["thresholds"], "frequency");
    check_thresholds(rfm.monetary(), &entry["thresholds"], "monetary");

    assert_eq!(
        entry["n_customers"].as_u64().unwrap(),
        features.len() as u64
    );
    let scores = rfm.scores(features);
    let codes: Vec<u32> = scores.iter().map(|&score| rfm.code(score)).collect();
    let mut counts = BTreeMap::<String, u64>::new();
    for code in &codes {
        *counts.entry(code.to_string()).or_default() += 1;
    }
    assert_eq!(serde_json::to_value(counts).unwrap(), entry["score_counts"]);
    let sum: u64 = codes.iter().map(|&code| u64::from(code)).sum();
    assert_eq!(entry["checksum_rfm_score_sum"].as_u64().unwrap(), sum);
    let mut rows: Vec<usize> = (0..keys.len()).collect();
    rows.sort_by_key(|&row| keys[row].as_bytes());
    let weighted: u64 = (1..)
        .zip(&rows)
        .map(|(at, &row)| at * u64::from(codes[row]))
        .sum();
    assert_eq!(
        entry["checksum_position_weighted"].as_u64().unwrap(),
        weighted
    );

    let rules = RuleSet::standard();
    let segments = rules.assign_all(&scores);
    check_rows(&entry["rows"], features, keys, &codes, |row| {
        rules.name(segments[row]).unwrap().to_owned()
    });
    check_summary(&entry["segment_summary"], &rules, &segments, features);
}

fn check_rows(
    golden: &Value,
    features: &RfmFeatures,
    keys: &[&str],
    codes: &[u32],
    segment: impl Fn(usize) -> String,
) {
    for (i, key) in golden["customer_id"].as_array().unwrap().iter().enumerate() {
        let row = keys
            .iter()
            .position(|k| *k == key.as_str().unwrap())
            .unwrap();
        let values = features.get(row).unwrap();
        let number = |column: &str| golden[column][i].as_i64().unwrap();
        assert_eq!(number("recency_days"), i64::from(values.recency_days));
        assert_eq!(number("transaction_count"), i64::from(values.frequency));
        assert_eq!(number("amount"), values.monetary_minor);
        assert_eq!(number("rfm_score"), i64::from(codes[row]));
        assert_eq!(golden["segment"][i].as_str().unwrap(), segment(row));
    }
}

fn check_summary(
    golden: &Value,
    rules: &RuleSet,
    segments: &[tenure::segment::SegmentId],
    features: &RfmFeatures,
) {
    let table = SegmentTable::new(&rules.names(), segments, features).unwrap();
    let mut rows: Vec<_> = table
        .rows()
        .iter()
        .filter(|row| row.customers > 0)
        .collect();
    rows.sort_by_key(|row| row.name.clone());
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(golden["segment"], serde_json::to_value(names).unwrap());
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(
            golden["customers"][i].as_u64(),
            Some(row.customers),
            "{}",
            row.name
        );
        assert_eq!(
            golden["orders"][i].as_u64(),
            Some(row.orders),
            "{}",
            row.name
        );
        assert_eq!(
            golden["revenue"][i].as_i64(),
            Some(row.revenue_minor),
            "{}",
            row.name
        );
        let mean = row.average_order_minor().unwrap();
        assert!(
            (golden["aov"][i].as_f64().unwrap() - mean).abs() <= 0.005 + 1e-9,
            "{mean}"
        );
    }
}
