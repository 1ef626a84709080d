//! Which nodes are evicted when there are too many: one policy a file, each built on moka. A policy knows the
//! [`Place`]s of nodes and nothing of the user's types.
//!
//! To add a policy, write its file, and add a variant to [`Eviction`] and an arm to [`policy`].

#[cfg(not(all(test, cacheback_shuttle)))]
use moka::{notification::RemovalCause, policy::EvictionPolicy as Order, sync::Cache};

use super::limit::Limit;
use super::place::{Place, Resident};
use crate::base::hash::BuildAsIs;
#[cfg(all(test, cacheback_shuttle))]
use crate::base::shims::moka::{Cache, EvictionPolicy as Order, RemovalCause};
use crate::base::sync::Arc;
use crate::rules::policy::Eviction;

mod lru;
mod tiny_lfu;
use lru::Lru;
use tiny_lfu::TinyLfu;

/// Chooses the nodes of one index that are kept. Never called under a lock of ours: evictions happen inside.
pub(super) trait EvictionPolicy: Send + Sync {
    /// A node came into the index.
    fn insert(&self, place: Place, weight: u32);

    /// A node left the index.
    fn remove(&self, place: Place);

    /// A node was read or replaced. Not called for every hit: see [`Store::admits`](super::Store::admits).
    fn touch(&self, place: Place);

    /// Whether the place is among those that are kept.
    fn knows(&self, place: Place) -> bool;

    /// Applies everything that it was told, and evicts the nodes that are over the limit.
    fn maintain(&self);

    /// How many nodes it knows of, after [maintenance](Self::maintain).
    #[cfg(test)]
    fn residents(&self) -> u64;
}

/// The policy of an index. It calls `evicted` for each node that it does not keep, and may ask whether a node
/// `is_here`, that is, in the index. Both run under locks of moka, so neither may call back.
// Boxed, so that moka's code is compiled with the library, and not again for each cache.
pub(super) fn policy(
    eviction: Eviction,
    limit: Limit,
    evicted: Box<dyn Fn(Place) + Send + Sync>,
    is_here: Box<dyn Fn(Place) -> bool + Send + Sync>,
) -> Box<dyn EvictionPolicy> {
    match eviction {
        // With a single entry there is nothing to choose.
        _ if limit.units() < 2 => Box::new(Lru::new(limit, evicted)),
        Eviction::Lru => Box::new(Lru::new(limit, evicted)),
        Eviction::TinyLfu => Box::new(TinyLfu::new(limit, evicted, is_here)),
    }
}

/// How many generations begin while as many nodes are put in as there is room for: see [`store`](super).
///
/// LRU needs eight: hit ratios are within a tenth of a point of those with every hit told. TinyLFU is told of all misses,
/// so it must not miss the hits that compete with them. If keys are asked for in turn, and a tenth more of them than
/// there is room for, a generation of an eighth lasts longer than a turn, and costs up to eight points. One of a
/// sixteenth costs up to half a point, and one of a sixty-fourth hardly any.
pub(super) fn generations(eviction: Eviction) -> u64 {
    match eviction {
        Eviction::Lru => 8,
        Eviction::TinyLfu => 64,
    }
}

/// The places that moka keeps. Keys without values: moka keeps a value and two pointers in an allocation of their own,
/// which is of the next size if the value has any.
type Residents = Cache<Resident, (), BuildAsIs>;

/// A moka cache for this many `units` of weight, which calls `evicted` for each node that it does not keep.
fn residents(
    limit: Limit,
    units: u64,
    order: Order,
    evicted: impl Fn(Place) + Send + Sync + 'static,
) -> Residents {
    let builder = Cache::builder().max_capacity(units).eviction_policy(order);
    let builder = match limit {
        Limit::Entries(_) => builder,
        Limit::Bytes(_) => builder.weigher(|resident: &Resident, ()| resident.weight),
    };
    let listener = move |resident: Arc<Resident>, (), cause| {
        // A node that was removed, in contrast, left the index first.
        if cause == RemovalCause::Size {
            evicted(resident.place);
        }
    };
    builder.eviction_listener(listener).build_with_hasher(BuildAsIs::default())
}
