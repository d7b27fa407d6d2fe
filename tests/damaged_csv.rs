//! Damaged CSV files: each gets a clear error or the treatment that `tenure::event::csv` documents.

use proptest::prelude::*;
use tenure::error::DataError;
use tenure::event::csv::{
    AliasColumns, Columns, CsvOptions, Delimiter, KEY_BYTES_MAX, Loaded, Negative, OnError,
    PairColumns, RECORD_BYTES_MAX, Rejected, TimeFormat,
};
use tenure::event::{
    AMOUNT_MAX, AliasTable, Decimals, Interactions, Timestamp, Transactions, Zone,
};

const COLUMNS: Columns<'static> = Columns {
    amount: Some("total"),
    ..Columns::new("id", "date")
};

fn stop() -> CsvOptions<'static> {
    CsvOptions::new(Decimals::TWO, Zone::UTC)
}

fn collect() -> CsvOptions<'static> {
    CsvOptions {
        on_error: OnError::Collect,
        ..stop()
    }
}

fn load(text: impl AsRef<[u8]>) -> Result<Loaded<Transactions>, DataError> {
    Transactions::from_csv(text.as_ref(), &COLUMNS, &stop())
}

fn load_good_rows(text: impl AsRef<[u8]>) -> Loaded<Transactions> {
    Transactions::from_csv(text.as_ref(), &COLUMNS, &collect()).unwrap()
}

/// The message for a file of one good row and, on line 3, the given one.
fn message(bad_row: impl AsRef<[u8]>) -> String {
    let mut file = b"id,date,total\nann,1997-01-01,1.00\n".to_vec();
    file.extend(bad_row.as_ref());
    let collected = load_good_rows(&file);
    assert_eq!(collected.facts.len(), 1);
    assert_eq!(
        collected.customers.keys(),
        ["ann"],
        "a bad row gives no customer"
    );
    let error = load(&file).unwrap_err();
    assert_eq!(collected.rejected.errors(), std::slice::from_ref(&error));
    error.to_string()
}

#[test]
fn a_bad_value_is_named_with_its_row_column_and_what_was_expected() {
    const DATE: &str = "expected a date (2006-12-31) or a date-time (2006-12-31T18:00:00Z)";
    const AMOUNT: &str = "expected a decimal number such as 12.99, without signs of currency or \
        thousands, exact in the decimal places chosen, at most 10^15 minor units";
    for (row, expected) in [
        (
            "bob,31/12/1997,1",
            format!("column `date`: found `31/12/1997`, {DATE}"),
        ),
        (
            "bob,1997-02-29,1",
            format!("column `date`: found `1997-02-29`, {DATE}"),
        ),
        ("bob,,1", format!("column `date`: found ``, {DATE}")),
        (
            "bob,1997-01-01,NaN",
            format!("column `total`: found `NaN`, {AMOUNT}"),
        ),
        (
            "bob,1997-01-01,inf",
            format!("column `total`: found `inf`, {AMOUNT}"),
        ),
        (
            "bob,1997-01-01,-Infinity",
            format!("column `total`: found `-Infinity`, {AMOUNT}"),
        ),
        (
            "bob,1997-01-01,\"1,200.00\"",
            format!("column `total`: found `1,200.00`, {AMOUNT}"),
        ),
        (
            "bob,1997-01-01,1.005",
            format!("column `total`: found `1.005`, {AMOUNT}"),
        ),
        (
            "bob,1997-01-01,99999999999999999",
            format!("column `total`: found `99999999999999999`, {AMOUNT}"),
        ),
        (
            "bob,1997-01-01,",
            format!("column `total`: found ``, {AMOUNT}"),
        ),
        (
            " \t,1997-01-01,1",
            "column `id`: found ` \\t`, expected a key that is not empty".to_owned(),
        ),
        (
            "b\0b,1997-01-01,1",
            "column `id`: found `b\\u{0}b`, expected a key without NUL bytes".to_owned(),
        ),
    ] {
        assert_eq!(message(row), format!("row 3, {expected}"));
    }
    assert_eq!(
        message("bob,1997-01-01"),
        "row 3: 2 fields, expected 3 as in the header"
    );
    assert_eq!(
        message("bob,1997-01-01,1,1"),
        "row 3: 4 fields, expected 3 as in the header"
    );
    assert_eq!(
        message("   "),
        "row 3: 1 fields, expected 3 as in the header"
    );
}

#[test]
fn long_values_are_shortened_and_control_characters_escaped() {
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    assert_eq!(
        message(format!("{long},1997-01-01,1")),
        format!(
            "row 3, column `id`: found `{}…`, expected a key of at most 4096 bytes",
            "x".repeat(40)
        )
    );
    assert!(message("bob,\"1\n\r\u{1b}[0m\",1").contains("found `1\\n\\r\\u{1b}[0m`"));
    let error = message("bob,é€𝄞éééééééééééééééééééééééééééééééééééééééééé,1");
    assert!(
        error.contains("found `é€𝄞ééééééééééééééééééééééééééééééééééééé…`"),
        "{error}"
    );
    // The longest key is a key.
    let key = "é".repeat(KEY_BYTES_MAX / 2);
    let loaded = load(format!("id,date,total\n{key},1997-01-01,1\n")).unwrap();
    assert_eq!(loaded.customers.keys(), [key]);
}

#[test]
fn text_that_is_not_utf_8_is_an_error_only_where_it_is_read() {
    assert_eq!(
        message(b"b\xe9b,1997-01-01,1"),
        "row 3, column `id`: found `b\u{fffd}b`, expected text in UTF-8"
    );
    assert!(message(b"bob,1997-01-01,\xff").contains("column `total`: found `\u{fffd}`"));
    let loaded = load(b"id,date,caf\xe9,total\nann,1997-01-01,\xff\xfe,1\n").unwrap();
    assert_eq!(loaded.facts.amount(), [100]);
}

#[test]
fn a_missing_column_is_named_with_those_there_are() {
    let error = load("id,Date,total\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no column `date` (it holds the time); the columns are: id, Date, total"
    );
    let many: Vec<String> = (0..10_000).map(|n| format!("c{n}")).collect();
    let Err(DataError::MissingColumn { available, .. }) = load(many.join(",")) else {
        panic!("the column is not there");
    };
    assert_eq!(available.len(), 51);
    assert_eq!(available[49..], ["c49", "and 9950 more"]);
    // UTF-16 begins with bytes that are no UTF-8.
    let utf_16 = b"\xff\xfei\0d\0,\0d\0a\0t\0e\0\n\0";
    assert!(matches!(load(utf_16), Err(DataError::MissingColumn { .. })));
}

#[test]
fn a_name_that_stands_twice_is_an_error_where_it_is_needed() {
    let error = load("id,date,total,id\n").unwrap_err();
    assert_eq!(
        error,
        DataError::AmbiguousColumn {
            column: "id".to_owned(),
            times: 2
        }
    );
    assert!(load("id,date,total,note,note,,\n").is_ok());
}

#[test]
fn an_empty_file_is_an_error_and_a_header_alone_an_empty_log() {
    for nothing in ["", "\n", "\r\n\r\n", "\u{feff}", "\u{feff}\n"] {
        assert!(
            matches!(load(nothing), Err(DataError::Empty { what: "header", .. })),
            "{nothing:?}"
        );
    }
    for header in [
        "id,date,total",
        "id,date,total\n",
        "\n\nid,date,total\r\n\n",
    ] {
        let loaded = load(header).unwrap();
        assert!(
            loaded.facts.is_empty() && loaded.customers.is_empty(),
            "{header:?}"
        );
        assert_eq!(loaded.facts.end(), None);
        assert_eq!(loaded.rejected, Rejected::default());
    }
}

#[test]
fn one_row_is_a_log() {
    let loaded = load("id,date,total\nann,1997-01-01,-0.50").unwrap();
    assert_eq!(loaded.facts.amount(), [-50]);
    assert_eq!(loaded.facts.customers(), 1);
}

#[test]
fn duplicate_and_unsorted_rows_are_kept_as_they_stand() {
    let row = |day| Timestamp::from_civil(1997, 1, day).unwrap();
    let loaded = load("id,date,total\nb,1997-01-09,1\na,1997-01-02,2\nb,1997-01-09,1\n").unwrap();
    assert_eq!(loaded.facts.customer(), [0, 1, 0]);
    assert_eq!(loaded.facts.time(), [row(9), row(2), row(9)]);
    assert_eq!(loaded.customers.keys(), ["b", "a"]);
}

#[test]
fn negative_amounts_are_refunds_or_errors_as_chosen() {
    let file = "id,date,total\nann,1997-01-01,5\nann,1997-01-02,-5\nann,1997-01-02,-0.00\n";
    assert_eq!(load(file).unwrap().facts.amount(), [500, -500, 0]);
    let options = CsvOptions {
        negative: Negative::Reject,
        ..stop()
    };
    let error = Transactions::from_csv(file.as_bytes(), &COLUMNS, &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 3, column `total`: found `-5`, expected an amount that is not negative"
    );
}

#[test]
fn every_kind_of_line_end_and_a_byte_order_mark_give_the_same_log() {
    let plain = "id,date,total\nann,1997-01-01,1\n\n\nbob,1997-01-02,2\n";
    let expected = load(plain).unwrap();
    assert_eq!(expected.facts.len(), 2);
    for end in ["\n", "\r\n", "\r"] {
        for (mark, last) in [("", ""), ("\u{feff}", end), ("\u{feff}", "")] {
            let file = format!("{mark}{}{last}", plain.trim_end().replace('\n', end));
            assert_eq!(load(&file).unwrap(), expected, "{file:?}");
            let bad = format!("{file}{end}{end}bad");
            let row = if last.is_empty() { 7 } else { 8 };
            assert_eq!(
                load(&bad).unwrap_err(),
                DataError::Fields {
                    row,
                    found: 1,
                    expected: 3
                },
                "{bad:?}"
            );
        }
    }
}

#[test]
fn quotes_hold_delimiters_line_ends_and_quotes() {
    let file = "\"id\",date,\"note, long\",total\n\
        \"o'neil, \"\"ann\"\"\",1997-01-01,\"two\nlines\",\"1.50\"\n\
        b\"ob,1997-01-02,\"x\"y,2\n";
    let loaded = load(file).unwrap();
    assert_eq!(loaded.customers.keys(), ["o'neil, \"ann\"", "b\"ob"]);
    assert_eq!(loaded.facts.amount(), [150, 200]);
    // Lines inside quotes are counted.
    assert!(
        load(format!("{file}\nbad"))
            .unwrap_err()
            .to_string()
            .starts_with("row 6: 1 fields")
    );
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_on_the_line_where_its_row_begins() {
    let mut file = "id,date,total,note\nann,1997-01-01,1,ok\n".to_owned();
    file += "bob,1997-01-02,2,\"a note\n";
    file += &"eve,1997-01-03,3,swallowed\n".repeat(10);
    let loaded = load_good_rows(&file);
    assert_eq!(loaded.customers.keys(), ["ann"]);
    assert_eq!(loaded.rejected.count(), 1);
    assert_eq!(
        loaded.rejected.errors()[0].to_string(),
        "row 3, column `(the whole row)`: found `bob,1997-01-02,2,\"a note\\neve,1997-01-03,…`, \
         expected a closing quote before the end of the file"
    );
}

/// A reader without end: a row that never stops.
struct Endless {
    head: &'static [u8],
    body: &'static [u8],
    left: usize,
    tail: &'static [u8],
}

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut give = |part: &mut &'static [u8]| {
            let n = part.len().min(buffer.len());
            buffer[..n].copy_from_slice(&part[..n]);
            *part = &part[n..];
            n
        };
        if !self.head.is_empty() {
            return Ok(give(&mut self.head));
        }
        if self.left > 0 {
            self.left -= 1;
            return Ok(give(&mut { self.body }));
        }
        Ok(give(&mut self.tail))
    }
}

#[test]
fn a_row_of_a_mebibyte_or_more_is_an_error_and_the_next_row_is_read() {
    let head = b"id,date,total\nann,1997-01-01,1\n\"";
    for body in [
        &b"eve,1997-01-01,1\n"[..],
        b"\"\"",
        b"\",\"",
        b"\",,,,,,,,\"",
    ] {
        let reader = Endless {
            head,
            body,
            left: 4 * RECORD_BYTES_MAX / body.len(),
            tail: b"\",x,x\nbob,1997-01-02,2\n",
        };
        let loaded = Transactions::from_csv(reader, &COLUMNS, &collect()).unwrap();
        assert_eq!(loaded.customers.keys(), ["ann", "bob"]);
        assert_eq!(loaded.rejected.count(), 1);
        let error = loaded.rejected.errors()[0].to_string();
        assert!(
            error.starts_with("row 3, column `(the whole row)`: found `"),
            "{error}"
        );
        assert!(error.ends_with("expected a row of less than 1 MiB (is a quote left open?)"));
    }
}

#[test]
fn the_bound_of_a_row_does_not_depend_on_how_the_bytes_arrive() {
    struct Chunks<'a>(&'a [u8], usize);
    impl std::io::Read for Chunks<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buffer.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }
    let frame = "ann,1997-01-01,1,\n".len();
    for (extra, good) in [(1, true), (0, false)] {
        let note = "x".repeat(RECORD_BYTES_MAX - frame - extra);
        let file = format!("id,date,total,note\nann,1997-01-01,1,{note}\nbob,1997-01-02,2,\n");
        for chunk in [7, 1_000, usize::MAX] {
            let reader = Chunks(file.as_bytes(), chunk);
            let loaded = Transactions::from_csv(reader, &COLUMNS, &collect()).unwrap();
            assert_eq!(loaded.facts.len(), 1 + usize::from(good), "{chunk}");
        }
    }
}

#[test]
fn keys_that_look_like_numbers_are_text() {
    let file = "id,date,total\n00001,1997-01-01,1\n1,1997-01-01,1\n4294967296,1997-01-01,1\n\
        340282366920938463463374607431768211456,1997-01-01,1\n-1,1997-01-01,1\nNaN,1997-01-01,1\n";
    let loaded = load(file).unwrap();
    assert_eq!(loaded.facts.customer(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(loaded.customers.get("4294967296"), Some(2));
}

#[test]
fn spaces_around_names_and_values_are_left_out() {
    let loaded = load(" id , date,total \n ann ,\t1997-01-01 , 1.5\n\" ann\", 1997-01-02,2\n");
    let loaded = loaded.unwrap();
    assert_eq!(loaded.customers.keys(), ["ann"]);
    assert_eq!(loaded.facts.amount(), [150, 200]);
}

#[test]
fn the_first_thousand_of_five_thousand_errors_are_kept() {
    let mut file = "id,date,total\n".to_owned();
    for n in 0..5_000 {
        file += &format!("c{n},1997-01-01,bad\nc{n},1997-01-01,1\n");
    }
    let loaded = load_good_rows(&file);
    assert_eq!(loaded.facts.len(), 5_000);
    assert_eq!(loaded.rejected.count(), 5_000);
    assert_eq!(loaded.rejected.errors().len(), 1_000);
    for (n, error) in loaded.rejected.errors().iter().enumerate() {
        assert!(matches!(error, DataError::Value { row, .. } if *row == 2 + 2 * n as u64));
    }
    assert_eq!(load(&file).unwrap_err(), loaded.rejected.errors()[0]);
}

#[test]
fn a_reader_that_fails_ends_the_reading_whatever_the_options() {
    struct Broken(&'static [u8]);
    impl std::io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match std::io::Read::read(&mut self.0, buffer) {
                Ok(0) => Err(std::io::Error::other("the disk is gone")),
                read => read,
            }
        }
    }
    let reader = Broken(b"id,date,total\nann,1997-01-01,1\nbob,1997-0");
    let error = Transactions::from_csv(reader, &COLUMNS, &collect()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "reading failed after row 2: the disk is gone"
    );
}

#[test]
fn times_are_read_in_the_zone_and_format_chosen() {
    let read = |text: &str, format: TimeFormat, zone: &str| {
        let options = CsvOptions {
            time_format: format,
            ..CsvOptions::new(Decimals::TWO, Zone::named(zone).unwrap())
        };
        let file = format!("id,date\nann,{text}\n");
        let columns = Columns::new("id", "date");
        Transactions::from_csv(file.as_bytes(), &columns, &options)
            .map(|loaded| loaded.facts.time()[0].to_string())
    };
    for (text, format, zone, expected) in [
        (
            "2014-03-08 00:00:00",
            TimeFormat::Iso,
            "UTC",
            "2014-03-08T00:00:00Z",
        ),
        (
            "2014-07-08",
            TimeFormat::Iso,
            "Europe/Paris",
            "2014-07-07T22:00:00Z",
        ),
        (
            "2014-07-08T00:00:00Z",
            TimeFormat::Iso,
            "Europe/Paris",
            "2014-07-08T00:00:00Z",
        ),
        (
            "1394236800",
            TimeFormat::EpochSeconds,
            "Europe/Paris",
            "2014-03-08T00:00:00Z",
        ),
        (
            "1394236800999",
            TimeFormat::EpochMilliseconds,
            "UTC",
            "2014-03-08T00:00:00Z",
        ),
        (
            "-1",
            TimeFormat::EpochMilliseconds,
            "UTC",
            "1969-12-31T23:59:59Z",
        ),
    ] {
        assert_eq!(read(text, format, zone).unwrap(), expected, "{text}");
    }
    for (text, format) in [
        ("1394236800.5", TimeFormat::EpochSeconds),
        ("9223372036854775807", TimeFormat::EpochSeconds),
        ("-9223372036854775808", TimeFormat::EpochMilliseconds),
        ("99999999999999999999", TimeFormat::EpochSeconds),
        ("2014-03-08", TimeFormat::EpochSeconds),
    ] {
        let error = read(text, format, "UTC").unwrap_err().to_string();
        assert!(
            error.contains("1970-01-01T00:00:00Z, between the years"),
            "{error}"
        );
    }
}

#[test]
fn orders_and_items_are_numbered_and_a_log_without_amounts_has_zeros() {
    let file = "who|when|basket|what\nann|2024-05-01|o1|tea\nann|2024-05-01|o1|milk\n\
        bob|2024-05-02||tea\nbob|2024-05-02|o2|tea\n";
    let columns = Columns {
        order: Some("basket"),
        item: Some("what"),
        ..Columns::new("who", "when")
    };
    let options = CsvOptions {
        delimiter: Delimiter::Pipe,
        ..collect()
    };
    let loaded = Transactions::from_csv(file.as_bytes(), &columns, &options).unwrap();
    assert_eq!(loaded.facts.amount(), [0, 0, 0]);
    assert_eq!(loaded.facts.order(), Some(&[0, 0, 1][..]));
    assert_eq!(loaded.facts.item(), Some(&[0, 1, 0][..]));
    assert_eq!(loaded.orders.unwrap().keys(), ["o1", "o2"]);
    assert_eq!(loaded.items.unwrap().keys(), ["tea", "milk"]);
    let error = loaded.rejected.errors()[0].to_string();
    assert_eq!(
        error,
        "row 4, column `basket`: found ``, expected a key that is not empty"
    );
}

#[test]
fn interactions_take_weights_that_are_finite_and_not_negative() {
    let columns = PairColumns {
        weight: Some("w"),
        time: Some("t"),
        ..PairColumns::new("u", "i")
    };
    let file = "u,i,w,t\na,x,2.5,2024-05-01\na,y,-1,2024-05-01\na,y,NaN,2024-05-01\n\
        a,y,1e99,2024-05-01\na,y,1,soon\nb,x,0,2024-05-02\n";
    let loaded = Interactions::from_csv(file.as_bytes(), &columns, &collect()).unwrap();
    assert_eq!(loaded.facts.weight(), [2.5, 0.0]);
    assert_eq!(loaded.items.unwrap().keys(), ["x"]);
    let rows: Vec<String> = loaded
        .rejected
        .errors()
        .iter()
        .map(ToString::to_string)
        .collect();
    let finite = "expected a finite number that is not negative";
    assert_eq!(rows[0], format!("row 3, column `w`: found `-1`, {finite}"));
    assert_eq!(rows[1], format!("row 4, column `w`: found `NaN`, {finite}"));
    assert_eq!(
        rows[2],
        format!("row 5, column `w`: found `1e99`, {finite}")
    );
    assert!(rows[3].starts_with("row 6, column `t`: found `soon`"));

    let bare = Interactions::from_csv(file.as_bytes(), &PairColumns::new("u", "i"), &stop());
    let bare = bare.unwrap().facts;
    assert_eq!(bare.weight(), [1.0; 6]);
    assert_eq!(bare.time()[0].unix_s(), 0);
}

#[test]
fn aliases_are_applied_while_loading_and_damaged_alias_files_are_named() {
    let file = "alias,customer\ncard,ann\nphone,card\n,ann\nphone\n";
    let columns = AliasColumns {
        alias: "alias",
        customer: "customer",
    };
    let (aliases, rejected) = AliasTable::from_csv(file.as_bytes(), &columns, &collect()).unwrap();
    assert_eq!(rejected.count(), 2);
    let options = CsvOptions {
        aliases: Some(&aliases),
        ..stop()
    };
    let log = "id,date,total\nphone,1997-01-01,1\nbob,1997-01-01,2\nann,1997-01-02,3\n";
    let loaded = Transactions::from_csv(log.as_bytes(), &COLUMNS, &options).unwrap();
    assert_eq!(loaded.customers.keys(), ["ann", "bob"]);
    assert_eq!(loaded.facts.customer(), [0, 1, 0]);
}

/// Bytes that matter to a CSV reader, more often than chance would have them.
fn csv_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(&b"\n\r,\"\"; -.:TZ0123456789\0\xef\xbb\xbf\xff"[..]),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..200)
}

fn good_row() -> impl Strategy<Value = String> {
    ("[a-c]{1,2}", 1..=28_u8, -AMOUNT_MAX..=AMOUNT_MAX).prop_map(|(key, day, minor)| {
        let amount = Decimals::TWO.display(minor);
        format!("{key},1997-02-{day:02},{amount}\n")
    })
}

/// How many records the `csv` crate finds after the header; an independent count, valid where no
/// quote is left open.
fn records_after_header(bytes: &[u8]) -> usize {
    csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(bytes)
        .into_byte_records()
        .filter(Result::is_ok)
        .count()
        .saturating_sub(1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_bytes_never_panic_and_every_row_is_kept_or_rejected(bytes in csv_bytes()) {
        let _ = load(&bytes);
        let mut file = b"id,date,total\n".to_vec();
        file.extend(&bytes);
        let loaded = load_good_rows(&file);
        let rows = loaded.facts.len() + loaded.rejected.errors().len();
        prop_assert_eq!(rows, records_after_header(&file));
        prop_assert_eq!(loaded.rejected.count(), loaded.rejected.errors().len() as u64);
    }

    #[test]
    fn a_mutated_file_keeps_its_good_rows_and_stops_where_it_first_rejects(
        rows in prop::collection::vec(good_row(), 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut body = rows.concat().into_bytes();
        for (place, byte) in &damage {
            let at = place.index(body.len());
            body[at] = *byte;
        }
        let mut file = b"id,date,total\n".to_vec();
        file.extend(&body);
        let loaded = load_good_rows(&file);
        let count = loaded.facts.len() + loaded.rejected.errors().len();
        prop_assert_eq!(count, records_after_header(&file));
        if damage.is_empty() {
            prop_assert_eq!(loaded.facts.len(), rows.len());
        }
        match load(&file) {
            Ok(all) => prop_assert_eq!(all, loaded),
            Err(error) => prop_assert_eq!(&error, &loaded.rejected.errors()[0]),
        }
    }

    #[test]
    fn loading_with_aliases_equals_merging_afterwards(
        rows in prop::collection::vec(good_row(), 0..20),
        links in prop::collection::vec(("[a-c]{1,2}", "[a-c]{1,2}"), 0..6),
    ) {
        let aliases = AliasTable::from_links(links).unwrap();
        let file = format!("id,date,total\n{}", rows.concat());
        let options = CsvOptions { aliases: Some(&aliases), ..stop() };
        let at_once = Transactions::from_csv(file.as_bytes(), &COLUMNS, &options).unwrap();
        let plain = load(&file).unwrap();
        let (log, keys) = aliases.merge_transactions(plain.facts, &plain.customers).unwrap();
        prop_assert_eq!((log, keys), (at_once.facts, at_once.customers));
    }
}
