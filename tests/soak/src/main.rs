//! A mixed load with faults, on several runtimes and the real clock, for a minute or for as many seconds as its
//! argument says. It ends with 1 at the first violation.
//!
//! Callers come and go, on runtimes that last, on runtimes that are dropped in mid-fetch, and outside of any. Keys are
//! written while they are fetched. Bodies are slow, hang, fail and panic. There are more keys than room, and keys of
//! one hash. Each answer is checked: it was made for its key, is not too old, and was not removed before the call
//! began. No caller waits too long, and the process grows by no more than 32 MiB once it is warm. At the end nothing
//! runs, counters add up, and every key can be fetched.

use std::panic;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use cacheback::Stats;
use tokio::time::timeout;

mod load;
mod origin;
mod subject;
mod watch;
use origin::SCRIPTED;
use subject::{DROPPED, How, Subject, message};
use watch::{Waiters, resident, violation};

const PROGRESS: Duration = Duration::from_secs(5);
/// How long the last calls and bodies may take. Bodies hang for 2 s; the rest is for a busy machine.
const ENDING: Duration = Duration::from_secs(30);
/// The process may grow by so many MiB once it is warm: a tenth of the size of a minute's values.
const GROWTH: u64 = 32;
/// There may be so many entries more while others are put in.
const PUT_IN: u64 = 32;

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).map_or(Ok(60), |seconds| seconds.parse());
    let Ok(seconds) = seconds else {
        eprintln!("usage: cacheback-soak [seconds]");
        return ExitCode::from(2);
    };
    quiet_scripted_panics();
    // Few places for refreshes, so that some are refused.
    let configured = cacheback::configure().max_refreshes(8).max_waiting(8).apply();
    configured.unwrap_or_else(|error| violation(&error.to_string()));
    let subjects = subject::subjects();
    let waiters = Waiters::default();
    let workers = load::start(&subjects, &waiters);
    let warm_up = Duration::from_secs(seconds) / 4;
    let (began, mut told, mut warm) = (Instant::now(), Instant::now(), None);
    while began.elapsed() < Duration::from_secs(seconds) {
        thread::sleep(Duration::from_millis(100));
        waiters.check();
        subjects.iter().for_each(|subject| check_bound(subject, PUT_IN));
        if began.elapsed() > warm_up {
            check_memory(&mut warm);
        }
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            progress(began.elapsed(), &subjects, workers.load().dropped.load(Ordering::Relaxed));
        }
    }
    if !workers.end(ENDING) {
        violation("a worker does not end");
    }
    load::runtime(false).block_on(check_the_end(&subjects));
    check_memory(&mut warm);
    for subject in &subjects {
        println!("{}: {:?}", subject.name, subject.stats());
    }
    println!("{seconds} s, and nothing was wrong");
    ExitCode::SUCCESS
}

/// Nothing runs, counters add up, the bound holds, and no key is stuck.
async fn check_the_end(subjects: &[Arc<Subject>]) {
    for subject in subjects {
        subject.origin.calm();
        let deadline = Instant::now() + ENDING;
        // Runtimes that were shut down in the background drop their tasks a little later.
        while subject.stats().in_flight > 0 || subject.origin.running.load(Ordering::SeqCst) > 0 {
            if Instant::now() > deadline {
                violation(&format!("{}: a fetch has no end: {:?}", subject.name, subject.stats()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        check_counters(subject);
        for key in 0..subject.keys() {
            let fetched = subject.origin.began.load(Ordering::Relaxed);
            if timeout(ENDING, subject.call(key, How::Refresh)).await.is_err() {
                violation(&format!("{}: key {key} is stuck", subject.name));
            }
            if subject.origin.began.load(Ordering::Relaxed) == fetched {
                violation(&format!("{}: key {key} is not fetched any more", subject.name));
            }
        }
        if timeout(ENDING, cacheback::settle()).await.is_err() {
            violation("`settle` hangs");
        }
        check_bound(subject, 0);
        if subject.stats().entries == 0 || subject.stats().in_flight > 0 {
            violation(&format!("{}: every key was fetched: {:?}", subject.name, subject.stats()));
        }
    }
}

fn check_bound(subject: &Subject, more: u64) {
    let Subject { name, capacity, .. } = subject;
    let entries = subject.stats().entries;
    if entries > capacity + more {
        violation(&format!("{name}: {entries} entries, and the capacity is {capacity}"));
    }
}

fn check_counters(subject: &Subject) {
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
    let (stats, origin) = (subject.stats(), &subject.origin);
    let same = |what: &str, counted: u64, seen: u64| {
        if counted != seen {
            violation(&format!(
                "{}: {counted} {what} were counted, and {seen} seen: {stats:?}",
                subject.name
            ));
        }
    };
    same("calls", stats.calls(), read(&subject.answered));
    same("errors", stats.errors, read(&origin.errors));
    same("panics", stats.panics, read(&origin.panics));
    let Stats { fetches, errors, panics, timeouts, .. } = stats;
    // A fetch is counted just before its task is spawned. If its runtime is gone, its body never runs.
    if fetches < read(&origin.began) || fetches < errors + panics + timeouts {
        violation(&format!("{}: {} bodies began: {stats:?}", subject.name, read(&origin.began)));
    }
}

fn check_memory(warm: &mut Option<u64>) {
    let Some(resident) = resident() else { return };
    let warm = *warm.get_or_insert(resident);
    if resident > warm + GROWTH {
        violation(&format!("{resident} MiB are resident, and {warm} were after the first quarter"));
    }
}

fn progress(elapsed: Duration, subjects: &[Arc<Subject>], dropped: u64) {
    let all: Vec<_> = subjects.iter().map(|subject| subject.stats()).collect();
    let sum = |of: fn(&Stats) -> u64| all.iter().map(of).sum::<u64>();
    println!(
        "{:>4} s  {:>9} calls  {:>8} fetches  {:>6} errors  {:>5} panics  {:>5} timeouts  {:>6} discarded  {:>7} evicted  \
         {:>6} refused  {dropped:>5} runtimes dropped  {:>4} MiB",
        elapsed.as_secs(),
        sum(Stats::calls),
        sum(|stats| stats.fetches),
        sum(|stats| stats.errors),
        sum(|stats| stats.panics),
        sum(|stats| stats.timeouts),
        sum(|stats| stats.discarded),
        sum(|stats| stats.evicted),
        sum(|stats| stats.refused),
        resident().unwrap_or_default(),
    );
}

/// Panics that are meant are not written out; any other is wrong.
fn quiet_scripted_panics() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let message = message(info.payload());
        if message.contains(SCRIPTED) || message.contains(DROPPED) {
            return;
        }
        loud(info);
        violation("a panic that nobody meant");
    }));
}
