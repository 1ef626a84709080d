//! The floods: a cache each, with bodies of one kind.

use std::sync::Arc;
use std::time::Duration;

use cacheback::Cache;
use tokio::sync::Semaphore;

pub(crate) const CAPACITY: u64 = 10_000;
const SIZE: usize = 1_024;

type Value = Arc<[u8]>;
pub(crate) type Flooded = Cache<u64, Result<Value, String>>;

/// The outcome of the bodies, and the way they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value, for callers who wait.
    Waited,
    /// A value, in the background of callers who get the empty one.
    Behind,
    /// A value that is not to be stored.
    NotStored,
    /// An error that is kept for a minute.
    KeptErrors,
    /// An error, in the background, without the breaker, which would leave little to see.
    Errors,
    /// The same, with the breaker.
    Breaker,
    /// Nothing, until all have called.
    Hanging,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Waited,
        Self::Behind,
        Self::NotStored,
        Self::KeptErrors,
        Self::Errors,
        Self::Breaker,
        Self::Hanging,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waited => "values, callers wait",
            Self::Behind => "values, callers get the empty one",
            Self::NotStored => "values that are not stored, callers wait",
            Self::KeptErrors => "errors that are kept, callers wait",
            Self::Errors => "errors, callers get the empty value",
            Self::Breaker => "the same, with the breaker",
            Self::Hanging => "bodies that hang",
        }
    }

    /// The most bodies that so many keys may start.
    pub(crate) fn bodies(self, keys: u64) -> u64 {
        match self {
            // The refreshes that had a place or stood in the queue when the breaker opened, and its trials.
            Self::Breaker => 64 + 1_024 + 64,
            // Each place once, and the queue when they end.
            Self::Hanging => 64 + 1_024,
            _ => keys,
        }
    }

    /// Each body brings a value that is stored.
    pub(crate) fn stores(self) -> bool {
        matches!(self, Self::Waited | Self::Behind)
    }

    fn waits(self) -> bool {
        matches!(self, Self::Waited | Self::NotStored | Self::KeptErrors)
    }
}

pub(crate) struct Flood {
    kind: Kind,
    cache: Flooded,
    gate: Arc<Semaphore>,
}

impl Flood {
    pub(crate) fn new(kind: Kind) -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let opens = Arc::clone(&gate);
        let fetch = move |key: u64| {
            let opens = Arc::clone(&opens);
            async move {
                // As an origin that takes its time: all callers, and all places, have fetches that run.
                for _ in 0..4 {
                    tokio::task::yield_now().await;
                }
                match kind {
                    Kind::Waited | Kind::Behind | Kind::NotStored => Ok(Value::from(vec![key as u8; SIZE])),
                    Kind::KeptErrors | Kind::Errors | Kind::Breaker => Err("x".repeat(SIZE)),
                    Kind::Hanging => {
                        // Closed in the end: nobody gets one.
                        let _ = opens.acquire().await;
                        Err("x".repeat(SIZE))
                    }
                }
            }
        };
        let hour = Duration::from_secs(3_600);
        let mut builder = Cache::builder()
            .capacity(CAPACITY)
            .lifetime(hour)
            .refresh_timeout(hour)
            .breaker(kind == Kind::Breaker)
            .try_fetcher(fetch);
        if kind == Kind::NotStored {
            builder = builder.lifetime_for(|_| Duration::ZERO);
        }
        if kind == Kind::KeptErrors {
            builder = builder.cache_err(Duration::from_secs(60));
        }
        Self { kind, cache: builder.build().unwrap(), gate }
    }

    pub(crate) fn cache(&self) -> &Flooded {
        &self.cache
    }

    /// Calls once with each key, from so many tasks, and waits for the end of the fetches that this starts.
    pub(crate) async fn pour(&self, keys: u64, callers: u64) {
        let calls = (0..callers).map(|first| {
            let (cache, waits) = (self.cache.clone(), self.kind.waits());
            tokio::spawn(async move {
                for key in (first..keys).step_by(callers as usize) {
                    if waits {
                        let _ = cache.entry(&key).get_or_fetch().await;
                        continue;
                    }
                    let _ = cache.get(&key).await;
                    // This call waits for nothing, so the bodies need a turn.
                    tokio::task::yield_now().await;
                }
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        self.gate.close();
        cacheback::settle().await;
    }
}
