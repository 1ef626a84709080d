//! The `build` of a cache of `Result`s: it finds out by the error type how errors are shared and described.
//!
//! Method resolution chooses the `build`, as for a cached function. A builder derefs from one level to the next, and
//! the first level whose bounds hold has the `build` that is called. This is why it takes the builder by reference.

use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::hash::Hash;
use std::ops::{Deref, DerefMut};

use super::{ByClosure, BySight, CacheBuilder, Draft, Empties, Failure, Fallible, OfErrors, Parts, Value};
use crate::api::cache::Cache;
use crate::base::sync::Arc;
use crate::outcome::error::{Error, FetchError};
use crate::outcome::{Causes, Describe, Sharing};

/// A level, with the next one in it.
pub struct Level<X>(X);

/// All levels.
pub(super) type Levels<D> = L0<D>;
type L0<D> = Level<L1<D>>;
type L1<D> = Level<L2<D>>;
type L2<D> = Level<L3<D>>;
type L3<D> = Level<L4<D>>;
type L4<D> = Level<L5<D>>;
type L5<D> = Level<L6<D>>;
type L6<D> = Level<L7<D>>;
type L7<D> = Level<L8<D>>;
type L8<D> = Level<L9<D>>;
type L9<D> = Level<L10<D>>;
type L10<D> = Level<L11<D>>;
type L11<D> = Level<L12<D>>;
type L12<D> = Level<L13<D>>;
type L13<D> = Level<L14<D>>;
type L14<D> = Level<L15<D>>;
type L15<D> = Level<D>;

impl<K, V, P, N> CacheBuilder<K, V, P, N> {
    pub(super) fn of(draft: Draft<K, V, P, N>) -> Self {
        Self {
            levels: Level(Level(Level(Level(Level(Level(Level(Level(Level(Level(Level(Level(
                Level(Level(Level(Level(draft)))),
            )))))))))))),
        }
    }

    pub(super) fn into_draft(self) -> Draft<K, V, P, N> {
        self.levels.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0
    }
}

impl<K, V, P, N> Deref for CacheBuilder<K, V, P, N> {
    type Target = Levels<Draft<K, V, P, N>>;
    fn deref(&self) -> &Self::Target {
        &self.levels
    }
}
impl<K, V, P, N> DerefMut for CacheBuilder<K, V, P, N> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.levels
    }
}
impl<X> Deref for Level<X> {
    type Target = X;
    fn deref(&self) -> &X {
        &self.0
    }
}
impl<X> DerefMut for Level<X> {
    fn deref_mut(&mut self) -> &mut X {
        &mut self.0
    }
}

/// A box of an error, such as `anyhow::Error`.
pub trait Boxed: Deref<Target = dyn StdError + Send + Sync> {}
impl<E: Deref<Target = dyn StdError + Send + Sync>> Boxed for E {}
/// A shared box of an error, such as `Arc<anyhow::Error>`.
pub trait SharesBoxed: Deref<Target: Deref<Target = dyn StdError + Send + Sync>> {}
impl<E: Deref<Target: Deref<Target = dyn StdError + Send + Sync>>> SharesBoxed for E {}

macro_rules! builds {
    ($($level:ident: $by:ty, $error:ident: $($bound:path),+ => $sharing:expr, $describe:expr;)+) => {$(
        impl<K, T, $error, P, N> $level<Draft<K, Result<T, $error>, P, N>>
        where
            K: Hash + Eq + Clone + Send + Sync + 'static,
            T: Value,
            $error: Failure $(+ $bound)+,
            P: OfErrors<K, T, $error, $by>,
        {
            /// Builds the cache.
            ///
            /// # Errors
            ///
            /// Returns an error if options contradict each other. It names all of them.
            pub fn build(&self) -> Result<Cache<K, Result<T, $error>>, Error>
            where
                N: Empties<K, Fallible<T, $error>>,
            {
                self.built_of_results($sharing, $describe)
            }
        }
    )+};
}

builds! {
    L0: BySight, E: Clone, StdError => copied(), Describe::displayed().with_causes(Causes::own());
    L1: BySight, E: Clone, Display, SharesBoxed => copied(), Describe::displayed().with_causes(Causes::shared());
    L2: BySight, E: Clone, Display => copied(), Describe::displayed();
    L3: BySight, E: Clone => copied(), Describe::UNSEEN;
    L4: BySight, E: From<Arc<E>>, StdError => shared(), Describe::displayed().with_causes(Causes::own());
    L5: BySight, E: From<Arc<E>>, Display => shared(), Describe::displayed();
    L6: BySight, E: From<Arc<E>> => shared(), Describe::UNSEEN;
    L7: BySight, E: From<FetchError>, StdError => wrapped(), Describe::displayed().with_causes(Causes::own());
    L8: BySight, E: From<FetchError>, Display, Boxed => wrapped(), Describe::displayed().with_causes(Causes::boxed());
    L9: BySight, E: From<FetchError>, Display => wrapped(), Describe::displayed();
    L10: BySight, E: From<FetchError> => wrapped(), Describe::UNSEEN;
    L11: ByClosure, E: StdError => None, Describe::displayed().with_causes(Causes::own());
    L12: ByClosure, E: Display, Boxed => None, Describe::displayed().with_causes(Causes::boxed());
    L13: ByClosure, E: Display => None, Describe::displayed();
    L14: ByClosure, E: Sized => None, Describe::UNSEEN;
}

fn copied<E: Clone>() -> Option<Sharing<E>> {
    Some(Sharing::Copied(E::clone))
}
fn shared<E: From<Arc<E>>>() -> Option<Sharing<E>> {
    Some(Sharing::Shared(E::from))
}
fn wrapped<E: From<FetchError>>() -> Option<Sharing<E>> {
    Some(Sharing::Wrapped(E::from))
}

/// An error that can be shared in none of these ways. Nothing implements it: its compile error says what to write.
#[diagnostic::on_unimplemented(
    message = "the error of this cache cannot be handed to several waiting callers",
    label = "`{Self}` is neither `Clone`, nor `From<Arc<Self>>`, nor `From<cacheback::FetchError>`",
    note = "for an error of your own: derive `Clone`, or implement one of the other two",
    note = "for an error of another crate: have the fetch return `Result<_, Arc<{Self}>>`, which `?` makes of it, or call `.share_err(|error| ..)`"
)]
pub trait SharedSomehow {}

impl<K, T, E, N> L15<Draft<K, Result<T, E>, Parts<K, Fallible<T, E>, BySight>, N>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    T: Value,
    E: Failure,
{
    /// Does not compile: the error type says what to write.
    ///
    /// # Errors
    ///
    /// None at run time.
    pub fn build(&self) -> Result<Cache<K, Result<T, E>>, Error>
    where
        E: SharedSomehow,
        N: Empties<K, Fallible<T, E>>,
    {
        self.built_of_results(None, Describe::UNSEEN)
    }
}

impl<X> fmt::Debug for Level<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Level").finish_non_exhaustive()
    }
}
