//! Every cache of the process, for dashboards and operations.
//!
//! The list holds nothing alive: what is dropped drops out. A function's caches never are.

#[cfg(feature = "metrics")]
use std::collections::BTreeMap;
use std::sync::Weak;

use crate::engine::ErasedCache;
use crate::events::Stats;
use crate::slot::Slot;
use crate::sync::{Arc, Mutex, lock};

/// A cache without its types.
#[derive(Clone)]
pub(crate) enum Untyped {
    Function(&'static Slot),
    Object(Arc<dyn ErasedCache>),
}

static LISTED: Mutex<Vec<Listed>> = Mutex::new(Vec::new());

#[derive(Clone)]
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
type Isolation = Option<u64>;

fn isolation() -> Isolation {
    #[cfg(feature = "test-util")]
    return crate::testing::number();
    #[cfg(not(feature = "test-util"))]
    None
}

/// Lists the caches of a function.
pub(crate) fn list_function(slot: &'static Slot) {
    lock(&LISTED).push(Listed::Function(slot));
}

/// Lists an object for as long as it lives.
pub(crate) fn list_object(object: &Arc<dyn ErasedCache>) {
    let mut listed = lock(&LISTED);
    listed.retain(Listed::lives);
    listed.push(Listed::Object(Arc::downgrade(object), isolation()));
}

impl Listed {
    fn lives(&self) -> bool {
        match self {
            Self::Function(_) => true,
            Self::Object(object, _) => object.strong_count() > 0,
        }
    }

    /// What the calling runtime sees of it.
    fn seen(self) -> Option<Untyped> {
        match self {
            Self::Function(slot) => (!slot.all().is_empty()).then_some(Untyped::Function(slot)),
            Self::Object(object, made_in) if made_in == isolation() => object.upgrade().map(Untyped::Object),
            Self::Object(..) => None,
        }
    }
}

/// What objects had counted that were dropped, by name.
#[cfg(feature = "metrics")]
static RETIRED: Mutex<BTreeMap<(Isolation, &'static str), Stats>> = Mutex::new(BTreeMap::new());

/// A listed object is being dropped: its counts are kept.
#[cfg(feature = "metrics")]
pub(crate) fn retire(object: &Arc<dyn ErasedCache>) {
    let counted = Stats { entries: 0, in_flight: 0, ..object.stats() };
    let (mut retired, mut listed) = (lock(&RETIRED), lock(&LISTED));
    let me = Arc::downgrade(object);
    let at = listed.iter().position(|it| matches!(it, Listed::Object(other, _) if other.ptr_eq(&me)));
    if let Some(Listed::Object(_, made_in)) = at.map(|at| listed.swap_remove(at)) {
        let sum = retired.entry((made_in, object.name())).or_default();
        *sum = sum.plus(counted);
    }
}

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
    // Outside of the lock: an object may die here, and with it what the user put in.
    let listed = lock(&LISTED).clone();
    listed.into_iter().filter_map(Listed::seen).collect()
}
