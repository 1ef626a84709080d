//! The origin that all processes ask. Each run of a body is a connection to it.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A run of a body.
struct Run {
    key: String,
    /// Since 1970.
    began: Duration,
    /// The id of its process.
    process: u32,
}

#[derive(Default)]
struct State {
    runs: Vec<Run>,
    /// Keys whose runs wait.
    held: HashSet<String>,
    /// Runs that wait no longer, by key and number, and whether they fail.
    ended: HashMap<(String, usize), bool>,
    failing: bool,
}

#[derive(Clone)]
pub(crate) struct Origin {
    state: Arc<(Mutex<State>, Condvar)>,
    pub(crate) address: SocketAddr,
}

impl Origin {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Self { state: Arc::default(), address: listener.local_addr().unwrap() };
        let answering = origin.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let origin = answering.clone();
                thread::spawn(move || origin.answer(stream.unwrap()));
            }
        });
        origin
    }

    /// Answers with the number of the run.
    fn answer(&self, mut stream: TcpStream) {
        let mut line = String::new();
        if BufReader::new(&stream).read_line(&mut line).is_err() {
            return;
        }
        // The process may have been killed.
        let [key, began, process] = line.trim_end().split(' ').collect::<Vec<_>>()[..] else { return };
        let (key, began) = (key.to_owned(), Duration::from_micros(began.parse().unwrap()));
        let (lock, moved) = &*self.state;
        let mut state = lock.lock().unwrap();
        state.runs.push(Run { key: key.clone(), began, process: process.parse().unwrap() });
        let run = state.runs.iter().filter(|run| run.key == key).count();
        moved.notify_all();
        let place = (key, run);
        while state.held.contains(&place.0) && !state.ended.contains_key(&place) {
            state = moved.wait(state).unwrap();
        }
        let fails = state.ended.get(&place).copied().unwrap_or(state.failing);
        let answer = if fails { "failed\n".to_owned() } else { format!("ok {run}\n") };
        drop(state);
        // The process may be gone.
        let _ = stream.write_all(answer.as_bytes());
    }

    /// Lets the runs of a key wait until they are released.
    pub(crate) fn hold(&self, key: &str) {
        self.state.0.lock().unwrap().held.insert(key.to_owned());
    }

    pub(crate) fn release(&self, key: &str) {
        self.state.0.lock().unwrap().held.remove(key);
        self.state.1.notify_all();
    }

    /// Lets one run of a held key end, or fail.
    pub(crate) fn end(&self, key: &str, run: usize, fails: bool) {
        self.state.0.lock().unwrap().ended.insert((key.to_owned(), run), fails);
        self.state.1.notify_all();
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.state.0.lock().unwrap().failing = failing;
    }

    /// When the runs of a key began, since 1970 and by the clock of this machine.
    pub(crate) fn runs(&self, key: &str) -> Vec<Duration> {
        let state = self.state.0.lock().unwrap();
        let mut runs: Vec<_> = state.runs.iter().filter(|run| run.key == key).map(|run| run.began).collect();
        runs.sort_unstable();
        runs
    }

    /// The processes that have run each key, one for each run, in the order in which they began.
    pub(crate) fn all_runs(&self) -> HashMap<String, Vec<u32>> {
        let mut runs = HashMap::<_, Vec<_>>::new();
        for Run { key, process, .. } in &self.state.0.lock().unwrap().runs {
            runs.entry(key.clone()).or_default().push(*process);
        }
        runs
    }

    /// Waits until so many runs of a key have begun.
    pub(crate) fn began(&self, key: &str, runs: usize) {
        let (lock, moved) = &*self.state;
        let mut state = lock.lock().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while state.runs.iter().filter(|run| run.key == key).count() < runs {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "run {runs} of {key} has not begun");
            state = moved.wait_timeout(state, left).unwrap().0;
        }
    }
}
