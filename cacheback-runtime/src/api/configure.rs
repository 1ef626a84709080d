//! The configuration of the executor, which comes before its first use.

#[cfg(feature = "shared")]
use tracing::Span;

#[cfg(feature = "shared")]
use crate::api::shared::{Queue, Tier};
#[cfg(feature = "shared")]
use crate::base::sync::Arc;
use crate::base::tasks::Handle;
use crate::executor::Settings;
use crate::executor::context;
use crate::outcome::error::Error;
#[cfg(feature = "shared")]
use crate::tier::queue::{Custom, Traces};

/// Starts to configure the executor, which runs the fetches of all cached functions and caches.
///
/// This is optional: without it the defaults apply. Nothing is changed before [`apply`](Configure::apply) is called.
///
/// # Blocked runtimes
///
/// A thread may block on a cached call inside of the only runtime that could drive its fetch. So that it gets an
/// answer, a fetch that its runtime does not take up is moved to a small runtime of the library's own, after five
/// seconds, or at its `refresh_timeout` if that is shorter.
///
/// A fetch that has begun cannot be moved. At its `refresh_timeout` the blocked caller gets the stored value, or else
/// the empty value, or else a [`FetchError`](crate::FetchError) of the kind `TimedOut`. If the function's error type
/// cannot hold that, the caller panics. With `test-util` nothing is moved.
///
/// # Fork
///
/// After a `fork` the child process has the parent's values, and starts threads of its own. Keys that the parent was
/// fetching at the fork are fetched anew when their `refresh_timeout` is over. To fork while another thread is inside
/// of the library is not supported, because its locks stay locked in the child. The library's own threads count as such
/// threads, too. A child that goes on in its parent's runtime is not supported either: it is to make one of its own.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// fn main() -> Result<(), cacheback::Error> {
///     cacheback::configure().max_refreshes(16).max_waiting(200).apply()?;
///     // ... start the runtime, serve ...
///     Ok(())
/// }
/// ```
#[must_use = "nothing is configured before `apply`"]
pub fn configure() -> Configure {
    Configure { settings: Settings::default() }
}

/// A configuration of the executor: see [`configure()`].
#[derive(Clone, Debug)]
#[must_use = "nothing is configured before `apply`"]
pub struct Configure {
    settings: Settings,
}

impl Configure {
    /// Sets how many refreshes may run at once, of all functions together. Default: 64.
    ///
    /// A function's own `max_refreshes` applies as well: the lower of the two limits counts. A fetch that a caller
    /// waits for does not count as a refresh.
    pub fn max_refreshes(mut self, refreshes: usize) -> Self {
        self.settings.max_refreshes = refreshes;
        self
    }

    /// Sets how many refreshes may wait in the queue, of all functions together. Default: 1,024.
    ///
    /// Further refreshes are refused and counted, and the next stale read tries again. With zero no refresh waits.
    pub fn max_waiting(mut self, refreshes: usize) -> Self {
        self.settings.max_waiting = refreshes;
        self
    }

    /// Sets the runtime for all fetches, for refreshes and fetches that callers wait for alike. Default: the runtime of
    /// the call that starts a fetch.
    ///
    /// A call outside of any runtime starts its fetch on a small runtime of the library's own. The default is right for
    /// a process with one runtime. Set a runtime if there are several and some are short-lived, such as one for each
    /// thread or request, or if refreshes are not to slow down a runtime that serves requests.
    ///
    /// Because *all* fetches run on it, a body always finds the same runtime, whoever calls the function. Resources
    /// that it opens, such as pooled connections, do not end with the runtime of a caller.
    ///
    /// The runtime has to live, and to be driven, as long as fetches are to run. A multi-threaded runtime is always
    /// driven, and a current-thread runtime only inside of its `block_on`. When the runtime was dropped, refreshes are
    /// lost, and calls that wait fetch on their own runtime.
    ///
    /// With `test-util` and a paused clock, do not set one: the clock of another runtime is not paused.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// let fetches = tokio::runtime::Builder::new_multi_thread()
    ///     .worker_threads(2)
    ///     .thread_name("fetches")
    ///     .enable_all()
    ///     .build()?;
    /// cacheback::configure().runtime(fetches.handle().clone()).apply()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runtime(mut self, handle: Handle) -> Self {
        self.settings.runtime = Some(handle);
        self
    }

    /// Sets the second tier for the caches that are `shared`. Default: none, and their values stay in this process.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// cacheback::configure().shared(cacheback::shared::Memory::new()).apply()?;
    /// # Ok::<(), cacheback::Error>(())
    /// ```
    #[cfg(feature = "shared")]
    pub fn shared(mut self, tier: impl Tier) -> Self {
        self.settings.tiers.add(None, tier.__cacheback_open().0);
        self
    }

    /// Sets the second tier for the caches that are `shared = "alias"`.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// use cacheback::shared::Memory;
    ///
    /// cacheback::configure().shared(Memory::new()).shared_as("sessions", Memory::new()).apply()?;
    /// # Ok::<(), cacheback::Error>(())
    /// ```
    #[cfg(feature = "shared")]
    pub fn shared_as(mut self, alias: &str, tier: impl Tier) -> Self {
        self.settings.tiers.add(Some(alias), tier.__cacheback_open().0);
        self
    }

    /// Sets the queue for the jobs of workers, of all functions with the option `queue`. Default: the queue of each
    /// function's second tier.
    ///
    /// Values and leases stay in the second tier. All processes have to be given the same queue: those that answer
    /// requests, and the workers.
    ///
    /// # Examples
    ///
    /// See [`shared::Queue`](Queue).
    #[cfg(feature = "shared")]
    pub fn queue(mut self, queue: impl Queue) -> Self {
        self.settings.tiers.set_jobs(Arc::new(Custom::new(queue)));
        self
    }

    /// Lets the trace of a refresh go on in the [worker](crate::worker()) that runs it. Default: the span of a job has
    /// no connection to the process that has enqueued it.
    ///
    /// Spans end at the bounds of a process. If a layer of `tracing` gives them a context that does not, as that of
    /// `tracing-opentelemetry` does, `context` returns the one of a span as text, and the job carries it. In the worker,
    /// `follow` is given the span of the job and that text, and lets the one follow from the other. All processes
    /// should be given both.
    ///
    /// `context` is called once for each job, with the span `fetch` of its refresh, and `follow` once for each job with
    /// a context, with the span `fetch` of the worker. Both are called in tasks of their own, for which nobody waits.
    /// A context of more than 1 KiB is not carried.
    ///
    /// # Panics
    ///
    /// A panic in one of them is caught. The job has no context then, and is run all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// # // Stand-ins for `tracing-opentelemetry`.
    /// # fn traceparent(_: &tracing::Span) -> Option<String> { None }
    /// # fn add_link(_: &tracing::Span, _: &str) {}
    /// cacheback::configure()
    ///     .shared(cacheback::shared::Memory::new())
    ///     // With `tracing-opentelemetry`, these are a few lines of your own: the first injects `span.context()` into a
    ///     // carrier and takes its `traceparent`, the second extracts it again for `span.add_link(..)`.
    ///     .trace_jobs(|span| traceparent(span), |span, context| add_link(span, context))
    ///     .apply()?;
    /// # Ok::<(), cacheback::Error>(())
    /// ```
    #[cfg(feature = "shared")]
    pub fn trace_jobs(
        mut self,
        context: impl Fn(&Span) -> Option<String> + Send + Sync + 'static,
        follow: impl Fn(&Span, &str) + Send + Sync + 'static,
    ) -> Self {
        self.settings.tiers.traces = Some(Traces::new(context, follow));
        self
    }

    /// Applies the configuration. Call it once, before the executor is used: at the start of `main`.
    ///
    /// The executor is used by all operations that can start a fetch or concern running ones: a call that is no hit,
    /// `set`, `invalidate`, `remove`, [`settle`](crate::settle), [`shutdown`](crate::shutdown()). It is not used by
    /// counters, `caches` and the like, by `peek` and `clear` of a cache that is not shared, or when a
    /// [`Cache`](crate::Cache) is dropped.
    ///
    /// The configuration applies to the whole process. With `test-util` it applies to the calling runtime, or to its
    /// isolation (`testing::isolate`), so that each test can have its own.
    ///
    /// # Errors
    ///
    /// Returns an error if the executor was used or configured before, with the name of the function that did so; if
    /// `max_refreshes` is zero; and if two second tiers have the same alias. Nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// cacheback::configure().max_refreshes(16).apply()?;
    /// let late = cacheback::configure().max_refreshes(8).apply().unwrap_err();
    /// assert!(late.to_string().contains("used before, first by `cacheback::configure`"));
    /// # Ok::<(), cacheback::Error>(())
    /// ```
    pub fn apply(self) -> Result<(), Error> {
        if self.settings.max_refreshes == 0 {
            return Err(Error::new(
                "`max_refreshes(0)` would let no refresh run: write at least 1; values that never change have a long \
                 `lifetime`",
            ));
        }
        #[cfg(feature = "shared")]
        if let Some(alias) = self.settings.tiers.twice() {
            let call = alias.map_or("shared(..)".to_owned(), |alias| format!("shared_as({alias:?}, ..)"));
            return Err(Error::new(format!(
                "`{call}` was called twice: each second tier has an alias of its own"
            )));
        }
        context::install(self.settings, "cacheback::configure").map_err(|first_use| {
            Error::new(format!(
                "the executor was used before, first by `{first_use}`: `configure` comes before the first call of a \
                 cached function, at the start of `main`"
            ))
        })
    }
}
