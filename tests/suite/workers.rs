//! The option `queue`: refreshes that worker processes run, rule by rule. A process is a runtime with caches of its own,
//! and one of them is a worker, or several are.

use std::io::Write;
use std::sync::{Arc, Mutex};

use cacheback::shared::{QueueStatus, queues};
use cacheback::{Served, Status, Worked, Worker, cacheback, worker};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fleet::{Process, wait};
use crate::support::Source;

mod arguments;
mod custom;
mod ends;
mod failures;
mod fallback;
mod hand_over;
mod mistakes;
mod seen;

/// The module of these functions.
const HERE: &str = module_path!();

/// The origin of a process. A worker has its own.
type Origin = Arc<Source>;

#[cacheback(shared, queue, lifetime = 10, max_stale = 100, refresh_timeout = 5, skip(origin))]
async fn report(origin: &Origin, key: u64) -> Result<u64, String> {
    let _ = key;
    origin.run().await
}

/// A worker that runs as a task of its process.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Worked, cacheback::Error>>,
}

/// Lets a process be a worker, until it is stopped.
fn start(process: &Process, worker: Worker) -> Running {
    let (stop, stopped) = oneshot::channel();
    let task = process.spawn(worker.run(async move { drop(stopped.await) }));
    Running { stop, task }
}

/// Serves one function with an origin.
fn serves(served: impl Into<Served>, origin: &Origin) -> Worker {
    worker().serve(served).provide(Arc::clone(origin))
}

impl Running {
    /// Stops it, and lets its clock run as long as it takes.
    fn stop(self, process: &Process) -> Worked {
        drop(self.stop);
        process.run(|| self.task).unwrap().unwrap()
    }
}

/// The state of the only line that jobs were put on.
#[track_caller]
fn only_line(process: &Process) -> QueueStatus {
    let [line] = process.run(queues).unwrap().try_into().unwrap();
    line
}

/// The call is answered, with nothing fetched before or during it here.
#[track_caller]
fn stale_read(process: &Process, origin: &Origin, key: u64) {
    let looked = process.run(|| report::entry(origin, key).lookup());
    assert_eq!(looked.status, Status::Stale);
}

/// A value that is stale everywhere, and what each process has fetched with.
fn stale<const N: usize>(processes: &[Process; N], origin: &Origin, key: u64) {
    processes[0].run(|| report::entry(origin, key).get_or_fetch()).unwrap();
    wait(processes, 20);
}

fn worked(done: u64, failed: u64, dropped: u64) -> Worked {
    let mut worked = Worked::default();
    (worked.done, worked.failed, worked.dropped) = (done, failed, dropped);
    worked
}

#[cacheback(shared, queue, lifetime = 10)]
async fn nothing() -> u8 {
    7
}

#[derive(Clone)]
struct Shop {
    origin: Origin,
    tenant: u64,
}

impl Shop {
    #[cacheback(shared, queue, lifetime = 10, skip(self))]
    async fn orders(&self, names: &[&str], limit: Option<u8>) -> Vec<String> {
        let run = self.origin.number().await;
        vec![format!("{names:?} {limit:?} {run}")]
    }

    #[cacheback(shared, queue, lifetime = 10, skip(self), key = (self.tenant, id))]
    async fn order(&self, id: u64) -> u64 {
        id + self.origin.number().await
    }

    #[cacheback(shared, queue, version = 3, in_impl, lifetime = 10, key = name.trim())]
    async fn trimmed(name: &str) -> String {
        format!("<{name}>")
    }
}

#[cacheback(shared, lifetime = 10, fetch_on_miss)]
async fn not_queued(key: u64) -> u64 {
    key
}

/// The log of this thread, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn count(&self, text: &str) -> usize {
        self.text().matches(text).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
