//! What fetches and writes cost: one kind for each way to a new value, in a full cache of [`ROOM`] entries, on a
//! current-thread runtime, with a body that is ready at once.

use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use cacheback::cacheback;
use tokio::task::yield_now;

use crate::{CALLS, Outcome, WARM, body, dump};

/// The measured kinds: the name of each, and the kind that does the same but for the measured calls, if that is anything.
pub(crate) const KINDS: [(&str, Option<&str>); 8] = [
    ("miss, fetch_on_miss", None),
    ("miss, answered empty", Some("full, yields")),
    ("stale, starts a refresh", Some("full, yields")),
    ("set of a new key", None),
    ("set over a value", None),
    ("invalidate, with its refresh", Some("full, yields")),
    ("remove", None),
    ("remove of a missing key", None),
];

/// The capacity, and the number of keys that were set before.
const ROOM: u64 = 10_000;

/// The program that is counted. Calls of a new key evict an old one.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(kind: &str) -> Outcome<()> {
    let calls = u64::from(WARM + CALLS);
    let (new, old) = (ROOM..ROOM + calls, ROOM - calls..ROOM);
    for id in 0..ROOM {
        waits(id).await;
        set(&["behind", "stale"], id).await?;
    }
    // Every value of `stale` is stale then, by the clock of a hit too, which lags by up to 10 ms.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let before = fetches();
    match kind {
        "full, yields" => each(new, async |_| yield_now().await).await,
        "miss, fetch_on_miss" => each(new, async |id| assert_eq!(black_box(waits(id).await), body(id))).await,
        "miss, answered empty" => {
            let call = async |id| {
                assert_eq!(black_box(behind(id).await), None);
                yield_now().await;
            };
            each(new, call).await;
        }
        "stale, starts a refresh" => {
            let call = async |id| {
                assert!(black_box(stale(id).await).is_some());
                yield_now().await;
            };
            each(old, call).await;
        }
        "set of a new key" => each(new, async |id| set(&["behind"], id).await.expect("set")).await,
        "set over a value" => {
            each(old, async |id| set(&["behind"], id).await.expect("set")).await;
        }
        "invalidate, with its refresh" => {
            let call = async |id| {
                behind::entry(id).invalidate().await.expect("invalidated");
                yield_now().await;
            };
            each(old, call).await;
        }
        "remove" => each(old, async |id| behind::entry(id).remove().await.expect("removed")).await,
        "remove of a missing key" => {
            each(new, async |id| behind::entry(id).remove().await.expect("removed")).await;
        }
        _ => return Err(format!("no kind `{kind}`").into()),
    }
    let starts = kind.starts_with("miss") || kind.contains("refresh");
    assert_eq!(fetches() - before, if starts { calls } else { 0 }, "fetches of `{kind}`");
    Ok(())
}

async fn each(ids: Range<u64>, mut call: impl AsyncFnMut(u64)) {
    let first = ids.start + u64::from(WARM);
    for id in ids {
        if id == first {
            dump();
        }
        call(black_box(id)).await;
    }
    dump();
}

async fn set(functions: &[&str], id: u64) -> Result<(), cacheback::Error> {
    for function in functions {
        let entry = if *function == "stale" { stale::entry(id) } else { behind::entry(id) };
        entry.set(Some([7; 16])).await?;
    }
    Ok(())
}

fn fetches() -> u64 {
    [waits::cache(), behind::cache(), stale::cache()].iter().map(|cache| cache.stats().fetches).sum()
}

#[cacheback(lifetime = "1h", capacity = 10_000, fetch_on_miss)]
async fn waits(id: u64) -> [u8; 16] {
    body(id)
}

#[cacheback(lifetime = "1h", capacity = 10_000)]
async fn behind(id: u64) -> Option<[u8; 16]> {
    Some(body(id))
}

#[cacheback(lifetime = "1ms", capacity = 10_000)]
async fn stale(id: u64) -> Option<[u8; 16]> {
    Some(body(id))
}
