//! Keys under a lock: told apart by identity, compared by the user's `Eq` only outside.
//!
//! Whoever changes something about a key brings a [`Known`]: the key and what it already knows of other keys of the
//! same hash. Code under a lock judges by pointers and numbers alone. Where it meets a key it has not seen it gives up
//! with the [`Strangers`]; the lock is left, the user's `Eq` is asked, and the work is done again with that answer known.

use smallvec::SmallVec;

use crate::base::sync::Arc;

/// A key, and what is known of others: which are the same. Nearly always there is one of each.
pub(crate) struct Known<K: ?Sized> {
    me: Arc<K>,
    /// In the order of their addresses: with a poor `Hash` there may be many.
    keys: SmallVec<[(Arc<K>, bool); 1]>,
    /// In the order of their numbers, for the same reason.
    nodes: SmallVec<[(u64, bool); 1]>,
}

/// Where a key is met.
#[derive(Debug)]
pub(crate) enum Face<K: ?Sized> {
    /// At a desk.
    Key(Arc<K>),
    /// In the store, in the node of this number.
    Node(u64),
}

/// Keys of the same hash that have not been compared yet.
#[derive(Debug)]
pub(crate) struct Strangers<K: ?Sized>(SmallVec<[Face<K>; 1]>);

impl<K: ?Sized> Strangers<K> {
    /// Whose faces these are; none, where there are none. All that are met at once belong in here: with a poor `Hash`
    /// there may be many, and each time the work is done again.
    pub(crate) fn among(faces: SmallVec<[Face<K>; 1]>) -> Option<Self> {
        (!faces.is_empty()).then_some(Self(faces))
    }
}

impl<K: ?Sized> Known<K> {
    /// A key, and the number of its node where that was seen.
    pub(crate) fn new(me: Arc<K>, node: Option<u64>) -> Self {
        Self { me, keys: SmallVec::new(), nodes: node.into_iter().map(|id| (id, true)).collect() }
    }

    pub(crate) fn me(&self) -> &Arc<K> {
        &self.me
    }

    /// Whether `key` is the same key; `None` where that is not known. Runs no user code.
    pub(crate) fn judge(&self, key: &Arc<K>) -> Option<bool> {
        if Arc::ptr_eq(&self.me, key) {
            return Some(true);
        }
        let at = self.keys.binary_search_by_key(&address(key), |(known, _)| address(known)).ok()?;
        Some(self.keys[at].1)
    }

    /// Whether the node of this number has the same key; `None` where that is not known. Runs no user code.
    pub(crate) fn judge_node(&self, id: u64) -> Option<bool> {
        let at = self.nodes.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        Some(self.nodes[at].1)
    }

    /// Compares strangers; `None` where one is gone by now. Runs the user's `Eq`: never under a lock.
    pub(crate) fn meet(&mut self, strangers: Strangers<K>, compare: impl Fn(&K, &Face<K>) -> Option<bool>) {
        for face in strangers.0 {
            let Some(same) = compare(&self.me, &face) else { continue };
            match face {
                Face::Key(key) => self.keys.push((key, same)),
                Face::Node(id) => self.nodes.push((id, same)),
            }
        }
        self.keys.sort_unstable_by_key(|(key, _)| address(key));
        self.nodes.sort_unstable();
    }
}

fn address<K: ?Sized>(key: &Arc<K>) -> *const () {
    Arc::as_ptr(key).cast()
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    #[test]
    fn a_stranger_is_met_once_and_then_known() {
        let mut known = Known::new(Arc::new(1), Some(7));
        assert_eq!(known.judge(&Arc::clone(known.me())), Some(true));
        assert_eq!(known.judge_node(7), Some(true));
        let compare = |me: &i32, face: &Face<i32>| match face {
            Face::Key(key) => Some(*me == **key),
            Face::Node(id) => (*id < 10).then_some(*id == 8),
        };
        let (same, other) = (Arc::new(1), Arc::new(2));
        for (key, expected) in [(&same, true), (&other, false)] {
            assert_eq!(known.judge(key), None);
            let stranger = Strangers::among(smallvec![Face::Key(Arc::clone(key))]).unwrap();
            known.meet(stranger, compare);
            assert_eq!(known.judge(key), Some(expected));
        }
        assert_eq!([&same, &other].map(|key| known.judge(key)), [Some(true), Some(false)]);
        assert_eq!([8, 9, 10].map(|id| known.judge_node(id)), [None; 3]);
        let nodes = [9, 3, 10, 8].map(Face::Node).into_iter().collect();
        known.meet(Strangers::among(nodes).unwrap(), compare);
        assert_eq!([3, 7, 8, 9].map(|id| known.judge_node(id) == Some(true)), [false, true, true, false]);
        assert_eq!([3, 9].map(|id| known.judge_node(id)), [Some(false); 2]);
        assert_eq!(known.judge_node(10), None, "of one that is gone nothing is learnt");
    }
}
