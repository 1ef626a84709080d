//! Many keys at once, and keys that somebody chose: bodies and comparisons stay bounded, and everybody is served.
//! `tests/floods` measures what a flood costs in memory.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::{cacheback, settle, testing};

use crate::support::{Source, advance, run_ready, secs};

/// Ten thousand keys go stale at once, and their origin is dead for two minutes.
#[tokio::test(start_paused = true)]
async fn rule_6_a_dead_origin_is_spared_ten_thousand_stale_keys() {
    const KEYS: u64 = 10_000;
    #[cacheback(lifetime = "1h", capacity = 20_000, skip(source))]
    async fn flooded(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await?;
        Ok(id)
    }
    let _own = testing::isolate();
    let source = Source::open();
    for id in 0..KEYS {
        flooded::entry(id, &source).set(id).await.unwrap();
    }
    advance(secs(3_600)).await;
    source.fail(true);
    for _ in 0..24 {
        for id in 0..KEYS {
            assert_eq!(flooded(id, &source).await, Ok(id), "stale, at once");
        }
        settle().await;
        advance(secs(5)).await;
    }
    // The refreshes that had a place or stood in the queue as the breaker opened, and its trials.
    let asked = source.runs();
    assert!((10..64 + 1_024 + 12).contains(&asked), "{asked} bodies");
    assert!(source.peak() <= 64, "{} at once", source.peak());
    assert_stats!(flooded::cache(), errors: asked, entries: KEYS, in_flight: 0);

    source.fail(false);
    let mut seconds = 0;
    while source.runs() < asked + KEYS {
        // The breaker's and the keys' own pauses of a minute at most, and then as many a second as may wait.
        assert!(seconds < 60 + 20, "{} of {KEYS} are refreshed", source.runs() - asked);
        for id in 0..KEYS {
            assert_eq!(flooded(id, &source).await, Ok(id));
        }
        settle().await;
        advance(secs(1)).await;
        seconds += 1;
    }
    for id in 0..KEYS {
        assert!(flooded::entry(id, &source).peek().await.unwrap().fresh, "{id}");
    }
    assert_eq!(source.runs(), asked + KEYS, "each once");
}

/// A function whose bodies never end has taken every place and the whole queue, and goes on asking for more: the keys
/// of another one are refreshed as soon as a place is given back, and none of them is refused.
#[tokio::test(start_paused = true)]
async fn rule_11_a_function_that_hangs_does_not_starve_another() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn hanging(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    #[cacheback(lifetime = 3_600, skip(source))]
    async fn quick(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    const KEYS: u64 = 200;
    let _own = testing::isolate();
    let (never, open) = (Source::gated(), Source::open());
    let flood = || async {
        for id in 0..5_000 {
            let _ = hanging(id, &never).await;
        }
        run_ready().await;
    };
    flood().await;
    for id in 0..KEYS {
        let _ = quick(id, &open).await;
    }
    for second in 0..60 {
        assert_eq!(open.runs(), 0, "after {second} s: every place is taken");
        flood().await;
        advance(secs(1)).await;
    }
    flood().await;
    assert_eq!(open.runs(), KEYS, "the bodies that hang have lapsed");
    assert_stats!(quick::cache(), refused: 0, entries: KEYS);
    assert!(never.peak() <= 64 && hanging::cache().stats().refused > 0);
}

static COMPARED: AtomicU64 = AtomicU64::new(0);

/// A key whose hash is that of its whole class, and that counts how often it is compared.
#[derive(Clone, Debug)]
struct Chosen {
    class: u64,
    id: u64,
}

impl PartialEq for Chosen {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.fetch_add(1, Ordering::Relaxed);
        (self.class, self.id) == (other.class, other.id)
    }
}

impl Eq for Chosen {}

impl Hash for Chosen {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.class);
    }
}

#[cacheback(lifetime = 3_600, fetch_on_miss, key = key, skip(source))]
async fn chosen(key: Chosen, source: &Arc<Source>) -> u64 {
    source.number().await;
    key.id
}

/// How many comparisons this takes.
async fn compared<T>(call: impl Future<Output = T>) -> (u64, T) {
    let before = COMPARED.load(Ordering::Relaxed);
    let done = call.await;
    (COMPARED.load(Ordering::Relaxed) - before, done)
}

/// A `Hash` of the user's that is the same for all: a call compares its key with each of them once, a write twice, and
/// keys of another hash hardly meet one. (The map compares a few keys whose hashes are alike in seven bits.)
///
/// In one test: the counter is everybody's.
#[tokio::test(start_paused = true)]
async fn keys_of_one_hash_are_compared_once_each() {
    const KEYS: u64 = 2_000;
    let _own = testing::isolate();
    let source = Source::open();
    let of = |class, id| Chosen { class, id };
    for id in 0..KEYS {
        let (times, ()) = compared(async { chosen::entry(of(0, id), &source).set(id).await.unwrap() }).await;
        assert!(times <= 3 * id + 16, "{times} to put in one more than {id}");
    }
    assert_stats!(chosen::cache(), entries: KEYS, "they all find room");
    let mut most = 0;
    for id in (0..KEYS).step_by(20).chain([KEYS - 1]) {
        let (times, value) = compared(chosen(of(0, id), &source)).await;
        assert_eq!(value, id);
        most = most.max(times);
    }
    assert!((KEYS / 2..3 * KEYS / 2).contains(&most), "{most} comparisons for a hit");
    let (times, value) = compared(chosen(of(0, KEYS), &source)).await;
    assert_eq!((value, source.runs()), (KEYS, 1));
    assert!(times <= 6 * KEYS, "{times} comparisons for a miss and its fetch");
    // A neighbour of another hash has nothing to do with it.
    let (times, _) = compared(chosen(of(1, 0), &source)).await;
    assert!(times <= 16, "{times} comparisons for a miss of another hash");
    let (times, _) = compared(chosen(of(1, 0), &source)).await;
    assert!((1..=4).contains(&times), "{times} for a hit");
    settle().await;

    // And while they are all fetched at once.
    const FLIGHTS: u64 = 500;
    let gated = Source::gated();
    let callers: Vec<_> =
        (0..FLIGHTS).map(|id| tokio::spawn(chosen::entry(of(2, id), &gated).get_or_fetch())).collect();
    let (times, ()) = compared(gated.started(FLIGHTS)).await;
    assert!(times <= 4 * FLIGHTS * FLIGHTS, "{} comparisons a call", times / FLIGHTS);
    gated.release_all();
    for (id, caller) in (0..).zip(callers) {
        assert_eq!(caller.await.unwrap(), id);
    }
    assert_eq!(gated.runs(), FLIGHTS);
}
