//! A process of the fleet: its load, which is read and written at random, and its log.
//!
//! It takes its orders from its standard input, a line each: `load` reads and writes, `read` only reads, `hot` reads much
//! more, `sweep` reads every key again and again, `write` writes every key once, and `end`. `dark` writes every key once while nothing is
//! read, and then reads in a rush as soon as there is a connection. Each order is answered with a line.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cacheback::shared::Redis;
use cacheback::{Lookup, Source, Status};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::catalogue::{FUNCTIONS, Function, TIMEOUT, keys_of};
use crate::clock::now;
use crate::events::{Answer, Change, Event, Made, Outcome, Process, Read};
use crate::functions::{self, ask, cache, entry};
use crate::log::Log;

/// A call that takes longer is given up, and that is a violation.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many callers read at the same time, and so many tasks write.
const READERS: usize = 8;
const WRITERS: usize = 3;
/// So many values are looked at by each probe.
const PROBED: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Load,
    Read,
    /// Every key is read ten times a second or so.
    Hot,
    /// Nothing is asked for.
    Rest,
    /// As much is read as there is time for.
    Rush,
    Sweep,
    End,
}

struct Worker {
    process: Process,
    slots: u32,
    log: Log,
    phase: watch::Receiver<Phase>,
}

/// The arguments of a process, in this order: slot, number of slots, run, URL of the server, address of the origin, folder of
/// the logs.
pub(crate) fn main(arguments: &[String]) -> Result<(), String> {
    let [slot, slots, run, server, origin, folder] = arguments else {
        return Err("six arguments".to_owned());
    };
    let number = |text: &String| text.parse::<u32>().map_err(|error| error.to_string());
    let process = Process { slot: number(slot)?, run: number(run)? };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let folder = Path::new(folder);
    let log = Log::create(folder, &process.to_string()).map_err(|error| error.to_string())?;
    // What the library says, beside the events.
    let said =
        std::fs::File::create(folder.join(format!("{process}.txt"))).map_err(|error| error.to_string())?;
    let level = tracing_subscriber::filter::LevelFilter::DEBUG;
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_timer(Clock)
        .with_writer(said)
        .init();
    let _ = functions::ORIGIN.set((origin.clone(), process.to_string()));
    let tier = tier(server).map_err(|error| error.to_string())?.prefix("fleet");
    let tier = tier.timeout(Duration::from_micros(TIMEOUT));
    runtime.map_err(|error| error.to_string())?.block_on(async {
        cacheback::configure().shared(tier).apply().map_err(|error| error.to_string())?;
        log.note_stalls(Some(process.slot));
        let (tell, phase) = watch::channel(Phase::Read);
        let worker = Arc::new(Worker { process, slots: number(slots)?, log, phase });
        worker.obey(tell).await;
        Ok(())
    })
}

/// The tier of a URL, of `cluster:url,url`, or of `sentinel:master,url,url`.
fn tier(server: &str) -> Result<Redis, cacheback::Error> {
    if let Some(urls) = server.strip_prefix("cluster:") {
        return Redis::cluster(urls.split(','));
    }
    match server.strip_prefix("sentinel:").and_then(|named| named.split_once(',')) {
        Some((master, urls)) => Redis::sentinel(master, urls.split(',')),
        None => Redis::new(server),
    }
}

/// The clock of the events, in what the library says.
struct Clock;

impl tracing_subscriber::fmt::time::FormatTime for Clock {
    fn format_time(&self, to: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        write!(to, "{}", now())
    }
}

fn answer(word: &str) {
    let mut out = std::io::stdout();
    // The parent may be gone: then its end of the input is closed, too.
    let _ = writeln!(out, "{word}").and_then(|()| out.flush());
}

impl Worker {
    async fn obey(self: Arc<Self>, tell: watch::Sender<Phase>) {
        self.log.write(&Event::Started { at: now(), process: self.process });
        let mut tasks = JoinSet::new();
        for number in 0..READERS {
            tasks.spawn(Arc::clone(&self).read_on(number));
        }
        for _ in 0..WRITERS {
            tasks.spawn(Arc::clone(&self).write_on());
        }
        tokio::spawn(Arc::clone(&self).watch_link());
        tokio::spawn(Arc::clone(&self).probe_on());
        answer("ready");
        let mut orders = BufReader::new(stdin()).lines();
        while let Ok(Some(order)) = orders.next_line().await {
            match &*order {
                "load" => tell.send_replace(Phase::Load),
                "read" => tell.send_replace(Phase::Read),
                "hot" => tell.send_replace(Phase::Hot),
                "dark" => {
                    let before = tell.send_replace(Phase::Rest);
                    self.write_all().await;
                    tokio::spawn(rush(tell.clone(), before));
                    before
                }
                "sweep" => tell.send_replace(Phase::Sweep),
                "write" => {
                    self.write_all().await;
                    self.phase()
                }
                "end" => break,
                other => panic!("there is no order {other}"),
            };
            answer("done");
        }
        // Each call is answered.
        tell.send_replace(Phase::End);
        while tasks.join_next().await.is_some() {}
        answer("ended");
    }

    /// Notes when the link is lost, and when it is there.
    async fn watch_link(self: Arc<Self>) {
        let mut was_up = false;
        loop {
            let is_up = is_connected();
            if std::mem::replace(&mut was_up, is_up) != is_up {
                self.log.write(&Event::Linked { at: now(), process: self.process, is_up });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Looks now and then whether what hits serve is what the tier has.
    async fn probe_on(self: Arc<Self>) {
        loop {
            let seen = cacheback::shared::probe(PROBED).await;
            let (probed, outdated) = (seen.probed, seen.outdated);
            self.log.write(&Event::Probed { at: now(), process: self.process, probed, outdated });
            sleep(Duration::from_millis(500)).await;
        }
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    async fn read_on(self: Arc<Self>, number: usize) {
        let every: Vec<String> = FUNCTIONS.iter().flat_map(keys_of).collect();
        // Not all in the same order.
        let mut next = number * every.len() / READERS;
        loop {
            match self.phase() {
                Phase::End => return,
                Phase::Sweep => {
                    next = (next + 1) % every.len();
                    self.read(&every[next]).await;
                    sleep(Duration::from_millis(3)).await;
                }
                Phase::Rest => sleep(Duration::from_millis(1)).await,
                Phase::Rush => {
                    self.read(&self.any_key()).await;
                    sleep(Duration::from_millis(1)).await;
                }
                phase @ (Phase::Load | Phase::Read | Phase::Hot) => {
                    self.read(&self.any_key()).await;
                    let longest = if phase == Phase::Hot { 8 } else { 60 };
                    sleep(Duration::from_millis(fastrand::u64(2..longest))).await;
                }
            }
        }
    }

    async fn write_on(self: Arc<Self>) {
        loop {
            match self.phase() {
                Phase::End => return,
                Phase::Load => {
                    let function = any_function();
                    if function.is_cleared {
                        let change = if fastrand::bool() { Change::Clear } else { Change::InvalidateAll };
                        self.write(function.name, change).await;
                        sleep(Duration::from_millis(fastrand::u64(500..2_000))).await;
                        continue;
                    }
                    let key = any_key_of(function);
                    self.write(&key, any_change(function)).await;
                    // Now and then another write meets the fetch that the first one has brought about.
                    if fastrand::u8(..10) < 3 {
                        sleep(Duration::from_millis(fastrand::u64(..60))).await;
                        self.write(&key, any_change(function)).await;
                    }
                }
                Phase::Read | Phase::Hot | Phase::Rest | Phase::Rush | Phase::Sweep => {}
            }
            sleep(Duration::from_millis(fastrand::u64(100..700))).await;
        }
    }

    fn any_key(&self) -> String {
        let function = any_function();
        if !function.is_private {
            return any_key_of(function);
        }
        let own = function.keys / self.slots;
        format!("{}:{}", function.name, fastrand::u32(..own) * self.slots + self.process.slot)
    }

    async fn read(&self, key: &str) {
        let begin = now();
        let answered = timeout(PATIENCE, entry(key).lookup()).await;
        let end = now();
        let (answer, source, age, value) = match answered {
            Err(_) => (Answer::Unanswered, None, None, None),
            Ok(Lookup { value: Err(_), source, .. }) => (Answer::Failed, Some(source), None, None),
            Ok(Lookup { value: Ok(value), status, age, source, .. }) => {
                (named(status), Some(source), age, value)
            }
        };
        let source = source.map_or_else(String::new, |source: Source| format!("{source:?}"));
        let age = age.map(|age| age.as_micros() as u64);
        let (process, key) = (self.process, key.to_owned());
        self.log.write(&Event::Read(Read { process, key, begin, end, answer, source, age, value }));
    }

    /// Changes a key at the origin, and then here. Of all keys of a function, `key` is its name.
    async fn write(&self, key: &str, change: Change) {
        let at = now();
        // The parent may be ending.
        let Ok(made) = ask("write", key).await else { return };
        let Made { version, number, .. } = made;
        let (process, of) = (self.process, key.to_owned());
        self.log.write(&Event::WriteBegan { at, process, key: of, change, version, number });
        let told = match change {
            Change::Set => entry(key).set(Some(made)).await,
            Change::Invalidate => entry(key).invalidate().await,
            Change::Remove => entry(key).remove().await,
            Change::InvalidateAll => cache(key).invalidate().await,
            Change::Clear => cache(key).clear().await,
        };
        let outcome = told.map_or(Outcome::Unreachable, |()| Outcome::Done);
        self.log.write(&Event::WriteEnded { at: now(), number, outcome });
    }

    async fn write_all(&self) {
        for function in &FUNCTIONS {
            if function.is_cleared {
                self.write(function.name, Change::InvalidateAll).await;
                continue;
            }
            for key in keys_of(function) {
                self.write(&key, Change::Invalidate).await;
            }
        }
    }
}

fn is_connected() -> bool {
    cacheback::shared::status().iter().all(|tier| tier.connected)
}

/// Rests until there is a connection, reads in a rush, and goes on as before, unless there was another order meanwhile.
async fn rush(tell: watch::Sender<Phase>, before: Phase) {
    let follows = |from: Phase, to: Phase| {
        tell.send_if_modified(|phase| {
            let is_it = *phase == from;
            if is_it {
                *phase = to;
            }
            is_it
        })
    };
    let _ = timeout(PATIENCE / 4, async {
        while !is_connected() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    follows(Phase::Rest, Phase::Rush);
    sleep(Duration::from_secs(1)).await;
    follows(Phase::Rush, before);
}

fn named(status: Status) -> Answer {
    match status {
        Status::Fresh => Answer::Fresh,
        Status::Stale => Answer::Stale,
        Status::Fetched => Answer::Fetched,
        _ => Answer::Empty,
    }
}

/// A function, more often one with more keys.
fn any_function() -> &'static Function {
    let mut at = fastrand::u32(..FUNCTIONS.iter().map(|function| function.keys).sum::<u32>());
    FUNCTIONS
        .iter()
        .find(|function| {
            let is_it = at < function.keys;
            at = at.saturating_sub(function.keys);
            is_it
        })
        .unwrap_or(&FUNCTIONS[0])
}

/// A key: now and then one of a few, so that much happens to them at once.
fn any_key_of(function: &Function) -> String {
    let keys = if fastrand::u8(..5) == 0 { 2 } else { function.keys };
    format!("{}:{}", function.name, fastrand::u32(..keys))
}

fn any_change(function: &Function) -> Change {
    if function.is_private && fastrand::u8(..5) > 0 {
        return Change::Remove;
    }
    fastrand::choice([Change::Set, Change::Remove, Change::Invalidate]).unwrap_or(Change::Remove)
}
