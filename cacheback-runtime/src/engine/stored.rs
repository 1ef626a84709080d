//! The stored value as an answer: for `peek`, for callers who wait no longer, and for a cache without a body to run.

use std::time::Duration;

use super::{Answer, Cacheable, Engine, Peeked, SourceOf, Target};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::base::tasks;
use crate::events::{Source, Status};
use crate::rules::freshness::State;

impl<C: Cacheable> Engine<C> {
    pub(crate) fn peek(&self, target: &Target<C::OwnedKey>) -> Option<Peeked<C::Value>> {
        self.peeked(target, false)
    }

    /// The stored value. `is_confirmed`: by the second tier, just now.
    pub(super) fn peeked(
        &self,
        target: &Target<C::OwnedKey>,
        is_confirmed: bool,
    ) -> Option<Peeked<C::Value>> {
        let pin = self.store.pin();
        let node = self.store.find(target.hash, |key| C::is_same_key(key, target.key()), &pin)?;
        let now = Moment::now();
        let value = node.value(now, &self.store.windows)?.clone();
        let times = node.times(&self.store.windows);
        let age = Duration::from_nanos(times.age(now));
        let fresh = times.state(now) == State::Fresh && (is_confirmed || !self.is_suspect(node));
        Some(Peeked { value, age, fresh, source: Source::Local })
    }

    /// The stored value as the answer, of any age within the retention.
    pub(super) fn stored(&self, target: &Target<C::OwnedKey>) -> Option<Answer<C::Return>> {
        self.peek(target).map(|peeked| self.answered(Self::of_stored(peeked)))
    }

    pub(super) fn of_stored(peeked: Peeked<C::Value>) -> Answer<C::Return> {
        let Peeked { value, age, fresh, source } = peeked;
        let status = if fresh { Status::Fresh } else { Status::Stale };
        Answer { value: C::join(Ok(value)), status, age: Some(age), source }
    }

    /// The answer of a cache without a body to run: the stored value of any age within the retention, else the empty
    /// value.
    pub(super) async fn without_a_fetch(
        self: &Arc<Self>,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
    ) -> Answer<C::Return> {
        let is_fresh = self.peek(target).is_some_and(|peeked| peeked.fresh);
        if !is_fresh && !tasks::has_budget() {
            tasks::give_way().await;
        }
        if self.shared.is_some() {
            if let Some(answer) = Box::pin(self.looked_up(target, source)).await {
                return self.answered(answer);
            }
        }
        if let Some(answer) = self.stored(target) {
            return answer;
        }
        match source.empty() {
            Some(value) => self.answered(Answer::empty(value)),
            None => self.cannot_fetch(),
        }
    }

    pub(super) fn cannot_fetch(&self) -> ! {
        panic!("cacheback: cache `{}` has no fetcher: call `get_or_fetch`", self.name())
    }
}
