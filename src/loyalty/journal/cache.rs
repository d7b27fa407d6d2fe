//! Deeds that were read or written lately.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::loyalty::deed::Deed;
use crate::loyalty::names::CommandId;

type Deeds = HashMap<CommandId, (u64, Arc<Deed>), RandomState>;

/// A bounded number of deeds with their versions: when half of it is full, the older half is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    half: usize,
    young: Deeds,
    old: Deeds,
}

impl Cache {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            half: most.div_ceil(2),
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, id: &CommandId) -> Option<&(u64, Arc<Deed>)> {
        self.young.get(id).or_else(|| self.old.get(id))
    }

    pub(crate) fn remove(&mut self, id: &CommandId) {
        self.young.remove(id);
        self.old.remove(id);
    }

    pub(crate) fn insert(&mut self, id: CommandId, version: u64, deed: Arc<Deed>) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
            self.young.reserve(self.half);
        }
        self.young.insert(id, (version, deed));
    }
}
