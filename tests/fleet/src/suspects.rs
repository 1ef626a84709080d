//! A connection is lost and found again, and very many values are to be looked at: what that costs calls, and the
//! server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cacheback::shared::{Redis, TierStatus, status};
use cacheback::{Cache, Status};
use tokio::task::JoinSet;

use crate::proxy::{Failure, Proxy, Which};
use crate::server::Server;

/// So many callers fill the cache, or read, at the same time.
const CALLERS: u64 = 128;
/// They read for so long.
const READING: Duration = Duration::from_secs(10);
/// The time-out of an operation, which is the default.
const TIMEOUT: Duration = Duration::from_millis(100);
/// The cut: shorter than the pause before the first try.
const CUT: Duration = Duration::from_secs(1);

fn tier() -> Result<TierStatus, String> {
    status().pop().ok_or_else(|| "there is no tier".to_owned())
}

/// What the calls of a span were answered with.
#[derive(Default)]
struct Seen {
    fresh: u64,
    stale: u64,
    other: u64,
    /// In microseconds.
    times: Vec<u32>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.fresh += other.fresh;
        self.stale += other.stale;
        self.other += other.other;
        self.times.extend(other.times);
    }

    fn quantile(&mut self, share: f64) -> Duration {
        self.times.sort_unstable();
        let at = (self.times.len() as f64 * share) as usize;
        let micros = self.times.get(at.min(self.times.len().saturating_sub(1))).copied();
        Duration::from_micros(u64::from(micros.unwrap_or_default()))
    }
}

/// Callers read keys at random for so long.
async fn read(cache: &Cache<u64, u64>, keys: u64, lasts: Duration) -> Seen {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let cache = cache.clone();
        callers.spawn(async move {
            let (began, mut seen) = (Instant::now(), Seen::default());
            while began.elapsed() < lasts {
                let called = Instant::now();
                let lookup = cache.entry(&fastrand::u64(..keys)).lookup().await;
                seen.times.push(u32::try_from(called.elapsed().as_micros()).unwrap_or(u32::MAX));
                match lookup.status {
                    Status::Fresh => seen.fresh += 1,
                    Status::Stale => seen.stale += 1,
                    _ => seen.other += 1,
                }
                tokio::task::yield_now().await;
            }
            seen
        });
    }
    let mut all = Seen::default();
    callers.join_all().await.into_iter().for_each(|seen| all.add(seen));
    all
}

/// So many values become suspect at once. No body runs, and no caller waits longer than for one look.
pub(crate) fn suspects(keys: u64) -> Result<(), String> {
    let server = Server::start().map_err(|error| error.to_string())?;
    let proxy = Proxy::start(server.port(), server.port()).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let redis = Redis::new(&proxy.url()).map_err(|error| error.to_string())?;
        let redis = redis.prefix("suspects").timeout(TIMEOUT);
        cacheback::configure().shared(redis).apply().map_err(|error| error.to_string())?;
        let bodies = Arc::new(AtomicU64::new(0));
        let ran = Arc::clone(&bodies);
        let cache = Cache::builder()
            .name("suspects")
            .shared()
            .capacity(2 * keys)
            .lifetime(Duration::from_secs(7_200));
        let cache = cache.fetcher(move |key: u64| {
            ran.fetch_add(1, Ordering::Relaxed);
            async move { key }
        });
        let cache = cache.build().map_err(|error| error.to_string())?;
        let began = Instant::now();
        fill(&cache, keys).await;
        while tier()?.losses == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("{keys} keys were set within {:.0} s", began.elapsed().as_secs_f64());
        let mut quiet = read(&cache, keys, READING).await;
        let before = tier()?;
        proxy.fail(Which::All, Failure::Cut);
        tokio::time::sleep(CUT).await;
        proxy.heal();
        while tier()?.losses == before.losses {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let counted = Instant::now();
        let after = tier()?;
        println!(
            "after a cut of 1 s {} are suspect (to count them took {:?})",
            after.suspects,
            counted.elapsed()
        );
        let ran_before = bodies.load(Ordering::Relaxed);
        let mut seen = read(&cache, keys, READING).await;
        let now = tier()?;
        let calls = |seen: &Seen| seen.fresh + seen.stale + seen.other;
        let rate = |number: u64| number as f64 / READING.as_secs_f64();
        println!("before the cut {:.0} calls a second; p99 {:?}", rate(calls(&quiet)), quiet.quantile(0.99));
        println!(
            "in the 10 s after it {:.0} calls a second: {} fresh, {} stale, {} other; {:.0} looks a second",
            rate(calls(&seen)),
            seen.fresh,
            seen.stale,
            seen.other,
            rate(now.operations - after.operations)
        );
        println!(
            "a call took {:?}, 99 of 100 at most {:?}, 999 of 1000 {:?}, the longest {:?}",
            seen.quantile(0.5),
            seen.quantile(0.99),
            seen.quantile(0.999),
            seen.quantile(1.0)
        );
        let ran = bodies.load(Ordering::Relaxed) - ran_before;
        println!(
            "{ran} bodies ran; {} are suspect still, {} time-outs",
            now.suspects,
            now.timeouts - after.timeouts
        );
        let looks = now.operations - after.operations;
        verdict(Found { keys, suspects: after.suspects, looks, fresh: seen.fresh, ran, others: seen.other })
    })
}

/// What has come of the cut.
#[derive(Clone, Copy)]
struct Found {
    keys: u64,
    /// Values that were suspect after it.
    suspects: u64,
    /// How often the server was asked.
    looks: u64,
    /// Calls that were answered by a fresh value, which was looked at before.
    fresh: u64,
    /// Bodies that ran.
    ran: u64,
    /// Calls that were answered by no value that was there.
    others: u64,
}

fn verdict(Found { keys, suspects, looks, fresh, ran, others }: Found) -> Result<(), String> {
    // The number is taken from a sample.
    if keys == 0 || suspects < keys - keys / 10 {
        return Err(format!("of {keys} values {suspects} became suspect: there was nothing to measure"));
    }
    if looks == 0 || fresh == 0 {
        return Err("none of them was looked at".to_owned());
    }
    if ran > 0 || others > 0 {
        return Err("values that were there did not answer".to_owned());
    }
    Ok(())
}

async fn fill(cache: &Cache<u64, u64>, keys: u64) {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let cache = cache.clone();
        callers.spawn(async move {
            for key in (caller..keys).step_by(CALLERS as usize) {
                // On a busy machine an answer may be late.
                while cache.entry(&key).set(key).await.is_err() {}
            }
        });
    }
    callers.join_all().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_suspects_there_is_nothing_to_measure() {
        let found = Found { keys: 1_000, suspects: 1_000, looks: 900, fresh: 5_000, ran: 0, others: 0 };
        assert_eq!(verdict(found), Ok(()));
        for bad in [
            Found { suspects: 0, ..found },
            Found { suspects: 899, ..found },
            Found { keys: 0, suspects: 0, ..found },
            Found { looks: 0, ..found },
            Found { fresh: 0, ..found },
            Found { ran: 1, ..found },
            Found { others: 1, ..found },
        ] {
            assert!(verdict(bad).is_err());
        }
    }
}
