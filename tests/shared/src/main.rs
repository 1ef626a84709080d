//! One process of a fleet. It takes commands from its standard input, a line each, and answers each with a line.
//!
//! A line is `id command function key value`; the answer is `id milliseconds` and the words of the outcome. Commands run
//! side by side. A function asks the origin of the test, to which each run of its body is a connection.

use std::process::exit;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cacheback::shared::Redis;
use cacheback::{Entry, cacheback};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin};
use tokio::net::TcpStream;

static ORIGIN: OnceLock<String> = OnceLock::new();

/// Asks the origin for the value of a key.
async fn ask(key: &str) -> Result<String, String> {
    let origin = ORIGIN.get().ok_or("there is no origin")?;
    let mut stream = TcpStream::connect(origin).await.map_err(|error| error.to_string())?;
    stream.write_all(format!("{key}\n").as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.map_err(|error| error.to_string())?;
    match answer.trim_end().split_once(' ') {
        Some(("ok", value)) => Ok(value.to_owned()),
        _ => Err(format!("the origin said {answer:?}")),
    }
}

/// Fresh for a second; callers wait on a miss.
#[cacheback(shared, lifetime = 1, fetch_on_miss)]
async fn short(key: &str) -> Result<String, String> {
    ask(key).await
}

/// Fresh for ten minutes; callers wait on a miss.
#[cacheback(shared, lifetime = 600, fetch_on_miss)]
async fn long(key: &str) -> Result<String, String> {
    ask(key).await
}

/// Fresh for ten minutes; callers are answered at once.
#[cacheback(shared, lifetime = 600)]
async fn empty(key: &str) -> Result<String, String> {
    ask(key).await
}

/// Of another type than `long`, under its name.
#[cacheback(shared, name = "cacheback_shared_tests::long", version = 2, lifetime = 600, fetch_on_miss)]
async fn renewed(key: &str) -> Result<String, String> {
    ask(key).await
}

fn entry(function: &str, key: &str) -> Entry<Result<String, String>> {
    match function {
        "short" => short::entry(key),
        "long" => long::entry(key),
        "empty" => empty::entry(key),
        "renewed" => renewed::entry(key),
        _ => panic!("there is no function {function}"),
    }
}

/// The words of an outcome.
async fn outcome(command: &str, function: &str, key: &str, value: &str) -> String {
    let told = |told: Result<(), cacheback::Error>| match told {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{:?} {error}", error.kind()),
    };
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
        "set" => told(entry().set(value.to_owned()).await),
        "invalidate" => told(entry().invalidate().await),
        "remove" => told(entry().remove().await),
        "clear" => told(
            match function {
                "short" => short::cache(),
                "long" => long::cache(),
                _ => empty::cache(),
            }
            .clear()
            .await,
        ),
        // Calls as fast as they are answered, for so many milliseconds: their number and the slowest.
        "spin" => {
            let until = Instant::now() + Duration::from_millis(value.parse().unwrap_or(1_000));
            let (mut calls, mut slowest, mut last) = (0_u64, Duration::ZERO, String::new());
            while Instant::now() < until {
                let called = Instant::now();
                last = entry().lookup().await.value.unwrap_or_else(|error| format!("error {error}"));
                slowest = slowest.max(called.elapsed());
                calls += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            format!("{calls} {} {last}", slowest.as_micros())
        }
        "stats" => {
            let stats = match function {
                "short" => short::cache().stats(),
                "long" => long::cache().stats(),
                _ => empty::cache().stats(),
            };
            format!(
                "fetches={} hits={} misses={} errors={} lost={}",
                stats.fetches, stats.shared_hits, stats.shared_misses, stats.shared_errors, stats.leases_lost
            )
        }
        _ => panic!("there is no command {command}"),
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [origin, server, options @ ..] = &arguments[..] else { panic!("origin, server, options") };
    ORIGIN.get_or_init(|| origin.clone());
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
