//! Jobs on ten million events of a million customers: RFM scores and the weekly cohort matrix.

use serde_json::json;
use tenure::Error;
use tenure::event::{
    DAY_S, Decimals, Events, Ids, Period, Timestamp, TransactionColumns, Transactions, Zone,
};
use tenure::segment::{Rfm, RfmConfig, RfmFeatures};
use tenure::summary::{ActivitySummary, Refunds, RfmSummary};

use super::Setting;
use super::measure::{Measured, best_of};
use super::splitmix::uniform;

const EVENTS: usize = 10_000_000;
const CUSTOMERS: f64 = 1_000_000.0;
const RFM_DAYS: f64 = 730.0;
const WEEKLY_DAYS: f64 = 364.0;

/// From keys, times and amounts to a score for each customer: numbering the keys included.
pub fn rfm(setting: &Setting) -> Result<Measured, String> {
    let keys = customers(11);
    let times = days(12, RFM_DAYS);
    let amounts = column(|i| 100 + (uniform(13, i).powi(3) * 20_000.0) as i64);
    let score = |(times, amounts): (Vec<Timestamp>, Vec<i64>)| -> Result<_, Error> {
        let (ids, customer) = Ids::number(&keys)?;
        let columns = TransactionColumns {
            customers: ids.len(),
            customer,
            time: times,
            amount: amounts,
            ..TransactionColumns::default()
        };
        let log = Transactions::from_columns(Decimals::ZERO, columns)?;
        let columns = RfmSummary::collect(&log, &Zone::UTC, Refunds::Ignore)?.columns()?;
        let features = RfmFeatures::from_summary(columns, RFM_DAYS as i32)?;
        let rfm = Rfm::fit(&features, &RfmConfig::r_compatible(5, Decimals::ZERO))?;
        let codes = rfm
            .scores(&features)
            .into_iter()
            .map(|score| u64::from(rfm.code(score)));
        Ok((features.len(), codes.sum::<u64>()))
    };
    let data = || (times.clone(), amounts.clone());
    best_of(
        setting.repeat,
        EVENTS,
        data,
        score,
        |(customers, checksum)| json!({"customers": customers, "checksum": checksum}),
    )
}

/// From keys and times to the matrix of weekly cohorts by weeks since: numbering the keys included.
pub fn weekly_retention(setting: &Setting) -> Result<Measured, String> {
    let keys = customers(21);
    let times = days(22, WEEKLY_DAYS);
    let matrix = |()| -> Result<_, Error> {
        let (ids, customer) = Ids::number(&keys)?;
        let events = Events::new(ids.len(), &customer, &times)?;
        let week = Period::Days {
            length: 7,
            anchor: 0,
        };
        let counts = ActivitySummary::collect(&events, week, &Zone::UTC)?.cohort_counts()?;
        let cells = counts.iter().flatten().copied();
        let cells: Vec<u32> = cells.filter(|&active| active > 0).collect();
        Ok((
            cells.len(),
            cells.iter().map(|&active| u64::from(active)).sum::<u64>(),
        ))
    };
    best_of(
        setting.repeat,
        EVENTS,
        || (),
        matrix,
        |(cells, total)| json!({"cells": cells, "total": total}),
    )
}

fn customers(seed: u64) -> Vec<i64> {
    column(|i| (uniform(seed, i).powi(2) * CUSTOMERS) as i64)
}

fn days(seed: u64, span: f64) -> Vec<Timestamp> {
    let day = |i| (uniform(seed, i) * span) as i64;
    column(|i| Timestamp::from_unix_s(day(i) * DAY_S).expect("a day of two years"))
}

fn column<T>(value: impl Fn(u64) -> T) -> Vec<T> {
    (0..EVENTS as u64).map(value).collect()
}
