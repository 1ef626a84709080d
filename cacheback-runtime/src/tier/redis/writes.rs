//! The order of the writes of this process.
//!
//! A write that has to be sent once more, because a server was late or has sent it away, must not overtake a later one of
//! the same key. So each write takes a turn, and is sent again only while its turn is the last one. Keys share turns in
//! groups: then a write may be given up that nothing would have overtaken.

use crate::base::sync::Arc;
use crate::base::sync::plain::{Mutex, lock};
use crate::tier::WireKey;

const GROUPS: usize = 256;

/// The turns of all keys.
pub(super) struct Writes(Box<[Arc<Mutex<u64>>]>);

/// The turn of a write.
#[derive(Clone)]
pub(super) struct Turn {
    group: Arc<Mutex<u64>>,
    number: u64,
}

impl Writes {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(Arc::default).take(GROUPS).collect())
    }

    /// The next turn of a key, in which something is sent. Runs no user code.
    pub(super) fn next<T>(&self, key: &WireKey, send: impl FnOnce(Turn) -> T) -> T {
        let group = &self.0[usize::from(key.hash[0])];
        let mut last = lock(group);
        *last += 1;
        send(Turn { group: Arc::clone(group), number: *last })
    }
}

impl Turn {
    /// Sends something once more, unless there was a later turn. Runs no user code.
    pub(super) fn again<T>(&self, send: impl FnOnce() -> T) -> Option<T> {
        let last = lock(&self.group);
        (*last == self.number).then(send)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::Scope;

    fn key(hash: u8) -> WireKey {
        let scope = Arc::new(Scope { name: "f".into(), instance: None });
        WireKey { scope, hash: [hash; 16], fingerprint: 0, args: [].into() }
    }

    #[test]
    fn a_write_is_not_sent_again_after_a_later_one() {
        let writes = Writes::new();
        let next = |hash| writes.next(&key(hash), |turn| turn);
        let first = next(1);
        assert_eq!(first.again(|| 1), Some(1));
        let other = next(2);
        assert_eq!(first.again(|| 2), Some(2), "another key");
        let second = next(1);
        assert_eq!(first.again(|| 3), None);
        assert_eq!((second.again(|| 4), other.again(|| 5)), (Some(4), Some(5)));
    }
}
