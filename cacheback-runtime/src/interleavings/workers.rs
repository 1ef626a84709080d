//! Processes that hand their refreshes to workers: jobs that are claimed, and given back, and changed keys.

use std::panic::RefUnwindSafe;
use std::time::Duration;

use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};
use tokio::sync::oneshot;

use super::explore;
use super::fleet::{Fleet, Process::Other};
use super::origin::{Act, Number};
use super::stage::{Stage, Stored, TIMEOUT};
use crate::api::serve::{Serve, Work};
use crate::api::worker::{Served, Worked, worker};
use crate::base::shims::tasks::advance;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicBool, Ordering};
use crate::base::tasks::BoxFuture;
use crate::engine::{Order, Queued, Verdict};
use crate::executor::context::settle;
use crate::function::queued::{Missing, Provisions};
use crate::rules::policy::Policy;
use crate::tier::queue::{Queue, QueueStatus};

/// What a worker of this process serves.
struct Serving(Stage);

impl RefUnwindSafe for Serving {}

impl Serve for Serving {
    fn name(&self) -> &'static str {
        "scenario"
    }
    fn policy(&self) -> Policy {
        *self.0.engine.policy()
    }
    fn queued(&self) -> Option<Queued> {
        self.0.engine.queued()
    }
    fn missing(&self, _: &Provisions) -> Vec<Missing> {
        Vec::new()
    }
    fn prepare(&self, args: Vec<Vec<u8>>, _: &Provisions) -> Result<Box<dyn Work>, String> {
        let (Number(key),) = self.0.engine.key_of_job(&args[0])?;
        Ok(Box::new(Refresh { process: self.0.clone(), key }))
    }
}

struct Refresh {
    process: Stage,
    key: u64,
}

impl Work for Refresh {
    fn work(self: Box<Self>, order: Order) -> BoxFuture<Verdict> {
        let Self { process, key } = *self;
        process.engine.work(process.target(key), process.source(key), order)
    }
}

/// A worker that runs.
struct Working {
    stop: oneshot::Sender<()>,
    has_ended: Arc<AtomicBool>,
    task: JoinHandle<Worked>,
}

impl Working {
    /// Lets a process be a worker.
    fn begin(process: &Stage) -> Self {
        let served = Served { name: "scenario", serve: Some(Arc::new(Serving(process.clone()))) };
        let (stop, stopped) = oneshot::channel();
        let has_ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&has_ended);
        let task = thread::spawn(move || {
            let running = worker().serve(served).run(async { drop(stopped.await) });
            let worked = block_on(running).expect("it serves a queued function");
            ends.store(true, Ordering::SeqCst);
            worked
        });
        Self { stop, has_ended, task }
    }

    /// Stops it, and waits until it has ended.
    fn stop(self) -> Worked {
        let _ = self.stop.send(());
        while !self.has_ended.load(Ordering::SeqCst) {
            pass();
        }
        self.task.join().expect("a worker does not panic")
    }
}

fn pass() {
    advance(Duration::from_millis(50));
    thread::yield_now();
}

/// The only line.
fn line(fleet: &Fleet) -> QueueStatus {
    let mut lines = block_on(Queue::status(&fleet.tier)).expect("an answer");
    lines.pop().unwrap_or_default()
}

fn pass_until(fleet: &Fleet, is_so: impl Fn(&QueueStatus) -> bool) {
    while !is_so(&line(fleet)) {
        pass();
    }
}

/// A stale read, whose refresh is handed over.
fn read(fleet: &Fleet) {
    let web = fleet.web.as_ref().expect("a process that is no worker");
    assert!(matches!(web.get(1), Ok(1 | 2)));
    while web.stats().queued + web.stats().queue_fallbacks == 0 {
        pass();
    }
}

fn is_idle(line: &QueueStatus) -> bool {
    line.length + line.under_way == 0
}

/// One worker has a job for so long that it is claimed, by another worker or by the same. They end in both orders, and an
/// older value is never stored over a newer one.
fn a_job_is_abandoned(fleet: Fleet, leaves: impl FnOnce(&Fleet)) {
    let slow = Working::begin(&fleet.one);
    pass_until(&fleet, |line| line.workers == 1);
    fleet.versions.act(&[Act::Hold]);
    read(&fleet);
    fleet.versions.await_begun(1);
    fleet.versions.write(2);
    leaves(&fleet);
    advance(TIMEOUT + Duration::from_secs(15));
    let next = Working::begin(&fleet.other);
    let gate = fleet.spawn(Other, |process| process.versions.let_go());
    pass_until(&fleet, is_idle);
    gate.join().unwrap();
    let worked = [slow.stop(), next.stop()];
    // The first body has read version 1. If there was a second one, it has read version 2.
    let runs = fleet.versions.runs(1);
    let there = fleet.there(1).map(|stored| stored.version);
    assert_eq!((runs <= 2, there), (true, Some(runs)), "{worked:?}");
    assert!(worked[0].done + worked[1].done <= runs, "{worked:?}");
    let QueueStatus { done, failed, dropped, .. } = line(&fleet);
    assert_eq!(done + failed + dropped, 1, "it has ended once: {worked:?}");
    fleet.end(&[1]);
}

/// The body of one worker takes longer than its time-out.
#[test]
fn an_abandoned_job_is_claimed() {
    explore(|| a_job_is_abandoned(Fleet::queued().stale(1), |_| {}));
}

/// A process was stopped, and its lease has lapsed: when it goes on, its body ends while the next one runs.
#[test]
fn a_worker_that_was_stopped_finds_itself_out() {
    explore(|| a_job_is_abandoned(Fleet::queued().stale(1), |fleet| fleet.tier.leave_leases()));
}

/// Two workers, and one job.
#[test]
fn of_two_workers_one_runs_a_job() {
    explore(|| {
        let fleet = Fleet::queued().stale(1);
        fleet.versions.write(2);
        let workers = [&fleet.one, &fleet.other].map(Working::begin);
        pass_until(&fleet, |line| line.workers > 0);
        read(&fleet);
        pass_until(&fleet, is_idle);
        let worked = workers.map(Working::stop);
        assert_eq!((fleet.versions.runs(1), worked[0].done + worked[1].done), (1, 1), "{worked:?}");
        // The other one was not even given it, to find that it is not needed.
        let [one, other] = worked.map(|Worked { done, failed, dropped }| done + failed + dropped);
        assert_eq!(one + other, 1, "{worked:?}");
        assert_eq!(fleet.there(1), Some(Stored { version: 2, fresh: true }));
        fleet.end(&[1]);
    });
}

/// When an invalidation has returned, no job that was enqueued before it leaves a value of before as a fresh one. Nor does
/// the job of the invalidation leave its lease behind, if the value is there already when its turn comes.
#[test]
fn a_job_against_invalidate() {
    explore(|| {
        let fleet = Fleet::queued().stale(1);
        let worker = Working::begin(&fleet.one);
        pass_until(&fleet, |line| line.workers == 1);
        let writer = fleet.spawn(Other, |process| {
            process.versions.write(2);
            process.invalidate(1);
        });
        let web = fleet.web.as_ref().expect("a process that is no worker");
        assert!(matches!(web.get(1), Ok(1 | 2)));
        fleet.pass_until_ended(1);
        writer.join().unwrap();
        let holds = || {
            let stored = [fleet.there(1), fleet.one.peek(1)];
            let is_so = |stored: Stored| stored.version == 2 || !stored.fresh;
            assert!(stored.into_iter().flatten().all(is_so), "{stored:?}");
        };
        fleet.hear();
        holds();
        // What is to be handed over was, and then it was run.
        block_on(settle());
        pass_until(&fleet, is_idle);
        fleet.hear();
        holds();
        worker.stop();
        fleet.end(&[1]);
    });
}

/// A worker ends as a job comes in. It has run the job, or given it back, or was gone before: one of these, and the next
/// worker finds what is left.
#[test]
fn a_job_comes_as_its_worker_ends() {
    explore(|| {
        let fleet = Fleet::queued().stale(1);
        fleet.versions.write(2);
        let worker = Working::begin(&fleet.one);
        pass_until(&fleet, |line| line.workers == 1);
        let ending = thread::spawn(|| worker.stop());
        read(&fleet);
        let worked = ending.join().unwrap();
        let fallbacks = fleet.web.as_ref().map_or(0, |web| web.stats().queue_fallbacks);
        let left = line(&fleet);
        assert_eq!((left.under_way, left.workers), (0, 0));
        assert_eq!(worked.done + left.length + fallbacks, 1, "{worked:?} {left:?}");
        let next = Working::begin(&fleet.other);
        pass_until(&fleet, |line| is_idle(line) && line.workers == 1);
        let last = next.stop();
        // A fetch in the process of the reader, if there was no worker, may go on.
        block_on(settle());
        let (runs, there) = (fleet.versions.runs(1), fleet.there(1));
        let told = format!("{worked:?} {left:?} {last:?}, {runs} runs, {there:?}");
        assert_eq!((last.done, runs), (left.length, 1), "{told}");
        assert_eq!(there, Some(Stored { version: 2, fresh: true }), "{told}");
        fleet.end(&[1]);
    });
}
