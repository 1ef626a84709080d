//! No lint fires in a user's code because of the expansion: all forms of functions, in an edition before that of the
//! library. Nothing here runs; `cargo clippy` is the test.
#![deny(warnings, missing_docs, unreachable_pub, unused, clippy::all, clippy::pedantic)]
#![deny(single_use_lifetimes, unused_lifetimes)]
#![forbid(unsafe_code)]

mod no_prelude;
pub mod restricted;

mod inner {
    /// Inlined into the docs of the crate.
    #[cacheback::cacheback]
    pub async fn inlined(id: u64) -> u64 {
        id
    }
}
/// Beside [`inlined`], which is one thing and no other.
#[doc(inline)]
pub use inner::inlined;

/// It has a cache outside of any function's body.
pub static INLINED: std::sync::LazyLock<cacheback::CacheRef> = std::sync::LazyLock::new(inlined::cache);

/// A name that generated code has its own use for.
mod __private {
    pub(crate) fn one() -> u64 {
        1
    }
}

use std::future::Future;
use std::sync::Arc;

use cacheback::cacheback;

/// Documented.
///
/// # Errors
///
/// Never.
#[cacheback(lifetime = 60, fetch_on_miss = id > 3, wait = "1s", skip(_pool), empty = Ok(vec![id]))]
pub async fn public(id: u64, name: &str, _pool: &Arc<u8>) -> Result<Vec<u64>, String> {
    Ok(vec![id, name.len() as u64])
}

#[cacheback(key = (columns.len() as u64 + __private::one(), maybe.is_some()))]
async fn private(columns: &[&str], maybe: Option<&str>) -> usize {
    columns.len() + usize::from(maybe.is_some())
}

#[cacheback]
async fn by_entry_only(id: u64) -> u64 {
    id
}

/// Old.
#[deprecated]
#[cacheback]
pub async fn old(old: u64) -> u64 {
    old
}

#[cacheback(max_bytes = "1MiB", weigh = |text| text.len() + 24, eviction = "lru")]
async fn weighed(id: u64) -> String {
    id.to_string()
}

#[cacheback(handle = false)]
async fn alone(id: u64) -> u64 {
    id
}

/// Generic.
#[cacheback(lifetime = 60, fetch_on_miss, wait = "1s", empty = vec![first.clone().into(); N], skip(rest))]
pub async fn generic<'a, T, const N: usize>(
    text: &'a str,
    first: impl Into<T> + Clone + Send + Sync + std::hash::Hash + Eq + 'static,
    rest: &'a [T],
) -> Vec<T>
where
    T: Clone + Send + Sync + 'static,
{
    let mut all = vec![first.into(); text.len()];
    all.extend_from_slice(rest);
    all
}

#[cacheback]
async fn by_generic_entry_only<T: Clone + Default + Send + Sync + 'static>(id: u64) -> (T, u64) {
    (T::default(), id)
}

/// Returns its future.
#[cacheback]
pub fn returned(id: u64, name: &str) -> impl Future<Output = u64> + Send + '_ {
    let length = name.len() as u64;
    async move { id + length }
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repo<T> {
    tenant: u64,
    of: T,
}

impl<T: Clone + Default + Send + Sync + std::hash::Hash + Eq + 'static> Repo<T> {
    /// A method.
    ///
    /// # Errors
    ///
    /// Never.
    #[cacheback(key = (self.tenant, id, name), lifetime = std::time::Duration::from_secs(self.tenant), empty = Ok(id), wait = "1s")]
    pub async fn public(&self, id: u64, name: &str) -> Result<u64, String> {
        Ok(id + self.tenant + name.len() as u64)
    }

    #[cacheback(skip(self))]
    async fn private(self: &Arc<Self>, (first, _): (u64, u8)) -> Option<T> {
        (first > self.tenant).then(|| self.of.clone())
    }

    #[cacheback(key = self)]
    #[expect(clippy::wrong_self_convention)]
    async fn to_owned_row(self, mut id: u64) -> u64 {
        id += self.tenant;
        id
    }

    #[cacheback(skip(self))]
    async fn by_method_entry_only<U: Clone + Default + Send + Sync + 'static>(&self, id: u64) -> (U, u64) {
        (U::default(), id + self.tenant)
    }

    #[cacheback(skip(self), handle = false)]
    async fn alone(&self, mut id: u64, (a, _): (u64, &str)) -> Result<u64, String> {
        if id == 0 {
            return Err("zero".to_owned());
        }
        id += a;
        Ok(id + self.tenant)
    }

    #[cacheback(in_impl)]
    pub(crate) async fn associated(id: u64) -> u64 {
        id
    }

    /// Old.
    #[deprecated]
    #[cacheback(skip(self))]
    pub async fn old(&self, old: u64) -> u64 {
        old + self.tenant
    }

    #[cacheback(skip(self))]
    #[expect(unused_variables)]
    async fn expected(&self, id: u64) -> u64 {
        self.tenant
    }
}

/// A trait.
pub trait Load {
    /// Loads.
    fn load(&self, id: u64) -> impl Future<Output = u64> + Send;
    /// Does nothing.
    fn nothing(&self) -> impl Future<Output = ()> + Send;
}

impl Load for Repo<u8> {
    #[cacheback(skip(self), handle = false)]
    #[allow(clippy::let_and_return)]
    async fn load(&self, id: u64) -> u64 {
        let sum = id + self.tenant + __private::one();
        sum
    }

    #[cacheback(skip(self), handle = false)]
    fn nothing(&self) -> impl Future<Output = ()> + Send {
        let this = self;
        async move { drop(this.clone()) }
    }
}

/// A trait of which not all is written yet.
pub trait Unfinished {
    /// Nothing.
    fn nothing_yet(&self, id: u64) -> impl Future<Output = Vec<u64>> + Send;
    /// An argument for the options.
    fn asked_for(&self, seconds: u64) -> impl Future<Output = u64> + Send;
    /// One way out, in a loop.
    fn searched(&self, id: u64) -> impl Future<Output = Result<u64, String>> + Send;
    /// One way out, before the end.
    fn returned(&self, id: u64) -> impl Future<Output = u64> + Send;
}

impl Unfinished for Repo<u8> {
    #[cacheback(skip(self), handle = false)]
    async fn nothing_yet(&self, id: u64) -> Vec<u64> {
        todo!("{id} of {}", self.tenant)
    }

    #[cacheback(skip(self), handle = false, lifetime = std::time::Duration::from_secs(1 + seconds))]
    async fn asked_for(&self, seconds: u64) -> u64 {
        self.tenant
    }

    #[cacheback(skip(self), handle = false)]
    async fn searched(&self, mut id: u64) -> Result<u64, String> {
        loop {
            id += 1;
            if id % 7 == self.tenant {
                return Ok(id);
            }
        }
    }

    #[cacheback(skip(self), handle = false)]
    async fn returned(&self, id: u64) -> u64 {
        if id > self.tenant {
            return id;
        }
        unreachable!("{id}")
    }
}

/// Two borrows: only the body speaks of the lifetime of the one, and nobody of that of the other.
#[cacheback]
pub async fn lifetimes<'a>(text: &'a str, other: &str) -> usize {
    let same: &'a str = text;
    same.len() + other.len()
}

/// Arguments that only the options ask for.
#[cacheback(key = (id, tenant, name.trim()), lifetime = std::time::Duration::from_secs(if vip { 1 } else { 2 }), fetch_on_miss = waits, wait = "1s", empty = empty)]
pub async fn asked_for(id: u64, vip: bool, tenant: u8, name: &str, waits: bool, mut empty: u64) -> u64 {
    #![allow(unused_mut)]
    id
}

/// Lints that are turned off at the function, at one argument, and for an option.
#[cacheback(lifetime = OLD_LIFETIME, wait = std::time::Duration::from_secs(userId), fetch_on_miss, empty = userId)]
#[allow(deprecated)]
pub async fn of_a_user(#[allow(non_snake_case)] userId: u64) -> u64 {
    userId
}

#[deprecated]
const OLD_LIFETIME: std::time::Duration = std::time::Duration::from_secs(60);

#[cacheback(lifetime = OLD_LIFETIME)]
#[expect(deprecated, reason = "the option's")]
#[expect(non_snake_case)]
async fn camelCase(userId: u64) -> u64 {
    userId
}

/// Its signature is expected to panic, and does so in a function that nobody sees.
#[cacheback(handle = expected_panics)]
#[expect(clippy::missing_panics_doc)]
pub async fn panics(id: Option<u64>) -> u64 {
    id.unwrap()
}

#[cacheback]
#[expect(unused)]
async fn never_called(id: u64) -> u64 {
    7
}

/// The function's name is that of its argument.
#[cacheback]
async fn user(user: u64) -> u64 {
    user
}

#[cacheback]
async fn users<T: Clone + Send + Sync + Default + 'static>(users: u64) -> (T, u64) {
    (T::default(), users)
}

/// Calls the private functions.
pub fn run() {
    no_prelude::run();
    let _ = (user::entry(1), users::entry::<u8>(1));
    let _ = (camelCase(1), private(&["a"], None), alone(1), weighed(1), by_entry_only::entry(1));
    let repo = Arc::new(Repo { tenant: 1, of: 2_u8 });
    let _ = (
        repo.private((1, 1)),
        repo.alone(1, (2, "")),
        Repo::<u8>::associated(1),
        repo.load(1),
        repo.nothing(),
    );
    let _ = (Repo::clone(&repo).to_owned_row(1), repo.expected(2), repo.by_method_entry_only_entry::<u8>(1));
    let _ = (generic::<u64, 3>("a", 1_u8, &[2]), by_generic_entry_only::entry::<u8>(1), returned(1, ""));
}
