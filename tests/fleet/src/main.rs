//! A fleet of processes over a real server, a random fault each second, and a checker that reads their logs afterwards.
//!
//! `cargo run --release -p cacheback-fleet` takes a minute; `-- 3600` an hour, in rounds of a minute, `-- 60 --seed N`
//! repeats the faults of a round. With `--cluster` the server is three masters with a replica each, to which each process
//! has ways of its own that fail one by one or all together; masters are killed, or stopped until another one has taken
//! over. With `--sentinel` it is a master that three sentinels watch. `-- cut` and `-- flush` are scripted: what the origin has to bear
//! after a server was cut off for ten seconds, and after it has lost everything. `-- storm` measures what many messages
//! cost a hit, and `-- suspects` what a million values to be looked at cost calls and server. It ends with 1 if a promise
//! is broken, and tells the story of the key.
//!
//! This program is all of it: started without arguments it is the parent, with the origin, the network of each process and
//! the [`nemesis`]; it starts itself as the processes (`worker`), and `redis-server` on free ports. `rules` are the
//! promises. They read histories and nothing else, so histories that are written by hand show what each accepts and
//! refuses: `cargo test -p cacheback-fleet`.

use std::process::ExitCode;

mod catalogue;
mod clock;
mod events;
mod fleet;
mod functions;
mod group;
mod history;
mod log;
mod nemesis;
mod origin;
mod outages;
mod proxy;
mod round;
mod rules;
mod scripted;
mod server;
mod storm;
mod story;
mod suspects;
mod worker;

use group::Kind;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let kinds = [("--cluster", Kind::Cluster), ("--sentinel", Kind::Sentinel)];
    let kind = kinds.into_iter().find(|(name, _)| words.contains(name)).map(|(_, kind)| kind);
    words.retain(|word| !kinds.iter().any(|(name, _)| name == word));
    let done =
        match words[..] {
            ["worker", ..] => worker::main(&arguments[1..]),
            ["cut"] => scripted::cut(),
            ["flush"] => scripted::flush(),
            ["storm"] => storm::storm(),
            ["storm", "writer", url] => storm::writer(url),
            ["storm", "reader", url] => storm::reader(url),
            ["suspects"] => suspects::suspects(1_000_000),
            ["suspects", keys] => match keys.parse() {
                Ok(keys) => suspects::suspects(keys),
                Err(_) => Err("the number of keys is a number".to_owned()),
            },
            [] => round::chaos(60, None, kind),
            [seconds] if seconds.parse::<u64>().is_ok() => round::chaos(seconds.parse().unwrap_or(60), None, kind),
            [seconds, "--seed", seed] => match (seconds.parse(), seed.parse()) {
                (Ok(seconds), Ok(seed)) => round::chaos(seconds, Some(seed), kind),
                _ => Err("seconds and a seed are numbers".to_owned()),
            },
            _ => Err("usage: cacheback-fleet [seconds [--seed N] [--cluster | --sentinel] | cut | flush | storm | suspects [KEYS]]"
                .to_owned()),
        };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
