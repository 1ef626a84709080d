//! Callers who go away after each of their polls: their fetch goes on, or ends, and holds no key.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use cacheback::{cacheback, settle, testing};
use tokio::time::timeout;

use crate::support::{Source, advance, run_ready, secs};

#[cacheback(lifetime = 10, max_stale = 10, fetch_on_miss, refresh_timeout = 30, skip(source))]
async fn served(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
    tokio::task::yield_now().await;
    source.run().await
}

/// Polls `call` so many times, lets everything else run in between, and drops it. Returns its outcome, if so many polls
/// were enough.
async fn polled<T>(times: u32, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..times {
        let polled = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        if let Poll::Ready(done) = polled {
            return Some(done);
        }
        run_ready().await;
    }
    None
}

/// The entry before the call, and the fate of its fetch.
#[derive(Clone, Copy, Debug)]
struct Case {
    age: Option<u64>,
    fails: bool,
    /// The body waits until the call is gone.
    held: bool,
}

#[tokio::test(start_paused = true)]
async fn rule_2_a_call_dropped_after_any_of_its_polls_leaves_no_key_stuck() {
    let ages = [None, Some(0), Some(10), Some(20)];
    for case in ages.into_iter().flat_map(|age| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(fails, held)| Case {
            age,
            fails,
            held,
        })
    }) {
        for call in ["plain", "lookup", "get_or_fetch", "refresh"] {
            let mut longest = 0;
            for times in 0.. {
                let _own = testing::isolate();
                let source = if case.held { Source::gated() } else { Source::open() };
                let entry = served::entry(1, &source);
                if let Some(age) = case.age {
                    entry.set(100).await.unwrap();
                    advance(secs(age)).await;
                }
                source.fail(case.fails);
                let done = match call {
                    "plain" => polled(times, served(1, &source)).await.map(drop),
                    "lookup" => polled(times, entry.lookup()).await.map(drop),
                    "get_or_fetch" => polled(times, entry.get_or_fetch()).await.map(drop),
                    _ => polled(times, entry.refresh()).await.map(drop),
                };
                source.release_all();
                source.fail(false);
                let ended = timeout(secs(120), settle()).await;
                assert!(ended.is_ok(), "{case:?}, {call}, {times} polls: a fetch never ends");
                let again = timeout(secs(120), entry.refresh()).await;
                assert!(matches!(again, Ok(Ok(_))), "{case:?}, {call}, {times} polls: {again:?}");
                assert_stats!(served::cache(), in_flight: 0, entries: 1, "{case:?}, {call}, {times} polls");
                assert!(source.runs() <= 2, "{case:?}, {call}, {times} polls: {} runs", source.runs());
                longest = times;
                // A call whose body is held is never done, however often it is polled.
                if done.is_some() || times == 4 {
                    break;
                }
            }
            assert!(longest >= 1, "{case:?}, {call}: it was polled");
        }
    }
}
