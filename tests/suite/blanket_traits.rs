//! Traits of the user's that every type implements. Their methods are in scope where the attribute stands, and none of
//! them is taken for one of ours.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cacheback::{FetchError, Status, cacheback, settle, testing};

/// A trait for every type, with methods of these names. They take a reference or a value; rustc looks for values first.
macro_rules! every_type_has {
    ($Trait:ident: $receiver:ident, $($method:ident)*) => {
        #[allow(dead_code)] // It is only in the way.
        trait $Trait {
            $(every_type_has! { @ $receiver $method })*
        }
        impl<T: ?Sized> $Trait for T {}
    };
    (@ reference $method:ident) => { fn $method(&self) -> &'static str { "the user's" } };
    (@ value $method:ident) => { fn $method(self) -> &'static str where Self: Sized { "the user's" } };
}

// Names of methods that an entry, a cache or generated code has or could have. `peek` and `set` of an entry are left
// out: their types depend on that of the entry, so they go through `Deref`, and a trait of the user's comes before
// that.
every_type_has! { Everything: reference,
args body cache call cause chain clear contains copy describe empty entry error errors fetch fetch_on_miss get_or_fetch handle hit
invalidate is_empty is_some join key len lend lifetime_for lookup map name of ops origin outcome own part policy
poll pool probe refresh remove run shape share share_err sharing site slot source split stats take vary view wait weigh }

mod by_value {
    use super::{Unclonable, cacheback};

    every_type_has! { Everything: value, body describe empty errors key lend of outcome own part share shape site slot wait }

    #[cacheback(fetch_on_miss)]
    pub(super) async fn plain(id: u64) -> u64 {
        id
    }

    #[cacheback(fetch_on_miss, key = (id + 1, text.trim().to_owned()))]
    pub(super) async fn fallible(id: u64, text: &str) -> Result<u64, Unclonable> {
        text.trim().parse().map(|parsed: u64| parsed + id).map_err(|_| Unclonable)
    }
}

/// An error that is shared and described in the last of the ways.
#[derive(PartialEq)]
struct Unclonable;

impl From<FetchError> for Unclonable {
    fn from(_: FetchError) -> Self {
        Self
    }
}

impl fmt::Debug for Unclonable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unclonable")
    }
}

#[cacheback(fetch_on_miss)]
async fn plain(id: u64) -> u64 {
    id
}

#[cacheback(fetch_on_miss, lifetime = Duration::from_secs(id), skip(text), wait = "1s", empty = Ok(0))]
async fn cloned(id: u64, text: &str) -> Result<u64, std::num::ParseIntError> {
    text.parse().map(|parsed: u64| parsed + id)
}

#[cacheback(fetch_on_miss)]
async fn wrapped(id: u64) -> Result<u64, Unclonable> {
    id.checked_sub(1).ok_or(Unclonable)
}

#[cacheback(fetch_on_miss, key = (columns.len(), text.to_lowercase()))]
async fn generic<T: From<u8> + Clone + Send + Sync + 'static>(columns: &[&str], text: &str) -> (T, usize) {
    (T::from(7), columns.len() + text.len())
}

#[derive(Clone)]
struct Repo {
    tenant: u64,
}

impl Repo {
    #[cacheback(fetch_on_miss, key = (self.tenant, id))]
    async fn row(&self, id: u64) -> Result<u64, String> {
        Ok(self.tenant + id)
    }

    #[cacheback(fetch_on_miss, skip(self), handle = false)]
    async fn alone(self: &Arc<Self>, id: u64) -> Option<u64> {
        Some(self.tenant + id)
    }
}

#[tokio::test(start_paused = true)]
async fn functions_of_all_forms_are_cached_beside_a_blanket_trait() {
    let _own = testing::isolate();
    let repo = Arc::new(Repo { tenant: 1 });
    for _ in 0..2 {
        assert_eq!(plain(1).await, 1);
        assert_eq!(cloned(1, "2").await, Ok(3));
        assert_eq!(wrapped(2).await, Ok(1));
        assert_eq!(generic::<u64>(&["a"], "b").await, (7, 2));
        assert_eq!(repo.row(1).await, Ok(2));
        assert_eq!(repo.alone(1).await, Some(2));
        assert_eq!(by_value::plain(1).await, 1);
        assert_eq!(by_value::fallible(1, " 2").await, Ok(3));
    }
    let caches = [plain::cache(), cloned::cache(), wrapped::cache(), generic::cache(), Repo::row_cache()];
    for cache in caches.iter().chain(&[by_value::plain::cache(), by_value::fallible::cache()]) {
        let name = cache.name();
        assert_stats!(cache, fetches: 1, hits: 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_are_shared_and_described_beside_a_blanket_trait() {
    let _own = testing::isolate();
    let (one, other) = tokio::join!(wrapped(0), wrapped(0));
    assert_eq!((one, other), (Err(Unclonable), Err(Unclonable)));
    let (one, other) = tokio::join!(cloned(1, "x"), cloned(1, "x"));
    assert_eq!((one.is_err(), other.is_err()), (true, true));
    assert_stats!(wrapped::cache(), fetches: 1);
    assert_stats!(cloned::cache(), fetches: 1);
}

/// The methods of an entry that are the same for every function.
#[tokio::test(start_paused = true)]
async fn an_entry_keeps_its_methods_beside_a_blanket_trait() {
    let _own = testing::isolate();
    let entry = cloned::entry(60, "2");
    assert_eq!(entry.lookup().await.status, Status::Fetched);
    assert_eq!(entry.get_or_fetch().await, Ok(62));
    assert_eq!(entry.refresh().await, Ok(62));
    entry.invalidate().await.unwrap();
    settle().await;
    assert_stats!(cloned::cache(), fetches: 3);
    entry.remove().await.unwrap();
    assert!(cloned::cache().is_empty());
}

/// `get`, `get_or_fetch`, `entry`, `set`, `peek` and `invalidate` of an object depend on the type of its values and go
/// through `Deref`, and so does `build`. The others are methods of the cache itself.
mod objects {
    use std::time::Duration;

    use cacheback::{Cache, Status, settle, testing};

    every_type_has! { Everything: reference,
    args body cache call cause chain clear contains copy describe empty error errors fetch fetch_on_miss handle hit
    is_empty is_some join key len lend lifetime_for lookup map name of ops origin outcome own part policy
    poll pool probe refresh remove run shape share share_err sharing site slot source split stats take vary view wait weigh }

    #[tokio::test(start_paused = true)]
    async fn a_cache_object_is_built_and_used_beside_a_blanket_trait() {
        let _own = testing::isolate();
        let lengths: Cache<String, usize> = Cache::builder()
            .fetch_on_miss()
            .lifetime_for(|length: &usize| Duration::from_secs(*length as u64))
            .fetcher(|word: String| async move { word.len() })
            .build()
            .unwrap();
        assert_eq!(lengths.get("four").await, 4);
        assert_eq!(lengths.entry("four").lookup().await.status, Status::Fresh);
        lengths.invalidate("four").await.unwrap();
        settle().await;
        lengths.remove("four").await.unwrap();
        assert_eq!((lengths.len(), lengths.is_empty()), (0, true));
        assert_stats!(lengths, fetches: 2);
        lengths.clear().await.unwrap();
        assert!(lengths.handle().is_empty());
    }
}
