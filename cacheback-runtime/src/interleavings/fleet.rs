//! Two processes with caches of their own, and the second tier of both.

use std::time::Duration;

use shuttle::thread::{self, JoinHandle};

use super::origin::{Number, Versions};
use super::stage::{self, Stage, Stored};
use crate::base::shims::tasks;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Ordering};
use crate::engine::SharedOptions;
use crate::executor::Settings;
use crate::executor::context::scenario;
use crate::rules::policy::Policy;
use crate::tier::codec::Encoding;
use crate::tier::memory::Memory;

pub(super) struct Fleet {
    pub(super) tier: Memory,
    pub(super) one: Stage,
    pub(super) other: Stage,
    pub(super) versions: Arc<Versions>,
    /// It has nothing in memory, and sees what a third process would find.
    third: Stage,
    /// Hands its refreshes to the others, if these are workers.
    pub(super) web: Option<Stage>,
    /// How many tasks have ended.
    ended: Arc<AtomicU64>,
}

/// A process, by its number.
#[derive(Clone, Copy)]
pub(super) enum Process {
    One,
    Other,
}

impl Fleet {
    /// Processes whose callers wait on a miss. The origin has version 1.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(options: impl Fn(&mut Policy)) -> Self {
        Self::of(options, None)
    }

    /// Processes whose refreshes are put on a queue, with a third one that is no worker.
    pub(super) fn queued() -> Self {
        Self::of(|_| {}, Some("jobs"))
    }

    fn of(options: impl Fn(&mut Policy), queue: Option<&'static str>) -> Self {
        let tier = Memory::new();
        let mut settings = Settings::default();
        // A runtime has one executor here, for all processes. Each knows the tier by an alias of its own.
        const PROCESSES: [&str; 4] = ["one", "other", "third", "web"];
        let processes = &PROCESSES[..if queue.is_some() { 4 } else { 3 }];
        for alias in processes {
            settings.tiers.add(Some(alias), tier.clone().open());
        }
        stage::begin(settings);
        let versions = Arc::new(Versions::new());
        let mut stages = processes.iter().map(|alias| {
            let (key, value) = (Encoding::<(Number,)>::of(), Encoding::of());
            let shared = SharedOptions { alias: Some(alias), version: 0, instance: None, queue, key, value };
            Stage::of(&options, Some(shared), Arc::clone(&versions))
        });
        let [one, other, third] = [(); 3].map(|()| stages.next().expect("three processes"));
        let web = stages.next();
        drop(stages);
        Self { tier, one, other, versions, third, web, ended: Arc::default() }
    }

    /// The same, with a stale value of version 1 in the tier and in both processes.
    pub(super) fn stale(self, key: u64) -> Self {
        self.one.set(key, 1);
        let _ = self.other.get(key);
        let _ = self.web.as_ref().map(|web| web.get(key));
        tasks::advance(stage::LIFETIME);
        self
    }

    fn processes(&self) -> impl Iterator<Item = &Stage> {
        [&self.one, &self.other].into_iter().chain(&self.web)
    }

    /// Does `work` in a new task of a process.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        process: Process,
        work: impl FnOnce(&Stage) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let ended = Arc::clone(&self.ended);
        let process = match process {
            Process::One => &self.one,
            Process::Other => &self.other,
        };
        process.spawn(move |process| {
            let done = work(process);
            ended.fetch_add(1, Ordering::SeqCst);
            done
        })
    }

    /// Lets time pass until so many tasks have ended, for those that look after the fetch of another process.
    pub(super) fn pass_until_ended(&self, tasks: u64) {
        while self.ended.load(Ordering::SeqCst) < tasks {
            tasks::advance(Duration::from_millis(50));
            thread::yield_now();
        }
    }

    /// Lets time pass until the tier was told of all changes.
    pub(super) fn deliver(&self) {
        while scenario::executor().is_some_and(|executor| executor.undelivered() > 0) {
            tasks::advance(Duration::from_millis(50));
            thread::yield_now();
        }
        self.hear();
    }

    /// What a process finds that has nothing in memory.
    pub(super) fn there(&self, key: u64) -> Option<Stored> {
        self.third.peek_there(key)
    }

    /// Waits until every message was read.
    pub(super) fn hear(&self) {
        while self.tier.unread() > 0 {
            thread::yield_now();
        }
    }

    /// Waits for all fetches, deliveries and messages, and asserts the invariants of both processes. Nobody has a lease.
    pub(super) fn settle(&self) {
        // A `clear` that was heard of may be under way, or is still to be told.
        self.deliver();
        for process in self.processes() {
            process.settle();
        }
        self.hear();
        assert_eq!(self.tier.leases(), 0, "a lease was not given back");
    }

    /// Ends a scenario: [settles](Self::settle), and asserts that these keys can be fetched again in each process.
    pub(super) fn end(self, keys: &[u64]) {
        self.settle();
        for process in self.processes() {
            process.assert_not_stuck(keys);
            self.hear();
        }
        self.settle();
        drop(self);
        // The tier knows by a task that a process lives.
        tasks::abort_all();
        stage::end();
    }
}
