//! The origin, which all processes ask: it has the version of each key, and makes values. Its log is that of the parent.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::catalogue::{function_of, keys_of};
use crate::clock::now;
use crate::events::{Event, Made, Process};
use crate::log::Log;

#[derive(Default)]
struct State {
    versions: HashMap<String, u64>,
    /// Versions and numbers of values are one row.
    last: u64,
}

/// How long a body takes, in milliseconds: now and then it is slow.
fn duration() -> u64 {
    if fastrand::u8(..20) == 0 { fastrand::u64(200..600) } else { fastrand::u64(2..60) }
}

/// Starts it. It ends with the process.
pub(crate) fn start(log: &Log) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (state, log) = (Arc::<Mutex<State>>::default(), log.clone());
    thread::spawn(move || {
        // A process that was killed may have left a connection that cannot be taken any more.
        for stream in listener.incoming().filter_map(Result::ok) {
            let (state, log) = (Arc::clone(&state), log.clone());
            thread::spawn(move || answer(stream, &state, &log));
        }
    });
    Ok(address)
}

/// The process may have been killed at any time: then nobody is answered.
fn answer(mut stream: TcpStream, state: &Mutex<State>, log: &Log) -> Option<()> {
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    let [what, key, process] = <[&str; 3]>::try_from(line.trim_end().split(' ').collect::<Vec<_>>()).ok()?;
    let (version, number) = match what {
        "body" => {
            let mut state = state.lock().unwrap();
            state.last += 1;
            let (version, number) = (state.versions.get(key).copied().unwrap_or_default(), state.last);
            let made = Made { key: key.to_owned(), version, number };
            // Under the lock: its moment is that of its version.
            log.write(&Event::Body { at: now(), process: named(process)?, made });
            drop(state);
            thread::sleep(Duration::from_millis(duration()));
            (version, number)
        }
        _ => {
            let mut state = state.lock().unwrap();
            state.last += 1;
            let version = state.last;
            match function_of(key).filter(|function| function.name == key) {
                Some(function) => state.versions.extend(keys_of(function).map(|key| (key, version))),
                None => drop(state.versions.insert(key.to_owned(), version)),
            }
            (version, version)
        }
    };
    stream.write_all(format!("{version} {number}\n").as_bytes()).ok()
}

/// A process by its name: `P2.0`.
fn named(name: &str) -> Option<Process> {
    let (slot, run) = name.strip_prefix('P')?.split_once('.')?;
    Some(Process { slot: slot.parse().ok()?, run: run.parse().ok()? })
}
