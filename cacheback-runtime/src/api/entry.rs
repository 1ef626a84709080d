//! The entry of a cache as users hold it: [`Entry`], and its answers.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, RefUnwindSafe};
use std::time::Duration;

use crate::base::sync::Arc;
use crate::base::tasks::{self, BoxFuture};
use crate::engine::source::BoundSource;
use crate::engine::{Answer, Cacheable, CallKind, Peeked, Telling};
#[cfg(feature = "shared")]
use crate::engine::{Order, Verdict};
use crate::events::{Source, Status};
use crate::outcome::Outcome;
use crate::outcome::error::Error;

/// The answer to a call, with its status and age.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use cacheback::{Lookup, Status};
///
/// fn age_header(lookup: &Lookup<Vec<u64>>) -> Option<String> {
///     let age = lookup.age.filter(|_| lookup.status != Status::Fetched)?;
///     Some(format!("Age: {}", age.as_secs()))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lookup<R> {
    /// The return value of the function: a stored value, a fetched one, or the empty value.
    pub value: R,
    /// Which of these it is.
    pub status: Status,
    /// The age of the value, counted from the start of its fetch. `None` for the empty value and for an error.
    pub age: Option<Duration>,
    /// Where it came from.
    pub source: Source,
}

/// A cached value, as [`peek`](EntryInner::peek) returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot<T> {
    /// A copy of the value.
    pub value: T,
    /// The age of the value, counted from the start of its fetch, or from the `set` that stored it.
    pub age: Duration,
    /// Whether the value is within its lifetime.
    pub fresh: bool,
    /// Where it is stored: in this process, or only in the second tier.
    pub source: Source,
}

/// One entry of a cache, with all operations on it. `NAME::entry(arguments)` returns it for a cached function, and
/// [`Cache::entry`](crate::Cache) for a cache object.
///
/// An entry owns the arguments or the key, can be used more than once, and is cheap to clone.
/// [`peek`](EntryInner::peek), [`set`](EntryInner::set) and [`take`](EntryInner::take) are about the stored value: the
/// `T` of a function that returns `Result<T, E>`, and otherwise the whole return value.
///
/// # Cancellation
///
/// Every future of these methods can be dropped at any time. A fetch that was started goes on for the other callers. A
/// write is done at the first poll, or not at all.
///
/// # Panics
///
/// - A call that waits panics if the function panics and no stored value is left to serve.
/// - A call that evaluates an expression of an option (the empty value, `fetch_on_miss`, `wait`) panics if that does.
/// - On a runtime that is being shut down, a call outside of the runtime's tasks panics if its fetch cannot run, unless
///   its error is `From<`[`FetchError`](crate::FetchError)`>`.
// Only the methods that depend on `R` are reached through `Deref`. If a trait of the user's has methods for every type,
// they exist for the entry too, and are found before the methods of the `Deref` target.
pub struct Entry<R: 'static>(EntryInner<R>);

/// The methods of an [`Entry`] that differ for a function that returns a `Result`. Here a `Result` is a value like
/// others.
pub struct EntryInner<R: 'static> {
    ops: Arc<dyn Ops<R>>,
}

/// The operations on an entry, without the types of key and value.
trait Ops<R>: Send + Sync + RefUnwindSafe {
    fn answer(self: Arc<Self>, call: CallKind) -> BoxFuture<Answer<R>>;
    /// The value of the answer to a plain call, in one box.
    fn call(self: Arc<Self>) -> BoxFuture<R>;
    fn refresh(self: Arc<Self>) -> BoxFuture<R>;
    /// The stored value, as the function would return it.
    fn peek(self: Arc<Self>) -> Option<Snapshot<R>>;
    /// The value of the second tier. `None` if there is none to ask, or the value is stored here.
    fn peek_there(self: Arc<Self>) -> Option<BoxFuture<Option<Snapshot<R>>>>;
    fn set(self: Arc<Self>, returned: R) -> Result<Telling, Error>;
    fn invalidate(self: Arc<Self>) -> Telling;
    fn remove(self: Arc<Self>) -> Telling;
    /// Removes the stored value and returns it, as the function would return it.
    fn take(self: Arc<Self>) -> (Option<R>, Telling);
    /// Runs a job of a worker.
    #[cfg(feature = "shared")]
    fn work(self: Arc<Self>, order: Order) -> BoxFuture<Verdict>;
    fn name(&self) -> &'static str;
}

type ReturnOf<B> = <<B as BoundSource>::C as Cacheable>::Return;

impl<B: BoundSource> Ops<ReturnOf<B>> for B {
    fn answer(self: Arc<Self>, call: CallKind) -> BoxFuture<Answer<ReturnOf<B>>> {
        Box::pin(async move { self.engine().answer(&self.target(), &self.source(), call).await })
    }
    fn call(self: Arc<Self>) -> BoxFuture<ReturnOf<B>> {
        Box::pin(
            async move { self.engine().answer(&self.target(), &self.source(), CallKind::Plain).await.value },
        )
    }
    fn refresh(self: Arc<Self>) -> BoxFuture<ReturnOf<B>> {
        Box::pin(async move { self.engine().refresh(&self.target(), &self.source()).await })
    }
    fn peek(self: Arc<Self>) -> Option<Snapshot<ReturnOf<B>>> {
        Some(snapshot::<B::C>(self.engine().peek(&self.target())?))
    }
    fn peek_there(self: Arc<Self>) -> Option<BoxFuture<Option<Snapshot<ReturnOf<B>>>>> {
        let looking = self.engine().peek_there(self.target(), self.source())?;
        Some(Box::pin(async move { looking.await.map(snapshot::<B::C>) }))
    }
    fn set(self: Arc<Self>, returned: ReturnOf<B>) -> Result<Telling, Error> {
        let value = <<B::C as Cacheable>::Outcome>::split(returned)
            .map_err(|_| Error::new("an `Err` is not stored"))?;
        Ok(self.engine().set(&self.target(), &self.source(), value))
    }
    fn invalidate(self: Arc<Self>) -> Telling {
        self.engine().invalidate(&self.target(), &self.source())
    }
    fn remove(self: Arc<Self>) -> Telling {
        self.engine().remove(&self.target())
    }
    fn take(self: Arc<Self>) -> (Option<ReturnOf<B>>, Telling) {
        let (taken, telling) = self.engine().take(&self.target());
        (taken.map(|value| B::C::join(Ok(value))), telling)
    }
    #[cfg(feature = "shared")]
    fn work(self: Arc<Self>, order: Order) -> BoxFuture<Verdict> {
        self.engine().work(self.target(), self.source(), order)
    }
    fn name(&self) -> &'static str {
        self.engine().name()
    }
}

fn snapshot<C: Cacheable>(peeked: Peeked<C::Value>) -> Snapshot<C::Return> {
    let Peeked { value, age, fresh, source } = peeked;
    Snapshot { value: C::join(Ok(value)), age, fresh, source }
}

/// Waits until the second tier was told of a write, if there is one.
pub(super) async fn told(telling: Telling) -> Result<(), Error> {
    match telling {
        Some(telling) => telling.await,
        None => Ok(()),
    }
}

impl<R: 'static> Entry<R> {
    pub(crate) fn new<B: BoundSource<C: Cacheable<Return = R>>>(bound: Arc<B>) -> Self {
        Self(EntryInner { ops: bound })
    }

    /// The answer to a plain call.
    pub(crate) fn call(self) -> BoxFuture<R> {
        self.0.ops.call()
    }

    /// Runs a job of a worker.
    #[cfg(feature = "shared")]
    pub(crate) fn into_work(self, order: Order) -> BoxFuture<Verdict> {
        self.0.ops.work(order)
    }
}

impl<R: Send + 'static> Entry<R> {
    /// Makes the call, and returns the answer with its status and age.
    pub fn lookup(&self) -> impl Future<Output = Lookup<R>> + Send + use<R> {
        let answer = AssertUnwindSafe(self.0.ops().answer(CallKind::Lookup));
        async move {
            let Answer { value, status, age, source } = answer.await;
            Lookup { value, status, age, source }
        }
    }

    /// Makes the call, and waits for the fetch if nothing is cached, also without `fetch_on_miss`.
    ///
    /// The option `wait` limits this call, too. When it runs out, the answer is the empty value.
    pub fn get_or_fetch(&self) -> impl Future<Output = R> + Send + use<R> {
        let answer = AssertUnwindSafe(self.0.ops().answer(CallKind::GetOrFetch));
        async move { answer.await.value }
    }

    /// Waits for a fetch, and returns its outcome. It joins the fetch that is under way, or else starts one.
    ///
    /// This call ignores `wait` and back-off. If the fetch fails, the failure is returned even if an older value is
    /// stored.
    pub fn refresh(&self) -> impl Future<Output = R> + Send + use<R> {
        AssertUnwindSafe(self.0.ops().refresh())
    }

    /// Makes the value stale now, and starts one refresh.
    ///
    /// A fetch that runs is superseded by a new one. If nothing is cached and no fetch runs, this does nothing. It does
    /// not end the back-off of the key: a value whose key is in back-off becomes stale, and no refresh is started.
    ///
    /// Until the refresh has ended, the old value is served as stale. To read data that you have just written, await
    /// this and then [`refresh`](Entry::refresh), which joins the refresh. A `refresh` alone may join a fetch that
    /// began before the write.
    ///
    /// A body that invalidates its own key is run once more after it has ended. An invalidation by that second run does
    /// nothing. Bodies that invalidate one another's keys in a circle end after some rounds, unless they invalidate in
    /// tasks that they spawn.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    pub fn invalidate(&self) -> impl Future<Output = Result<(), Error>> + Send + use<R> {
        let ops = self.0.ops();
        AssertUnwindSafe(async move {
            match ops.invalidate() {
                Some(telling) => telling.await,
                None => Ok(()),
            }
        })
    }

    /// Removes the entry and ends its back-off.
    ///
    /// A fetch that runs is superseded: it answers the callers who wait for it, and stores nothing.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    pub fn remove(&self) -> impl Future<Output = Result<(), Error>> + Send + use<R> {
        let ops = self.0.ops();
        AssertUnwindSafe(async move {
            match ops.remove() {
                Some(telling) => telling.await,
                None => Ok(()),
            }
        })
    }
}

impl<R: Send + 'static> EntryInner<R> {
    fn ops(&self) -> Arc<dyn Ops<R>> {
        Arc::clone(&self.ops)
    }

    /// Returns the cached value, fresh or stale, or `None` if nothing is cached.
    ///
    /// It starts no fetch and counts no call. If the cache is shared and nothing is cached here, it looks into the second
    /// tier, and stores nothing.
    pub fn peek(&self) -> impl Future<Output = Option<Snapshot<R>>> + Send + use<R> {
        AssertUnwindSafe(peeked(self.ops()))
    }

    /// Stores a value, which is fresh from now on, with the lifetime that the function's options give it. Ends the
    /// back-off.
    ///
    /// A fetch that runs is superseded: it answers the callers who wait for it, and stores nothing.
    ///
    /// # Errors
    ///
    /// Returns an error for an `Err`, which is not stored, and [`Unreachable`](crate::ErrorKind::Unreachable), if the
    /// cache is shared and its tier could not be told.
    ///
    /// # Panics
    ///
    /// If an expression of the function's options, its `lifetime_for` or its `retention_for` panics. Nothing is changed
    /// then.
    pub fn set(&self, value: R) -> impl Future<Output = Result<(), Error>> + Send + use<R> {
        let ops = self.ops();
        AssertUnwindSafe(async move { told(ops.set(value)?).await })
    }

    /// Removes the entry and returns its value, fresh or stale, or `None` if nothing is cached.
    ///
    /// This is one step: of several callers who take the value at the same time, one gets it. (If the cache is shared,
    /// that holds in each process: two processes may both have the value.) Otherwise it does the same as
    /// [`remove`](Entry::remove).
    ///
    /// An earlier reader may hold a copy of the value. For a ticket that is good for one use, let all callers take it,
    /// and none read it. The ticket is lost if it is evicted.
    ///
    /// # Panics
    ///
    /// If the `Clone` of the value panics. The entry is removed all the same.
    pub fn take(&self) -> impl Future<Output = Option<R>> + Send + use<R> {
        AssertUnwindSafe(taken(self.ops()))
    }
}

/// If the value is not fresh, the caller may be polling for a fresh one: others get their turn to run first.
async fn peeked<R>(ops: Arc<dyn Ops<R>>) -> Option<Snapshot<R>> {
    let is_fresh = |peeked: &Option<Snapshot<R>>| peeked.as_ref().is_some_and(|peeked| peeked.fresh);
    let mut peeked = Arc::clone(&ops).peek();
    if !is_fresh(&peeked) && !tasks::has_budget() {
        drop(peeked);
        tasks::give_way().await;
        peeked = Arc::clone(&ops).peek();
    }
    // What is stored here may be missing, or known to have been changed elsewhere.
    if !is_fresh(&peeked) {
        if let Some(looking) = ops.peek_there() {
            return looking.await;
        }
    }
    peeked
}

/// If there is no value, the caller may be polling for one: others get their turn to run.
async fn taken<R>(ops: Arc<dyn Ops<R>>) -> Option<R> {
    let is_here = Arc::clone(&ops).peek().is_some();
    let looking = Arc::clone(&ops).peek_there();
    let is_looked_at = looking.is_some();
    let there = match looking {
        Some(looking) => looking.await,
        None => None,
    };
    let (taken, telling) = ops.take();
    if let Some(telling) = telling {
        // The value is taken here, whether or not the tier can be told.
        let _ = telling.await;
    }
    if taken.is_none() && !tasks::has_budget() {
        tasks::give_way().await;
    }
    let there = there.map(|there| there.value);
    match taken {
        // Another process has changed it, and may have taken it.
        Some(_) if is_looked_at => there,
        None if is_here => None,
        taken => taken.or(there),
    }
}

/// For a function that returns a `Result<T, E>`, the stored value is the `T`.
impl<T: Send + 'static, E: Send + 'static> Entry<Result<T, E>> {
    /// Returns the cached value, fresh or stale, or `None` if nothing is cached.
    ///
    /// It starts no fetch and counts no call. If the cache is shared and nothing is cached here, it looks into the second
    /// tier, and stores nothing.
    pub fn peek(&self) -> impl Future<Output = Option<Snapshot<T>>> + Send + use<T, E> {
        let peeked = AssertUnwindSafe(peeked(self.ops()));
        async move {
            let Snapshot { value, age, fresh, source } = peeked.await?;
            Some(Snapshot { value: value.ok()?, age, fresh, source })
        }
    }

    /// Stores a value, which is fresh from now on, with the lifetime that the function's options give it. Ends the
    /// back-off.
    ///
    /// A fetch that runs is superseded: it answers the callers who wait for it, and stores nothing.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    ///
    /// # Panics
    ///
    /// If an expression of the function's options, its `lifetime_for` or its `retention_for` panics. Nothing is changed
    /// then.
    pub fn set(&self, value: T) -> impl Future<Output = Result<(), Error>> + Send + use<T, E> {
        let ops = self.ops();
        AssertUnwindSafe(async move { told(ops.set(Ok(value))?).await })
    }

    /// Removes the entry and returns its value, fresh or stale, or `None` if nothing is cached.
    ///
    /// This is one step: of several callers who take the value at the same time, one gets it. (If the cache is shared,
    /// that holds in each process: two processes may both have the value.) Otherwise it does the same as
    /// [`remove`](Entry::remove).
    ///
    /// An earlier reader may hold a copy of the value. For a ticket that is good for one use, let all callers take it,
    /// and none read it. The ticket is lost if it is evicted.
    ///
    /// # Panics
    ///
    /// If the `Clone` of the value panics. The entry is removed all the same.
    pub fn take(&self) -> impl Future<Output = Option<T>> + Send + use<T, E> {
        let taken = AssertUnwindSafe(taken(self.ops()));
        async move { taken.await?.ok() }
    }
}

impl<R> Deref for Entry<R> {
    type Target = EntryInner<R>;
    fn deref(&self) -> &EntryInner<R> {
        &self.0
    }
}

impl<R> Clone for Entry<R> {
    fn clone(&self) -> Self {
        Self(EntryInner { ops: Arc::clone(&self.0.ops) })
    }
}

impl<R> fmt::Debug for Entry<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("function", &self.0.ops.name()).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for EntryInner<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryInner").field("function", &self.ops.name()).finish_non_exhaustive()
    }
}
