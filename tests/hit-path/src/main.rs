//! The gate of the hit path: counts the instructions of a hit, a fetch or a write, and compares them with `limits.txt`.
//!
//! `cargo run --release -p cacheback-hit-path-tests` runs this program again under `valgrind --tool=callgrind`, for
//! each kind of call. Of that run it counts what the calling thread does from the first of [`CALLS`] calls to the last,
//! after [`WARM`] others: not what comes before, which the seeds of the hashes change from run to run, and not the
//! housekeeper's rounds, of which there are more on a busy machine. The cost of the loop itself is measured with a plain
//! function and subtracted. It fails if a kind takes 3 % more than its limit. With `--update` it writes the measured
//! numbers as new limits.

mod fetches;
mod generic;
#[cfg(feature = "redis")]
mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use cacheback::{cacheback, settle};

const LIMITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/limits.txt");
/// A kind fails if it is over its limit by more than this share.
const TOLERANCE: f64 = 0.03;
/// The calls of a kind that are counted, and those before them.
const CALLS: u32 = 9_000;
const WARM: u32 = 1_000;
/// Kinds of a shared function, and the kinds of a local one whose limits they have.
const SHARED: [(&str, &str); 3] = [
    ("shared u64", "u64"),
    ("stale, on its way to a queue", "stale, refresh running"),
    ("stale, on a queue", "stale, in back-off"),
];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => check(false),
        ["--update"] => check(true),
        ["shared"] if cfg!(feature = "redis") => check_shared(),
        ["hit", kind] if generic::KINDS.contains(&kind) => generic::hit(kind),
        #[cfg(feature = "redis")]
        ["hit", kind] if limit_of(kind) != kind => shared::hit(kind),
        ["hit", kind] => hit(kind),
        ["fetch", kind] => fetches::run(kind),
        _ => Err("usage: cacheback-hit-path-tests [--update], or shared with the feature `redis`".into()),
    }
}

/// The measured kinds: the name of each, and the kind whose loop is like it.
const KINDS: [(&str, &str); 14] = [
    ("u64", "plain u64"),
    ("u64, refreshed 1000 times", "plain u64"),
    ("&str", "plain &str"),
    ("three arguments", "plain three arguments"),
    ("no argument", "plain u64"),
    ("stale, refresh running", "plain u64"),
    ("stale, refresh queued", "plain u64"),
    ("stale, refresh refused", "plain u64"),
    ("stale, in back-off", "plain u64"),
    ("stale, breaker open", "plain u64"),
    ("method", "plain u64"),
    ("generic, 1st of 10", "plain u64"),
    ("generic, 2nd of 10", "plain u64"),
    ("generic, 10th of 10", "plain u64"),
];

/// A shared function's hit is that of a local one, fresh or stale.
fn check_shared() -> Outcome<()> {
    let kinds = SHARED.map(|(name, _)| Kind { command: "hit", name, plain: Some("plain u64") });
    Gate::measure(&kinds)?.end()
}

/// The kind whose limit a kind has.
fn limit_of(kind: &str) -> &str {
    SHARED.into_iter().find(|(shared, _)| *shared == kind).map_or(kind, |(_, local)| local)
}

fn check(update: bool) -> Outcome<()> {
    let hits = KINDS.map(|(name, plain)| Kind { command: "hit", name, plain: Some(plain) });
    let fetches = fetches::KINDS.map(|(name, plain)| Kind { command: "fetch", name, plain });
    let gate = Gate::measure(&[&hits[..], &fetches[..]].concat())?;
    if update {
        let lines: String =
            gate.measured.iter().map(|(kind, of_call)| format!("{of_call:.0} {kind}\n")).collect();
        fs::write(LIMITS, lines)?;
        return Ok(());
    }
    gate.end()
}

/// A kind of call.
#[derive(Clone, Copy)]
struct Kind {
    command: &'static str,
    name: &'static str,
    /// The loop without the measured call.
    plain: Option<&'static str>,
}

struct Gate {
    measured: BTreeMap<&'static str, f64>,
    over: Vec<&'static str>,
}

impl Gate {
    /// Measures each kind of call, less its loop.
    fn measure(kinds: &[Kind]) -> Outcome<Self> {
        let limits = read_limits()?;
        let runs =
            kinds.iter().flat_map(|kind| [Some(kind.name), kind.plain].map(|name| (kind.command, name)));
        let runs: BTreeSet<_> = runs.filter_map(|(command, name)| Some((command, name?))).collect();
        let counted = count_all(&runs)?;
        let mut gate = Self { measured: BTreeMap::new(), over: Vec::new() };
        println!("instructions");
        for Kind { command, name, plain } in kinds {
            let of_loop = plain.map_or(0.0, |plain| counted[&(*command, plain)]);
            let of_call = counted[&(*command, *name)] - of_loop;
            let limit = limits.get(limit_of(name)).copied();
            println!("{name:>28} {of_call:7.1}   limit {:>5}   loop {of_loop:5.1}", shown(limit));
            if limit.is_none_or(|limit| of_call > limit * (1.0 + TOLERANCE)) {
                gate.over.push(name);
            }
            gate.measured.insert(name, of_call);
        }
        Ok(gate)
    }

    fn end(self) -> Outcome<()> {
        match self.over[..] {
            [] => Ok(()),
            _ => Err(format!("more than 3 % over the limit: {}", self.over.join("; ")).into()),
        }
    }
}

fn shown(limit: Option<f64>) -> String {
    limit.map_or_else(|| "none".to_owned(), |limit| format!("{limit:.0}"))
}

/// A line is a number and the kind that it limits.
fn read_limits() -> Outcome<BTreeMap<String, f64>> {
    let lines = fs::read_to_string(LIMITS)?;
    let limits = lines.lines().map(|line| {
        let (limit, kind) = line.split_once(' ').ok_or(format!("no limit in `{line}`"))?;
        Ok((kind.to_owned(), limit.parse()?))
    });
    limits.collect()
}

/// Instructions of one call in each of these runs, its loop included. Each run is the work of one core.
fn count_all<'a>(runs: &BTreeSet<(&'a str, &'a str)>) -> Outcome<BTreeMap<(&'a str, &'a str), f64>> {
    let directory = std::env::temp_dir().join(format!("cacheback-gate-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let left = Mutex::new(runs.iter().enumerate());
    let next = || left.lock().ok()?.next();
    let work = || {
        let counted = std::iter::from_fn(next).map(|(number, (command, kind))| {
            let total = count(command, kind, &directory.join(number.to_string()))?;
            Ok(((*command, *kind), total as f64 / f64::from(CALLS)))
        });
        counted.map(|one: Outcome<_>| one.map_err(|error| error.to_string())).collect::<Vec<_>>()
    };
    let cores = thread::available_parallelism()?.get();
    let counted: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("it does not panic")).collect()
    });
    fs::remove_dir_all(&directory)?;
    Ok(counted.into_iter().collect::<Result<_, _>>()?)
}

/// Instructions of the calling thread from the last but one [`dump`] to the last, which are written to files whose names
/// begin with `out`.
fn count(command: &str, kind: &str, out: &Path) -> Outcome<i64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes", "--dump-before=cacheback_hit_path_tests::dump"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args([command, kind])
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into());
    }
    // The second dump, of the first thread.
    let lines = fs::read_to_string(out.with_extension("2-01"))?;
    let total =
        lines.lines().find_map(|line| line.strip_prefix("summary: ")).ok_or("callgrind counted nothing")?;
    Ok(total.trim().parse()?)
}

/// Here callgrind writes down what was counted since the last time.
#[inline(never)]
fn dump() {
    black_box(());
}

/// The program that is counted. Each cache has one key, so that chance does not decide where it lies.
#[tokio::main(flavor = "current_thread")]
async fn hit(kind: &str) -> Outcome<()> {
    let text = format!("{:032}", 7);
    let shared = Arc::new(text.clone());
    number::entry(7).set([7; 16]).await?;
    stale::entry(7).set([7; 16]).await?;
    name::entry(&text).set(Arc::clone(&shared)).await?;
    mixed::entry(3, &text, true).set([7; 16]).await?;
    nothing::entry().set([7; 16]).await?;
    match kind {
        "u64" => repeat!(number(black_box(7))),
        "u64, refreshed 1000 times" => {
            for _ in 0..1_000 {
                refreshed::entry(7).set([7; 16]).await?;
            }
            repeat!(refreshed(black_box(7)));
        }
        "plain u64" => repeat!(plain_number(black_box(7))),
        "&str" => repeat!(name(black_box(&text))),
        "plain &str" => repeat!(plain_name(black_box(&text), &shared)),
        "three arguments" => repeat!(mixed(black_box(3), black_box(&text), black_box(true))),
        "plain three arguments" => {
            repeat!(plain_mixed(black_box(3), black_box(&text), black_box(true)));
        }
        "no argument" => repeat!(nothing()),
        "stale, refresh running" => {
            stale::entry(7).invalidate().await?;
            repeat!(stale(black_box(7)));
        }
        "stale, refresh queued" => {
            crowd(64 + 1).await;
            queued::entry(7).set(Some([7; 16])).await?;
            queued::entry(7).invalidate().await?;
            repeat!(queued(black_box(7)));
        }
        "stale, refresh refused" => {
            // A function that has none in the queue would be let in.
            for id in 0..64 + 1_024 {
                assert_eq!(refused::entry(id).lookup().await.value, None);
            }
            refused::entry(5_000).set(Some([7; 16])).await?;
            refused::entry(5_000).invalidate().await?;
            repeat!(refused(black_box(5_000)));
            assert!(refused::cache().stats().refused >= u64::from(CALLS));
        }
        "stale, in back-off" => {
            fails::entry(7).set([7; 16]).await?;
            fails::entry(7).invalidate().await?;
            settle().await;
            repeat!(fails(black_box(7)));
            assert!(fails::cache().stats().errors <= 2);
        }
        "stale, breaker open" => {
            for id in 0..20 {
                let _ = broken::entry(id).refresh().await;
            }
            broken::entry(30).set([7; 16]).await?;
            broken::entry(30).invalidate().await?;
            repeat!(broken(black_box(30)));
            assert_eq!(broken::cache().stats().breakers_open, 1);
        }
        _ => return Err(format!("no kind `{kind}`").into()),
    }
    for cache in [number::cache(), refreshed::cache(), name::cache(), mixed::cache(), nothing::cache()] {
        assert_eq!(cache.stats().fetches, 0, "each call was a hit");
    }
    assert!(stale::cache().stats().fetches <= 1);
    Ok(())
}

/// Asks for so many refreshes that never end: 64 run, 1,024 wait, and the rest is refused.
async fn crowd(refreshes: u64) {
    for id in 0..refreshes {
        assert_eq!(never(id).await, None);
    }
}

/// Calls and awaits, as a user's function does. Refreshes that were started before run first, until they wait.
macro_rules! repeat {
    ($call:expr) => {{
        tokio::task::yield_now().await;
        for call in 0..$crate::WARM + $crate::CALLS {
            if call == $crate::WARM {
                $crate::dump();
            }
            let _ = black_box($call.await);
        }
        $crate::dump();
    }};
}
pub(crate) use repeat;

#[cacheback(lifetime = "1h", capacity = 200_000)]
async fn number(id: u64) -> [u8; 16] {
    plain_number(id).await
}

#[cacheback(lifetime = "1h", capacity = 200_000)]
async fn refreshed(id: u64) -> [u8; 16] {
    plain_number(id).await
}

#[cacheback(lifetime = "1h", capacity = 200_000)]
async fn stale(id: u64) -> [u8; 16] {
    // Now and then a stale answer lets the refresh run.
    std::future::pending::<()>().await;
    plain_number(id).await
}

// Each function is called in one loop only: like most of a user's, it is inlined there.
#[cacheback(lifetime = "1h")]
async fn never(_id: u64) -> Option<u64> {
    std::future::pending().await
}

#[cacheback(lifetime = "1h")]
async fn queued(_id: u64) -> Option<[u8; 16]> {
    std::future::pending().await
}

#[cacheback(lifetime = "1h")]
async fn refused(_id: u64) -> Option<[u8; 16]> {
    std::future::pending().await
}

#[cacheback(lifetime = "1h")]
async fn broken(id: u64) -> Result<[u8; 16], String> {
    Err(id.to_string())
}

#[cacheback(lifetime = "1h")]
async fn fails(id: u64) -> Result<[u8; 16], String> {
    Err(id.to_string())
}

#[cacheback(lifetime = "1h", capacity = 200_000)]
async fn name(name: &str) -> Arc<String> {
    Arc::new(name.to_owned())
}

#[cacheback(lifetime = "1h", capacity = 200_000)]
async fn mixed(id: u32, name: &str, flag: bool) -> [u8; 16] {
    plain_mixed(id, name, flag).await
}

#[cacheback(lifetime = "1h")]
async fn nothing() -> [u8; 16] {
    plain_number(0).await
}

/// The cost of a call that does nothing: a function's body, out of line.
async fn plain_number(id: u64) -> [u8; 16] {
    body(id)
}

async fn plain_name(name: &str, value: &Arc<String>) -> Arc<String> {
    body(name.len() as u64);
    Arc::clone(value)
}

async fn plain_mixed(id: u32, name: &str, flag: bool) -> [u8; 16] {
    body(u64::from(id) + name.len() as u64 + u64::from(flag))
}

#[inline(never)]
fn body(id: u64) -> [u8; 16] {
    black_box([id as u8; 16])
}
