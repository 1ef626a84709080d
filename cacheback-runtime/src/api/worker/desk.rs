//! The desk of a worker: takes jobs from the queue of one tier, runs them, and tells the queue how they have ended.

use std::pin::pin;
use std::time::Duration;

use super::age;
use super::floor::{Floor, Place};
use crate::api::serve::Serve;
use crate::base::sync::{Arc, AtomicUsize, Ordering};
use crate::base::tasks::{Handle, first, sleep};
use crate::engine::{Order, Verdict};
use crate::events;
use crate::function::queued::Provisions;
use crate::rules::queue::{DEATHS, FAILED, Handling, PATIENCE, handling, min_idle, patience};
use crate::tier::queue::job::NoJob;
use crate::tier::queue::{Delivery, Ended, Job, Line, Queue, Room};
use crate::tier::{Acquired, LeaseFor, Release, Request, Scope, Tier, Token, WireKey};

/// The longest wait for a job.
pub(super) const TAKE: Duration = Duration::from_secs(2);
/// The same, while some function has no place for a job, and may have one again.
const TAKE_SOME: Duration = Duration::from_millis(100);
/// How often a worker shows that it lives.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// How long a worker waits after an operation that has failed, and with a job that it cannot run now.
const AGAIN: Duration = Duration::from_secs(1);

/// A function of a worker.
pub(super) struct Function {
    pub(super) serve: Arc<dyn Serve>,
    pub(super) tier: Arc<dyn Tier>,
    pub(super) line: Line,
    pub(super) scope: Arc<Scope>,
    /// The alias of the tier.
    pub(super) alias: Option<&'static str>,
}

/// The functions of one tier.
pub(super) struct Desk {
    tier: Arc<dyn Tier>,
    /// That of the tier.
    alias: Option<&'static str>,
    functions: Vec<Manned>,
    lines: Vec<Line>,
    provisions: Arc<Provisions>,
    floor: Arc<Floor>,
    worker: Arc<str>,
}

/// A function, with the number of its jobs.
struct Manned {
    serve: Arc<dyn Serve>,
    line: Line,
    scope: Arc<Scope>,
    limit: usize,
    min_idle: Duration,
    jobs: AtomicUsize,
}

impl Desk {
    /// A desk for each tier.
    pub(super) fn all(
        functions: Vec<Function>,
        provisions: &Arc<Provisions>,
        floor: &Arc<Floor>,
        worker: &Arc<str>,
    ) -> Vec<Arc<Self>> {
        let mut desks: Vec<Self> = Vec::new();
        for Function { serve, tier, line, scope, alias } in functions {
            let at = desks.iter().position(|desk| Arc::ptr_eq(&desk.tier, &tier)).unwrap_or(desks.len());
            if at == desks.len() {
                desks.push(Self {
                    tier,
                    alias,
                    functions: Vec::new(),
                    lines: Vec::new(),
                    provisions: Arc::clone(provisions),
                    floor: Arc::clone(floor),
                    worker: Arc::clone(worker),
                });
            }
            let policy = serve.policy();
            desks[at].lines.push(line.clone());
            desks[at].functions.push(Manned {
                serve,
                line,
                scope,
                limit: policy.max_refreshes.unwrap_or(usize::MAX),
                min_idle: min_idle(&policy),
                jobs: AtomicUsize::new(0),
            });
        }
        desks.into_iter().map(Arc::new).collect()
    }

    fn queue(&self) -> &dyn Queue {
        self.tier.queue().unwrap_or_else(|| unreachable!("a worker starts with a queue"))
    }

    /// Takes jobs from now on, until the floor is closed.
    pub(super) fn open(desk: &Arc<Self>, runtime: &Handle) {
        drop(runtime.spawn(beat(Arc::clone(desk))));
        drop(runtime.spawn(take(Arc::clone(desk), runtime.clone())));
    }

    /// The places for each function.
    fn rooms(&self, free: usize) -> Vec<Room> {
        let room = |function: &Manned| {
            let Manned { line, limit, min_idle, jobs, .. } = function;
            let places = limit.saturating_sub(jobs.load(Ordering::SeqCst)).min(free);
            Room { line: line.clone(), places, min_idle: *min_idle }
        };
        self.functions.iter().map(room).collect()
    }

    /// The worker takes no more jobs.
    pub(super) async fn leave(&self) {
        // If it is not told, it is forgotten when it has not been seen for a while.
        let _ = self.queue().leave(&self.worker, &self.lines).await;
    }
}

/// Shows that the worker lives, as long as it takes jobs.
async fn beat(desk: Arc<Desk>) {
    while !desk.floor.is_closed() {
        // A failure is told by the loop that takes jobs.
        let _ = desk.queue().beat(&desk.worker, &desk.lines).await;
        let _ = first(pin!(desk.floor.closed()), pin!(sleep(BEAT))).await;
    }
    desk.leave().await;
}

async fn take(desk: Arc<Desk>, runtime: Handle) {
    let _staffed = desk.floor.staffed();
    let mut is_told = false;
    loop {
        desk.floor.has_room().await;
        if desk.floor.is_closed() {
            return;
        }
        let free = desk.floor.free();
        let rooms = desk.rooms(free);
        if rooms.iter().all(|room| room.places == 0) {
            let _ = first(pin!(desk.floor.closed()), pin!(sleep(TAKE_SOME))).await;
            continue;
        }
        let wait = if rooms.iter().any(|room| room.places == 0) { TAKE_SOME } else { TAKE };
        // It is not cut short: a job that nobody takes out of the answer would wait for long.
        match desk.queue().take(&desk.worker, &rooms, free, wait).await {
            Ok(taken) => {
                is_told = false;
                for (line, delivery) in taken {
                    desk.begin(&runtime, line, delivery);
                }
            }
            Err(down) => {
                if !std::mem::replace(&mut is_told, true) {
                    events::worker_waits(&desk.worker, &down.to_string());
                }
                let _ = first(pin!(desk.floor.closed()), pin!(sleep(AGAIN))).await;
            }
        }
    }
}

impl Desk {
    /// Begins a job that was taken.
    fn begin(self: &Arc<Self>, runtime: &Handle, line: Line, delivery: Delivery) {
        let Some(at) = self.functions.iter().position(|function| function.line == line) else { return };
        let job = Job::decode(&delivery.bytes, &self.functions[at].scope, line.version);
        let handling = handling(delivery.deliveries, job.as_ref().map_or(0, |job| job.deaths));
        let desk = Arc::clone(self);
        let Some(place) = self.floor.enter(handling == Handling::Alone) else {
            // It goes back at once: if the one that runs alone ends the worker, that is not to count for this one.
            let place = self.floor.enter(false);
            drop(runtime.spawn(async move {
                let _ = desk.queue().give_back(&line, &delivery).await;
                drop(place);
            }));
            return;
        };
        let counted = Counted::new(&desk, at);
        drop(runtime.spawn(async move {
            desk.job(at, (&place, handling), &delivery, job).await;
            drop(counted);
        }));
    }

    /// Runs a job, and tells the queue how it has ended.
    async fn job(
        &self,
        at: usize,
        (place, handling): (&Place, Handling),
        delivery: &Delivery,
        job: Result<Job, NoJob>,
    ) {
        let Manned { serve, line, scope, min_idle, .. } = &self.functions[at];
        if let (2.., Handling::Alone, Ok(job)) = (delivery.deliveries, handling, &job) {
            if !self.is_needed(&job.key.without_args(scope), job).await {
                return self.end(line, delivery, Ended::Dropped).await;
            }
        }
        let queued_lease = job.as_ref().ok().map(|job| (job.key.without_args(scope), job.token));
        if handling == Handling::Buried {
            // Whoever reads the key would put the next one on the queue at once.
            self.release(queued_lease, Release::BackOff { left: PATIENCE, failures: DEATHS });
            return self.condemn(serve.name(), line, delivery).await;
        }
        let patience = pin!(sleep(patience(handling, *min_idle)));
        let running = first(pin!(place.run()), patience).await.unwrap_or_default();
        let Some(_running) = running else { return self.give_back(line, delivery, queued_lease).await };
        let work = job.map_err(|why| why.to_string());
        let work = work.and_then(|Job { key, args, token, seen, trace, enqueued, .. }| {
            let order = Order { key, token, seen, trace, cut: self.floor.cut_of_jobs() };
            let work = serve.prepare(args, &self.provisions)?;
            age::starts(self.alias, line, enqueued);
            Ok((work, order))
        });
        let verdict = match work {
            Ok((work, order)) => match work.work(order).await {
                Verdict::OtherKey => Err("its arguments make another key in this process".to_owned()),
                verdict => Ok(verdict),
            },
            Err(why) => Err(why),
        };
        let ended = match verdict {
            Ok(Verdict::Done) => Ended::Done,
            Ok(Verdict::Failed) => {
                // The lease still has the token of the job if that has failed before it took the lease over.
                self.release(queued_lease, Release::BackOff { left: FAILED, failures: 1 });
                Ended::Failed
            }
            Ok(Verdict::Unneeded | Verdict::OtherKey) => Ended::Dropped,
            Ok(Verdict::Unshared(why)) => return self.bury(line, delivery, &why).await,
            Ok(Verdict::Condemned) => return self.condemn(serve.name(), line, delivery).await,
            Ok(Verdict::Returned) => {
                self.give_back(line, delivery, queued_lease).await;
                // It would be the next again.
                let _ = first(pin!(self.floor.closed()), pin!(sleep(AGAIN))).await;
                return;
            }
            Err(why) => {
                events::job_dropped(serve.name(), &why);
                // The next reader of the key starts a refresh.
                self.release(queued_lease, Release::Free);
                return self.bury(line, delivery, &why).await;
            }
        };
        self.end(line, delivery, ended).await;
    }

    /// Takes the lease for a job that was delivered before, or finds that nobody needs it. Mostly nobody does: a reader of
    /// its key has put another one on the queue. So nothing is held up for it.
    async fn is_needed(&self, key: &WireKey, job: &Job) -> bool {
        let Job { token, seen, .. } = *job;
        let (is_awaited, purpose, job) = (false, LeaseFor::Queue, Some(token));
        match self.tier.acquire(key, Request { token, seen, ahead: None, is_awaited, purpose, job }).await {
            Ok(Acquired::Newer(_)) => {
                self.tier.release(key, token, Release::Free);
                false
            }
            Ok(Acquired::Theirs { .. }) => false,
            // Without an answer it goes on, and is given back.
            Ok(Acquired::Ours(_)) | Err(_) => true,
        }
    }

    /// A job has ended, and is forgotten.
    async fn end(&self, line: &Line, delivery: &Delivery, ended: Ended) {
        self.floor.count(ended);
        // Without an answer another worker takes it over, and finds its key changed.
        let _ = self.queue().done(line, &delivery.id, ended).await;
    }

    /// A job was not run.
    async fn give_back(&self, line: &Line, delivery: &Delivery, queued_lease: Option<(WireKey, Token)>) {
        if delivery.deliveries > 1 {
            // Its first worker may have finished it by now: then no job comes for the lease, and none is needed.
            self.release(queued_lease, Release::Free);
        }
        let _ = self.queue().give_back(line, delivery).await;
    }

    /// Ends the lease that waits for a job, if it still does.
    fn release(&self, queued_lease: Option<(WireKey, Token)>, ending: Release) {
        if let Some((key, token)) = queued_lease {
            self.tier.release(&key, token, ending);
        }
    }

    /// Gives up a job that ends its workers.
    async fn condemn(&self, function: &str, line: &Line, delivery: &Delivery) {
        events::job_buried(function);
        self.bury(line, delivery, "its key has ended three workers").await;
    }

    /// Gives up a job, and keeps it with its error.
    async fn bury(&self, line: &Line, delivery: &Delivery, why: &str) {
        self.floor.count(Ended::Dropped);
        let _ = self.queue().bury(line, delivery, why).await;
    }
}

/// Counts a job of a function, until it is dropped.
struct Counted(Arc<Desk>, usize);

impl Counted {
    fn new(desk: &Arc<Desk>, at: usize) -> Self {
        desk.functions[at].jobs.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(desk), at)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.functions[self.1].jobs.fetch_sub(1, Ordering::SeqCst);
    }
}
