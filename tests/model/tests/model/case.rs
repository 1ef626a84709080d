//! One case: the options of a cache and the steps that are played on it. It is drawn at random, and printed so that a
//! case that failed can be pasted into a test. All times are milliseconds.

use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) options: Options,
    /// Seeds the library's chance: back-offs repeat, and so does the case.
    pub(crate) chance: u64,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Which keys there are: `0..keys`.
    pub(crate) keys: usize,
    pub(crate) lifetime: u64,
    pub(crate) max_stale: Option<u64>,
    pub(crate) retention: u64,
    pub(crate) refresh_ahead: u64,
    pub(crate) fetch_on_miss: bool,
    pub(crate) wait: Option<u64>,
    pub(crate) refresh_timeout: u64,
    pub(crate) max_backoff: u64,
    pub(crate) breaker: bool,
    pub(crate) cache_err: Option<u64>,
    pub(crate) capacity: usize,
    pub(crate) tiny_lfu: bool,
    /// How many refreshes run at once, and how many wait.
    pub(crate) max_refreshes: usize,
    pub(crate) max_waiting: usize,
    /// All keys have one hash.
    pub(crate) colliding: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Plain,
    GetOrFetch,
    Lookup,
    Refresh,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    /// A value whose `lifetime_for` is this.
    Lasting(u64),
    /// A value whose `retention_for` is this.
    Kept(u64),
    Error,
    Panic,
}

impl Options {
    /// Values can have lifetimes of their own. (Not if the function's is zero: for `lifetime_for` that means "do not
    /// store".)
    pub(crate) fn has_lifetime_for(&self) -> bool {
        self.lifetime > 0
    }
}

/// The numbers of calls and bodies count the present ones, and wrap.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Call {
        key: usize,
        how: How,
    },
    /// The future of a call that waits is dropped.
    Cancel {
        call: usize,
    },
    /// A body that runs ends.
    End {
        body: usize,
        end: End,
    },
    Set {
        key: usize,
        lasting: Option<u64>,
        kept: Option<u64>,
    },
    /// The value that is stored is set once more.
    SetEqual {
        key: usize,
    },
    Invalidate {
        key: usize,
    },
    InvalidateAll,
    Remove {
        key: usize,
    },
    Take {
        key: usize,
    },
    Clear,
    Pass(u64),
    /// Time passes to a moment at which something changes for this key, or one millisecond beside it.
    PassTo {
        key: usize,
        edge: usize,
        beside: i64,
    },
    Settle,
    Shutdown {
        limit: u64,
    },
}

/// If two of the library's timers end at the same moment, no order is promised. The residues keep `wait` and `shutdown`
/// apart from the rest.
fn options(kind: Kind) -> impl Strategy<Value = Options> {
    let spans = (
        prop_oneof![1 => Just(0), 3 => Just(1_000), 3 => Just(4_000)],
        prop_oneof![Just(None), Just(Some(0)), Just(Some(1_500))],
        prop_oneof![Just(6_000), Just(15_000), Just(3_600_000)],
        prop_oneof![2 => Just(0), 1 => Just(500)],
    );
    let fetches = (
        prop::bool::weighted(if kind == Kind::Failing { 0.2 } else { 0.5 }),
        prop_oneof![2 => Just(None), 1 => Just(Some(600)), 1 => Just(Some(2_100))],
        prop_oneof![Just(1_500), Just(5_000)],
        prop_oneof![1 => Just(0), 1 => Just(500), 3 => Just(2_000), 3 => Just(8_000)],
        prop_oneof![2 => Just(None), 1 => Just(Some(750)), 1 => Just(Some(3_000))],
        prop::bool::weighted(if kind == Kind::Failing { 0.9 } else { 0.5 }),
    );
    let queued = if kind == Kind::Failing { 6 } else { 2 };
    let bounds = (
        prop_oneof![3 => Just(100), 1 => Just(2_usize), 1 => Just(1)],
        any::<bool>(),
        prop_oneof![3 => Just(64), 1 => Just(2), queued => Just(1_usize)],
        prop_oneof![Just(64), Just(1), Just(0_usize)],
        prop::bool::weighted(0.2),
    );
    (spans, fetches, bounds).prop_map(move |(spans, fetches, bounds)| {
        let (lifetime, max_stale, retention, refresh_ahead) = spans;
        let (fetch_on_miss, wait, refresh_timeout, max_backoff, cache_err, breaker) = fetches;
        let (capacity, tiny_lfu, max_refreshes, max_waiting, colliding) = bounds;
        let refresh_ahead = if refresh_ahead < lifetime { refresh_ahead } else { 0 };
        Options {
            keys: kind.keys(),
            lifetime,
            max_stale,
            retention,
            refresh_ahead,
            fetch_on_miss,
            wait,
            refresh_timeout,
            max_backoff,
            breaker,
            cache_err,
            capacity,
            tiny_lfu,
            max_refreshes,
            max_waiting,
            colliding,
        }
    })
}

/// Deep states of one key, several keys at once, or an origin that fails for most keys, which breakers are for. Most
/// cases have no shutdown, because little happens after one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OneKey,
    Keys,
    Failing,
    Shutdown,
}

impl Kind {
    fn keys(self) -> usize {
        match self {
            Self::OneKey => 1,
            Self::Keys | Self::Shutdown => 3,
            Self::Failing => 6,
        }
    }
}

fn key(kind: Kind) -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 0..kind.keys()]
}

fn step(kind: Kind) -> impl Strategy<Value = Step> {
    let key = move || key(kind);
    let rare = match kind {
        Kind::Shutdown => shutdown().boxed(),
        Kind::OneKey | Kind::Keys | Kind::Failing => Just(Step::Settle).boxed(),
    };
    // A breaker refuses no caller who waits.
    let waits = if kind == Kind::Failing { 1 } else { 2 };
    let how = prop_oneof![
        4 => Just(How::Plain),
        waits => Just(How::GetOrFetch),
        3 => Just(How::Lookup),
        waits => Just(How::Refresh),
    ];
    let (values, errors) = if kind == Kind::Failing { (1, 40) } else { (5, 3) };
    let end = prop_oneof![
        values => Just(End::Value),
        1 => Just(End::Lasting(0)),
        1 => Just(End::Lasting(400)),
        1 => Just(End::Lasting(100_000)),
        1 => prop_oneof![Just(0), Just(700), Just(5_000)].prop_map(End::Kept),
        errors => Just(End::Error),
        1 => Just(End::Panic),
    ];
    let lasting = prop_oneof![4 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(2_000))];
    let kept = prop_oneof![4 => Just(None), 1 => Just(Some(0)), 2 => Just(Some(1_700))];
    prop_oneof![
        24 => (key(), how).prop_map(|(key, how)| Step::Call { key, how }),
        3 => (0..8_usize).prop_map(|call| Step::Cancel { call }),
        14 => (0..8_usize, end).prop_map(|(body, end)| Step::End { body, end }),
        3 => (key(), lasting, kept).prop_map(|(key, lasting, kept)| Step::Set { key, lasting, kept }),
        1 => key().prop_map(|key| Step::SetEqual { key }),
        5 => key().prop_map(|key| Step::Invalidate { key }),
        2 => Just(Step::InvalidateAll),
        2 => key().prop_map(|key| Step::Remove { key }),
        1 => key().prop_map(|key| Step::Take { key }),
        1 => Just(Step::Clear),
        4 => prop_oneof![Just(250), Just(1_000), Just(10_000)].prop_map(Step::Pass),
        14 => (key(), 0..8_usize, -1..=1_i64)
            .prop_map(|(key, edge, beside)| Step::PassTo { key, edge, beside }),
        1 => rare,
    ]
}

fn shutdown() -> impl Strategy<Value = Step> {
    prop_oneof![Just(0), Just(1_130), Just(10_130)].prop_map(|limit| Step::Shutdown { limit })
}

/// As many failures in a row as open a breaker, or nearly, with other steps before and after.
fn failing() -> impl Strategy<Value = Vec<Step>> {
    let some = |size| vec(step(Kind::Failing), size);
    let failures = vec(failure(), 8..13).prop_map(|failures| failures.concat());
    (some(0..20), failures, some(1..60))
        .prop_map(|(before, failures, after)| [before, failures, after].concat())
}

/// A caller waits for a fetch, and one fails.
fn failure() -> impl Strategy<Value = Vec<Step>> {
    key(Kind::Failing)
        .prop_map(|key| vec![Step::Call { key, how: How::Refresh }, Step::End { body: 0, end: End::Error }])
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let cases = |kind| {
        let steps = match kind {
            Kind::Failing => failing().boxed(),
            Kind::OneKey | Kind::Keys | Kind::Shutdown => vec(step(kind), 1..60).boxed(),
        };
        (options(kind), any::<u64>(), steps).prop_map(|(options, chance, steps)| Case {
            options,
            chance,
            steps,
        })
    };
    prop_oneof![
        6 => cases(Kind::OneKey),
        6 => cases(Kind::Keys),
        5 => cases(Kind::Failing),
        2 => cases(Kind::Shutdown),
    ]
}
