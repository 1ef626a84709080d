//! Probes, over a cache that hears of nothing.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::Instant;

use super::tier::{key, set};
use crate::base::sync::plain::{AtomicBool, Ordering};
use crate::base::sync::{Arc, Mutex, lock};
use crate::tier::memory::Memory;
use crate::tier::messages::{Coherence, Listeners, News, Sample};
use crate::tier::probe::{Probe, Probes, probe};
use crate::tier::{Bump, Change, Tier};

/// It serves one value.
struct Deaf {
    sample: Mutex<Sample>,
    serves: AtomicBool,
}

impl Coherence for Deaf {
    fn changed(&self, _: &News, _: bool) {}
    fn bumped(&self, _: Bump) {}
    fn untrusted(&self) {}
    fn suspects(&self) -> u64 {
        0
    }
    fn samples(&self, most: usize) -> Vec<Sample> {
        vec![lock(&self.sample).clone(); most.min(1)]
    }
    fn doubt(&self, sample: &Sample) -> bool {
        self.serves.load(Ordering::SeqCst) && sample.id == lock(&self.sample).id
    }
}

/// A tier in which a change follows that of the value which is served, and what a probe says then, within how long.
async fn seen(change: Option<Change>, serves: bool, reconnects: bool) -> (u64, u64, bool) {
    let (memory, listeners, probes) = (Memory::new(), Listeners::default(), Probes::default());
    let id = memory.write(&key(), set("a")).await.unwrap();
    let sample = Mutex::new(Sample { key: key(), id });
    let deaf = Arc::new(Deaf { sample, serves: AtomicBool::new(serves) });
    let listener: Weak<dyn Coherence> = Arc::downgrade(&deaf) as _;
    listeners.add(&key().scope, listener);
    if let Some(change) = change {
        memory.write(&key(), change).await.unwrap();
    }
    if reconnects {
        let memory = memory.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            memory.disconnect();
            memory.reconnect();
        });
    }
    let began = Instant::now();
    let Probe { probed, outdated } = probe(&memory, &listeners, &probes, 10).await;
    assert_eq!(probes.sum(), Probe { probed, outdated });
    (probed, outdated, began.elapsed() >= Duration::from_secs(4))
}

#[tokio::test(start_paused = true)]
async fn a_value_is_outdated_if_it_is_served_past_the_bound() {
    let tombstone = Duration::from_secs(600);
    for change in [set("b"), Change::Remove { tombstone }, Change::Invalidate { tombstone }] {
        let of = |serves, reconnects| seen(Some(change.clone()), serves, reconnects);
        assert_eq!(of(true, false).await, (1, 1, true), "{change:?}");
        assert_eq!(of(false, false).await, (1, 0, true), "it was heard of: {change:?}");
        assert_eq!(of(true, true).await, (1, 0, true), "the time begins anew: {change:?}");
    }
    assert_eq!(seen(None, true, false).await, (1, 0, false), "it is what is there");
}
