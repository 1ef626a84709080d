//! `Cache`s that are dropped on the real clock: without a runtime, while others look at them, with fetches that run,
//! and on a thread that ends.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use cacheback::{Cache, CacheRef, caches, configure, settle};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

#[macro_use]
#[path = "../../support/assert_stats.rs"]
mod assert_stats;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The names of this process's threads, if the system tells.
fn threads() -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

/// One scenario after the other: a process has one list and one executor.
#[test]
fn dropped_cache_objects_are_unlisted_and_hold_nothing() {
    without_a_runtime();
    configure().max_refreshes(1).apply().expect("the executor was not used");
    let runtime = runtime();
    while_others_look(&runtime);
    with_fetches_that_run(&runtime);
    on_a_thread_that_ends(&runtime);
}

/// The cache is no longer listed, whoever holds an entry or a handle of it, and has started no thread of ours.
fn without_a_runtime() {
    let cache: Cache<u64, u64> = Cache::builder().name("dropped").build().unwrap();
    let (handle, entry) = (cache.handle(), cache.entry(&1));
    assert_eq!(caches().len(), 1);
    drop(cache);
    assert!(caches().is_empty(), "{:?}", caches());
    assert_eq!((handle.name(), handle.len()), ("dropped", 0));
    assert!(!threads().contains(&"cacheback".to_owned()), "{:?}", threads());
    drop(entry);
}

/// Handles that others have found in the list hold no value once their cache is dropped.
fn while_others_look(runtime: &Runtime) {
    let over = AtomicBool::new(false);
    let found: Vec<CacheRef> = thread::scope(|scope| {
        let looks = || {
            let mut found = Vec::new();
            while !over.load(Ordering::SeqCst) {
                found.extend(caches());
            }
            found
        };
        let looking = [scope.spawn(looks), scope.spawn(looks)];
        for _ in 0..500 {
            let cache: Cache<u64, u64> = Cache::builder().name("seen").build().unwrap();
            runtime.block_on(cache.set(&1, 1)).unwrap();
            drop(cache);
        }
        over.store(true, Ordering::SeqCst);
        looking.into_iter().flat_map(|looking| looking.join().unwrap()).collect()
    });
    assert!(found.iter().all(CacheRef::is_empty));
    assert!(caches().is_empty());
}

/// One fetch runs, one waits in the queue, and a caller waits for a third. The cache is dropped outside of any runtime.
fn with_fetches_that_run(runtime: &Runtime) {
    let (started, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let runs = Arc::new(AtomicU64::new(0));
    let fetcher = {
        let (started, open, runs) = (Arc::clone(&started), Arc::clone(&open), Arc::clone(&runs));
        move |key: u64| {
            let (started, open, runs) = (Arc::clone(&started), Arc::clone(&open), Arc::clone(&runs));
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                started.add_permits(1);
                open.acquire().await.unwrap().forget();
                key
            }
        }
    };
    let cache: Cache<u64, u64> = Cache::builder().name("fetching").fetcher(fetcher).build().unwrap();
    let waits = runtime.spawn(cache.entry(&3).refresh());
    runtime.block_on(async {
        let _ = (cache.get(&1).await, cache.get(&2).await);
        started.acquire_many(2).await.unwrap().forget();
    });
    let handle = cache.handle();
    drop(cache);
    assert!(caches().is_empty());
    open.add_permits(3);
    runtime.block_on(async {
        assert_eq!(waits.await.unwrap(), 3);
        settle().await;
    });
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_stats!(handle, skipped: 1, discarded: 2, entries: 0, in_flight: 0);
}

/// In a destructor of the thread, when tokio's own thread locals are gone. A panic there would end the process.
fn on_a_thread_that_ends(runtime: &Runtime) {
    thread_local! {
        static LAST: RefCell<Option<Cache<u64, u64>>> = const { RefCell::new(None) };
    }
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let ends = scope.spawn(move || {
            // First, and so its destructor is the last.
            LAST.with(|_| ());
            let cache: Cache<u64, u64> = Cache::builder().name("last").build().unwrap();
            runtime.block_on(cache.set(&1, 1)).unwrap();
            tell.send(cache.handle()).unwrap();
            LAST.set(Some(cache));
        });
        // Its destructors have run by then.
        ends.join().unwrap();
    });
    let handle = told.recv().unwrap();
    assert!(caches().is_empty() && handle.is_empty());
}
