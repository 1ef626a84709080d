//! Storms of messages: what they cost a hit of a key that they do not concern.
//!
//! A thread makes hits, in slices of time with the storm and without it that take turns, and the medians of both are
//! compared. They are taken from the CPU time of the thread, so that what else the machine does is no part of them; the
//! time by the clock is shown beside it.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cacheback::Cache;
use cacheback::shared::{Redis, TierStatus, status};
use cacheback_runtime::shared::Memory;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

use crate::server::Server;

const NAME: &str = "storm";
/// Keys below are hit, and no message is about them.
const HIT: u64 = 100;
/// The others are there, and messages are about them and as many that are not.
const THERE: u64 = 10_000;
const SLICE: Duration = Duration::from_millis(250);
/// So many slices with the storm, and as many without.
const SLICES: usize = 40;
/// Hits between two looks at the clock.
const HITS: u64 = 20_000;
/// With the storm a hit may take so many times as long.
const MOST: f64 = 1.05;
/// Of the messages that are wanted so many have to come: less is another storm.
const LEAST: f64 = 0.9;
/// Messages each second, within the process and over the wire.
const WITHIN: u64 = 100_000;
const OVER: u64 = 10_000;

fn runtime(threads: usize) -> Result<Runtime, String> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

fn cache() -> Result<Cache<u64, u64>, String> {
    let cache = Cache::builder().name(NAME).shared().capacity(100_000).lifetime(Duration::from_secs(3_600));
    cache.fetcher(|key: u64| async move { key }).build().map_err(|error| error.to_string())
}

async fn fill(cache: &Cache<u64, u64>, keys: impl Iterator<Item = u64>) -> Result<(), String> {
    for key in keys {
        cache.entry(&key).set(key).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn tier() -> Result<TierStatus, String> {
    status().pop().ok_or_else(|| "there is no tier".to_owned())
}

/// The CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Nanoseconds of a hit: of CPU time, and by the clock.
type Cost = (f64, f64);

/// Hits for one slice of time.
async fn hits(cache: &Cache<u64, u64>, costs: &mut Vec<Cost>) {
    let began = Instant::now();
    while began.elapsed() < SLICE {
        let (from, since) = (cpu(), Instant::now());
        for number in 0..HITS {
            black_box(cache.get(&(number % HIT)).await);
        }
        let hits = HITS as f64;
        costs.push(((cpu() - from).as_nanos() as f64 / hits, since.elapsed().as_nanos() as f64 / hits));
    }
}

fn medians(costs: &[Cost]) -> Cost {
    let median = |of: fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
    };
    (median(|cost| cost.0), median(|cost| cost.1))
}

/// Hits in slices, with the storm switched on and off, and what came of it. `wanted`: messages each second.
async fn compare(
    what: &str,
    wanted: u64,
    cache: &Cache<u64, u64>,
    mut switch: impl FnMut(bool) -> Result<(), String>,
) -> Result<(), String> {
    let (mut quiet, mut stormy) = (Vec::new(), Vec::new());
    hits(cache, &mut Vec::new()).await;
    let losses = tier()?.losses;
    let (mut messages, mut storm) = (0, Duration::ZERO);
    for _ in 0..SLICES {
        hits(cache, &mut quiet).await;
        let (before, began) = (tier()?.messages, Instant::now());
        switch(true)?;
        hits(cache, &mut stormy).await;
        switch(false)?;
        storm += began.elapsed();
        messages += tier()?.messages - before;
        // What is still on the way.
        tokio::time::sleep(SLICE / 5).await;
    }
    let (quiet, stormy) = (medians(&quiet), medians(&stormy));
    let (ratio, by_clock) = (stormy.0 / quiet.0, stormy.1 / quiet.1);
    let rate = messages as f64 / storm.as_secs_f64();
    println!("{what}: {rate:.0} messages a second in the storm");
    println!(
        "    a hit takes {:.1} ns of CPU time without and {:.1} ns with it: {ratio:.3} times as much; {MOST} is allowed",
        quiet.0, stormy.0
    );
    println!("    by the clock {:.1} ns and {:.1} ns: {by_clock:.3}", quiet.1, stormy.1);
    let now = tier()?;
    println!(
        "    messages were {:?} old at their arrival, 99 of 100 at most {:?}; messages were lost {} times",
        now.message_age_p50, now.message_age_p99, now.losses
    );
    verdict(Storm { rate, wanted, losses: now.losses - losses, ratio })
}

/// A storm as it was, and what a hit took in it.
#[derive(Clone, Copy)]
struct Storm {
    /// Messages a second.
    rate: f64,
    wanted: u64,
    /// How often messages were lost in it.
    losses: u64,
    /// So many times as long as without it.
    ratio: f64,
}

fn verdict(Storm { rate, wanted, losses, ratio }: Storm) -> Result<(), String> {
    let has_come = rate >= LEAST * wanted as f64;
    if !has_come {
        return Err(format!(
            "of the {wanted} messages a second that were wanted {rate:.0} came: no such storm"
        ));
    }
    if losses > 0 {
        return Err(format!("messages were lost {losses} times: hits were looks as well"));
    }
    if ratio <= MOST { Ok(()) } else { Err("a storm slows hits down".to_owned()) }
}

/// Paces: calls `work` so often each second while it is switched on.
fn pace(rate: u64, is_on: &AtomicBool, is_over: &AtomicBool, mut work: impl FnMut(u64)) {
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        let (began, mut done) = (Instant::now(), 0);
        while is_on.load(Ordering::Relaxed) && !is_over.load(Ordering::Relaxed) {
            let due = began.elapsed().as_micros() as u64 * rate / 1_000_000;
            while done < due {
                work(number);
                (number, done) = (number + 1, done + 1);
            }
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Both storms.
pub(crate) fn storm() -> Result<(), String> {
    let within = within();
    let over = over();
    within.and(over)
}

/// Messages that are fed in within the process.
fn within() -> Result<(), String> {
    let memory = Memory::new();
    let encoded = |key: u64| rmp_serde::to_vec(&key).map_err(|error| error.to_string());
    let args: Vec<Vec<u8>> = (HIT..2 * THERE).map(encoded).collect::<Result<_, _>>()?;
    let (is_on, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let runtime = runtime(2)?;
    let tier = memory.clone();
    let feeder = thread::spawn({
        let (is_on, is_over) = (Arc::clone(&is_on), Arc::clone(&is_over));
        move || {
            pace(WITHIN, &is_on, &is_over, |number| {
                let at = (number as usize).wrapping_mul(7_919) % args.len();
                memory.tell(NAME, &args[at], u64::MAX / 2 + number);
            });
        }
    });
    let compared = runtime.block_on(async {
        cacheback::configure().shared(tier).apply().map_err(|error| error.to_string())?;
        let cache = cache()?;
        fill(&cache, 0..THERE).await?;
        let switch = |on| {
            is_on.store(on, Ordering::Relaxed);
            Ok(())
        };
        compare("within the process", WITHIN, &cache, switch).await
    });
    is_over.store(true, Ordering::Relaxed);
    let _ = feeder.join();
    compared
}

/// A process that takes its orders from the other end of a pipe.
struct Remote {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Remote {
    fn start(role: &str, url: &str) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(["storm", role, url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process without pipes".to_owned());
        };
        let mut remote = Self { child, orders, answers: BufReader::new(answers) };
        remote.hear()?;
        Ok(remote)
    }

    fn tell(&mut self, order: &str) -> Result<(), String> {
        writeln!(self.orders, "{order}").map_err(|error| error.to_string())?;
        self.hear()
    }

    fn hear(&mut self) -> Result<(), String> {
        let mut line = String::new();
        let heard = self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        if heard > 0 { Ok(()) } else { Err("a process has ended".to_owned()) }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Messages over the wire: one process writes, and another makes the hits.
fn over() -> Result<(), String> {
    let server = Server::start().map_err(|error| error.to_string())?;
    let url = format!("redis://127.0.0.1:{}/", server.port());
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let reader = Command::new(program).args(["storm", "reader", &url]).status();
    match reader {
        Ok(status) if status.success() => Ok(()),
        // It has said why.
        Ok(_) => Err("the storm over the wire has failed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn connect(url: &str) -> Result<(), String> {
    let tier =
        Redis::new(url).map_err(|error| error.to_string())?.prefix(NAME).timeout(Duration::from_secs(2));
    cacheback::configure().shared(tier).apply().map_err(|error| error.to_string())
}

/// The process that makes the hits.
pub(crate) fn reader(url: &str) -> Result<(), String> {
    runtime(2)?.block_on(async {
        connect(url)?;
        let cache = cache()?;
        fill(&cache, 0..THERE).await?;
        // From here on no message is missed.
        while tier()?.losses == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for key in 0..THERE {
            cache.get(&key).await;
        }
        let mut writer = Remote::start("writer", url)?;
        let switch = |on| writer.tell(if on { "on" } else { "off" });
        compare("over the wire", OVER, &cache, switch).await
    })
}

/// The process that writes.
pub(crate) fn writer(url: &str) -> Result<(), String> {
    let runtime = runtime(2)?;
    let handle = runtime.handle().clone();
    let _entered = runtime.enter();
    connect(url)?;
    let cache = cache()?;
    runtime.block_on(fill(&cache, HIT..2 * HIT))?;
    let (is_on, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let paced = Arc::clone(&is_on);
    let done = Arc::clone(&is_over);
    let pacer = thread::spawn(move || {
        pace(OVER, &paced, &done, |number| {
            let (cache, key) = (cache.clone(), HIT + number.wrapping_mul(7_919) % (THERE - HIT));
            drop(handle.spawn(async move { cache.entry(&key).set(number).await }));
        });
    });
    println!("ready");
    for order in std::io::stdin().lines().map_while(Result::ok) {
        is_on.store(order == "on", Ordering::Relaxed);
        println!("done");
    }
    is_over.store(true, Ordering::Relaxed);
    let _ = pacer.join();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_storm_proves_nothing() {
        let storm = Storm { rate: 9_900.0, wanted: 10_000, losses: 0, ratio: 1.0 };
        assert_eq!(verdict(storm), Ok(()));
        for bad in [
            Storm { rate: 0.0, ..storm },
            Storm { rate: 8_900.0, ..storm },
            Storm { rate: f64::NAN, ..storm },
            Storm { losses: 1, ..storm },
            Storm { ratio: 1.06, ..storm },
            Storm { ratio: f64::NAN, ..storm },
        ] {
            assert!(verdict(bad).is_err());
        }
    }
}
