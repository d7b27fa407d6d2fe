//! The shipped CDNOW log.

use std::fs::File;

use tenure::event::csv::{Columns, CsvOptions};
use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
use tenure::summary::{
    Grain, Histories, PurchaseOptions, PurchaseSummary, Purchases, Refunds, TimeUnit,
};

const LOG: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/lifetime/cdnow_sample_elog.csv"
);

/// The first instant of a day.
pub fn day(year: i16, month: i8, day: i8) -> Timestamp {
    Timestamp::from_civil(year, month, day).unwrap()
}

/// Everything in the shipped 1/10 sample of the CDNOW log.
pub fn purchases() -> Purchases {
    let columns = Columns {
        amount: Some("sales"),
        ..Columns::new("cust", "date")
    };
    let options = CsvOptions::new(Decimals::TWO, Zone::UTC);
    let log = Transactions::from_csv(File::open(LOG).unwrap(), &columns, &options)
        .unwrap()
        .facts;
    let options = PurchaseOptions {
        grain: Grain::Period(Period::Day),
        zone: Zone::UTC,
        refunds: Refunds::Net,
    };
    PurchaseSummary::collect(&log, &options)
        .unwrap()
        .into_purchases()
        .unwrap()
}

/// What was known at the end of September 1997, in weeks.
pub fn calibration(purchases: &Purchases) -> Histories {
    purchases
        .histories(day(1997, 9, 30), TimeUnit::Week)
        .unwrap()
}
