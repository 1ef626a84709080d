//! The load: workers on runtimes that last, on runtimes that are dropped in mid-fetch, and outside of any.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::subject::{How, Subject};
use crate::watch::{Slot, Waiters};

/// Workers on runtimes that last. They share out the keys: each writes its own.
const WRITERS: u64 = 32;
/// Keys that are asked for as often as all the others together.
const HOT: u64 = 16;

pub(crate) struct Load {
    subjects: Vec<Arc<Subject>>,
    stop: AtomicBool,
    /// Runtimes that were dropped.
    pub(crate) dropped: AtomicU64,
}

/// The threads of the load.
pub(crate) struct Workers {
    load: Arc<Load>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts everybody.
pub(crate) fn start(subjects: &[Arc<Subject>], waiters: &Waiters) -> Workers {
    let load = Arc::new(Load {
        subjects: subjects.to_vec(),
        stop: AtomicBool::new(false),
        dropped: AtomicU64::new(0),
    });
    let mut threads = Vec::new();
    for (first, size) in [(0, 12), (12, 12), (24, 8)] {
        let load = Arc::clone(&load);
        let slots: Vec<_> = (0..size).map(|_| waiters.slot()).collect();
        let alone = first == 24;
        threads.push(thread::spawn(move || {
            let runtime = runtime(alone);
            runtime.block_on(async {
                let workers = (first..)
                    .zip(slots)
                    .map(|(number, slot)| tokio::spawn(writer(Arc::clone(&load), number, slot)));
                for worker in workers.collect::<Vec<_>>() {
                    // A violation ends the process; there is nothing else to fail with.
                    worker.await.unwrap();
                }
                cacheback::settle().await;
            });
        }));
    }
    for alone in [true, false] {
        let load = Arc::clone(&load);
        threads.push(thread::spawn(move || drop_runtimes(&load, alone)));
    }
    let (outside, slot) = (Arc::clone(&load), waiters.slot());
    threads.push(thread::spawn(move || {
        while !outside.is_over() {
            let (subject, key) = outside.any();
            let _waits = slot.waits();
            pollster::block_on(subject.call(key, how()));
        }
    }));
    Workers { load, threads }
}

impl Workers {
    pub(crate) fn load(&self) -> &Load {
        &self.load
    }

    /// Stops the load and waits until the last worker has ended. `false` if one does not end in this time.
    pub(crate) fn end(self, within: Duration) -> bool {
        self.load.stop.store(true, Ordering::SeqCst);
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            for thread in self.threads {
                thread.join().unwrap();
            }
            let _ = tell.send(());
        });
        told.recv_timeout(within).is_ok()
    }
}

impl Load {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A cache and a key: half of the time one of a few, so that much happens to them at once.
    fn any(&self) -> (&Arc<Subject>, u64) {
        let subject = &self.subjects[fastrand::usize(..self.subjects.len())];
        let keys = if fastrand::bool() { HOT } else { subject.keys() };
        (subject, fastrand::u64(..keys))
    }
}

pub(crate) fn runtime(alone: bool) -> Runtime {
    let mut builder = if alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn how() -> How {
    match fastrand::u8(0..10) {
        0..6 => How::Plain,
        6..8 => How::Lookup,
        _ => How::GetOrFetch,
    }
}

/// Calls any key, and writes only its own.
async fn writer(load: Arc<Load>, number: u64, slot: Slot) {
    while !load.is_over() {
        let (subject, key) = load.any();
        let own = key - key % WRITERS + number;
        let waits = slot.waits();
        match fastrand::u32(0..1_000) {
            0..100 => {
                // Most writes find a fetch that runs.
                let caller = Arc::clone(subject);
                let call = tokio::spawn(async move { caller.call(own, how()).await });
                if fastrand::bool() {
                    yield_now().await;
                }
                match fastrand::u8(0..3) {
                    0 => subject.set(own).await,
                    1 => subject.remove(own).await,
                    _ => subject.invalidate(own).await,
                }
                subject.peek(own).await;
                subject.call(own, How::Lookup).await;
                call.await.unwrap();
            }
            100 => subject.clear().await,
            101..130 => subject.peek(key).await,
            130..160 => {
                // If its body hangs, no bound is promised for a refresh.
                let _ = timeout(Duration::from_millis(500), subject.call(key, How::Refresh)).await;
            }
            160..200 => {
                let caller = Arc::clone(subject);
                let call = tokio::spawn(async move { caller.call(key, how()).await });
                if fastrand::bool() {
                    sleep(Duration::from_millis(fastrand::u64(0..3))).await;
                }
                call.abort();
            }
            200..220 => {
                drop(waits);
                sleep(Duration::from_millis(1)).await;
            }
            220..300 => yield_now().await,
            _ => subject.call(key, how()).await,
        }
    }
}

/// Runtimes that are dropped while they call and fetch.
fn drop_runtimes(load: &Arc<Load>, alone: bool) {
    while !load.is_over() {
        let runtime = runtime(alone);
        for _ in 0..6 {
            let load = Arc::clone(load);
            runtime.spawn(async move {
                loop {
                    let (subject, key) = load.any();
                    subject.call(key, if fastrand::u8(0..8) == 0 { How::Refresh } else { how() }).await;
                    yield_now().await;
                }
            });
        }
        runtime.block_on(async { sleep(Duration::from_millis(fastrand::u64(1..60))).await });
        if fastrand::bool() {
            runtime.shutdown_background();
        }
        load.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
