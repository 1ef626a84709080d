//! Advice on the options of a cache, as far as values of the second tier show that they do not fit. Each piece is given
//! once, in the log.

use std::time::Duration;

use super::{Cacheable, Engine, Shared};
use crate::base::clock::Moment;
use crate::base::sync::plain::{AtomicBool, Ordering};
use crate::events;
use crate::rules::policy::Policy;
use crate::tier::{Found, Tier, UNREADABLE};

/// The pieces that were given.
#[derive(Default)]
pub(super) struct Advice {
    lifetime: AtomicBool,
    refresh_timeout: AtomicBool,
    version: AtomicBool,
}

/// Whether this is the first time.
fn is_first(given: &AtomicBool) -> bool {
    !given.load(Ordering::Relaxed) && !given.swap(true, Ordering::Relaxed)
}

impl<C: Cacheable> Engine<C> {
    /// Looks at a value that the tier was asked for at `sent`.
    pub(super) fn advise(
        &self,
        shared: &Shared<C>,
        found: &Found,
        sent: Moment,
        policy: &Policy,
        tier: &dyn Tier,
    ) {
        let Shared { options, advice, .. } = shared;
        let is_other_shape = found.schema != UNREADABLE && found.schema != shared.schema();
        if is_other_shape && options.version == 0 && is_first(&advice.version) {
            events::shape_without_version(self.name());
        }
        if found.took > policy.refresh_timeout && is_first(&advice.refresh_timeout) {
            events::refresh_timeout_too_short(self.name(), found.took);
        }
        // One slow answer is no reason: the tier is asked for the usual time.
        let is_late = Duration::from_nanos(Moment::now().since(sent)) >= policy.lifetime;
        let is_known = advice.lifetime.load(Ordering::Relaxed);
        if is_late && !is_known && self.definition.values.lifetime_for.is_none() {
            let usual = tier.status().round_trip_p50.unwrap_or_default();
            if usual >= policy.lifetime && is_first(&advice.lifetime) {
                events::stale_on_arrival(self.name(), usual);
            }
        }
    }
}
