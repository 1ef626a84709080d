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
        let tier = Memory::new();
        let mut settings = Settings::default();
        // A runtime has one executor here, for all processes. Each knows the tier by an alias of its own.
        const PROCESSES: [&str; 3] = ["one", "other", "third"];
        for alias in PROCESSES {
            settings.tiers.add(Some(alias), tier.clone().open());
        }
        stage::begin(settings);
        let versions = Arc::new(Versions::new());
        let [one, other, third] = PROCESSES.map(|alias| {
            let (key, value) = (Encoding::<(Number,)>::of(), Encoding::of());
            let shared = SharedOptions { alias: Some(alias), version: 0, instance: None, key, value };
            Stage::of(&options, Some(shared), Arc::clone(&versions))
        });
        Self { tier, one, other, versions, third, ended: Arc::default() }
    }

    /// The same, with a stale value of version 1 in the tier and in both processes.
    pub(super) fn stale(self, key: u64) -> Self {
        self.one.set(key, 1);
        let _ = self.other.get(key);
        tasks::advance(stage::LIFETIME);
        self
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

    /// Waits for all fetches and messages, and asserts the invariants of both processes. Nobody has a lease.
    pub(super) fn settle(&self) {
        // A `clear` that was heard of may be under way.
        self.hear();
        self.one.settle();
        self.other.settle();
        self.hear();
        assert_eq!(self.tier.leases(), 0, "a lease was not given back");
    }

    /// Ends a scenario: [settles](Self::settle), and asserts that these keys can be fetched again in each process.
    pub(super) fn end(self, keys: &[u64]) {
        self.settle();
        for process in [&self.one, &self.other] {
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
