//! Every cache of the process, for dashboards and operations.
//!
//! The list holds nothing alive: what is dropped drops out. A function's caches never are.

use std::sync::Weak;

use crate::engine::ErasedCache;
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

/// With `test-util`: which one; `None` where there was none.
type Isolation = Option<u64>;

fn isolation() -> Isolation {
    #[cfg(feature = "test-util")]
    return crate::testing::number();
    #[cfg(not(feature = "test-util"))]
    None
}

/// Lists the caches of a function, at their first use.
#[inline]
pub(crate) fn list_function(slot: &'static Slot) {
    if slot.is_first_use() {
        lock(&LISTED).push(Listed::Function(slot));
    }
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

/// All that is listed, as the calling runtime sees it.
pub(crate) fn all() -> Vec<Untyped> {
    // Outside of the lock: an object may die here, and with it what the user put in.
    let listed = lock(&LISTED).clone();
    listed.into_iter().filter_map(Listed::seen).collect()
}
