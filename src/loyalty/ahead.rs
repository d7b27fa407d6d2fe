//! Commands that are looked at together before each of them is decided upon in its turn.

/// By what the commands that are next are found: worked out once for all that is asked of each.
#[derive(Debug)]
pub(crate) struct Ahead<K> {
    keys: Vec<K>,
    turn: usize,
}

impl<K> Default for Ahead<K> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            turn: 0,
        }
    }
}

impl<K: Copy> Ahead<K> {
    /// Other commands are next.
    pub(crate) fn begin(&mut self, keys: impl Iterator<Item = K>) {
        self.keys.clear();
        self.keys.extend(keys);
        self.turn = 0;
    }

    /// All of them.
    pub(crate) fn keys(&self) -> &[K] {
        &self.keys
    }

    /// The key of the command whose turn it is; `key` makes it where the command was not looked at.
    pub(crate) fn own(&mut self, key: impl FnOnce() -> K) -> K {
        if let Some(own) = self.keys.get(self.turn) {
            return *own;
        }
        let own = key();
        self.begin(std::iter::once(own));
        own
    }

    /// It is the next one's turn.
    pub(crate) fn next(&mut self) {
        self.turn += 1;
    }
}
