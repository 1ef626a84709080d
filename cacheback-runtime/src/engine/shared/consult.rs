//! Consultations: flights that look into the second tier, for callers who find nothing here.
//!
//! The callers decide again when it has landed, with the value that it has found. So a look, like a fetch, is one for
//! all who need it at the same time.

use std::time::Duration;

use tracing::Span;

use super::super::commit::{Candidate, Origin};
use super::super::fetch::{Job, Progress};
use super::super::record::Record;
use super::super::{Cacheable, FlightResult, Peeked, SourceOf};
use super::{Engine, SharedValue, Target};
use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::tasks::{BoxFuture, task};
use crate::events::{self, Source};
use crate::executor::context::Here;
use crate::flight::Purpose;
use crate::rules::freshness::State;
use crate::rules::policy::Policy;
use crate::tier::Read;

impl<C: Cacheable> Job<C> {
    /// Begins a consultation.
    pub(in crate::engine) fn begin_consultation(mut self) {
        self.progress = Progress::Asking;
        let (handle, flight) = (self.here.handle.clone(), Arc::clone(&self.flight));
        let timeout = self.engine.policy().refresh_timeout;
        flight.drive_on(&handle, timeout, Span::none(), Box::pin(consult(self)));
    }

    /// Ends a flight whose body does not run: stores the value of the tier, if there is one, and lets the waiting
    /// callers decide again.
    pub(super) fn land(&mut self, found: Option<SharedValue<C::Value>>, policy: &Policy) {
        let landed = catch(|| {
            let mut candidate = match &found {
                Some(found) => {
                    let Record { node, weight } = self.engine.shared_record(&self.target, found);
                    let started = Moment::PAST;
                    Candidate::Node { node: Some(node), weight, started, origin: Origin::Tier }
                }
                None => Candidate::Nothing,
            };
            self.commit(&mut candidate, policy, &|_, _, _| true)
        });
        match landed {
            Ok(Some(commit)) => self.publish(commit, Some(FlightResult::Consulted(found))),
            // The user's types panic: whoever waits for a fetch is to know, and not to ask again.
            Err(panic) if self.flight.purpose == Purpose::Fetch => {
                self.end_without_commit(FlightResult::Panicked(Arc::new(panic)));
            }
            Ok(None) | Err(_) => self.end_without_commit(FlightResult::Consulted(None)),
        }
    }
}

/// The task of a consultation.
async fn consult<C: Cacheable>(mut job: Job<C>) {
    job.flight.begins_in(task::id());
    let policy = job.engine.policy_of(&job.source);
    let found = job.engine.look_there(&job.here, &job.target, &policy).await;
    let counters = &job.engine.counters;
    events::count(if found.is_some() { &counters.shared_hits } else { &counters.shared_misses });
    job.land(found, &policy);
}

impl<C: Cacheable> Engine<C> {
    /// Looks at the value of the second tier, and stores nothing. `None` if there is no tier to ask, or the value is
    /// stored here.
    pub(crate) fn peek_there(
        self: &Arc<Self>,
        target: Target<C::OwnedKey>,
        source: SourceOf<C>,
    ) -> Option<BoxFuture<Option<Peeked<C::Value>>>> {
        // Before it looks for the caller's runtime, which a cache that is not shared may not have.
        self.shared.as_ref()?;
        let here = Here::find(self.name());
        if !self.can_consult(&here) || self.peek(&target).is_some() {
            return None;
        }
        let engine = Arc::clone(self);
        Some(Box::pin(async move {
            let policy = engine.policy_of(&source);
            let SharedValue { value, times, .. } = engine.look_there(&here, &target, &policy).await?;
            let now = Moment::now();
            let (age, state) = (Duration::from_nanos(times.age(now)), times.state(now));
            let fresh = state == State::Fresh;
            (state != State::Missing).then_some(Peeked { value, age, fresh, source: Source::Shared })
        }))
    }

    /// The options for the arguments of an entry. If an expression panics, they are those of the whole cache.
    fn policy_of(&self, source: &SourceOf<C>) -> Policy {
        self.varied(source).ok().flatten().map_or(*self.policy(), |varied| *varied)
    }

    /// The value of the second tier, of any age within its retention.
    pub(super) async fn look_there(
        &self,
        here: &Here,
        target: &Target<C::OwnedKey>,
        policy: &Policy,
    ) -> Option<SharedValue<C::Value>> {
        let shared = self.shared_key(here, target)?;
        let sent = Moment::now();
        match shared.tier.read(&shared.key, None).await {
            Ok(Read::Found(found)) => self.decoded(&found, sent, policy, &*shared.tier),
            Ok(Read::Missing { .. } | Read::Unchanged(_)) => None,
            Err(_) => {
                self.tier_failed();
                None
            }
        }
    }
}
