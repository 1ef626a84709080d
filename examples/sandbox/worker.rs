//! The worker: it runs the bodies that the web processes leave to it.

use std::time::Duration;

use crate::processes;
use crate::timeline::{Origin, timeline};

/// Works until the sandbox ends. The line that it prints says that it has begun.
pub(crate) async fn run(origin: Origin) -> anyhow::Result<()> {
    println!("working");
    cacheback::worker()
        .serve(timeline::cache())
        .provide(origin)
        // Few enough that the queue is seen to grow and shrink.
        .concurrency(2)
        .shutdown_limit(Duration::from_secs(2))
        .run(processes::sandbox_ends())
        .await?;
    Ok(())
}
