//! Names as keys of rows.

use crate::loyalty::{AccountId, CommandId, Key};

/// From this length on a key is a digest: an index takes no key of more than a third of a page.
const LONG: usize = 200;

/// A name as a key, and what it would be where it is too long for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    pub(super) key: Vec<u8>,
    pub(super) long: Option<Vec<u8>>,
}

pub(super) const BOOKS: &[u8] = b"b";

impl RowKey {
    pub(super) fn of(key: &Key) -> Self {
        match key {
            Key::Member(account) => Self::new(b'm', account.as_str()),
            Key::Deed(id) => Self::new(b'd', id.as_str()),
            Key::Books => Self {
                key: BOOKS.to_vec(),
                long: None,
            },
        }
    }

    pub(super) fn person(person: &str) -> Self {
        Self::new(b'p', person)
    }

    fn new(kind: u8, name: &str) -> Self {
        let mut key = Vec::with_capacity(name.len().min(LONG) + 1);
        key.push(kind);
        key.extend_from_slice(name.as_bytes());
        if key.len() <= LONG {
            return Self { key, long: None };
        }
        let mut digest = vec![kind.to_ascii_uppercase()];
        digest.extend_from_slice(blake3::hash(&key).as_bytes());
        Self {
            key: digest,
            long: Some(key),
        }
    }

    /// The name that a row stands for; `None` for one that no ledger writes.
    pub(super) fn read(key: &[u8], long: Option<&[u8]>) -> Option<Key> {
        let (kind, name) = parts(key, long)?;
        match kind {
            b'm' => Some(Key::Member(AccountId::from(name))),
            b'd' => Some(Key::Deed(CommandId::from(name))),
            b'b' if name.is_empty() => Some(Key::Books),
            _ => None,
        }
    }

    /// The person that a row stands for.
    pub(super) fn read_person(key: &[u8], long: Option<&[u8]>) -> Option<String> {
        let (kind, name) = parts(key, long)?;
        (kind == b'p').then(|| name.to_owned())
    }
}

fn parts<'a>(key: &'a [u8], long: Option<&'a [u8]>) -> Option<(u8, &'a str)> {
    let (kind, name) = long.unwrap_or(key).split_first()?;
    Some((*kind, std::str::from_utf8(name).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_key_of_its_own() {
        let names = [
            "",
            "ann",
            "a'\"\\;--",
            "\0",
            "é",
            &"x".repeat(199),
            &"x".repeat(200),
            &"x".repeat(100_000),
        ];
        let mut keys = vec![Key::Books];
        keys.extend(names.iter().map(|&name| Key::Member(name.into())));
        keys.extend(names.iter().map(|&name| Key::Deed(name.into())));
        let mut rows: Vec<RowKey> = keys.iter().map(RowKey::of).collect();
        for (key, row) in keys.iter().zip(&rows) {
            assert!(row.key.len() <= LONG);
            assert_eq!(
                RowKey::read(&row.key, row.long.as_deref()).as_ref(),
                Some(key)
            );
        }
        rows.sort();
        rows.dedup_by(|a, b| a.key == b.key);
        assert_eq!(rows.len(), keys.len());
    }

    #[test]
    fn what_is_no_key_is_nobody() {
        for bytes in [&b""[..], b"x", b"bb", b"m\xff"] {
            assert_eq!(RowKey::read(bytes, None), None);
        }
        let person = RowKey::person("ann");
        assert_eq!(RowKey::read(&person.key, None), None);
        assert_eq!(
            RowKey::read_person(&person.key, None).as_deref(),
            Some("ann")
        );
    }
}
