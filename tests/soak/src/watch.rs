//! The clock, the callers who wait, the size of the process, and the end at the first violation.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Calls wait no longer than that, whatever happens. Bodies hang for 2 s; the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nanoseconds of the process, from 1.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1
}

/// Prints the violation and ends the process with 1.
pub(crate) fn violation(what: &str) -> ! {
    static FIRST: Mutex<()> = Mutex::new(());
    // Only the first is printed: nobody else gets past this.
    let _first = FIRST.lock();
    eprintln!("VIOLATION: {what}");
    std::process::exit(1);
}

/// The callers who wait for an answer: a slot a worker.
#[derive(Default, Debug)]
pub(crate) struct Waiters(Mutex<Vec<Slot>>);

/// A worker's slot: when its present call began, zero between calls.
#[derive(Clone, Default, Debug)]
pub(crate) struct Slot(Arc<AtomicU64>);

/// The call of a slot, until it is answered or given up.
pub(crate) struct Waits(Slot);

impl Waiters {
    /// Once for each worker of the whole process.
    pub(crate) fn slot(&self) -> Slot {
        let slot = Slot::default();
        self.0.lock().unwrap().push(slot.clone());
        slot
    }

    /// Nobody waits too long.
    pub(crate) fn check(&self) {
        let now = now();
        for slot in self.0.lock().unwrap().iter() {
            let since = slot.0.load(Ordering::SeqCst);
            if since > 0 && Duration::from_nanos(now.saturating_sub(since)) > PATIENCE {
                violation(&format!("a call waits for more than {PATIENCE:?}"));
            }
        }
    }
}

impl Slot {
    pub(crate) fn waits(&self) -> Waits {
        self.0.store(now(), Ordering::SeqCst);
        Waits(self.clone())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::SeqCst);
    }
}

/// The resident memory of this process in MiB, or `None` if the system does not say.
pub(crate) fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}
