//! Keys under a lock: told apart by identity, compared by the user's `Eq` only outside.
//!
//! Whoever changes something about a key brings a [`Known`]: the key and what it already knows of other keys of the
//! same hash. Code under a lock judges by pointers and numbers alone. Where it meets a key it has not seen it gives up
//! with the [`Strangers`]; the lock is left, the user's `Eq` is asked, and the work is done again with that answer known.

use smallvec::{SmallVec, smallvec};

use crate::sync::Arc;

/// Nearly always one.
type Faces<K> = SmallVec<[Face<K>; 1]>;

pub(crate) struct Known<K> {
    me: Arc<K>,
    same: Faces<K>,
    others: Faces<K>,
    /// The numbers of nodes of other keys, in order: with a poor `Hash` there may be many.
    other_nodes: Vec<u64>,
}

/// Where a key is met.
#[derive(Debug)]
pub(crate) enum Face<K> {
    /// At a desk.
    Key(Arc<K>),
    /// In the store, in the node of this number.
    Node(u64),
}

/// Keys of the same hash that have not been compared yet.
#[derive(Debug)]
pub(crate) struct Strangers<K>(Faces<K>);

impl<K> Strangers<K> {
    /// The keys of the nodes of these numbers; none, where there are none.
    pub(crate) fn among(nodes: Vec<u64>) -> Option<Self> {
        (!nodes.is_empty()).then(|| Self(nodes.into_iter().map(Face::Node).collect()))
    }
}

impl<K> Face<K> {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(one), Self::Key(other)) => Arc::ptr_eq(one, other),
            (Self::Node(one), Self::Node(other)) => one == other,
            _ => false,
        }
    }
}

impl<K> Known<K> {
    /// A key, and the number of its node where that was seen.
    pub(crate) fn new(me: Arc<K>, node: Option<u64>) -> Self {
        Self {
            me,
            same: node.into_iter().map(Face::Node).collect(),
            others: Faces::new(),
            other_nodes: Vec::new(),
        }
    }

    pub(crate) fn me(&self) -> &Arc<K> {
        &self.me
    }

    /// Whether `key` is the same key, as far as is known. Runs no user code.
    pub(crate) fn judge(&self, key: &Arc<K>) -> Result<bool, Strangers<K>> {
        if Arc::ptr_eq(&self.me, key) {
            return Ok(true);
        }
        let face = Face::Key(Arc::clone(key));
        self.judge_face(&face).ok_or_else(|| Strangers(smallvec![face]))
    }

    /// Whether the node of this number has the same key; `None` where that is not known. Runs no user code.
    pub(crate) fn judge_node(&self, id: u64) -> Option<bool> {
        self.judge_face(&Face::Node(id))
    }

    fn judge_face(&self, face: &Face<K>) -> Option<bool> {
        if self.same.iter().any(|known| known.is(face)) {
            Some(true)
        } else {
            let is_other = match face {
                Face::Key(_) => self.others.iter().any(|known| known.is(face)),
                Face::Node(id) => self.other_nodes.binary_search(id).is_ok(),
            };
            is_other.then_some(false)
        }
    }

    /// Compares strangers; `None` where one is gone by now. Runs the user's `Eq`: never under a lock.
    pub(crate) fn meet(&mut self, strangers: Strangers<K>, compare: impl Fn(&K, &Face<K>) -> Option<bool>) {
        for face in strangers.0 {
            match (compare(&self.me, &face), face) {
                (Some(true), face) => self.same.push(face),
                (Some(false), Face::Node(id)) => self.other_nodes.push(id),
                (Some(false), face) => self.others.push(face),
                (None, _) => {}
            }
        }
        self.other_nodes.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_met_once_and_then_known() {
        let mut known = Known::new(Arc::new(1), Some(7));
        assert!(known.judge(&Arc::clone(known.me())).unwrap());
        assert_eq!(known.judge_node(7), Some(true));
        let compare = |me: &i32, face: &Face<i32>| match face {
            Face::Key(key) => Some(*me == **key),
            Face::Node(id) => (*id < 10).then_some(*id == 8),
        };
        let (same, other) = (Arc::new(1), Arc::new(2));
        for (key, expected) in [(&same, true), (&other, false)] {
            let stranger = known.judge(key).unwrap_err();
            known.meet(stranger, compare);
            assert_eq!(known.judge(key).unwrap(), expected);
        }
        assert_eq!([8, 9, 10].map(|id| known.judge_node(id)), [None; 3]);
        known.meet(Strangers::among(vec![8, 9, 10]).unwrap(), compare);
        assert_eq!([8, 9].map(|id| known.judge_node(id)), [Some(true), Some(false)]);
        assert_eq!(known.judge_node(10), None, "of one that is gone nothing is learnt");
    }
}
