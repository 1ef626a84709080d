//! What a process may decide about the executor before its first use.

use crate::base::tasks::Handle;
use crate::executor::Settings;
use crate::executor::context;
use crate::outcome::error::Error;

/// Begins to configure the executor, which runs the fetches of all cached functions. Optional; nothing is changed
/// before [`apply`](Configure::apply).
///
/// # Blocked runtimes
///
/// A fetch that its runtime has not taken up for five seconds, or until its `refresh_timeout` if that is shorter, is
/// moved to a small runtime of our own. So a thread that blocks on a cached call inside of the only runtime that could
/// drive its fetch gets an answer. A fetch that has begun cannot be moved. At its `refresh_timeout` such a thread gets
/// the stored value, else the empty one, else a [`FetchError`](crate::FetchError) of the kind `TimedOut`, or a panic
/// if the function's error cannot hold that. With `test-util` nothing is moved.
///
/// # Fork
///
/// After `fork` the child has the parent's values, and starts threads of its own. What the parent was fetching at the
/// fork is fetched anew when its `refresh_timeout` is over. Forking while another thread is inside of the library is not
/// supported: what it holds stays locked in the child. The library's own threads count too.
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
    /// How many refreshes may run at once, of all functions together. 64 unless said otherwise.
    ///
    /// A function's own `max_refreshes` holds too: the lower of the two limits counts. Fetches that callers wait for
    /// do not count.
    pub fn max_refreshes(mut self, refreshes: usize) -> Self {
        self.settings.max_refreshes = refreshes;
        self
    }

    /// How many refreshes may wait for a place, of all functions together. 1,024 unless said otherwise.
    ///
    /// What is over is refused, and tried again by the next stale reader. Zero is possible: no refresh waits.
    pub fn max_waiting(mut self, refreshes: usize) -> Self {
        self.settings.max_waiting = refreshes;
        self
    }

    /// Where fetches run: all of them, refreshes and those that callers wait for alike.
    ///
    /// Without it a fetch runs on the runtime of the call that started it, or, outside of any, on a small one of our
    /// own. That is right where there is one runtime. Name one where there are several and some of them are short of
    /// breath: one a thread or a request, or one for requests alone that refreshes are not to slow down. That *all*
    /// fetches run there means that a body always finds the same runtime, whoever has started it: what it opens, such
    /// as a pooled connection, does not end with a caller's runtime.
    ///
    /// It has to live and be driven as long as fetches are wanted: a multi-threaded runtime always is, one of the
    /// current thread within its `block_on` alone. Where it was dropped refreshes are lost, and calls that wait fetch
    /// on their own runtime.
    ///
    /// With `test-util` leave it away on a paused clock, which does not stop on other runtimes.
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

    /// Applies the configuration, once and before the executor is used: at the start of `main`.
    ///
    /// Its first use is what can start a fetch or has to do with those that run: a call that is no hit, `set`,
    /// `invalidate`, `remove`, `settle`, `shutdown`. Counters, `peek`, `clear`, `caches` and the like are none, nor is
    /// the drop of a [`Cache`](crate::Cache).
    ///
    /// It concerns the whole process. With `test-util` it concerns the calling runtime, or the isolation that it has
    /// (`testing::isolate`), so that each test can have its own.
    ///
    /// # Errors
    ///
    /// Where the executor was used or configured before, with the name of the function that did; and where
    /// `max_refreshes` is zero. Nothing is changed then.
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
        context::install(self.settings, "cacheback::configure").map_err(|first_use| {
            Error::new(format!(
                "the executor was used before, first by `{first_use}`: `configure` comes before the first call of a \
                 cached function, at the start of `main`"
            ))
        })
    }
}
