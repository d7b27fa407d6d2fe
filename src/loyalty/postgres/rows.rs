//! Rows of the journal: entries as bytes, and their postings for people who read.

use std::fmt::Write;

use super::error::Damage;
use crate::loyalty::export::pot;
use crate::loyalty::{Change, Entry, wire};

/// The entries of a commit, each after its length in four bytes.
pub(super) fn body(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::with_capacity(entries.len() * 64);
    let mut one = Vec::with_capacity(256);
    for entry in entries {
        one.clear();
        wire::encode_entry(entry, &mut one);
        // An entry of 4 GiB could not be sent to the server: it takes messages of 1 GiB.
        let length = u32::try_from(one.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(&one);
    }
    body
}

/// The entries of a row that says how many there are.
pub(super) fn entries(mut body: &[u8], expected: i32) -> Result<Vec<Entry>, Damage> {
    let wrong = || Damage::Entries { expected };
    let mut entries = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (one, rest) = rest.split_at_checked(length).ok_or_else(wrong)?;
        entries.push(wire::decode_entry(one)?);
        body = rest;
    }
    let complete = usize::try_from(expected).is_ok_and(|expected| expected == entries.len());
    match (complete, body) {
        (true, []) => Ok(entries),
        _ => Err(wrong()),
    }
}

/// The points that entries move, as JSON: `[[entry, at, account, command, change, from, to, points], …]`, the
/// entry counted from 1.
pub(super) fn postings(entries: &[Entry]) -> String {
    let mut json = String::with_capacity(entries.len() * 32);
    json.push('[');
    for (place, entry) in (1_u32..).zip(entries) {
        let (Some((from, to, points)), Some(account)) = (entry.posting(), entry.account()) else {
            continue;
        };
        if json.len() > 1 {
            json.push(',');
        }
        // Writing to a text does not fail.
        let _ = write!(json, "[{place},{},", entry.at.unix_s());
        quote(account.as_str(), &mut json);
        json.push(',');
        match &entry.command {
            Some(command) => quote(command.as_str(), &mut json),
            None => json.push_str("null"),
        }
        let (change, from, to) = (change(&entry.change), pot(from), pot(to));
        let _ = write!(json, ",\"{change}\",\"{from}\",\"{to}\",{}]", points.0);
    }
    json.push(']');
    json
}

/// PostgreSQL's texts have no character of code 0: its picture (U+2400) stands for it where people read.
pub(super) fn legible(name: &str) -> String {
    name.replace('\0', "\u{2400}")
}

fn quote(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0' => json.push('\u{2400}'),
            control if control < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            plain => json.push(plain),
        }
    }
    json.push('"');
}

fn change(change: &Change) -> &'static str {
    match change {
        Change::Opened { .. } => "opened",
        Change::Moved { .. } => "moved",
        Change::Matured { .. } => "matured",
        Change::Owed { .. } => "owed",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::loyalty::lot::Pot;
    use crate::loyalty::{LotNumber, Points};

    fn moved(account: &str, points: i64) -> Entry {
        Entry {
            at: Timestamp::EPOCH,
            command: Some("c\"1\"\n".into()),
            change: Change::Moved {
                account: account.into(),
                lot: LotNumber(7),
                from: Pot::Available,
                to: Pot::WrittenOff,
                points: Points(points),
            },
        }
    }

    fn joined() -> Entry {
        Entry {
            at: Timestamp::EPOCH,
            command: None,
            change: Change::Joined {
                account: "ann".into(),
            },
        }
    }

    #[test]
    fn entries_come_back_and_no_other_bytes_do() {
        for list in [
            vec![],
            vec![joined()],
            vec![joined(), moved("ann", 3), joined()],
        ] {
            let bytes = body(&list);
            let count = list.len() as i32;
            assert_eq!(entries(&bytes, count).unwrap(), list);
            assert!(entries(&bytes, count + 1).is_err());
            assert!(entries(&bytes, -1).is_err());
            for end in 0..bytes.len() {
                assert!(entries(&bytes[..end], count).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn postings_are_json_whatever_the_names() {
        let names = ["ann", "", "a\"b\\c", "line\nbreak\u{1}", "nul\0nul", "日本"];
        let list: Vec<Entry> = names.iter().map(|name| moved(name, i64::MIN)).collect();
        let json: serde_json::Value = serde_json::from_str(&postings(&list)).unwrap();
        assert_eq!(json.as_array().unwrap().len(), names.len());
        for (name, posting) in names.iter().zip(json.as_array().unwrap()) {
            assert_eq!(posting[2].as_str().unwrap(), legible(name));
            assert_eq!(posting[3], "c\"1\"\n");
            let moved = serde_json::json!(["available", "written_off", i64::MIN]);
            assert_eq!(
                posting.as_array().unwrap()[5..=7],
                moved.as_array().unwrap()[..]
            );
        }
        assert_eq!(postings(&[joined()]), "[]");
        assert!(
            postings(&[joined(), moved("ann", 1), moved("ann", 2)]).starts_with("[[2,0,\"ann\"")
        );
    }

    #[test]
    fn a_pot_is_written_as_everywhere_else() {
        for each in Pot::ALL {
            assert_eq!(serde_json::to_value(each).unwrap(), pot(each));
        }
    }
}
