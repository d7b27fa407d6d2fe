//! The names by which a ledger knows members and commands.

use std::fmt;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The name of a member's account: your own key, as text.
///
/// Cheap to clone: up to 23 bytes lie in the name itself, copies of a longer one share its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct AccountId(SmolStr);

/// The name of a command: chosen by the caller, unique over the whole ledger.
///
/// It makes a command safe to send twice, and later commands refer to it: a refund to the order, a
/// capture to the hold. As cheap to clone as an [`AccountId`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct CommandId(SmolStr);

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// For a table of such names alone.
            pub(crate) fn hash_in(&self, state: &RandomState) -> u64 {
                let mut hasher = state.build_hasher();
                hasher.write(self.as_str().as_bytes());
                hasher.finish()
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }

        impl From<&$name> for $name {
            fn from(name: &$name) -> Self {
                name.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(AccountId);
name!(CommandId);
