//! A scripted origin: a test says when each run of a body goes on and how it ends.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// The origin of a test's cached function. Its values are the numbers of the runs, from 1.
pub(crate) struct Source {
    started: watch::Sender<u64>,
    running: AtomicU64,
    peak: AtomicU64,
    gated: AtomicBool,
    failing: AtomicBool,
    released: Mutex<HashSet<u64>>,
    moved: Notify,
}

impl Source {
    /// Every run goes through at once.
    pub(crate) fn open() -> Arc<Self> {
        Arc::new(Self {
            started: watch::Sender::new(0),
            running: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            gated: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            released: Mutex::default(),
            moved: Notify::new(),
        })
    }

    /// Every run waits to be released.
    pub(crate) fn gated() -> Arc<Self> {
        let source = Self::open();
        source.gated.store(true, Ordering::SeqCst);
        source
    }

    /// One run of a body: returns its number once it may go on, or `Err` if the source fails by then.
    pub(crate) async fn run(&self) -> Result<u64, String> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(running, Ordering::SeqCst);
        let _running = Running(self);
        let mut run = 0;
        self.started.send_modify(|runs| {
            *runs += 1;
            run = *runs;
        });
        loop {
            let moved = self.moved.notified();
            if !self.gated.load(Ordering::SeqCst) || self.released.lock().unwrap().contains(&run) {
                break;
            }
            moved.await;
        }
        if self.failing.load(Ordering::SeqCst) { Err(format!("run {run} failed")) } else { Ok(run) }
    }

    /// Like [`run`](Source::run), for a body that cannot fail.
    pub(crate) async fn number(&self) -> u64 {
        self.run().await.unwrap()
    }

    /// Lets one run go on.
    pub(crate) fn release(&self, run: u64) {
        self.released.lock().unwrap().insert(run);
        self.moved.notify_waiters();
    }

    /// Lets all runs go on, also later ones.
    pub(crate) fn release_all(&self) {
        self.gated.store(false, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Says whether runs that end from now on fail.
    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// The number of runs that were started.
    pub(crate) fn runs(&self) -> u64 {
        *self.started.borrow()
    }

    /// Waits until so many runs were started. They have to start without the clock: a paused clock moves by itself when
    /// every task waits, and that would bring on time-outs that the test does not mean.
    pub(crate) async fn started(&self, runs: u64) {
        let asked = tokio::time::Instant::now();
        self.started.subscribe().wait_for(|started| *started >= runs).await.unwrap();
        assert!(
            asked.elapsed() < secs(1),
            "run {runs} was started by a time-out, {:?} later",
            asked.elapsed()
        );
    }

    /// The number of runs that go on now.
    pub(crate) fn running(&self) -> u64 {
        self.running.load(Ordering::SeqCst)
    }

    /// The most that ran at once.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::SeqCst)
    }
}

struct Running<'s>(&'s Source);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Moves the paused clock.
pub(crate) async fn advance(by: Duration) {
    tokio::time::advance(by).await;
}

/// Lets every task run that can, without moving the clock: a paused clock moves only when no task is ready.
pub(crate) async fn run_ready() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
