//! The options of a cached function, their defaults and the rules between them.

use std::fmt;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The options of a cached function or cache, as they hold unless an argument changes them.
///
/// With the feature `serde` it can be serialized, as a map of these fields: durations are seconds in floating point
/// (`"lifetime": 600.0`), and `None` is null. It cannot be deserialized: a function's options are written in its
/// attribute.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// let policy = cacheback::Policy::default();
/// assert_eq!(policy.lifetime.as_secs(), 600);
/// assert_eq!(policy.retention.as_secs(), 30 * 24 * 60 * 60);
/// assert!(!policy.fetch_on_miss);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Policy {
    /// How long a value is fresh. Default: 600 s.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of"))]
    pub lifetime: Duration,
    /// How long after its lifetime a value is served without waiting; `None`: until `retention`. Default: `None`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of_limit"))]
    pub max_stale: Option<Duration>,
    /// The age at which a value is gone, unless its own retention (`retention_for`) is shorter. Default: 30 days.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of"))]
    pub retention: Duration,
    /// How long before the end of the lifetime a hit starts the refresh. Default: 0.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of"))]
    pub refresh_ahead: Duration,
    /// Whether a caller waits for the fetch if nothing is cached. Default: `false`.
    pub fetch_on_miss: bool,
    /// The longest that a caller waits for a fetch; `None`: no limit. Default: `None`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of_limit"))]
    pub wait: Option<Duration>,
    /// How long a fetch claims its key. After that it is aborted, unless somebody waits for it. Default: 60 s.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of"))]
    pub refresh_timeout: Duration,
    /// The longest pause after failed fetches of a key. Default: 60 s.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of"))]
    pub max_backoff: Duration,
    /// Whether ten failed fetches in a row, over any keys, reduce refreshes in the background to one trial in each
    /// back-off period, until a trial succeeds. Default: `true`.
    pub breaker: bool,
    /// How many refreshes of this function may run at once; `None`: as many as the executor allows. Default: `None`.
    pub max_refreshes: Option<usize>,
    /// Whether a refresh that no worker takes runs in the process that asks for it. It matters to a function with
    /// `queue` alone. Default: `true`.
    pub queue_fallback: bool,
    /// How long an `Err` answers waiting callers if no value exists; `None`: not at all. Default: `None`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of_limit"))]
    pub cache_err: Option<Duration>,
    /// The largest share by which a stored lifetime is shortened at random, 0.0 to 1.0. Default: 0.0.
    pub jitter: f64,
    /// The most entries that the local store keeps, unless `max_bytes` limits it. Default: 10,000.
    pub capacity: u64,
    /// The most bytes that the local store keeps, as `weigh` counts them, in place of `capacity`; `None`: entries are
    /// counted. Default: `None`.
    pub max_bytes: Option<u64>,
    /// Which values are dropped first when the local store is full. Default: [`Eviction::Lru`].
    pub eviction: Eviction,
    /// Names of the options whose expression depends on the arguments; their fields show the default.
    pub varies: &'static [&'static str],
}

/// Which values are dropped first when the local store is full.
///
/// With the feature `serde` it is serialized as the word that the attribute takes: `lru` or `tiny_lfu`.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// assert_eq!(cacheback::Policy::default().eviction, cacheback::Eviction::Lru);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Eviction {
    /// Those that have not been read for the longest time.
    #[default]
    Lru,
    /// Those that are asked for least often (W-TinyLFU). Even so, the next read sees a new value.
    TinyLfu,
}

/// Durations as seconds, in floating point.
#[cfg(feature = "serde")]
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Serialize, Serializer};

    pub(crate) fn of<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        duration.as_secs_f64().serialize(serializer)
    }

    pub(crate) fn of_limit<S: Serializer>(
        limit: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        limit.as_ref().map(Duration::as_secs_f64).serialize(serializer)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lifetime: 600 * SECOND,
            max_stale: None,
            retention: 30 * DAY,
            refresh_ahead: Duration::ZERO,
            fetch_on_miss: false,
            wait: None,
            refresh_timeout: 60 * SECOND,
            max_backoff: 60 * SECOND,
            breaker: true,
            max_refreshes: None,
            queue_fallback: true,
            cache_err: None,
            jitter: 0.0,
            capacity: 10_000,
            max_bytes: None,
            eviction: Eviction::Lru,
            varies: &[],
        }
    }
}

/// Options that contradict each other, or an option out of its range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contradiction {
    pub(crate) option: &'static str,
    /// The other options of the contradiction.
    pub(crate) with: &'static [&'static str],
    reason: String,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "option `{}`: {}", self.option, self.reason)
    }
}

impl Policy {
    /// The options as they are, or the first contradiction between constant ones. If an argument changes one of the
    /// two, they are clamped together for each entry instead.
    pub(crate) fn checked(self) -> Result<Self, Contradiction> {
        let varies = |option: &str| self.varies.contains(&option);
        let constant =
            |found: &Contradiction| !varies(found.option) && !found.with.iter().any(|with| varies(with));
        let mut clamped = self;
        match clamped.clamp().into_iter().find(constant) {
            Some(contradiction) => Err(contradiction),
            None => Ok(self),
        }
    }

    /// Makes the options agree, and returns their contradictions with the values that were given. A value that is
    /// changed because of one contradiction causes no other.
    pub(crate) fn clamp(&mut self) -> Vec<Contradiction> {
        let given = *self;
        let mut found = Vec::new();
        let mut contradiction = |option, with, reason| found.push(Contradiction { option, with, reason });
        if given.lifetime > given.retention {
            contradiction(
                "retention",
                &["lifetime"][..],
                format!(
                    "{} is shorter than the `lifetime` of {}",
                    readable(given.retention),
                    readable(given.lifetime)
                ),
            );
            self.lifetime = given.retention;
        }
        let room = self.retention - self.lifetime;
        if let Some(max_stale) = given.max_stale.filter(|max_stale| *max_stale > room) {
            if given.lifetime <= given.retention {
                contradiction(
                    "max_stale",
                    &["lifetime", "retention"],
                    format!(
                        "{} past a `lifetime` of {} ends after the `retention` of {}",
                        readable(max_stale),
                        readable(given.lifetime),
                        readable(given.retention)
                    ),
                );
            }
            self.max_stale = Some(room);
        }
        if !given.refresh_ahead.is_zero() && given.refresh_ahead >= self.lifetime {
            if given.refresh_ahead >= given.lifetime {
                contradiction(
                    "refresh_ahead",
                    &["lifetime"],
                    format!(
                        "{} is not shorter than the `lifetime` of {}",
                        readable(given.refresh_ahead),
                        readable(given.lifetime)
                    ),
                );
            }
            self.refresh_ahead = self.lifetime / 2;
        }
        if self.refresh_timeout.is_zero() {
            contradiction("refresh_timeout", &[], "a fetch needs more than no time at all".into());
            self.refresh_timeout = Duration::from_millis(1);
        }
        if self.cache_err.is_some_and(|time| time.is_zero()) {
            contradiction("cache_err", &[], "zero keeps no error; leave the option out".into());
            self.cache_err = None;
        }
        if self.max_refreshes == Some(0) {
            contradiction("max_refreshes", &[], "with no refresh allowed nothing is ever refreshed".into());
            self.max_refreshes = Some(1);
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            contradiction("jitter", &[], format!("{} is not within 0.0..=1.0", self.jitter));
            self.jitter = 0.0;
        }
        if self.max_bytes.is_some() && self.eviction == Eviction::TinyLfu {
            contradiction(
                "eviction",
                &["max_bytes"],
                "`TinyLfu` counts entries, and with `max_bytes` they are not counted".into(),
            );
            self.eviction = Eviction::Lru;
        }
        found
    }
}

/// A duration in its largest whole unit, as a user would have written it.
fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(24 * 60 * 60, " days"), (60 * 60, " h"), (60, " min")];
    match units.iter().find(|(unit, _)| seconds % unit == 0) {
        Some((unit, name)) if seconds > 0 && duration.subsec_nanos() == 0 => {
            format!("{}{name}", seconds / unit)
        }
        _ => format!("{duration:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_defaults_agree() {
        assert_eq!(Policy::default().checked(), Ok(Policy::default()));
    }

    #[test]
    fn each_contradiction_names_its_option_and_is_clamped() {
        let base = Policy::default();
        let cases: [(&str, Policy, Policy); 8] = [
            (
                "retention",
                Policy { lifetime: secs(10), retention: secs(5), ..base },
                Policy { lifetime: secs(5), retention: secs(5), ..base },
            ),
            (
                "max_stale",
                Policy { lifetime: secs(10), max_stale: Some(secs(10)), retention: secs(15), ..base },
                Policy { lifetime: secs(10), max_stale: Some(secs(5)), retention: secs(15), ..base },
            ),
            (
                "refresh_ahead",
                Policy { refresh_ahead: secs(600), ..base },
                Policy { refresh_ahead: secs(300), ..base },
            ),
            (
                "refresh_timeout",
                Policy { refresh_timeout: Duration::ZERO, ..base },
                Policy { refresh_timeout: Duration::from_millis(1), ..base },
            ),
            ("cache_err", Policy { cache_err: Some(Duration::ZERO), ..base }, base),
            (
                "max_refreshes",
                Policy { max_refreshes: Some(0), ..base },
                Policy { max_refreshes: Some(1), ..base },
            ),
            ("jitter", Policy { jitter: 1.5, ..base }, base),
            (
                "eviction",
                Policy { max_bytes: Some(1), eviction: Eviction::TinyLfu, ..base },
                Policy { max_bytes: Some(1), ..base },
            ),
        ];
        for (option, wrong, clamped) in cases {
            assert_eq!(wrong.checked().unwrap_err().option, option);
            let mut policy = wrong;
            assert_eq!(policy.clamp().len(), 1, "{option}");
            assert_eq!(policy, clamped, "{option}");
            assert_eq!(policy.checked(), Ok(policy), "{option}");
        }
        let nan = Policy { jitter: f64::NAN, ..base };
        assert_eq!(nan.checked().unwrap_err().option, "jitter");
    }

    #[test]
    fn a_contradiction_names_the_values_that_were_given() {
        let base = Policy { lifetime: secs(60), retention: secs(30), ..Policy::default() };
        let told = |mut policy: Policy| policy.clamp().iter().map(ToString::to_string).collect::<Vec<_>>();
        let retention = "option `retention`: 30s is shorter than the `lifetime` of 1 min";
        assert_eq!(told(base), [retention]);
        assert_eq!(told(Policy { max_stale: Some(secs(40)), ..base }), [retention]);
        assert_eq!(told(Policy { refresh_ahead: secs(40), ..base }), [retention]);
        assert_eq!(
            told(Policy { refresh_ahead: secs(90), ..base }),
            [retention, "option `refresh_ahead`: 90s is not shorter than the `lifetime` of 1 min"]
        );
        let default = Policy::default();
        assert_eq!(
            told(Policy { max_stale: Some(30 * DAY), ..default }),
            ["option `max_stale`: 30 days past a `lifetime` of 10 min ends after the `retention` of 30 days"]
        );
        assert_eq!(
            told(Policy { lifetime: Duration::from_millis(1500), refresh_ahead: secs(7200), ..default }),
            ["option `refresh_ahead`: 2 h is not shorter than the `lifetime` of 1.5s"]
        );
    }

    #[test]
    fn boundaries_are_allowed() {
        let base = Policy::default();
        for fine in [
            Policy { lifetime: secs(5), retention: secs(5), ..base },
            Policy { lifetime: secs(5), max_stale: Some(secs(10)), retention: secs(15), ..base },
            Policy { lifetime: Duration::ZERO, ..base },
            Policy { lifetime: secs(10), refresh_ahead: secs(9), ..base },
            Policy { jitter: 1.0, ..base },
            Policy { eviction: Eviction::TinyLfu, ..base },
            Policy { max_bytes: Some(0), ..base },
            Policy { retention: Duration::MAX, lifetime: Duration::MAX, ..base },
        ] {
            assert_eq!(fine.checked(), Ok(fine), "{fine:?}");
        }
    }

    #[test]
    fn an_option_that_an_argument_changes_contradicts_nothing_yet() {
        let base = Policy::default();
        let short = Policy { retention: secs(10), varies: &["lifetime"], ..base };
        assert_eq!(short.checked(), Ok(short));
        let wrong = Policy { jitter: 2.0, ..short };
        assert_eq!(wrong.checked().unwrap_err().option, "jitter");
    }
}
