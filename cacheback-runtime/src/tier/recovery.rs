//! Nothing lost: a change that the tier could not be told of is delivered when it is back.
//!
//! [`Recovering`] stands between the engines and any tier, and keeps the tier's contract. A change whose answer does not
//! come fails for its caller, and waits in a [`Backlog`]. What is read of a key is read after its changes were delivered:
//! whoever wants to read delivers them, and a task delivers all others. One that is under way may come to the server after
//! what is sent later, or too late to be made: readers wait for its answer. A change that is delivered late yields to
//! what was written meanwhile ([`Late`]).
//!
//! A change that was told just before the connection was lost is delivered once more: a server that another one has taken
//! over from may have lost it.

use std::future::poll_fn;
use std::sync::Weak;
use std::task::Poll;
use std::time::Duration;

use super::late::{Delivered, Late};
use super::messages::{Coherence, Listeners};
use super::pausing::Pausing;
use super::probe::{Probe, Probes, probe};
use super::queue::Queue as Jobs;
use super::status::TierStatus;
use super::{
    Acquired, Bump, Change, Down, Lease, Packed, Payload, Read, Release, Reply, Request, Scope, Stored, Tier,
    Token, WireKey, WriteId,
};
use crate::base::clock::Moment;
use crate::base::process::{self, PerProcess};
use crate::base::sync::Arc;
use crate::base::tasks::{BoxFuture, Handle};

mod backlog;
mod parts;
mod queue;
use backlog::{Backlog, BumpFlight, Flight, Over};
use queue::{Counts, Route};

/// A question is asked so often, if the connection is another one each time.
const ASKED: usize = 3;

/// A tier that loses no change.
pub(crate) struct Recovering {
    /// The same as `pausing`.
    tier: Arc<dyn Tier>,
    pausing: Arc<Pausing>,
    /// In the place of the tier's own.
    jobs: Option<Arc<dyn Jobs>>,
    listeners: Arc<Listeners>,
    probes: Probes,
    /// A forked child begins with nothing that waits: its parent delivers that.
    backlogs: PerProcess<Arc<Backlog>>,
}

impl Recovering {
    pub(crate) fn over(tier: Arc<dyn Tier>, jobs: Option<Arc<dyn Jobs>>) -> Self {
        Self::over_pausing(Arc::new(Pausing::over(tier)), jobs)
    }

    /// The same tier with other jobs, before it is used.
    pub(super) fn with_jobs(&self, jobs: &Arc<dyn Jobs>) -> Self {
        Self::over_pausing(Arc::clone(&self.pausing), Some(Arc::clone(jobs)))
    }

    fn over_pausing(pausing: Arc<Pausing>, jobs: Option<Arc<dyn Jobs>>) -> Self {
        let (listeners, probes) = Default::default();
        let tier = Arc::clone(&pausing) as _;
        Self { tier, pausing, jobs, listeners, probes, backlogs: PerProcess::new() }
    }

    /// Does without the tier from now on. Returns whether it did not before.
    pub(super) fn pause(&self) -> bool {
        self.pausing.pause()
    }

    /// Uses the tier again. Returns whether it was paused.
    pub(super) fn resume(&self) -> bool {
        let was_paused = self.pausing.resume();
        if was_paused {
            // What was fetched meanwhile may be older than what others have changed.
            self.listeners.untrusted();
        }
        was_paused
    }

    /// Looks at so many of the values that hits serve: see [`probe`](super::probe).
    pub(crate) async fn probe(&self, most: usize) -> Probe {
        probe(self, &self.listeners, &self.probes, most).await
    }

    fn backlog(&self) -> &Arc<Backlog> {
        let begin = || Arc::new(Backlog::new(Arc::clone(&self.tier), Arc::clone(&self.listeners)));
        self.backlogs.get_or_init(process::id(), begin)
    }

    /// Asks for a key after its changes were delivered. It is sent at once if none waits. `undo` takes an answer back
    /// that is not to be used.
    fn ask<T: Send + 'static>(
        &self,
        key: &WireKey,
        send: impl Fn(&dyn Tier, &WireKey) -> Reply<T> + Send + 'static,
        undo: impl Fn(&dyn Tier, &WireKey, &T) + Send + 'static,
    ) -> Reply<T> {
        let (backlog, key) = (Arc::clone(self.backlog()), key.clone());
        // Before it is noticed: what is lost with a later one is noticed after the answer.
        let mut over = Over::now(&*backlog.tier, &key);
        let mut sent = (!backlog.is_behind()).then(|| send(&*backlog.tier, &key));
        Box::pin(async move {
            for _ in 0..ASKED {
                let reply = match sent.take() {
                    Some(reply) => reply,
                    None => {
                        over = Over::now(&*backlog.tier, &key);
                        backlog.notice_connection();
                        backlog.settle_made(&key).await?;
                        send(&*backlog.tier, &key)
                    }
                };
                let answer = reply.await?;
                if over.answered(&*backlog.tier, &key).is_some() {
                    return Ok(answer);
                }
                // A server may have answered that has taken over since, and was not told again of what was lost.
                undo(&*backlog.tier, &key, &answer);
            }
            Err(Down::Disconnected)
        })
    }

    /// Completes when nothing waits any more.
    pub(crate) fn deliver_all(&self) -> BoxFuture<()> {
        let backlog = Arc::clone(self.backlog());
        Box::pin(async move { backlog.deliver_all().await })
    }
}

impl Tier for Recovering {
    fn is_up(&self) -> bool {
        self.tier.is_up()
    }

    fn contact(&self) -> u64 {
        self.tier.contact()
    }

    fn contact_of(&self, key: &WireKey) -> Option<u64> {
        self.tier.contact_of(key)
    }

    fn moves(&self) -> u64 {
        self.tier.moves()
    }

    fn lost(&self, contact: u64) -> Option<Duration> {
        self.tier.lost(contact)
    }

    fn reconnected(&self, since: u64) -> BoxFuture<()> {
        self.tier.reconnected(since)
    }

    fn runtime(&self) -> Handle {
        self.tier.runtime()
    }

    fn timeout(&self) -> Duration {
        self.tier.timeout()
    }

    fn status(&self) -> TierStatus {
        let (pending, Counts { recovered, yielded, overflowed }) = {
            // After a lost connection, what is to be told once more is pending at once.
            self.backlog().notice_connection();
            let state = self.backlog().state();
            (state.queue.len() as u64, state.queue.counts)
        };
        let suspects = self.listeners.all().iter().map(|cache| cache.suspects()).sum();
        let Probe { probed, outdated } = self.probes.sum();
        TierStatus {
            pending,
            recovered,
            yielded,
            overflowed,
            suspects,
            probed,
            outdated,
            ..self.tier.status()
        }
    }

    fn max_value_bytes(&self) -> usize {
        self.tier.max_value_bytes()
    }

    fn max_age(&self) -> Duration {
        self.tier.max_age()
    }

    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String> {
        self.tier.pack(bytes)
    }

    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        self.ask(key, move |tier, key| tier.read(key, have), |_, _, _| {})
    }

    fn look(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        self.ask(key, move |tier, key| tier.look(key, have), |_, _, _| {})
    }

    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired> {
        let free = move |tier: &dyn Tier, key: &WireKey, acquired: &Acquired| {
            if let Acquired::Ours(lease) = acquired {
                tier.release(key, lease.token, Release::Free);
            }
        };
        self.ask(key, move |tier, key| tier.acquire(key, request), free)
    }

    fn store(&self, key: &WireKey, lease: &Lease, value: Payload) -> Reply<Stored> {
        self.tier.store(key, lease, value)
    }

    fn release(&self, key: &WireKey, token: Token, ending: Release) {
        self.tier.release(key, token, ending);
    }

    fn write(&self, key: &WireKey, change: Change) -> Reply<WriteId> {
        let (backlog, key) = (Arc::clone(self.backlog()), key.clone());
        backlog.notice_connection();
        let at = Moment::now();
        let mut state = backlog.state();
        match state.queue.write(&key, &change, at) {
            Route::Direct { turn } => {
                // Under the lock, so that no later change overtakes it.
                let over = Over::now(&*self.tier, &key);
                let reply = self.tier.write(&key, change.clone());
                backlog.flies(state);
                let mut flight = Flight { backlog, key, change: Some(change), turn, at, over };
                Box::pin(async move {
                    let answer = reply.await;
                    flight.end(answer.as_ref().ok().copied());
                    answer
                })
            }
            Route::Queued { turn, until } => {
                backlog.waits(state);
                Box::pin(async move {
                    backlog.settle(&key, until).await?;
                    // One that has yielded, or was followed by another, has none.
                    Ok(backlog.state().queue.number_of(&key, turn).unwrap_or(WriteId(0)))
                })
            }
        }
    }

    fn deliver(&self, key: &WireKey, change: Change, late: Late) -> Reply<Delivered> {
        self.tier.deliver(key, change, late)
    }

    fn confirms(&self) -> bool {
        self.tier.confirms()
    }

    fn confirm(&self, key: &WireKey) -> Reply<()> {
        self.ask(key, |tier, key| tier.confirm(key), |_, _, ()| {})
    }

    fn confirm_all(&self, scope: &Arc<Scope>) -> Reply<()> {
        let (backlog, scope) = (Arc::clone(self.backlog()), Arc::clone(scope));
        Box::pin(async move {
            // One that has waited may have been told in the place of another, which has not.
            let until = backlog.state().queue.last_turn();
            backlog.settle_all(&scope, until).await?;
            backlog.tier.confirm_all(&scope).await
        })
    }

    fn queue(&self) -> Option<&dyn Jobs> {
        self.jobs.as_deref().or_else(|| self.tier.queue())
    }

    fn listen(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>) {
        self.listeners.add(scope, Weak::clone(&listener));
        self.tier.listen(scope, listener);
    }

    fn bump(&self, scope: &Arc<Scope>, change: Bump, at: Moment) -> Reply<()> {
        let (backlog, scope) = (Arc::clone(self.backlog()), Arc::clone(scope));
        backlog.notice_connection();
        let mut state = backlog.state();
        match state.queue.bump(&scope, change, at) {
            Route::Direct { turn } => {
                let reply = self.tier.bump(&scope, change, at);
                backlog.flies(state);
                let mut flight = BumpFlight { backlog, scope, change, turn, at, has_ended: false };
                Box::pin(async move {
                    let answer = reply.await;
                    flight.end(answer.is_ok());
                    answer
                })
            }
            Route::Queued { until, .. } => {
                backlog.waits(state);
                Box::pin(async move { backlog.settle_all(&scope, until).await })
            }
        }
    }
}

/// Completes when all of them have, with their outcomes. None waits for another.
pub(crate) async fn all<T>(mut futures: Vec<BoxFuture<T>>) -> Vec<T> {
    let mut outcomes: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_over = true;
        for (future, outcome) in
            futures.iter_mut().zip(&mut outcomes).filter(|(_, outcome)| outcome.is_none())
        {
            match future.as_mut().poll(context) {
                Poll::Ready(done) => *outcome = Some(done),
                Poll::Pending => is_over = false,
            }
        }
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}

#[cfg(all(test, feature = "test-util", not(cacheback_shuttle)))]
mod tests;
