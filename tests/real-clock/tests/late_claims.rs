//! A call that is held up between its look at the clock and its claim.

use std::hash::{Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::{Status, cacheback};
use tokio::sync::Notify;

static GATE: Notify = Notify::const_new();
static RUNS: AtomicU64 = AtomicU64::new(100);
/// Runs in the next comparison of two keys.
static NEXT: Mutex<Option<fn()>> = Mutex::new(None);

/// Keys of one hash. To compare them is user code, which may take its time.
#[derive(Clone, Debug)]
struct Key(u64);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(7);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let next = NEXT.lock().unwrap().take();
        if let Some(next) = next {
            next();
        }
        self.0 == other.0
    }
}

impl Eq for Key {}

#[cacheback(lifetime = "1h")]
async fn value(key: Key) -> Option<u64> {
    if key.0 == 1 {
        GATE.notified().await;
    }
    Some(RUNS.fetch_add(1, Ordering::SeqCst))
}

/// The body runs wholly after the `set`, so its value is the newer one, though its caller came before the `set`.
#[tokio::test]
async fn rule_5_a_fetch_that_claims_its_key_after_a_set_is_newer() {
    // Another key of the hash is being fetched, so the next call compares the two before it claims its own.
    assert_eq!(value(Key(1)).await, None);
    let entry = value::entry(Key(2));
    *NEXT.lock().unwrap() = Some(|| {
        let set = async { value::entry(Key(2)).set(Some(5)).await };
        pollster::block_on(set).unwrap();
    });
    assert_eq!(entry.refresh().await, Some(100));
    assert!(NEXT.lock().unwrap().is_none(), "the two keys were compared");
    let stored = entry.lookup().await;
    assert_eq!((stored.value, stored.status), (Some(100), Status::Fresh));
    assert_eq!(value::cache().stats().discarded, 0);
    GATE.notify_waiters();
}
