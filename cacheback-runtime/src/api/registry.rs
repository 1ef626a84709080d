//! Every cache of the process, for dashboards and operations.
//!
//! The list holds nothing alive: what is dropped drops out. A function's caches never are.

#[cfg(feature = "metrics")]
use std::collections::BTreeMap;
use std::sync::Weak;

use crate::base::sync::{Arc, Mutex, lock};
use crate::engine::ErasedCache;
use crate::events::Stats;
use crate::function::slot::Slot;

/// A cache without its types.
#[derive(Clone)]
pub(crate) enum Untyped {
    Function(&'static Slot),
    Object(Arc<dyn ErasedCache>),
}

static LISTED: Mutex<Vec<Listed>> = Mutex::new(Vec::new());

enum Listed {
    /// A function that was used.
    Function(&'static Slot),
    /// An object that was named, and the isolation that it was made in.
    Object(Weak<dyn ErasedCache>, Isolation),
}

impl Untyped {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Function(slot) => slot.name(),
            Self::Object(object) => object.name(),
        }
    }

    /// Every cache that it stands for, as the calling runtime sees them.
    pub(crate) fn all(&self) -> Vec<Arc<dyn ErasedCache>> {
        match self {
            Self::Function(slot) => slot.all(),
            Self::Object(object) => vec![Arc::clone(object)],
        }
    }

    /// The counters of all of them, added up.
    pub(crate) fn stats(&self) -> Stats {
        self.all().iter().fold(Stats::default(), |sum, cache| sum.plus(cache.stats()))
    }
}

/// With `test-util`: which one; `None` where there was none.
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

/// An object is being dropped: nobody finds it in the list from here on, and whoever did so before holds it by now.
/// Where it was listed: the isolation that it was made in.
pub(crate) fn delist(object: &Weak<dyn ErasedCache>) -> Option<Isolation> {
    let mut listed = lock(&LISTED);
    let at = listed.iter().position(|it| matches!(it, Listed::Object(other, _) if other.ptr_eq(object)))?;
    match listed.swap_remove(at) {
        Listed::Object(_, made_in) => Some(made_in),
        Listed::Function(_) => None,
    }
}

/// Keeps what a delisted object has counted, where that is ever asked for.
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
    /// The same, held; `None` where it is another isolation's.
    fn held(&self, here: Isolation) -> Option<Untyped> {
        match self {
            Self::Function(slot) => Some(Untyped::Function(slot)),
            Self::Object(object, made_in) if *made_in == here => object.upgrade().map(Untyped::Object),
            Self::Object(..) => None,
        }
    }
}

/// What objects had counted that were dropped, by name.
#[cfg(feature = "metrics")]
static RETIRED: Mutex<BTreeMap<(Isolation, &'static str), Stats>> = Mutex::new(BTreeMap::new());

/// What dropped objects had counted, by name. Take it before [`all`]: what is dropped in between is missing, and not
/// counted twice.
#[cfg(feature = "metrics")]
pub(crate) fn retired() -> BTreeMap<&'static str, Stats> {
    let here = isolation();
    let retired = lock(&RETIRED);
    let seen = retired.iter().filter(|((made_in, _), _)| *made_in == here);
    seen.map(|((_, name), stats)| (*name, *stats)).collect()
}

/// All that is listed, as the calling runtime sees it.
pub(crate) fn all() -> Vec<Untyped> {
    let here = isolation();
    // Held under the lock, so that who is delisted knows of it; let go outside: an object may die of that, and with it
    // what the user put in.
    let held: Vec<_> = lock(&LISTED).iter().filter_map(|listed| listed.held(here)).collect();
    held.into_iter().filter(|cache| !cache.all().is_empty()).collect()
}
