//! Which nodes are evicted when there are too many: one policy a file, each built on moka. A policy knows the
//! [`NodeRef`]s of nodes and nothing of the user's types.
//!
//! To add a policy, write its file, and add a variant to [`Eviction`] and an arm to [`policy`].

#[cfg(not(all(test, cacheback_shuttle)))]
use moka::{notification::RemovalCause, policy::EvictionPolicy as Order, sync::Cache};

use super::index::NodeRef;
use super::limit::Limit;
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
    fn insert(&self, place: NodeRef);

    /// A node left the index.
    fn remove(&self, place: NodeRef);

    /// A node was read. Not called for every hit: see [`Store::admits`](super::Store::admits).
    fn touch(&self, place: NodeRef);

    /// Applies everything that it was told, and evicts the nodes that are over the limit.
    fn maintain(&self);

    /// How many nodes it knows of, after [maintenance](Self::maintain).
    #[cfg(test)]
    fn residents(&self) -> u64;
}

/// The policy of an index. It calls `evicted` for each node that it does not keep, and may ask whether a node
/// `is_here`, that is, in the index. Both run under locks of moka, so neither may call back.
pub(super) fn policy(
    eviction: Eviction,
    limit: Limit,
    evicted: impl Fn(NodeRef) + Send + Sync + 'static,
    is_here: impl Fn(NodeRef) -> bool + Send + Sync + 'static,
) -> Box<dyn EvictionPolicy> {
    match eviction {
        // With a single entry there is nothing to choose.
        _ if limit.units() < 2 => Box::new(Lru::new(limit, evicted)),
        Eviction::Lru => Box::new(Lru::new(limit, evicted)),
        Eviction::TinyLfu => Box::new(TinyLfu::new(limit, evicted, is_here)),
    }
}

/// The nodes that moka keeps.
type Residents = Cache<NodeRef, (), BuildAsIs>;

/// A moka cache for this many `units` of weight, which calls `evicted` for each node that it does not keep.
fn residents(
    limit: Limit,
    units: u64,
    order: Order,
    evicted: impl Fn(NodeRef) + Send + Sync + 'static,
) -> Residents {
    let builder = Cache::builder().max_capacity(units).eviction_policy(order);
    let builder = match limit {
        Limit::Entries(_) => builder,
        Limit::Bytes(_) => builder.weigher(|place: &NodeRef, ()| place.weight),
    };
    let listener = move |place: Arc<NodeRef>, (), cause| {
        // A node that was removed, in contrast, left the index first.
        if cause == RemovalCause::Size {
            evicted(*place);
        }
    };
    builder.eviction_listener(listener).build_with_hasher(BuildAsIs::default())
}
