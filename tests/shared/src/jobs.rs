//! The queued functions of a process, and the worker that it may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cacheback::{Status, Worker, cacheback};
use tokio::time::sleep;

use crate::functions::{ask, cache};

/// Fresh for a second; workers refresh it.
#[cacheback(shared, queue, name = "shared::queued", lifetime = 1, refresh_timeout = 5)]
pub(crate) async fn queued(key: &str) -> Result<String, String> {
    if key.starts_with("poison") && WORKS.load(Ordering::SeqCst) {
        let _ = ask(key).await;
        std::process::abort();
    }
    ask(key).await
}

/// Fresh for ten minutes, and its bodies may take a minute.
#[cacheback(shared, queue, lifetime = 600, refresh_timeout = 60)]
pub(crate) async fn steady(key: &str) -> Result<String, String> {
    ask(key).await
}

/// No other process is to run it.
#[cacheback(shared, queue, queue_fallback = false, lifetime = 1)]
pub(crate) async fn only_there(key: &str) -> Result<String, String> {
    ask(key).await
}

/// The next version of `queued`.
#[cacheback(shared, queue, name = "shared::queued", version = 2, lifetime = 1, refresh_timeout = 5)]
pub(crate) async fn queued_anew(key: &str) -> Result<String, String> {
    ask(key).await
}

/// `queued` in a program in which its argument is of another type.
#[cacheback(shared, queue, name = "shared::queued", lifetime = 1, refresh_timeout = 5)]
pub(crate) async fn misread(key: u64) -> Result<String, String> {
    ask(&key.to_string()).await
}

/// Its worker has to provide a thing.
#[cacheback(shared, queue, lifetime = 1, skip(thing))]
pub(crate) async fn skipping(thing: &Arc<Duration>, key: &str) -> Result<String, String> {
    sleep(**thing).await;
    ask(key).await
}

/// Its bodies take 100 ms, and its values stay fresh.
#[cacheback(shared, queue, lifetime = 3_600, refresh_timeout = 5, capacity = 20_000)]
pub(crate) async fn heavy(key: &str) -> Result<String, String> {
    let answer = ask(key).await;
    sleep(Duration::from_millis(100)).await;
    answer
}

/// Its bodies take 10 ms, and each has another value.
#[cacheback(shared, queue, lifetime = "40ms")]
pub(crate) async fn timed(key: &str) -> Result<String, String> {
    sleep(Duration::from_millis(10)).await;
    Ok(format!("{key} {}", fastrand::u64(..)))
}

/// Whether this process is a worker.
static WORKS: AtomicBool = AtomicBool::new(false);

/// A worker that runs these functions.
pub(crate) fn worker(served: &str) -> Worker {
    WORKS.store(true, Ordering::SeqCst);
    let worker = cacheback::worker().shutdown_limit(Duration::from_secs(3));
    served.split(',').fold(worker, |worker, function| worker.serve(cache(function)))
}

/// Asks for so many keys, one after the other. Tells how many of them were fresh, how many were stale, and in microseconds
/// how long half of the calls, 99 of 100 and the slowest took.
pub(crate) async fn sweep(function: &str, key: &str, keys: u64) -> String {
    let (mut fresh, mut stale, mut times) = (0, 0, Vec::new());
    for number in 0..keys {
        let entry = crate::functions::entry(function, &format!("{key}{number}"));
        let called = Instant::now();
        let lookup = entry.lookup().await;
        times.push(called.elapsed());
        fresh += u64::from(lookup.status == Status::Fresh);
        stale += u64::from(lookup.status == Status::Stale);
    }
    format!("{fresh} {stale} {}", quantiles(times))
}

/// How long it takes, in microseconds, until a refreshed value is read here, from the call that has found the old one to be
/// stale: of so many times half, 99 of 100 and the longest.
pub(crate) async fn visible(key: &str, times: u64) -> String {
    let mut all = Vec::new();
    for _ in 0..times {
        // With a few milliseconds at random, so that no clock beats in time with it.
        sleep(Duration::from_micros(60_000 + fastrand::u64(..20_000))).await;
        let called = Instant::now();
        let old = timed(key).await;
        while timed(key).await == old {
            sleep(Duration::from_millis(1)).await;
        }
        all.push(called.elapsed());
    }
    quantiles(all)
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_micros();
    format!("{} {} {}", at(0.5), at(0.99), at(1.0))
}
