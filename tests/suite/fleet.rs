//! A fleet of processes with one second tier in memory. A process is a runtime with caches of its own.

use std::future::Future;

use cacheback::shared::Memory;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::support::{advance, run_ready, secs};

/// Value, status and source of a call.
macro_rules! looked_up {
    ($process:expr, $entry:expr) => {{
        let lookup = $process.run(|| $entry.lookup());
        (lookup.value, lookup.status, lookup.source)
    }};
}

/// One process of a fleet.
pub(crate) struct Process {
    runtime: Runtime,
    _own: cacheback::testing::Isolated,
}

impl Process {
    pub(crate) fn new(configure: impl FnOnce(cacheback::Configure) -> cacheback::Configure) -> Self {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let own = runtime.block_on(async {
            let own = cacheback::testing::isolate();
            configure(cacheback::configure()).apply().unwrap();
            own
        });
        Self { runtime, _own: own }
    }

    /// Makes a call in this process, and then runs every task that can run.
    pub(crate) fn run<F: Future>(&self, call: impl FnOnce() -> F) -> F::Output {
        self.runtime.block_on(async {
            let done = call().await;
            run_ready().await;
            done
        })
    }

    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let task = self.runtime.spawn(future);
        self.run(|| async {});
        task
    }
}

/// So many processes with one tier.
pub(crate) fn fleet<const N: usize>() -> (Memory, [Process; N]) {
    let memory = Memory::new();
    let processes = std::array::from_fn(|_| Process::new(|configure| configure.shared(memory.clone())));
    (memory, processes)
}

/// All clocks move together.
pub(crate) fn wait<const N: usize>(processes: &[Process; N], seconds: u64) {
    processes.iter().for_each(|process| process.run(|| advance(secs(seconds))));
}

/// Each process is told what the others have changed.
pub(crate) fn hear<const N: usize>(processes: &[Process; N]) {
    processes.iter().for_each(|process| process.run(|| async {}));
}
