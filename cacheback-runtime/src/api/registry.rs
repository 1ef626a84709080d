//! The list of all caches of the process, for dashboards and operations.
//!
//! The list keeps no object alive: an object leaves it when it is dropped. The caches of functions are never dropped.

#[cfg(feature = "metrics")]
use std::collections::BTreeMap;
use std::sync::Weak;

use crate::base::sync::{Arc, Mutex, lock};
use crate::engine::{Bump, ErasedCache, Telling, tell};
use crate::events::Stats;
use crate::function::slot::Slot;

/// A cache without its types.
#[derive(Clone)]
pub(crate) enum AnyCache {
    Function(&'static Slot),
    Object(Arc<dyn ErasedCache>),
}

static LISTED: Mutex<Vec<Listed>> = Mutex::new(Vec::new());

enum Listed {
    /// A function that was used.
    Function(&'static Slot),
    /// An object with a name, and the isolation that it was made in.
    Object(Weak<dyn ErasedCache>, Isolation),
}

impl AnyCache {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Function(slot) => slot.name(),
            Self::Object(object) => object.name(),
        }
    }

    /// The caches that it stands for, as far as the calling runtime sees them.
    pub(crate) fn all(&self) -> Vec<Arc<dyn ErasedCache>> {
        match self {
            Self::Function(slot) => slot.all(),
            Self::Object(object) => vec![Arc::clone(object)],
        }
    }

    /// The counters of these caches, added up.
    /// Tells the second tier of a change to all of its values, which other processes may have even if this one has none.
    pub(crate) fn tell(&self, change: Bump) -> Telling {
        match self {
            Self::Function(slot) => tell(slot.name(), slot.tier()?, change),
            Self::Object(object) => Arc::clone(object).tell_all(change),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.all().iter().fold(Stats::default(), |sum, cache| sum.plus(cache.stats()))
    }
}

/// The number of an isolation (`test-util`). `None` outside of any.
pub(crate) type Isolation = Option<u64>;

fn isolation() -> Isolation {
    #[cfg(feature = "test-util")]
    return crate::executor::testing::number();
    #[cfg(not(feature = "test-util"))]
    None
}

/// Lists the caches of a function.
pub(crate) fn list_function(slot: &'static Slot) {
    lock(&LISTED).push(Listed::Function(slot));
}

/// Lists an object, until it is [delisted](delist).
pub(crate) fn list_object(object: &Arc<dyn ErasedCache>) {
    let object = Listed::Object(Arc::downgrade(object), isolation());
    lock(&LISTED).push(object);
}

/// Takes an object that is being dropped off the list. Nobody finds it there from here on, and everybody who has found
/// it holds it by now. Returns the isolation that it was made in, if it was listed.
pub(crate) fn delist(object: &Weak<dyn ErasedCache>) -> Option<Isolation> {
    let mut listed = lock(&LISTED);
    let at = listed.iter().position(|it| matches!(it, Listed::Object(other, _) if other.ptr_eq(object)))?;
    match listed.swap_remove(at) {
        Listed::Object(_, made_in) => Some(made_in),
        Listed::Function(_) => None,
    }
}

/// Keeps the counters of an object that was taken off the list. Only the feature `metrics` reads them again.
#[cfg(not(feature = "metrics"))]
pub(crate) fn retire(_: &dyn ErasedCache, _: Isolation) {}

#[cfg(feature = "metrics")]
pub(crate) fn retire(object: &dyn ErasedCache, made_in: Isolation) {
    let counted = Stats { in_flight: 0, ..object.counted() };
    let mut retired = lock(&RETIRED);
    let sum = retired.entry((made_in, object.name())).or_default();
    *sum = sum.plus(counted);
}

impl Listed {
    /// The listed cache, kept alive. `None` if it is dropped already, or belongs to another isolation.
    fn held(&self, here: Isolation) -> Option<AnyCache> {
        match self {
            Self::Function(slot) => Some(AnyCache::Function(slot)),
            Self::Object(object, made_in) if *made_in == here => object.upgrade().map(AnyCache::Object),
            Self::Object(..) => None,
        }
    }
}

/// The counters of dropped objects, by name.
#[cfg(feature = "metrics")]
static RETIRED: Mutex<BTreeMap<(Isolation, &'static str), Stats>> = Mutex::new(BTreeMap::new());

/// The counters of dropped objects, by name. Call it before [`all`]: an object that is dropped in between is missing
/// from the sum then, and not counted twice.
#[cfg(feature = "metrics")]
pub(crate) fn retired() -> BTreeMap<&'static str, Stats> {
    let here = isolation();
    let retired = lock(&RETIRED);
    let seen = retired.iter().filter(|((made_in, _), _)| *made_in == here);
    seen.map(|((_, name), stats)| (*name, *stats)).collect()
}

/// The listed caches, as far as the calling runtime sees them.
pub(crate) fn all() -> Vec<AnyCache> {
    let here = isolation();
    // Each is held under the lock, so that `Object::drop` knows of it after `delist`. They are let go outside of the
    // lock, because that may drop an object and run the user's `Drop`.
    let held: Vec<_> = lock(&LISTED).iter().filter_map(|listed| listed.held(here)).collect();
    held.into_iter().filter(|cache| !cache.all().is_empty()).collect()
}
