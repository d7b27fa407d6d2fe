//! Whose account is whose, kept where it can be forgotten.

use std::sync::Arc;

use super::names::AccountId;
use super::store::StoreError;

/// Whose account is whose: personal keys (an e-mail address, a customer number) and the accounts they
/// lead to, kept apart from journal and records.
///
/// A journal that is a chain cannot forget: whoever deletes an entry breaks it. So the journal knows
/// accounts only by names that mean nothing outside ("m1", "m2", …), and this is the one place that knows
/// the person behind each. To forget the person is to forget the link: the books go on to balance, the
/// chain stays valid, and the account's history belongs to nobody.
///
/// A ledger whose members are people takes all its account names from here; a name of the form "m1" that
/// a caller makes up can meet one that is given later.
///
/// ```
/// use tenure::loyalty::{AccountId, Directory, MemoryStore};
///
/// let store = MemoryStore::new();
/// let account = store.link("ann@example.com")?;
/// assert_eq!(account, AccountId::from("m1"));
/// assert_eq!(store.person_of(&account)?.as_deref(), Some("ann@example.com"));
///
/// assert_eq!(store.unlink("ann@example.com")?, Some(account.clone()));
/// assert_eq!(store.person_of(&account)?, None);
/// // Who comes back begins anew.
/// assert_eq!(store.link("ann@example.com")?, AccountId::from("m2"));
/// # Ok::<(), tenure::loyalty::StoreError>(())
/// ```
///
/// # What must not be in the journal
///
/// The chain keeps what it is given. The names of accounts and of commands
/// ([`CommandId`](super::CommandId)) are in it for good, so they must not tell who somebody is:
/// "order-4711", not "ann@example.com-2025-01". Tags and categories of orders
/// ([`Earn`](super::Earn)) leave a digest only, but whoever guesses a text can compare it: a campaign or
/// a shop belongs there, not a person. Amounts, instants and lots are about an account, and about nobody
/// once its person is forgotten.
///
/// A personal key is any text, compared byte by byte: bring it into one form (lower case, without blanks
/// around it) before it comes here.
pub trait Directory: Send + Sync {
    /// The account of a person; `None` for one that nobody linked, and for one that was forgotten.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn account_of(&self, person: &str) -> Result<Option<AccountId>, StoreError>;

    /// The person of an account; `None` for one that was never linked, or was forgotten.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn person_of(&self, account: &AccountId) -> Result<Option<String>, StoreError>;

    /// The account of a person, a new one if there is none: "m1", "m2", …. A number is never given
    /// twice, even after [`Directory::unlink`] and after the store was opened again; of several threads
    /// that link one person all get the same account. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written; [`StoreError::AccountsExhausted`] after the last
    /// number.
    fn link(&self, person: &str) -> Result<AccountId, StoreError>;

    /// Forgets a person for good: after it returns the key is in no file or row of the store. The
    /// account it led to; `None` for a person that nobody linked.
    ///
    /// Copies that were made before (backups, exports) still have the key; they are the caller's to
    /// delete.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written; whether the person is forgotten is learnt by
    /// asking again.
    fn unlink(&self, person: &str) -> Result<Option<AccountId>, StoreError>;
}

/// A pointer to a directory is a directory, as with stores.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<D: Directory + ?Sized> Directory for $pointer {
            fn account_of(&self, person: &str) -> Result<Option<AccountId>, StoreError> {
                (**self).account_of(person)
            }

            fn person_of(&self, account: &AccountId) -> Result<Option<String>, StoreError> {
                (**self).person_of(account)
            }

            fn link(&self, person: &str) -> Result<AccountId, StoreError> {
                (**self).link(person)
            }

            fn unlink(&self, person: &str) -> Result<Option<AccountId>, StoreError> {
                (**self).unlink(person)
            }
        }
    )*};
}

forward!(&D, Box<D>, Arc<D>);
