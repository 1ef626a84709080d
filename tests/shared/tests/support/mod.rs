//! Real parts: a server, a proxy before it, processes, and the origin that their functions ask.

#![allow(dead_code, unused_imports)] // Each file of tests uses its own part.

use std::time::{Duration, Instant};

pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod commands;
pub(crate) mod envelope;
pub(crate) mod origin;
pub(crate) mod outage;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod sentinels;
pub(crate) mod server;
pub(crate) mod tier;
pub(crate) mod tls;
pub(crate) mod workers;

pub(crate) use clock::Clock;
pub(crate) use cluster::Cluster;
pub(crate) use origin::Origin;
pub(crate) use process::Process;
pub(crate) use proxy::{Fault, Proxy};
pub(crate) use sentinels::Sentinels;
pub(crate) use server::{Server, rights};
pub(crate) use tier::{File, Tier};

/// Whether the long forms of the tests are asked for: `CACHEBACK_LONG=1`.
pub(crate) fn is_long() -> bool {
    std::env::var_os("CACHEBACK_LONG").is_some()
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks until the answer is another than this one.
pub(crate) fn when_not(process: &mut Process, command: &str, old: &str) -> String {
    let mut answer = String::new();
    wait_until(command, || {
        answer = process.ask(command);
        answer != old
    });
    answer
}
