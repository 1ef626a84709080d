//! One process of a fleet. It takes commands from its standard input, a line each, and answers each with a line.
//!
//! A line is `id command function key value`; the answer is `id milliseconds` and the words of the outcome. Commands run
//! side by side. What it logs are lines that begin with `log`.

use std::io::Write;
use std::process::exit;
use std::time::{Duration, Instant};

use cacheback::Configure;
use cacheback::shared::{Redis, Sqlite};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::Mutex;

mod functions;
mod jobs;
use functions::{Herd, ORIGIN, cache, entry, look_up};

/// The callers that were gathered last.
static HERD: Mutex<Option<Herd>> = Mutex::const_new(None);

fn told(told: Result<(), cacheback::Error>) -> String {
    match told {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{:?} {error}", error.kind()),
    }
}

/// The words of an outcome.
async fn outcome(command: &str, function: &str, key: &str, value: &str) -> String {
    let entry = || entry(function, key);
    match command {
        "get" => {
            let lookup = entry().lookup().await;
            let value = lookup.value.unwrap_or_else(|error| format!("error {error}"));
            format!("{:?} {:?} {value}", lookup.status, lookup.source)
        }
        "peek" => match entry().peek().await {
            Some(peeked) => format!("{} {:?} {}", peeked.fresh, peeked.source, peeked.value),
            None => "none".to_owned(),
        },
        // A call of a function whose value is no text.
        "look" => {
            let (status, source) = look_up(function, key).await;
            format!("{status:?} {source:?}")
        }
        "set" => told(entry().set(value.to_owned()).await),
        // On a thread of its own, where there is no runtime.
        "alone" => {
            let (entry, value) = (entry(), value.to_owned());
            let set = std::thread::spawn(move || told(pollster::block_on(entry.set(value))));
            tokio::task::spawn_blocking(|| set.join().expect("no panic")).await.expect("no panic")
        }
        // Two values, of which the second is set before the first is answered.
        "sets" => {
            let (first, second) = value.split_once(' ').unwrap_or_default();
            let (one, other) = (entry(), entry());
            let (first, second) =
                tokio::join!(biased; one.set(first.to_owned()), other.set(second.to_owned()));
            format!("{} {}", told(first), told(second))
        }
        // So many values of so many bytes, and how many of them were shared.
        "fill" => {
            let mut numbers = value.split(' ').map(|number| number.parse().unwrap_or(0));
            let (values, bytes) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            let mut shared = 0;
            for number in 0..values {
                // No compression makes it smaller.
                let value: String = (0..bytes).map(|_| fastrand::alphanumeric()).collect();
                let entry = functions::entry(function, &format!("{key}{number}"));
                shared += usize::from(entry.set(value).await.is_ok());
            }
            shared.to_string()
        }
        "invalidate" => told(entry().invalidate().await),
        "remove" => told(entry().remove().await),
        "clear" => told(cache(function).clear().await),
        // Waits until no fetch is under way.
        "settle" => {
            cacheback::settle().await;
            "settled".to_owned()
        }
        // Calls that are all under way, and then their answers.
        "gather" => {
            *HERD.lock().await = Some(Herd::gather(function, key, value.parse().unwrap_or(0)).await);
            "gathered".to_owned()
        }
        "answers" => {
            let herd = HERD.lock().await.take();
            let answers = herd.expect("callers were gathered").answers().await;
            answers
                .iter()
                .map(|(answer, callers)| format!("{callers} {answer}"))
                .collect::<Vec<_>>()
                .join(", ")
        }
        // Calls for so many milliseconds, with a pause of so many between them: their number and the slowest.
        "spin" => {
            let mut times = value.split(' ').map(|time| Duration::from_millis(time.parse().unwrap_or(1)));
            let (lasts, pause) =
                (times.next().unwrap_or_default(), times.next().unwrap_or(Duration::from_millis(1)));
            let until = Instant::now() + lasts;
            let (mut calls, mut slowest, mut last) = (0_u64, Duration::ZERO, String::new());
            while Instant::now() < until {
                let called = Instant::now();
                last = entry().lookup().await.value.unwrap_or_else(|error| format!("error {error}"));
                slowest = slowest.max(called.elapsed());
                calls += 1;
                tokio::time::sleep(pause).await;
            }
            format!("{calls} {} {last}", slowest.as_micros())
        }
        "stats" => {
            let stats = cache(function).stats();
            format!(
                "fetches={} hits={} misses={} errors={} discarded={}",
                stats.fetches, stats.shared_hits, stats.shared_misses, stats.shared_errors, stats.discarded
            )
        }
        // The values that found no room there.
        "homeless" => cache(function).stats().unshared_no_room.to_string(),
        // The state of the tier: its times in microseconds, those of round trips 0 if there was none.
        "status" => {
            let [tier] = &cacheback::shared::status()[..] else { panic!("there is one tier") };
            let up = |server: &cacheback::shared::ServerStatus| if server.connected { "+" } else { "-" };
            let servers: Vec<_> =
                tier.servers.iter().map(|server| up(server).to_owned() + &server.address).collect();
            let micros = |time: Option<Duration>| time.unwrap_or_default().as_micros();
            format!(
                "connected={} since={} p50={} p99={} operations={} errors={} timeouts={} \
                 pending={} recovered={} yielded={} overflowed={} messages={} age={} losses={} \
                 suspects={} servers={}",
                tier.connected,
                tier.since.as_micros(),
                micros(tier.round_trip_p50),
                micros(tier.round_trip_p99),
                tier.operations,
                tier.errors,
                tier.timeouts,
                tier.pending,
                tier.recovered,
                tier.yielded,
                tier.overflowed,
                tier.messages,
                micros(tier.message_age_p99),
                tier.losses,
                tier.suspects,
                servers.join(",")
            )
        }
        // The lines of the queue.
        "queues" => match cacheback::shared::queues().await {
            Ok(lines) => {
                let shown = lines.iter().map(|line| {
                    format!(
                        "length={} under_way={} workers={} done={} failed={} dropped={} dead={}",
                        line.length,
                        line.under_way,
                        line.workers,
                        line.done,
                        line.failed,
                        line.dropped,
                        line.dead.len()
                    )
                });
                shown.collect::<Vec<_>>().join(", ")
            }
            Err(error) => format!("{:?} {error}", error.kind()),
        },
        // All its values are stale.
        "stale" => told(cache(function).invalidate().await),
        "sweep" => jobs::sweep(function, key, value.parse().unwrap_or(0)).await,
        "visible" => jobs::visible(key, value.parse().unwrap_or(1)).await,
        _ => panic!("there is no command {command}"),
    }
}

/// The standard output, as lines that begin with `log`.
struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        print!("log {}", String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap_or(100))
}

fn with_redis(url: &str, options: &[String]) -> Result<Configure, cacheback::Error> {
    let mut redis = tier(url)?;
    for option in options {
        redis = match option.split_once('=') {
            Some(("timeout", time)) => redis.timeout(millis(time)),
            Some(("max_age", age)) => redis.max_age(age),
            Some(("prefix", prefix)) => redis.prefix(prefix),
            Some(("replicas", count)) => redis.wait_replicas(count.parse().expect("a number")),
            _ => panic!("there is no option {option}"),
        };
    }
    Ok(cacheback::configure().shared(redis))
}

fn with_file(path: &str, options: &[String]) -> Result<Configure, cacheback::Error> {
    let mut file = Sqlite::open(path)?;
    for option in options {
        file = match option.split_once('=') {
            Some(("timeout", time)) => file.timeout(millis(time)),
            Some(("max_age", age)) => file.max_age(age),
            Some(("max_bytes", bytes)) => file.max_bytes(bytes),
            _ => panic!("there is no option {option}"),
        };
    }
    Ok(cacheback::configure().shared(file))
}

/// The tier of a server's URL, of `cluster:url,url`, or of `sentinel:master,url,url`.
fn tier(server: &str) -> Result<Redis, cacheback::Error> {
    if let Some(urls) = server.strip_prefix("cluster:") {
        return Redis::cluster(urls.split(','));
    }
    match server.strip_prefix("sentinel:").and_then(|named| named.split_once(',')) {
        Some((master, urls)) => Redis::sentinel(master, urls.split(',')),
        None => Redis::new(server),
    }
}

/// Completes on the signal of Ctrl-C, and on that of service managers.
async fn stopped() {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.unwrap(),
        _ = terminated.recv() => {}
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [origin, server, options @ ..] = &arguments[..] else { panic!("origin, server, options") };
    // A worker is told how many jobs it may run at once, and of which functions.
    let (works, options): (Vec<_>, Vec<_>) = options
        .iter()
        .cloned()
        .partition(|option| option.starts_with("jobs=") || option.starts_with("serves="));
    let told = |name: &str| works.iter().find_map(|option| option.strip_prefix(name));
    let jobs = told("jobs=").and_then(|jobs| jobs.parse().ok());
    ORIGIN.get_or_init(|| origin.clone());
    let log = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG);
    log.with_writer(|| Log).with_ansi(false).without_time().init();
    let configured = match server.strip_prefix("sqlite:") {
        Some(path) => with_file(path, &options),
        None => with_redis(server, &options),
    };
    if let Err(error) = configured.and_then(Configure::apply) {
        println!("0 0 {error}");
        exit(1);
    }
    println!("0 0 ready");
    if let Some(concurrency) = jobs {
        match jobs::worker(told("serves=").unwrap_or("queued")).concurrency(concurrency).run(stopped()).await
        {
            Ok(worked) => {
                println!("1 0 done={} failed={} dropped={}", worked.done, worked.failed, worked.dropped);
            }
            Err(error) => {
                println!("1 0 {error}");
                exit(1);
            }
        }
        return;
    }
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tokio::spawn(async move {
            let mut words = line.splitn(5, ' ');
            let mut word = || words.next().unwrap_or_default();
            let (id, command, function, key, value) = (word(), word(), word(), word(), word());
            let called = Instant::now();
            let outcome = outcome(command, function, key, value).await;
            println!("{id} {} {outcome}", called.elapsed().as_millis());
        });
    }
}
