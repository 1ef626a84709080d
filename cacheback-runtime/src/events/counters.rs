//! The counters of a cache, from one table at the end of this file.
//!
//! A row is a field of [`Stats`], and says where its number comes from: `answered(..)`, the calls that were answered
//! with this [`Status`]; `counted`, a field of [`Counters`]; or `provided`, a field of [`Provided`]. Rows stand under
//! the series that they are published as, with the label that tells them apart if there are several.

use super::Status;
#[cfg(feature = "metrics")]
use super::series::{Row, Series};
use super::stripes::Stripes;
use crate::base::sync::plain::{AtomicU64, Ordering};

macro_rules! counters {
    (
        $(#[$attribute:meta])*
        pub struct Stats {
            $($kind:ident $name:literal: $about:literal {
                $(
                    $(#[$doc:meta])*
                    $field:ident: $source:ident $(($status:ident))? $(, $label:ident = $value:literal)?;
                )+
            })+
        }
    ) => {
        $(#[$attribute])*
        pub struct Stats {
            $($(
                $(#[$doc])*
                pub $field: u64,
            )+)+
        }

        impl Stats {
            /// The sum of two, counter by counter.
            pub(crate) fn plus(self, other: Self) -> Self {
                Self { $($($field: self.$field + other.$field,)+)+ }
            }
        }

        /// Every counter, as a recorder of the `metrics` crate is told of it.
        #[cfg(feature = "metrics")]
        pub(crate) const SERIES: &[Series] = &[$(
            Series::$kind($name, $about, &[$(
                Row { label: counters!(@label $($label $value)?), count: |stats| stats.$field },
            )+]),
        )+];

        counters! { @by_source [] [] [] $($($field $source $(($status))?;)+)+ }
    };

    (@label) => { None };
    (@label $label:ident $value:literal) => { Some((stringify!($label), $value)) };

    // Sorts the rows by their source.
    (@by_source [$($answered:tt)*] $counted:tt $provided:tt $field:ident answered($status:ident); $($rest:tt)*) => {
        counters! { @by_source [$($answered)* $field $status;] $counted $provided $($rest)* }
    };
    (@by_source $answered:tt [$($counted:tt)*] $provided:tt $field:ident counted; $($rest:tt)*) => {
        counters! { @by_source $answered [$($counted)* $field;] $provided $($rest)* }
    };
    (@by_source $answered:tt $counted:tt [$($provided:tt)*] $field:ident provided; $($rest:tt)*) => {
        counters! { @by_source $answered $counted [$($provided)* $field;] $($rest)* }
    };
    (
        @by_source
        [$($answered:ident $status:ident;)+]
        [$($counted:ident;)+]
        [$($provided:ident;)+]
    ) => {
        /// What one cache counts itself.
        pub(crate) struct Counters {
            /// Calls that were answered, by [`column()`].
            answered: Stripes<STATUSES>,
            $(pub(crate) $counted: AtomicU64,)+
        }

        /// The numbers of [`Stats`] that other parts of a cache know.
        #[cfg_attr(test, derive(Default))]
        pub(crate) struct Provided {
            $(pub(crate) $provided: u64,)+
        }

        impl Counters {
            /// All of them, at zero.
            // Not generic and not inlined, so that no cache brings this code along.
            pub(crate) fn new() -> Self {
                Self { answered: Stripes::default(), $($counted: AtomicU64::new(0),)+ }
            }

            pub(crate) fn snapshot(&self, provided: Provided) -> Stats {
                Stats {
                    $($answered: self.answered.sum(column(Status::$status)),)+
                    $($counted: self.$counted.load(Ordering::Relaxed),)+
                    $($provided: provided.$provided,)+
                }
            }
        }

        /// How many statuses are counted.
        const STATUSES: usize = [$(Status::$status),+].len();

        /// Where the answers of a status are counted. A status without a row does not compile.
        #[inline]
        fn column(status: Status) -> usize {
            enum Column {
                $($status),+
            }
            match status {
                $(Status::$status => Column::$status as usize,)+
            }
        }
    };
}

impl Stats {
    /// Calls that were answered: `hits + stale + empty + waited`.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.hits + self.stale + self.empty + self.waited
    }
}

impl Counters {
    /// Whether the next answer of this status is one of every sixteen of this thread.
    #[inline]
    pub(crate) fn is_turn(&self, status: Status) -> bool {
        self.answered.is_turn(column(status), 16)
    }

    #[inline]
    pub(crate) fn answered(&self, status: Status) {
        self.answered.count(column(status));
    }
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

counters! {
    /// Counters of a cached function or cache, since it was first used: a snapshot.
    ///
    /// `hits`, `stale`, `empty` and `waited` add up to the [calls](Stats::calls) that were answered.
    ///
    /// With the feature `serde` it is a map of these fields. A counter that an older version did not have is read as zero.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// fn hit_ratio(stats: &cacheback::Stats) -> f64 {
    ///     stats.hits as f64 / stats.calls().max(1) as f64
    /// }
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
    #[non_exhaustive]
    pub struct Stats {
        counter "cacheback_calls_total": "Calls that were answered, by what they were answered with." {
            /// Calls answered with a fresh value (or a kept error).
            hits: answered(Fresh), status = "fresh";
            /// Calls answered with a stale value, at once or after a fetch that failed.
            stale: answered(Stale), status = "stale";
            /// Calls answered with the empty value.
            empty: answered(Empty), status = "empty";
            /// Calls answered with the outcome of a fetch that they waited for.
            waited: answered(Fetched), status = "fetched";
        }
        counter "cacheback_fetches_total": "Runs of the function's body that were started." {
            /// Runs of the function's body that were started.
            fetches: counted;
        }
        counter "cacheback_fetch_failures_total": "Fetches that failed." {
            /// Fetches that ended with an `Err`.
            errors: counted, outcome = "error";
            /// Fetches that panicked.
            panics: counted, outcome = "panic";
            /// Fetches that were aborted at `refresh_timeout`.
            timeouts: counted, outcome = "timeout";
        }
        counter "cacheback_fetches_discarded_total":
            "Fetches whose outcome was not stored, because the key changed meanwhile."
        {
            /// Fetches whose outcome was not stored because the key was written, removed or claimed anew meanwhile.
            discarded: counted;
        }
        counter "cacheback_refreshes_refused_total":
            "Refreshes that were refused: too many were waiting, it was shut down, or no worker took them."
        {
            /// Refreshes that were refused: too many were waiting, it was shut down, or, with `queue_fallback = false`,
            /// no worker could be given them.
            refused: counted;
        }
        counter "cacheback_refreshes_skipped_total": "Refreshes that waited and were no longer needed." {
            /// Queued refreshes that were no longer needed when their turn came.
            skipped: counted;
        }
        counter "cacheback_shared_reads_total": "Looks into the second tier, by what they found." {
            /// Values that were taken over from the second tier.
            shared_hits: counted, found = "value";
            /// Looks into the second tier that found no value.
            shared_misses: counted, found = "nothing";
        }
        counter "cacheback_shared_errors_total": "Operations of the second tier that were given no answer." {
            /// Operations of the second tier that were given no answer: it was down, or too slow.
            shared_errors: counted;
        }
        counter "cacheback_looks_refused_total": "Suspect values that were served as stale ones, without a look." {
            /// Times that a suspect value was not looked at, and was served as a stale one: 64 looks were under way, or
            /// the last one had got no answer.
            looks_refused: counted;
        }
        counter "cacheback_values_unshared_total": "Values that the second tier has not got." {
            /// Values that stayed in this process because they could not be encoded.
            unshared_not_encodable: counted, reason = "not_encodable";
            /// Values that stayed in this process because they were longer than the second tier takes
            /// (`max_value_bytes`).
            unshared_too_long: counted, reason = "too_long";
            /// Values that the second tier had no room for: Redis was out of memory, for instance.
            unshared_no_room: counted, reason = "no_room";
            /// Values that the second tier has refused with another error.
            unshared_refused: counted, reason = "refused";
        }
        counter "cacheback_leases_lost_total": "Fetched values that the second tier did not take." {
            /// Fetched values that the second tier did not take: another process had changed the key meanwhile, or the
            /// right to fetch it was lost there.
            leases_lost: counted;
        }
        counter "cacheback_refreshes_queued_total": "Refreshes that were handed to a worker." {
            /// Refreshes that were handed to a worker (option `queue`).
            queued: counted;
        }
        counter "cacheback_queue_fallbacks_total": "Refreshes that were to be handed to a worker, and ran here." {
            /// Refreshes that were to be handed to a worker and ran here: there was none, its queue was full or out of
            /// reach.
            queue_fallbacks: counted;
        }
        counter "cacheback_evictions_total": "Entries that were dropped to stay within the bound." {
            /// Values that were dropped to stay within `capacity` or `max_bytes`.
            evicted: provided;
        }
        gauge "cacheback_entries": "Values in the store." {
            /// Values in the store now.
            entries: provided;
        }
        gauge "cacheback_fetches_in_flight": "Fetches that run." {
            /// Fetches that run now.
            in_flight: counted;
        }
        counter "cacheback_breaker_trips_total": "Times that the breaker opened." {
            /// How often the breaker opened: ten fetches in a row had failed, over any keys.
            breaker_trips: provided;
        }
        gauge "cacheback_breakers_open": "Breakers that are open." {
            /// Breakers that are open now: 0 or 1 for one cache.
            breakers_open: provided;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_counter_of_its_own() {
        let counters = Counters::new();
        for (status, times) in
            [(Status::Fresh, 1), (Status::Stale, 2), (Status::Empty, 3), (Status::Fetched, 4)]
        {
            (0..times).for_each(|_| counters.answered(status));
        }
        let stats = counters.snapshot(Provided::default());
        assert_eq!((stats.hits, stats.stale, stats.empty, stats.waited), (1, 2, 3, 4));
    }

    #[test]
    fn threads_are_counted_together() {
        let counters = Counters::new();
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| (0..1000).for_each(|_| counters.answered(Status::Fresh)));
            }
        });
        assert_eq!(counters.snapshot(Provided::default()).hits, 12_000);
    }
}
