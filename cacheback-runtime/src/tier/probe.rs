//! Probes: whether what hits serve here is what the tier has.
//!
//! A hit asks nobody. So a probe draws some of the values that hits serve and looks at them there. One that another
//! process has changed is no fault yet: its message may be on the way, or lost, and then it takes a while until
//! everything is suspect. So it is looked at once more when the time is over within which every process is promised to
//! know of a change. If a hit still serves it as a fresh value then, it is *outdated*: from now on it is doubted.
//!
//! What the tier has lost, another process may have fetched again, which it tells nobody of: that is found as well.
//!
//! A new connection begins that time anew, and so does a process that was stopped: then nothing is counted.

use std::time::Duration;

use super::messages::{Coherence, Listeners, Sample};
use super::{Read, Tier, WriteId};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Ordering};
use crate::base::tasks::sleep;
use crate::events;

/// A change is known everywhere within this time and that of one operation, also if its message was lost. Half a second
/// of it is for threads of a busy machine.
const KNOWN: Duration = Duration::from_millis(4_500);
/// A process that has waited for so much longer than it wanted to was stopped.
const STOPPED: Duration = Duration::from_secs(1);
/// So many looks are under way at once.
const BATCH: usize = 64;

/// What a [`probe`](crate::shared::probe) has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Probe {
    /// Values that it has looked at. Those of a tier that gives no answer do not count.
    pub probed: u64,
    /// Those among them that were outdated: the tier had a later one, for longer than it takes until every process
    /// knows of a change, and they were still served as fresh. The next call looks.
    pub outdated: u64,
}

/// What the probes of a tier have found.
#[derive(Default)]
pub(super) struct Probes {
    probed: AtomicU64,
    outdated: AtomicU64,
}

impl Probes {
    pub(super) fn sum(&self) -> Probe {
        Probe { probed: self.probed.load(Ordering::Relaxed), outdated: self.outdated.load(Ordering::Relaxed) }
    }
}

type Drawn = (Arc<dyn Coherence>, Sample);

/// Looks at so many values of these caches at most.
pub(super) async fn probe(tier: &dyn Tier, caches: &Listeners, probes: &Probes, most: usize) -> Probe {
    let mut drawn: Vec<Drawn> = Vec::new();
    for cache in caches.all() {
        drawn.extend(cache.samples(most).into_iter().map(|sample| (Arc::clone(&cache), sample)));
    }
    fastrand::shuffle(&mut drawn);
    drawn.truncate(most);
    let (contact, began) = (tier.contact(), Moment::now());
    let (probed, others) = differing(tier, drawn).await;
    let mut seen = Probe { probed, outdated: 0 };
    if !others.is_empty() {
        let wait = KNOWN + tier.timeout();
        let waits = {
            let runtime = tier.runtime();
            let _entered = runtime.enter();
            sleep(wait)
        };
        waits.await;
        let (_, others) = differing(tier, others).await;
        let waited = Duration::from_nanos(Moment::now().since(began));
        if tier.contact() == contact && waited < wait + STOPPED {
            for (_, sample) in others.iter().filter(|(cache, sample)| cache.doubt(sample)) {
                seen.outdated += 1;
                events::value_outdated(&sample.key.scope.name, wait);
            }
        }
    }
    probes.probed.fetch_add(seen.probed, Ordering::Relaxed);
    probes.outdated.fetch_add(seen.outdated, Ordering::Relaxed);
    seen
}

/// How many of these values the tier has told of, and those that are not what it has.
async fn differing(tier: &dyn Tier, drawn: Vec<Drawn>) -> (u64, Vec<Drawn>) {
    let (mut answered, mut others) = (0, Vec::new());
    let mut drawn = drawn.into_iter();
    loop {
        let looks: Vec<_> = drawn
            .by_ref()
            .take(BATCH)
            .map(|drawn| (tier.look(&drawn.1.key, Some(drawn.1.id)), drawn))
            .collect();
        if looks.is_empty() {
            return (answered, others);
        }
        for (look, drawn) in looks {
            let Ok(read) = look.await else { continue };
            answered += 1;
            if is_later(&read, drawn.1.id) {
                others.push(drawn);
            }
        }
    }
}

/// Whether the tier has something later than a fresh value of this number. A value that it has lost is no older for
/// that.
fn is_later(read: &Read, id: WriteId) -> bool {
    match read {
        Read::Missing { tombstone, .. } => tombstone.is_some_and(|tombstone| tombstone.id > id),
        Read::Cleared(_) => true,
        Read::Unchanged(ages) => ages.age >= ages.lifetime,
        Read::Found(found) => found.id > id,
    }
}
