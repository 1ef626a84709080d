//! The gate of the hit path: counts the instructions of a hit, a fetch or a write, and compares them with `limits.txt`.
//!
//! `cargo run --release -p cacheback-hit-path-tests` runs this program again under `valgrind --tool=callgrind`, for
//! each kind of call with two numbers of calls. The difference, divided by the calls, is the cost of one call. The cost
//! of the loop itself is measured with a plain function and subtracted. It fails if a kind takes 3 % more than its
//! limit. With `--update` it writes the measured numbers as new limits.

mod fetches;
mod generic;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use cacheback::{cacheback, settle};

const LIMITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/limits.txt");
/// A kind fails if it is over its limit by more than this share.
const TOLERANCE: f64 = 0.03;
const HITS: [u32; 2] = [10_000, 20_000];
/// It has the limit of `u64`.
const SHARED: &str = "shared u64";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => check(false),
        ["--update"] => check(true),
        ["shared"] if cfg!(feature = "redis") => check_shared(),
        ["hit", kind, hits] if generic::KINDS.contains(&kind) => generic::hit(kind, hits.parse()?),
        ["hit", kind, hits] => hit(kind, hits.parse()?),
        ["fetch", kind, calls] => fetches::run(kind, calls.parse()?),
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

/// A shared function's hit is that of a local one.
fn check_shared() -> Outcome<()> {
    let mut gate = Gate::new()?;
    gate.measure("hit", SHARED, Some("plain u64"), HITS)?;
    gate.end()
}

fn check(update: bool) -> Outcome<()> {
    let mut gate = Gate::new()?;
    println!("instructions of a hit");
    for (kind, plain) in KINDS {
        gate.measure("hit", kind, Some(plain), HITS)?;
    }
    println!("instructions of a fetch or a write");
    for (kind, plain, calls) in fetches::KINDS {
        gate.measure("fetch", kind, plain, calls)?;
    }
    if update {
        let lines: String =
            gate.measured.iter().map(|(kind, of_call)| format!("{of_call:.0} {kind}\n")).collect();
        fs::write(LIMITS, lines)?;
        return Ok(());
    }
    gate.end()
}

struct Gate {
    limits: BTreeMap<String, f64>,
    /// The loops without the measured calls.
    loops: BTreeMap<&'static str, f64>,
    measured: BTreeMap<&'static str, f64>,
    over: Vec<&'static str>,
}

impl Gate {
    fn new() -> Outcome<Self> {
        Ok(Self {
            limits: read_limits()?,
            loops: BTreeMap::new(),
            measured: BTreeMap::new(),
            over: Vec::new(),
        })
    }

    fn end(self) -> Outcome<()> {
        match self.over[..] {
            [] => Ok(()),
            _ => Err(format!("more than 3 % over the limit: {}", self.over.join("; ")).into()),
        }
    }

    /// Measures a kind of call, less its loop.
    fn measure(
        &mut self,
        command: &str,
        kind: &'static str,
        plain: Option<&'static str>,
        calls: [u32; 2],
    ) -> Outcome<()> {
        let of_loop = match plain {
            Some(plain) => match self.loops.get(plain) {
                Some(of_loop) => *of_loop,
                None => instructions(command, plain, calls)?,
            },
            None => 0.0,
        };
        self.loops.extend(plain.map(|plain| (plain, of_loop)));
        let of_call = instructions(command, kind, calls)? - of_loop;
        let limit = self.limits.get(if kind == SHARED { "u64" } else { kind }).copied();
        println!("{kind:>28} {of_call:7.1}   limit {:>5}   loop {of_loop:5.1}", shown(limit));
        if limit.is_none_or(|limit| of_call > limit * (1.0 + TOLERANCE)) {
            self.over.push(kind);
        }
        self.measured.insert(kind, of_call);
        Ok(())
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

/// Instructions of one call of this kind, its loop included.
fn instructions(command: &str, kind: &str, calls: [u32; 2]) -> Outcome<f64> {
    let directory = std::env::temp_dir().join(format!("cacheback-gate-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let counts = calls.map(|calls| count(command, kind, calls, &directory.join("callgrind.out")));
    fs::remove_dir_all(&directory)?;
    let [few, many] = counts;
    Ok((many? - few?) as f64 / f64::from(calls[1] - calls[0]))
}

fn count(command: &str, kind: &str, calls: u32, out: &Path) -> Outcome<i64> {
    let run = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args([command, kind, &calls.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into());
    }
    let lines = fs::read_to_string(out)?;
    let total =
        lines.lines().find_map(|line| line.strip_prefix("summary: ")).ok_or("callgrind counted nothing")?;
    Ok(total.trim().parse()?)
}

/// The program that is counted. Each cache has one key, so that chance does not decide where it lies.
#[tokio::main(flavor = "current_thread")]
async fn hit(kind: &str, hits: u32) -> Outcome<()> {
    let text = format!("{:032}", 7);
    let shared = Arc::new(text.clone());
    number::entry(7).set([7; 16]).await?;
    stale::entry(7).set([7; 16]).await?;
    name::entry(&text).set(Arc::clone(&shared)).await?;
    mixed::entry(3, &text, true).set([7; 16]).await?;
    nothing::entry().set([7; 16]).await?;
    match kind {
        "u64" => repeat!(hits, number(black_box(7))),
        "u64, refreshed 1000 times" => {
            for _ in 0..1_000 {
                refreshed::entry(7).set([7; 16]).await?;
            }
            repeat!(hits, refreshed(black_box(7)));
        }
        #[cfg(feature = "redis")]
        SHARED => {
            shared_number::entry(7).set([7; 16]).await?;
            repeat!(hits, shared_number(black_box(7)));
            assert_eq!(shared_number::cache().stats().fetches, 0, "each call was a hit");
        }
        "plain u64" => repeat!(hits, plain_number(black_box(7))),
        "&str" => repeat!(hits, name(black_box(&text))),
        "plain &str" => repeat!(hits, plain_name(black_box(&text), &shared)),
        "three arguments" => repeat!(hits, mixed(black_box(3), black_box(&text), black_box(true))),
        "plain three arguments" => {
            repeat!(hits, plain_mixed(black_box(3), black_box(&text), black_box(true)));
        }
        "no argument" => repeat!(hits, nothing()),
        "stale, refresh running" => {
            stale::entry(7).invalidate().await?;
            repeat!(hits, stale(black_box(7)));
        }
        "stale, refresh queued" => {
            crowd(64 + 1).await;
            queued::entry(7).set(Some([7; 16])).await?;
            queued::entry(7).invalidate().await?;
            repeat!(hits, queued(black_box(7)));
        }
        "stale, refresh refused" => {
            // A function that has none in the queue would be let in.
            for id in 0..64 + 1_024 {
                assert_eq!(refused::entry(id).lookup().await.value, None);
            }
            refused::entry(5_000).set(Some([7; 16])).await?;
            refused::entry(5_000).invalidate().await?;
            repeat!(hits, refused(black_box(5_000)));
            assert!(refused::cache().stats().refused >= u64::from(hits));
        }
        "stale, in back-off" => {
            fails::entry(7).set([7; 16]).await?;
            fails::entry(7).invalidate().await?;
            settle().await;
            repeat!(hits, fails(black_box(7)));
            assert!(fails::cache().stats().errors <= 2);
        }
        "stale, breaker open" => {
            for id in 0..20 {
                let _ = broken::entry(id).refresh().await;
            }
            broken::entry(30).set([7; 16]).await?;
            broken::entry(30).invalidate().await?;
            repeat!(hits, broken(black_box(30)));
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

/// Calls and awaits, as a user's function does.
macro_rules! repeat {
    ($hits:expr, $call:expr) => {
        for _ in 0..$hits {
            let _ = black_box($call.await);
        }
    };
}
pub(crate) use repeat;

/// There is no tier: what is stored here is all that a hit sees.
#[cfg(feature = "redis")]
#[cacheback(lifetime = 600, shared)]
async fn shared_number(id: u64) -> [u8; 16] {
    unreachable!("{id}: each call is a hit")
}

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
