//! A directory in memory.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::names::AccountId;
use super::store::StoreError;

/// Persons and accounts, both ways, and the number of the last account that was given.
#[derive(Debug, Default)]
pub(crate) struct People {
    accounts: HashMap<String, AccountId, RandomState>,
    persons: HashMap<AccountId, String, RandomState>,
    last: u64,
}

impl People {
    pub(crate) fn account_of(&self, person: &str) -> Option<AccountId> {
        self.accounts.get(person).cloned()
    }

    pub(crate) fn person_of(&self, account: &AccountId) -> Option<String> {
        self.persons.get(account).cloned()
    }

    /// The person's account, a new one if there is none.
    pub(crate) fn link(&mut self, person: &str) -> Result<AccountId, StoreError> {
        if let Some(account) = self.account_of(person) {
            return Ok(account);
        }
        let exhausted = StoreError::AccountsExhausted { last: self.last };
        self.last = self.last.checked_add(1).ok_or(exhausted)?;
        let account = AccountId::from(format!("m{}", self.last));
        self.accounts.insert(person.to_owned(), account.clone());
        self.persons.insert(account.clone(), person.to_owned());
        Ok(account)
    }

    /// Forgets a person; the account it led to.
    pub(crate) fn unlink(&mut self, person: &str) -> Option<AccountId> {
        let account = self.accounts.remove(person)?;
        self.persons.remove(&account);
        Some(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_last_number_there_is_no_account() {
        let mut people = People {
            last: u64::MAX - 1,
            ..People::default()
        };
        let last = people.link("ann").unwrap();
        assert_eq!(last.as_str(), "m18446744073709551615");
        assert!(matches!(
            people.link("bob"),
            Err(StoreError::AccountsExhausted { last: u64::MAX })
        ));
        // Whoever has one keeps it.
        assert_eq!(people.link("ann").unwrap(), last);
        assert_eq!(people.account_of("bob"), None);
    }
}
