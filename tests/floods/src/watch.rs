//! The highest numbers that are seen while a flood runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::flood::Flooded;

const PERIOD: Duration = Duration::from_millis(5);

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) entries: u64,
    pub(crate) in_flight: u64,
    /// MiB.
    pub(crate) resident: u64,
}

pub(crate) struct Watch {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Watch {
    pub(crate) fn start(cache: &Flooded) -> Self {
        let (cache, ends) = (cache.clone(), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let mut most = Seen::default();
            loop {
                let last = until.load(Ordering::SeqCst);
                let stats = cache.stats();
                most.entries = most.entries.max(stats.entries);
                most.in_flight = most.in_flight.max(stats.in_flight);
                most.resident = most.resident.max(resident());
                if last {
                    return most;
                }
                thread::sleep(PERIOD);
            }
        });
        Self { ends, thread }
    }

    pub(crate) fn end(self) -> Seen {
        self.ends.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// The resident memory of the process in MiB, or zero if the system does not say.
pub(crate) fn resident() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
