//! Shared functions: a hit, and stale ones whose refresh is put on a queue for workers.

use std::future::pending;
use std::hint::black_box;
use std::time::Duration;

use cacheback::cacheback;
use cacheback::shared::{Delivery, Ended, Line, LineState, Queue, QueueError, Room};
use cacheback_runtime::shared::Memory;

use crate::{CALLS, Outcome, repeat};

/// The program that is counted.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn hit(kind: &str) -> Outcome<()> {
    // There is no tier: what is stored here is all that a hit sees.
    if kind == "shared u64" {
        number::entry(7).set([7; 16]).await?;
        repeat!(number(black_box(7)));
        assert_eq!(number::cache().stats().fetches, 0, "each call was a hit");
        return Ok(());
    }
    let takes = match kind {
        "stale, on a queue" => true,
        "stale, on its way to a queue" => false,
        _ => return Err(format!("no kind `{kind}`").into()),
    };
    cacheback::configure().shared(Memory::new()).queue(Jobs { takes }).apply()?;
    queued::entry(7).set([7; 16]).await?;
    queued::entry(7).invalidate().await?;
    while takes && queued::cache().stats().queued == 0 {
        tokio::task::yield_now().await;
    }
    repeat!(queued(black_box(7)));
    let stats = queued::cache().stats();
    assert_eq!((stats.queued, stats.hits, stats.fetches), (u64::from(takes), 0, 0), "each call was stale");
    assert!(stats.stale >= u64::from(CALLS));
    Ok(())
}

#[cacheback(lifetime = 600, shared)]
async fn number(id: u64) -> [u8; 16] {
    unreachable!("{id}: each call is a hit")
}

#[cacheback(lifetime = 600, shared, queue)]
async fn queued(id: u64) -> [u8; 16] {
    unreachable!("{id}: no worker runs it")
}

/// A queue with a worker that lives, and has not come to the job. It takes none if it is slow to answer.
struct Jobs {
    takes: bool,
}

impl Queue for Jobs {
    async fn put(&self, _line: &Line, _job: Vec<u8>) -> Result<(), QueueError> {
        if self.takes { Ok(()) } else { pending().await }
    }

    async fn state(&self, _line: &Line) -> Result<LineState, QueueError> {
        Ok(LineState { length: 0, worker_seen: Some(Duration::ZERO) })
    }

    async fn take(
        &self,
        _worker: &str,
        _rooms: &[Room],
        _most: usize,
        _wait: Duration,
    ) -> Result<Vec<(Line, Delivery)>, QueueError> {
        pending().await
    }

    async fn done(&self, _line: &Line, _id: &str, _ended: Ended) -> Result<(), QueueError> {
        Ok(())
    }

    async fn give_back(&self, _line: &Line, _delivery: &Delivery) -> Result<(), QueueError> {
        Ok(())
    }

    async fn beat(&self, _worker: &str, _lines: &[Line]) -> Result<(), QueueError> {
        Ok(())
    }
}
