//! One process of a fleet. It takes commands from its standard input, a line each, and answers each with a line.
//!
//! A line is `id command function key value`; the answer is `id milliseconds` and the words of the outcome. Commands run
//! side by side. What it logs are lines that begin with `log`.

use std::io::Write;
use std::process::exit;
use std::time::{Duration, Instant};

use cacheback::shared::Redis;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::Mutex;

mod functions;
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
        // Two values, of which the second is set before the first is answered.
        "sets" => {
            let (first, second) = value.split_once(' ').unwrap_or_default();
            let (one, other) = (entry(), entry());
            let (first, second) =
                tokio::join!(biased; one.set(first.to_owned()), other.set(second.to_owned()));
            format!("{} {}", told(first), told(second))
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
                "fetches={} hits={} misses={} errors={} lost={}",
                stats.fetches, stats.shared_hits, stats.shared_misses, stats.shared_errors, stats.leases_lost
            )
        }
        // The state of the tier: its times in microseconds, those of round trips 0 if there was none.
        "status" => {
            let [tier] = &cacheback::shared::status()[..] else { panic!("there is one tier") };
            let micros = |time: Option<Duration>| time.unwrap_or_default().as_micros();
            format!(
                "connected={} since={} p50={} p99={} operations={} errors={} timeouts={}",
                tier.connected,
                tier.since.as_micros(),
                micros(tier.round_trip_p50),
                micros(tier.round_trip_p99),
                tier.operations,
                tier.errors,
                tier.timeouts
            )
        }
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

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [origin, server, options @ ..] = &arguments[..] else { panic!("origin, server, options") };
    ORIGIN.get_or_init(|| origin.clone());
    let log = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG);
    log.with_writer(|| Log).with_ansi(false).without_time().init();
    let mut redis = match Redis::new(server) {
        Ok(redis) => redis,
        Err(error) => {
            println!("0 0 {error}");
            exit(1);
        }
    };
    for option in options {
        redis = match option.split_once('=') {
            Some(("timeout", millis)) => redis.timeout(Duration::from_millis(millis.parse().unwrap_or(100))),
            Some(("prefix", prefix)) => redis.prefix(prefix),
            _ => panic!("there is no option {option}"),
        };
    }
    if let Err(error) = cacheback::configure().shared(redis).apply() {
        println!("0 0 {error}");
        exit(1);
    }
    println!("0 0 ready");
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
