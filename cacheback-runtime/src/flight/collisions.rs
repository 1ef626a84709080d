//! Keys of one hash: compared by identity under a lock, and by the user's `Eq` only outside it.
//!
//! A caller that changes something about a key brings [`KnownKeys`]: the key, and the results of its comparisons with
//! other keys of the same hash. Code under a lock compares pointers and numbers only. If it finds a key without a
//! result, it gives up and returns the [`Uncompared`] keys. Outside the lock these are compared by the user's `Eq`, and
//! the work is done again.

use crate::base::sync::Arc;

/// A key, and which others of its hash are the same key. Nearly always there is one other at most.
pub(crate) struct KnownKeys<K: ?Sized> {
    me: Arc<K>,
    /// The number of its own node, if that was found already.
    node: Option<u64>,
    /// By the addresses of the keys.
    keys: Known,
    /// By the numbers of the nodes.
    nodes: Known,
    /// The keys of `keys`, so that nothing else gets their addresses.
    held: Vec<Arc<K>>,
}

/// The results of comparisons, in the order of their numbers: with a poor `Hash` there may be many.
// Without the type of the key, so that no cache brings code of its own to sort them.
struct Known(Vec<(u64, bool)>);

impl Known {
    const fn nothing() -> Self {
        Self(Vec::new())
    }

    fn add(&mut self, id: u64, same: bool) {
        self.0.push((id, same));
    }

    fn get(&self, id: u64) -> Option<bool> {
        let at = self.0.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        Some(self.0[at].1)
    }

    fn sort(&mut self) {
        self.0.sort_unstable();
    }
}

/// Another key that was found under the lock.
#[derive(Debug)]
pub(crate) enum KeyRef<K: ?Sized> {
    /// A key that has claims.
    Key(Arc<K>),
    /// The key of the node of this number, in the store.
    Node(u64),
}

/// Keys of the same hash that have not been compared yet. They should be all that were found at once: with a poor `Hash`
/// there may be many, and the work is done again for each time.
#[derive(Debug)]
pub(crate) struct Uncompared<K: ?Sized>(pub(crate) Vec<KeyRef<K>>);

impl<K: ?Sized> KnownKeys<K> {
    /// A key, and the number of its node if that was found already.
    pub(crate) fn new(me: Arc<K>, node: Option<u64>) -> Self {
        Self { me, node, keys: Known::nothing(), nodes: Known::nothing(), held: Vec::new() }
    }

    pub(crate) fn me(&self) -> &Arc<K> {
        &self.me
    }

    /// Whether `key` is the same key; `None` if they have not been compared. Runs no user code.
    pub(crate) fn is_same_key(&self, key: &Arc<K>) -> Option<bool> {
        if Arc::ptr_eq(&self.me, key) {
            return Some(true);
        }
        self.keys.get(address(key))
    }

    /// Whether the node of this number has the same key; `None` if they have not been compared. Runs no user code.
    pub(crate) fn is_same_node(&self, id: u64) -> Option<bool> {
        if self.node == Some(id) { Some(true) } else { self.nodes.get(id) }
    }

    /// Compares the key with others. `compare` returns `None` for a node that is gone by now. It runs the user's `Eq`,
    /// so this must not be called under a lock.
    pub(crate) fn compare(
        &mut self,
        uncompared: Uncompared<K>,
        compare: impl Fn(&K, &KeyRef<K>) -> Option<bool>,
    ) {
        for other in uncompared.0 {
            let Some(same) = compare(&self.me, &other) else { continue };
            match other {
                KeyRef::Key(key) => {
                    self.keys.add(address(&key), same);
                    self.held.push(key);
                }
                KeyRef::Node(id) => self.nodes.add(id, same),
            }
        }
        self.keys.sort();
        self.nodes.sort();
    }
}

fn address<K: ?Sized>(key: &Arc<K>) -> u64 {
    Arc::as_ptr(key).cast::<()>().addr() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_compared_once_and_then_known() {
        let mut known = KnownKeys::new(Arc::new(1), Some(7));
        assert_eq!(known.is_same_key(&Arc::clone(known.me())), Some(true));
        assert_eq!(known.is_same_node(7), Some(true));
        let compare = |me: &i32, other: &KeyRef<i32>| match other {
            KeyRef::Key(key) => Some(*me == **key),
            KeyRef::Node(id) => (*id < 10).then_some(*id == 8),
        };
        let (same, other) = (Arc::new(1), Arc::new(2));
        for (key, expected) in [(&same, true), (&other, false)] {
            assert_eq!(known.is_same_key(key), None);
            let uncompared = Uncompared(vec![KeyRef::Key(Arc::clone(key))]);
            known.compare(uncompared, compare);
            assert_eq!(known.is_same_key(key), Some(expected));
        }
        assert_eq!([&same, &other].map(|key| known.is_same_key(key)), [Some(true), Some(false)]);
        assert_eq!([8, 9, 10].map(|id| known.is_same_node(id)), [None; 3]);
        let nodes = [9, 3, 10, 8].map(KeyRef::Node).into_iter().collect();
        known.compare(Uncompared(nodes), compare);
        assert_eq!([3, 7, 8, 9].map(|id| known.is_same_node(id) == Some(true)), [false, true, true, false]);
        assert_eq!([3, 9].map(|id| known.is_same_node(id)), [Some(false); 2]);
        assert_eq!(known.is_same_node(10), None, "a node that is gone stays unknown");
    }
}
