//! Any bytes as a CSV file of transactions. The first byte chooses the options.
//!
//! Never a panic; stopping and collecting agree; the good rows, written out and loaded again, are the
//! same facts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tenure::event::csv::{Columns, CsvOptions, Delimiter, Loaded, Negative, OnError, TimeFormat};
use tenure::event::{Decimals, Transactions, Zone};

const COLUMNS: Columns<'static> = Columns {
    amount: Some("total"),
    order: Some("order"),
    item: None,
    ..Columns::new("id", "date")
};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, file)) = input.split_first() else {
        return;
    };
    let bit = |n: u8| choice & (1 << n) != 0;
    let zone = if bit(0) { "Europe/Paris" } else { "UTC" };
    let options = CsvOptions {
        time_format: match (bit(1), bit(2)) {
            (false, _) => TimeFormat::Iso,
            (true, false) => TimeFormat::EpochSeconds,
            (true, true) => TimeFormat::EpochMilliseconds,
        },
        delimiter: if bit(3) {
            Delimiter::Semicolon
        } else {
            Delimiter::Comma
        },
        negative: if bit(4) {
            Negative::Reject
        } else {
            Negative::Refund
        },
        on_error: OnError::Collect,
        ..CsvOptions::new(Decimals::TWO, Zone::named(zone).unwrap())
    };
    // Half of the inputs are rows below a good header; it takes long to guess one.
    let header: &[u8] = match (bit(5), options.delimiter) {
        (false, _) => b"",
        (true, Delimiter::Comma) => b"id,date,total,order\n",
        (true, _) => b"id;date;total;order\n",
    };
    let file = [header, file].concat();
    let columns = if bit(6) {
        COLUMNS
    } else {
        Columns {
            order: None,
            ..COLUMNS
        }
    };

    let collected = Transactions::from_csv(&file[..], &columns, &options);
    let stop = CsvOptions {
        on_error: OnError::Stop,
        ..options.clone()
    };
    match (
        collected,
        Transactions::from_csv(&file[..], &columns, &stop),
    ) {
        (Ok(collected), Ok(stopped)) => {
            assert_eq!(collected, stopped);
            assert_eq!(collected.rejected.count(), 0);
            reload(&collected);
        }
        (Ok(collected), Err(first)) => {
            assert_eq!(collected.rejected.errors().first(), Some(&first));
            assert!(collected.rejected.count() >= collected.rejected.errors().len() as u64);
            assert!(first.to_string().len() < 1_000);
            reload(&collected);
        }
        (Err(collected), Err(stopped)) => assert_eq!(collected, stopped),
        (Err(error), Ok(_)) => panic!("only collecting fails: {error}"),
    }
});

/// Writes the facts as a CSV file in plain form, and loads that.
fn reload(loaded: &Loaded<Transactions>) {
    let facts = &loaded.facts;
    let quoted = |key: Option<&String>| format!("\"{}\"", key.unwrap().replace('"', "\"\""));
    let mut file = "id,date,total,order\n".to_owned();
    for row in 0..facts.len() {
        file += &quoted(loaded.customers.key(facts.customer()[row]));
        file += &format!(",{},", facts.time()[row]);
        file += &facts.decimals().display(facts.amount()[row]).to_string();
        file.push(',');
        if let (Some(ids), Some(order)) = (&loaded.orders, facts.order()) {
            file += &quoted(ids.key(order[row]));
        }
        file.push('\n');
    }
    let columns = Columns {
        order: loaded.orders.as_ref().and(COLUMNS.order),
        ..COLUMNS
    };
    let options = CsvOptions::new(Decimals::TWO, Zone::UTC);
    let again = Transactions::from_csv(file.as_bytes(), &columns, &options).unwrap();
    assert_eq!(again.facts, loaded.facts);
    assert_eq!(again.customers, loaded.customers);
    assert_eq!(again.orders, loaded.orders);
}
