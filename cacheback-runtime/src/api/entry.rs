//! One entry as users hold it: [`Entry`], and what it answers with.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, RefUnwindSafe};
use std::time::Duration;

use crate::base::sync::Arc;
use crate::base::tasks;
use crate::engine::source::{BoxFuture, Origin};
use crate::engine::{Answer, Cacheable, Call, Engine, Keyed, OriginOf, Peeked, Target};
use crate::events::Status;
use crate::outcome::Outcome;
use crate::outcome::error::Error;

/// What a call was answered with, and how.
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
    /// The function's return value, stored, fetched or empty.
    pub value: R,
    /// What was served.
    pub status: Status,
    /// The age of the value, from the start of the fetch that made it. An empty answer and an error have none.
    pub age: Option<Duration>,
}

/// A cached value, as [`peek`](EntryInner::peek) shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot<T> {
    /// A copy of the value.
    pub value: T,
    /// Its age, from the start of the fetch that made it.
    pub age: Duration,
    /// Whether it is within its lifetime.
    pub fresh: bool,
}

/// One entry of a cached function: what `NAME::entry(arguments)` returns.
///
/// It owns the arguments, can be used more than once, and is cheap to clone. [`peek`](EntryInner::peek),
/// [`set`](EntryInner::set) and [`take`](EntryInner::take) speak of what is stored: the `T` of a function that returns `Result<T, E>`, else all that it
/// returns.
///
/// Every future here can be dropped at any time: a fetch that was started goes on for the others, and a write is done
/// at the first poll or not at all.
///
/// # Panics
///
/// A call that waits panics where the function does and no stored value is left to serve. A call that is answered with
/// the empty value, or asks whether and how long it waits, panics where those expressions do. On a runtime that is
/// being shut down, outside of its tasks, a call whose fetch cannot run panics unless its error is
/// `From<`[`FetchError`](crate::FetchError)`>`.
// Only what depends on `R` is reached through `Deref`. A trait of the user's that every type implements has methods for
// the entry too, and those are found before the methods of its target.
pub struct Entry<R: 'static>(EntryInner<R>);

/// An [`Entry`] for which the function's return type is what is stored, a `Result` too.
pub struct EntryInner<R: 'static> {
    ops: Arc<dyn Ops<R>>,
}

/// What an entry can do, without the types of key and value.
trait Ops<R>: Send + Sync + RefUnwindSafe {
    fn answer(self: Arc<Self>, call: Call) -> BoxFuture<Answer<R>>;
    /// The value of an answer, in one box.
    fn call(self: Arc<Self>) -> BoxFuture<R>;
    fn refresh(self: Arc<Self>) -> BoxFuture<R>;
    /// A stored value, as the function would return it.
    fn peek(self: Arc<Self>) -> Option<Snapshot<R>>;
    fn set(self: Arc<Self>, returned: R) -> Result<(), Error>;
    fn invalidate(self: Arc<Self>);
    fn remove(self: Arc<Self>);
    /// A stored value that was removed, as the function would return it.
    fn take(self: Arc<Self>) -> Option<R>;
    fn name(&self) -> &'static str;
}

/// All that an entry is, in one allocation: a key, where its values come from, and the cache.
pub(crate) trait Bound:
    Origin<Self::C> + Keyed<<Self::C as Cacheable>::OwnedKey> + RefUnwindSafe
{
    type C: Cacheable;

    fn engine(&self) -> &Arc<Engine<Self::C>>;
    /// The key's hash, and the number of its node, where one was seen.
    fn located(&self) -> (u64, Option<u64>);

    /// The key, as the engine takes it.
    fn target(self: &Arc<Self>) -> Target<<Self::C as Cacheable>::OwnedKey>
    where
        Self: Sized,
    {
        let (hash, node) = self.located();
        Target::new(hash, Arc::clone(self) as Arc<dyn Keyed<<Self::C as Cacheable>::OwnedKey>>, node)
    }

    /// Where its values come from, as the engine takes it.
    fn origin(self: &Arc<Self>) -> OriginOf<Self::C>
    where
        Self: Sized,
    {
        Arc::clone(self) as OriginOf<Self::C>
    }
}

type ReturnOf<B> = <<B as Bound>::C as Cacheable>::Return;

impl<B: Bound> Ops<ReturnOf<B>> for B {
    fn answer(self: Arc<Self>, call: Call) -> BoxFuture<Answer<ReturnOf<B>>> {
        Box::pin(async move { self.engine().answer(&self.target(), &self.origin(), call).await })
    }
    fn call(self: Arc<Self>) -> BoxFuture<ReturnOf<B>> {
        Box::pin(async move { self.engine().answer(&self.target(), &self.origin(), Call::Plain).await.value })
    }
    fn refresh(self: Arc<Self>) -> BoxFuture<ReturnOf<B>> {
        Box::pin(async move { self.engine().refresh(&self.target(), &self.origin()).await })
    }
    fn peek(self: Arc<Self>) -> Option<Snapshot<ReturnOf<B>>> {
        let Peeked { value, age, fresh } = self.engine().peek(&self.target())?;
        Some(Snapshot { value: B::C::join(Ok(value)), age, fresh })
    }
    fn set(self: Arc<Self>, returned: ReturnOf<B>) -> Result<(), Error> {
        let value = <<B::C as Cacheable>::Outcome>::split(returned)
            .map_err(|_| Error::new("an `Err` is not stored"))?;
        self.engine().set(&self.target(), &self.origin(), value);
        Ok(())
    }
    fn invalidate(self: Arc<Self>) {
        self.engine().invalidate(&self.target(), &self.origin());
    }
    fn remove(self: Arc<Self>) {
        self.engine().remove(&self.target());
    }
    fn take(self: Arc<Self>) -> Option<ReturnOf<B>> {
        self.engine().take(&self.target()).map(|value| B::C::join(Ok(value)))
    }
    fn name(&self) -> &'static str {
        self.engine().name()
    }
}

impl<R: 'static> Entry<R> {
    pub(crate) fn new<B: Bound<C: Cacheable<Return = R>>>(bound: Arc<B>) -> Self {
        Self(EntryInner { ops: bound })
    }

    /// The answer to a plain call.
    pub(crate) fn call(self) -> BoxFuture<R> {
        self.0.ops.call()
    }
}

impl<R: Send + 'static> Entry<R> {
    /// The function's answer and how it came about: what was served, and how old it is.
    pub fn lookup(&self) -> impl Future<Output = Lookup<R>> + Send + use<R> {
        let answer = AssertUnwindSafe(self.0.ops().answer(Call::Lookup));
        async move {
            let Answer { value, status, age } = answer.await;
            Lookup { value, status, age }
        }
    }

    /// The function's answer; where nothing is cached this call waits for the fetch, with or without `fetch_on_miss`.
    /// `wait` is its limit too: where that runs out, the answer is the empty value.
    pub fn get_or_fetch(&self) -> impl Future<Output = R> + Send + use<R> {
        let answer = AssertUnwindSafe(self.0.ops().answer(Call::GetOrFetch));
        async move { answer.await.value }
    }

    /// The outcome of a fetch: of the one that runs, or of a new one. Ignores `wait` and back-off, and gives a failure
    /// as it is even where an older value is stored.
    pub fn refresh(&self) -> impl Future<Output = R> + Send + use<R> {
        AssertUnwindSafe(self.0.ops().refresh())
    }

    /// Makes the value stale now and starts one refresh. A fetch that runs is superseded by a new one. Does not end
    /// the back-off; where nothing is cached and nothing runs it does nothing.
    ///
    /// Until that refresh has ended the old value is served as stale. To read what was just written, await this and then
    /// [`refresh`](Entry::refresh), which joins it; a `refresh` alone may join a fetch that began before the write.
    ///
    /// A body that invalidates its own key is run once more, when it has ended; the re-run's own invalidation does nothing.
    /// Bodies that invalidate one another's keys in a circle end after some rounds, unless they do it in tasks that they
    /// spawn.
    ///
    /// # Errors
    ///
    /// None on the local tier.
    pub fn invalidate(&self) -> impl Future<Output = Result<(), Error>> + Send + use<R> {
        let ops = self.0.ops();
        async move {
            ops.invalidate();
            Ok(())
        }
    }

    /// Removes the entry and ends its back-off. A fetch that runs is superseded: it answers those who wait for it and
    /// stores nothing.
    ///
    /// # Errors
    ///
    /// None on the local tier.
    pub fn remove(&self) -> impl Future<Output = Result<(), Error>> + Send + use<R> {
        let ops = self.0.ops();
        async move {
            ops.remove();
            Ok(())
        }
    }
}

impl<R: Send + 'static> EntryInner<R> {
    fn ops(&self) -> Arc<dyn Ops<R>> {
        Arc::clone(&self.ops)
    }

    /// The cached value, where there is one; starts nothing and counts nothing.
    pub fn peek(&self) -> impl Future<Output = Option<Snapshot<R>>> + Send + use<R> {
        AssertUnwindSafe(peeked(self.ops()))
    }

    /// Stores a value, fresh from now, with the lifetime that the function's options give it. A fetch that runs is
    /// superseded: it answers those who wait for it and stores nothing. Ends the back-off.
    ///
    /// # Errors
    ///
    /// None on the local tier, but for an `Err`, which is not stored.
    ///
    /// # Panics
    ///
    /// If an expression of the function's options does, its `lifetime_for` or its `retention_for`; nothing is changed
    /// then.
    pub fn set(&self, value: R) -> impl Future<Output = Result<(), Error>> + Send + use<R> {
        let ops = self.ops();
        async move { ops.set(value) }
    }

    /// Removes the entry and returns its value, fresh or stale, in one step: of all who take it at the same time, one gets
    /// it. `None` if nothing is cached. Otherwise as [`remove`](Entry::remove).
    ///
    /// A reader that came before may hold a copy of the value: for a ticket that is good for one use, let nobody read it
    /// who does not take it. A value that is evicted is gone, too.
    ///
    /// # Panics
    ///
    /// If the value's `Clone` panics; the entry is removed then.
    pub fn take(&self) -> impl Future<Output = Option<R>> + Send + use<R> {
        AssertUnwindSafe(taken(self.ops()))
    }
}

/// A value that is not fresh may be what the caller polls for: others get their turn.
async fn peeked<R>(ops: Arc<dyn Ops<R>>) -> Option<Snapshot<R>> {
    let is_fresh = |peeked: &Option<Snapshot<R>>| peeked.as_ref().is_some_and(|peeked| peeked.fresh);
    let peeked = Arc::clone(&ops).peek();
    if is_fresh(&peeked) || tasks::has_budget() {
        return peeked;
    }
    drop(peeked);
    tasks::give_way().await;
    ops.peek()
}

/// The caller may poll for something to take: others get their turn.
async fn taken<R>(ops: Arc<dyn Ops<R>>) -> Option<R> {
    if let Some(value) = ops.take() {
        return Some(value);
    }
    if !tasks::has_budget() {
        tasks::give_way().await;
    }
    None
}

/// What is stored for a function that returns a `Result` is its `T`.
impl<T: Send + 'static, E: Send + 'static> Entry<Result<T, E>> {
    /// The cached value, where there is one; starts nothing and counts nothing.
    pub fn peek(&self) -> impl Future<Output = Option<Snapshot<T>>> + Send + use<T, E> {
        let peeked = AssertUnwindSafe(peeked(self.ops()));
        async move {
            let Snapshot { value, age, fresh } = peeked.await?;
            Some(Snapshot { value: value.ok()?, age, fresh })
        }
    }

    /// Stores a value, fresh from now, with the lifetime that the function's options give it. A fetch that runs is
    /// superseded: it answers those who wait for it and stores nothing. Ends the back-off.
    ///
    /// # Errors
    ///
    /// None on the local tier.
    ///
    /// # Panics
    ///
    /// If an expression of the function's options does, its `lifetime_for` or its `retention_for`; nothing is changed
    /// then.
    pub fn set(&self, value: T) -> impl Future<Output = Result<(), Error>> + Send + use<T, E> {
        let ops = self.ops();
        async move { ops.set(Ok(value)) }
    }

    /// Removes the entry and returns its value, fresh or stale, in one step: of all who take it at the same time, one gets
    /// it. `None` if nothing is cached. Otherwise as [`remove`](Entry::remove).
    ///
    /// A reader that came before may hold a copy of the value: for a ticket that is good for one use, let nobody read it
    /// who does not take it. A value that is evicted is gone, too.
    ///
    /// # Panics
    ///
    /// If the value's `Clone` panics; the entry is removed then.
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
