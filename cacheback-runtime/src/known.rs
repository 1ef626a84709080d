//! Keys under a lock: told apart by identity, compared by the user's `Eq` only outside.
//!
//! Whoever changes something about a key brings a [`Known`]: the key and what it already knows of other keys of the
//! same hash. Code under a lock judges by pointers alone. Where it meets a key it has not seen it gives up with a
//! [`Stranger`]; the lock is left, the user's `Eq` is asked, and the work is done again with that answer known.

use crate::sync::Arc;

pub(crate) struct Known<K> {
    me: Arc<K>,
    same: Vec<Arc<K>>,
    others: Vec<Arc<K>>,
}

/// A key of the same hash that has not been compared yet.
#[derive(Debug)]
pub(crate) struct Stranger<K>(Arc<K>);

impl<K> Known<K> {
    pub(crate) fn new(me: Arc<K>) -> Self {
        Self { me, same: Vec::new(), others: Vec::new() }
    }

    pub(crate) fn me(&self) -> &Arc<K> {
        &self.me
    }

    /// Whether `key` is the same key, as far as is known. Runs no user code.
    pub(crate) fn judge(&self, key: &Arc<K>) -> Result<bool, Stranger<K>> {
        let is = |known: &Arc<K>| Arc::ptr_eq(known, key);
        if is(&self.me) || self.same.iter().any(is) {
            Ok(true)
        } else if self.others.iter().any(is) {
            Ok(false)
        } else {
            Err(Stranger(Arc::clone(key)))
        }
    }

    /// Compares a stranger. Runs the user's `Eq`: never under a lock.
    pub(crate) fn meet(&mut self, stranger: Stranger<K>, equal: impl FnOnce(&K, &K) -> bool) {
        let Stranger(key) = stranger;
        if equal(&self.me, &key) {
            self.same.push(key);
        } else {
            self.others.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_met_once_and_then_known() {
        let mut known = Known::new(Arc::new(1));
        let (same, other) = (Arc::new(1), Arc::new(2));
        assert!(known.judge(&Arc::clone(known.me())).unwrap());
        for (key, expected) in [(&same, true), (&other, false)] {
            let stranger = known.judge(key).unwrap_err();
            known.meet(stranger, |a, b| a == b);
            assert_eq!(known.judge(key).unwrap(), expected);
        }
    }
}
