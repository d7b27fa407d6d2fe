//! Whose account is whose, as a table.

use postgres::types::ToSql;

use super::names::RowKey;
use super::pool::Query;
use super::retry::Fault;
use super::store::PostgresStore;
use crate::loyalty::{AccountId, Directory, StoreError};

impl Directory for PostgresStore {
    fn account_of(&self, person: &str) -> Result<Option<AccountId>, StoreError> {
        let row = RowKey::person(person);
        self.number(Query::AccountOf, "looking a person up", &[&row.key])
    }

    fn person_of(&self, account: &AccountId) -> Result<Option<String>, StoreError> {
        const DOING: &str = "looking an account up";
        let digits = account.as_str().strip_prefix('m').unwrap_or_default();
        // Only a number as it is written here: "m01" and "m+1" are nobody's account.
        let number = digits.parse::<i64>().ok();
        let Some(number) = number.filter(|number| number.to_string() == digits) else {
            return Ok(None);
        };
        let failed = |error| Fault::of(DOING, error);
        Ok(self.repeat(DOING, |session| {
            let rows = session.query(Query::PersonOf, &[&number]).map_err(failed)?;
            let Some(row) = rows.first() else {
                return Ok(None);
            };
            let key: &[u8] = row.try_get(0).map_err(failed)?;
            let long: Option<&[u8]> = row.try_get(1).map_err(failed)?;
            Ok(RowKey::read_person(key, long))
        })?)
    }

    fn link(&self, person: &str) -> Result<AccountId, StoreError> {
        let row = RowKey::person(person);
        loop {
            // Looked up first: an insertion that finds the person there has used a number up.
            if let Some(account) = self.account_of(person)? {
                return Ok(account);
            }
            let linked = self.number(Query::Link, "linking a person", &[&row.key, &row.long]);
            if let Some(account) = linked? {
                return Ok(account);
            }
        }
    }

    fn unlink(&self, person: &str) -> Result<Option<AccountId>, StoreError> {
        let row = RowKey::person(person);
        self.number(Query::Unlink, "unlinking a person", &[&row.key])
    }
}

impl PostgresStore {
    /// The account whose number a statement returns.
    fn number(
        &self,
        query: Query,
        doing: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<AccountId>, StoreError> {
        let exhausted =
            |error: &postgres::Error| error.code().is_some_and(|code| code.code() == "2200H");
        let number = self.repeat(doing, |session| match session.query(query, parameters) {
            Ok(rows) => {
                let number = rows.first().map(|row| row.try_get::<_, i64>(0));
                let number = number
                    .transpose()
                    .map_err(|error| Fault::of(doing, error))?;
                Ok(Ok(number))
            }
            Err(error) if exhausted(&error) => Ok(Err(StoreError::AccountsExhausted {
                last: i64::MAX as u64,
            })),
            Err(error) => Err(Fault::of(doing, error)),
        })?;
        Ok(number?.map(|number| AccountId::from(format!("m{number}"))))
    }
}
