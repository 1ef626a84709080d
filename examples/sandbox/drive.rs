//! Ten seconds without anybody at the page: readers, a change, a worker that is killed and one that takes its place;
//! and what the processes have counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::origin::{Seen, USERS};
use crate::sandbox::Sandbox;
use crate::web::{Answers, Health};

/// How many readers run at once.
const READERS: usize = 8;
/// What has not come about after so long will not.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was seen in those ten seconds.
pub(crate) struct Report {
    answers: Answers,
    health: Health,
    fallbacks: u64,
    seen: Seen,
    /// The answers while there was no worker.
    without: Answers,
    bodies_without: u64,
    unanswered: u64,
    /// How many operations of the second tier had no answer. Without one, each process works for itself.
    lost: u64,
    /// How long it took until both web processes had a value that was fetched after a change.
    changed: Option<Duration>,
}

/// Something that the sandbox promises, and whether it held. `None` if this run cannot tell.
type Promise = (Option<bool>, &'static str);

pub(crate) async fn run(sandbox: &Sandbox) -> anyhow::Result<Report> {
    timeout(PATIENCE, worker_is_seen(sandbox)).await.context("no worker has shown itself")??;
    let began = Instant::now();
    let second = |second| sleep_until(began + Duration::from_secs(second));
    let readers = Readers::start(sandbox);

    second(2).await;
    let changed = change(sandbox).await?;
    second(5).await;
    sandbox.kill_worker().await?;
    let before = (answers(sandbox).await?, sandbox.origin().seen());
    second(7).await;
    let after = (answers(sandbox).await?, sandbox.origin().seen());
    sandbox.hire().await?;
    second(10).await;

    let unanswered = readers.end().await;
    let [one, two] = sandbox.health().await?;
    Ok(Report {
        answers: one.answers.plus(two.answers),
        fallbacks: one.stats.queue_fallbacks + two.stats.queue_fallbacks,
        lost: one.unanswered + two.unanswered,
        health: one,
        seen: sandbox.origin().seen(),
        without: after.0.since(before.0),
        bodies_without: after.1.bodies - before.1.bodies,
        unanswered,
        changed,
    })
}

async fn worker_is_seen(sandbox: &Sandbox) -> anyhow::Result<()> {
    while sandbox.health().await?[0].queue.is_none_or(|queue| queue.workers == 0) {
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn answers(sandbox: &Sandbox) -> anyhow::Result<Answers> {
    let [one, two] = sandbox.health().await?;
    Ok(one.answers.plus(two.answers))
}

/// One process invalidates a timeline: how long until each of them has a value whose body began after that. `None` if
/// it does not come about.
async fn change(sandbox: &Sandbox) -> anyhow::Result<Option<Duration>> {
    let changed = Instant::now();
    sandbox.change(0, "invalidate").await?;
    let both = async {
        for web in 0..2 {
            loop {
                let asked = Instant::now();
                let answer = sandbox.read_from(web, 0).await?;
                let age = answer.age_ms.map(Duration::from_millis);
                if age.is_some_and(|age| age < asked - changed) {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        anyhow::Ok(changed.elapsed())
    };
    timeout(PATIENCE, both).await.ok().transpose()
}

/// Readers who ask for one timeline after another, until they are ended.
struct Readers {
    tasks: JoinSet<()>,
    end: Arc<AtomicBool>,
    unanswered: Arc<AtomicU64>,
}

impl Readers {
    fn start(sandbox: &Sandbox) -> Self {
        let mut readers = Self { tasks: JoinSet::new(), end: Arc::default(), unanswered: Arc::default() };
        for reader in 0..READERS {
            let (sandbox, end) = (sandbox.clone(), Arc::clone(&readers.end));
            let unanswered = Arc::clone(&readers.unanswered);
            readers.tasks.spawn(async move {
                let mut user = reader;
                while !end.load(Ordering::Relaxed) {
                    user = (user + 1) % USERS.len();
                    if sandbox.read(user).await.is_err() {
                        unanswered.fetch_add(1, Ordering::Relaxed);
                    }
                    sleep(Duration::from_millis(5)).await;
                }
            });
        }
        readers
    }

    /// How many of their calls had no answer.
    async fn end(self) -> u64 {
        self.end.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        self.unanswered.load(Ordering::Relaxed)
    }
}

impl Report {
    pub(crate) fn print(&self) {
        let Self { answers, without, seen, .. } = self;
        let row = |label: &str, number: u64| println!("  {label:<44}{:>9}", grouped(number));
        println!("Calls of both web processes");
        row("all", answers.calls());
        row("from memory", answers.memory);
        row("from the second tier", answers.shared);
        row("answered empty, as nothing was cached yet", answers.empty);
        row("that waited for a body", answers.body);
        row("answered with a stale value", answers.stale);
        row("the slowest, in microseconds", answers.slowest_us);
        println!("The two seconds without a worker");
        row("calls", without.calls());
        row("answered with a stale value", without.stale);
        row("bodies", self.bodies_without);
        println!("Bodies, as the origin has seen them");
        for (process, bodies) in &seen.by_process {
            row(process, *bodies);
        }
        row("of one timeline at once, at most", seen.most_at_once as u64);
        let queue = self.health.queue.unwrap_or_default();
        println!("The second tier and its jobs");
        row("operations without an answer", self.lost);
        row("done by the workers", queue.done);
        row("failed", queue.failed);
        row("dropped, as they were not needed any more", queue.dropped);
        row("refreshes that web processes ran themselves", self.fallbacks);
        if let Some(changed) = self.changed {
            println!("A change in one process");
            row("both had a newer value after, in ms", changed.as_millis() as u64);
        }
        println!("Promises");
        for (held, promise) in self.promises() {
            let word = held.map_or("open  ", |held| if held { "held  " } else { "BROKEN" });
            println!("  {word}  {promise}");
        }
    }

    /// Whether everything held that the sandbox promises.
    pub(crate) fn held(&self) -> bool {
        self.promises().iter().all(|(held, _)| *held != Some(false))
    }

    fn promises(&self) -> [Promise; 7] {
        let Self { answers, without, seen, .. } = self;
        // These hold between processes, which know of each other by the tier alone.
        let among = |held| (self.lost == 0 || held).then_some(held);
        let by_webs: u64 = ["one", "two"].iter().filter_map(|web| seen.by_process.get(*web)).sum();
        [
            (Some(self.unanswered == 0 && answers.failed == 0), "every call was answered"),
            (Some(answers.body == 0), "no call waited for a body"),
            (Some(seen.by_user.len() == USERS.len()), "every timeline was fetched"),
            (among(seen.most_at_once == 1), "no timeline was fetched twice at once"),
            (among(by_webs == 0), "every body ran in a worker"),
            (
                among(without.stale > 0 && self.bodies_without == 0),
                "without a worker, stale values were served, and nobody asked the origin",
            ),
            (
                among(self.changed.is_some() && seen.by_process.contains_key("worker-2")),
                "a change reached both processes, and the second worker went on",
            ),
        ]
    }
}

/// A number with a comma between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}
