//! The directory of persons: a side file, in no chain, that can forget.
//!
//! Links are appended and synced one by one. To forget one the file is written anew without it, put in the
//! place of the old one, and the old one's bytes are overwritten.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::blocks::{Appender, BLOCK, Blocks, Fields, HEAD, Kind};
use super::error::{Corruption, Fault, JournalError};
use super::files::Files;
use crate::loyalty::names::AccountId;

const KIND: Kind = Kind {
    magic: *b"TENUREP\0",
    version: 1,
};
pub(crate) const NAME: &str = "people";

/// Persons and accounts, in memory as in the file.
#[derive(Debug, Default)]
pub(crate) struct People {
    numbers: HashMap<Arc<str>, u64, RandomState>,
    persons: HashMap<u64, Arc<str>, RandomState>,
    /// The last number that was given.
    last: u64,
    file: Option<Appender>,
    /// What an unfinished link left at the end of the file.
    pub(crate) torn: Option<Corruption>,
    failed: Option<Arc<JournalError>>,
}

impl People {
    /// Reads the file, if there is one.
    pub(crate) fn open(files: &dyn Files) -> Result<Self, JournalError> {
        let mut people = Self::default();
        let blob = match files.open(NAME) {
            Ok(blob) => blob,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(people),
            Err(error) => return Err(JournalError::io("opening", NAME)(error)),
        };
        let length = blob.length().map_err(JournalError::io("measuring", NAME))?;
        let mut blocks = Blocks::open(Arc::clone(&blob), NAME, KIND)?;
        loop {
            match blocks.next() {
                Ok(Some((_, block))) => {
                    if !people.read(block) {
                        let reason = "a link is in no known form";
                        return Err(blocks.damage(Fault::Content { reason }).into());
                    }
                }
                Ok(None) => break,
                Err(JournalError::Corrupt(damage)) => {
                    if !is_last(&*blob, blocks.at(), length)? {
                        return Err(damage.into());
                    }
                    people.torn = Some(damage);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        people.file = Some(blocks.into_appender());
        Ok(people)
    }

    /// Cuts off what an unfinished link left.
    pub(crate) fn mend(&self) -> Result<(), JournalError> {
        match (&self.torn, &self.file) {
            (Some(_), Some(file)) => {
                let cut = file.blob().truncate(file.end);
                cut.map_err(JournalError::io("cutting", NAME))?;
                file.sync()
            }
            _ => Ok(()),
        }
    }

    /// Whether there is a file.
    pub(crate) fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn account_of(&self, person: &str) -> Option<AccountId> {
        self.numbers.get(person).copied().map(account)
    }

    pub(crate) fn person_of(&self, account_id: &AccountId) -> Option<&str> {
        let number: u64 = account_id.as_str().strip_prefix('m')?.parse().ok()?;
        let person = self.persons.get(&number)?;
        // "m01" and "m+1" are no names of an account.
        (account(number) == *account_id).then_some(person)
    }

    /// Links a person to a new account; `None` after the last number.
    pub(crate) fn link(
        &mut self,
        files: &dyn Files,
        person: &str,
    ) -> Result<Option<AccountId>, JournalError> {
        if let Some(account) = self.account_of(person) {
            return Ok(Some(account));
        }
        self.usable()?;
        let Some(number) = self.last.checked_add(1) else {
            return Ok(None);
        };
        let result = match &mut self.file {
            Some(file) => file
                .push(&link_bytes(number, person))
                .and_then(|()| file.sync()),
            None => {
                self.add(number, person);
                self.rewrite(files).map(|_| ())
            }
        };
        self.remember(result)?;
        self.add(number, person);
        Ok(Some(account(number)))
    }

    /// Forgets a person.
    pub(crate) fn unlink(
        &mut self,
        files: &dyn Files,
        person: &str,
    ) -> Result<Option<AccountId>, JournalError> {
        let Some(number) = self.numbers.get(person).copied() else {
            return Ok(None);
        };
        self.usable()?;
        self.numbers.remove(person);
        self.persons.remove(&number);
        let result = self.rewrite(files).and_then(|old| match old {
            Some(old) => scrub(&old),
            None => Ok(()),
        });
        self.remember(result)?;
        Ok(Some(account(number)))
    }

    /// After a failure the file and the memory may differ: neither is believed.
    pub(crate) fn usable(&self) -> Result<(), JournalError> {
        match &self.failed {
            Some(source) => Err(JournalError::Poisoned {
                source: Arc::clone(source),
            }),
            None => Ok(()),
        }
    }

    fn remember(&mut self, result: Result<(), JournalError>) -> Result<(), JournalError> {
        if let Err(error) = &result {
            self.failed = Some(Arc::new(error.clone()));
        }
        result
    }

    fn add(&mut self, number: u64, person: &str) {
        let person: Arc<str> = person.into();
        self.last = self.last.max(number);
        self.numbers.insert(Arc::clone(&person), number);
        self.persons.insert(number, person);
    }

    /// Takes in a block; `false` for one in no known form.
    fn read(&mut self, block: &[u8]) -> bool {
        let mut fields = Fields(block);
        let read = fields.u64().zip(std::str::from_utf8(fields.0).ok());
        match read.and_then(|(number, text)| Some((number, text.split_at_checked(1)?))) {
            Some((number, ("l", person))) => self.add(number, person),
            Some((number, ("n", ""))) => self.last = self.last.max(number),
            _ => return false,
        }
        true
    }

    /// Writes the file anew; the old one, if there was one.
    fn rewrite(&mut self, files: &dyn Files) -> Result<Option<Appender>, JournalError> {
        let draft = "people.new";
        let failed = |source| JournalError::io("writing", draft)(source);
        let mut file = Appender::begin(files.create(draft).map_err(failed)?, draft, KIND)?;
        file.push(&[&self.last.to_le_bytes()[..], b"n"].concat())?;
        let mut all: Vec<(&u64, &Arc<str>)> = self.persons.iter().collect();
        all.sort_unstable();
        for (number, person) in all {
            file.push(&link_bytes(*number, person))?;
        }
        file.sync()?;
        files.rename(draft, NAME).map_err(failed)?;
        files.sync().map_err(failed)?;
        Ok(self.file.replace(file))
    }
}

/// Overwrites a file that has no name any more: its bytes would stay on the disk until something else
/// needs the room.
fn scrub(old: &Appender) -> Result<(), JournalError> {
    let zeros = vec![0; 1 << 16];
    let mut at = HEAD;
    while at < old.end {
        let count = usize::try_from(old.end - at).map_or(zeros.len(), |left| left.min(zeros.len()));
        let write = old
            .blob()
            .write_at(at, zeros.get(..count).unwrap_or_default());
        write.map_err(JournalError::io("overwriting", NAME))?;
        at += count as u64;
    }
    old.sync()
}

/// Whether a block that cannot be read is the last one: what it claims to be reaches the end of the file.
fn is_last(blob: &dyn super::files::Blob, at: u64, length: u64) -> Result<bool, JournalError> {
    let mut head = [0; BLOCK as usize];
    let read = blob.read_at(at, &mut head);
    let read = read.map_err(JournalError::io("reading", NAME))?;
    let claims = u32::from_le_bytes([0, 1, 2, 3].map(|i| head[i]));
    Ok(read < head.len() || at + BLOCK + u64::from(claims) >= length)
}

fn link_bytes(number: u64, person: &str) -> Vec<u8> {
    [&number.to_le_bytes()[..], b"l", person.as_bytes()].concat()
}

fn account(number: u64) -> AccountId {
    format!("m{number}").into()
}
