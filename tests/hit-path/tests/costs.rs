//! Nothing is allocated on a hit, fresh or stale, and the caller's future is small, whatever the body holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use cacheback::{Cache, Status, cacheback};
use tokio::sync::Notify;

#[macro_use]
#[path = "../../support/assert_stats.rs"]
mod assert_stats;

/// The system's allocator, with the number of allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator as it is.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The number of allocations of a call on this thread, and its result.
async fn allocations<T>(call: impl Future<Output = T>) -> (u64, T) {
    let before = ALLOCATIONS.get();
    let returned = call.await;
    (ALLOCATIONS.get() - before, returned)
}

/// Bodies wait here for ever, so that a refresh that was started goes on.
static GATE: Notify = Notify::const_new();

/// A body whose future is large.
async fn large<T>(value: T) -> T {
    let array = std::hint::black_box([1_u8; 4096]);
    GATE.notified().await;
    assert_eq!(std::hint::black_box(array)[7], 1);
    value
}

type Shared = Arc<String>;

#[cacheback(lifetime = "1h")]
async fn no_argument() -> u64 {
    large(1).await
}

#[cacheback(lifetime = "1h")]
async fn number(id: u64) -> [u8; 16] {
    large([id as u8; 16]).await
}

#[cacheback(lifetime = "1h", fetch_on_miss)]
async fn text(name: &str) -> Shared {
    large(Arc::new(name.to_owned())).await
}

#[cacheback(lifetime = "1h", fetch_on_miss)]
async fn three(id: u32, name: &str, flag: bool) -> u64 {
    large(u64::from(id) + name.len() as u64 + u64::from(flag)).await
}

#[cacheback(lifetime = "1h", key = id % 10)]
async fn computed(id: u64) -> u64 {
    large(id).await
}

#[cacheback(lifetime = "1h", key = (name, id / 2), skip(db))]
async fn mixed(db: &Shared, name: &str, id: u64) -> Option<u64> {
    large(Some(id + db.len() as u64 + name.len() as u64)).await
}

#[cacheback(lifetime = "1h", key = name.trim())]
async fn borrowing(name: &str) -> u64 {
    large(name.len() as u64).await
}

#[cacheback(lifetime = "1h", key = (id, name.trim()))]
async fn borrowing_from_its_own(name: String, id: u64) -> u64 {
    large(id + name.len() as u64).await
}

#[cacheback(lifetime = "1h", fetch_on_miss)]
async fn fallible(id: u64) -> Result<u64, String> {
    Ok(large(id).await)
}

#[cacheback(lifetime = "1h", max_bytes = "1MiB", weigh = |list| list.len())]
async fn weighed(id: u64) -> Arc<[u64]> {
    large(Arc::from([id])).await
}

#[derive(Clone)]
struct Repo {
    tenant: u64,
}

impl Repo {
    #[cacheback(lifetime = "1h", key = (self.tenant, name))]
    async fn method(&self, name: &str) -> u64 {
        large(self.tenant + name.len() as u64).await
    }
}

#[cacheback(lifetime = "1h", fetch_on_miss)]
async fn generic<T: Clone + Default + Send + Sync + 'static, const N: u8>(name: &str) -> (T, usize) {
    large((T::default(), name.len() + usize::from(N))).await
}

trait Load {
    async fn load(&self, id: u64) -> u64;
}

impl Load for Repo {
    #[cacheback(lifetime = "1h", fetch_on_miss, handle = false, skip(self))]
    async fn load(&self, id: u64) -> u64 {
        id + self.tenant
    }
}

/// A fresh hit, and a stale one whose refresh runs, of a value that was set: neither allocates.
macro_rules! hits {
    ($($test:ident: $function:ident($($argument:expr),*) = $value:expr => $returned:expr;)*) => {$(
        #[tokio::test]
        async fn $test() {
            let entry = $function::entry($($argument),*);
            entry.set($value).await.unwrap();
            // The first calls of a thread set things up.
            let _ = $function($($argument),*).await;
            for _ in 0..100 {
                assert_eq!(allocations($function($($argument),*)).await, (0, $returned));
            }
            entry.invalidate().await.unwrap();
            while $function::cache().stats().fetches == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(entry.lookup().await.status, Status::Stale);
            for _ in 0..100 {
                assert_eq!(allocations($function($($argument),*)).await, (0, $returned));
            }
            assert_stats!($function::cache(), hits: 101, stale: 101, fetches: 1);
        }
    )*};
}

hits! {
    promise_1_a_hit_without_arguments_allocates_nothing: no_argument() = 3 => 3;
    promise_1_a_hit_of_a_number_allocates_nothing: number(7) = [1; 16] => [1; 16];
    promise_1_a_hit_of_a_borrowed_text_allocates_nothing: text("somebody") = shared() => shared();
    promise_1_a_hit_of_three_arguments_allocates_nothing: three(1, "somebody", true) = 5 => 5;
    promise_1_a_hit_of_a_computed_key_allocates_nothing: computed(27) = 5 => 5;
    promise_1_a_hit_of_a_key_with_a_borrowed_and_a_computed_part_allocates_nothing: mixed(&shared(), "somebody", 4) = Some(5) => Some(5);
    promise_1_a_hit_of_a_key_that_borrows_allocates_nothing: borrowing(" somebody") = 5 => 5;
    promise_1_a_hit_of_a_result_allocates_nothing: fallible(7) = 8 => Ok(8);
    promise_1_a_hit_of_a_weighed_value_allocates_nothing: weighed(7) = numbers() => numbers();
}

/// The same with a method, and with a generic function whose first instantiation is another.
#[tokio::test]
async fn promise_1_a_hit_of_a_method_or_of_a_later_instantiation_allocates_nothing() {
    let repo = Repo { tenant: 7 };
    generic::entry::<u8, 1>("somebody").set((1, 1)).await.unwrap();
    generic::entry::<u16, 1>("somebody").set((2, 2)).await.unwrap();
    generic::entry::<u16, 2>("somebody").set((3, 3)).await.unwrap();
    repo.method_entry("somebody").set(4).await.unwrap();
    assert_eq!(repo.load(1).await, 8);
    for _ in 0..100 {
        assert_eq!(allocations(generic::<u16, 2>("somebody")).await, (0, (3, 3)));
        assert_eq!(allocations(generic::<u8, 1>("somebody")).await, (0, (1, 1)));
        assert_eq!(allocations(repo.method("somebody")).await, (0, 4));
        assert_eq!(allocations(repo.load(1)).await, (0, 8));
    }
    assert_stats!(generic::cache(), hits: 200);
    assert_stats!(Repo::method_cache(), hits: 100);
}

/// The same with an object, looked up by the borrowed form of its key.
///
/// Elsewhere: a hit allocates fifteen times.
#[tokio::test]
async fn promise_1_a_hit_of_a_cache_object_allocates_nothing() {
    let cache: Cache<String, u64> = Cache::builder().fetcher(|_| async { large(1).await }).build().unwrap();
    cache.set("somebody", 3).await.unwrap();
    assert_eq!(cache.get("somebody").await, 3);
    for _ in 0..100 {
        assert_eq!(allocations(cache.get("somebody")).await, (0, 3));
        assert_eq!(allocations(cache.get_or_fetch("somebody", || large(1))).await, (0, 3));
    }
    cache.invalidate("somebody").await.unwrap();
    while cache.stats().fetches == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        assert_eq!(allocations(cache.get("somebody")).await, (0, 3));
    }
    assert_stats!(cache, hits: 201, stale: 100, fetches: 1);
}

thread_local! {
    static SHARED: Shared = Arc::new("shared".to_owned());
    static NUMBERS: Arc<[u64]> = Arc::from([1, 2, 3]);
}

fn shared() -> Shared {
    SHARED.with(Arc::clone)
}

fn numbers() -> Arc<[u64]> {
    NUMBERS.with(Arc::clone)
}

/// The test of the tests: allocations are seen.
#[tokio::test]
async fn the_counting_allocator_sees_that_a_miss_allocates() {
    #[cacheback(lifetime = "1h", fetch_on_miss)]
    async fn missing(id: u64) -> u64 {
        id
    }
    let (count, returned) = allocations(missing(7)).await;
    assert!(count > 3 && returned == 7, "{count}");
}

/// The least number of allocations on this thread of a hundred calls, one for each of these keys: that of a call in
/// which no table grows and nothing is evicted.
async fn least(ids: Range<u64>, mut call: impl AsyncFnMut(u64)) -> u64 {
    let mut least = u64::MAX;
    for id in ids {
        least = least.min(allocations(call(id)).await.0);
    }
    least
}

/// Exactly so often a fetch allocates, and a write. moka's part in a new entry is eight.
#[tokio::test]
async fn a_fetch_and_a_write_allocate_no_more_than_they_need() {
    #[cacheback(lifetime = "1h", fetch_on_miss)]
    async fn awaited(id: u64) -> u64 {
        id
    }
    #[cacheback(lifetime = "1h")]
    async fn behind(id: u64) -> Option<u64> {
        Some(id)
    }
    #[cacheback(lifetime = "1ns")]
    async fn stale(id: u64) -> Option<u64> {
        Some(id)
    }
    let set = async |id| behind::entry(id).set(Some(id)).await.unwrap();
    for id in 0..100 {
        stale::entry(id).set(Some(id)).await.unwrap();
    }
    let fetched = || stale::cache().stats().fetches;
    let read_stale = async |id| {
        let before = fetched();
        // The clock of a hit lags behind by a few milliseconds.
        while fetched() == before {
            assert_eq!(stale(id).await, Some(id));
            tokio::task::yield_now().await;
        }
    };
    let miss = async |id| {
        assert_eq!(behind(id).await, None);
        tokio::task::yield_now().await;
        assert!(behind::entry(id).peek().await.is_some());
    };
    let costs = [
        ("a miss whose caller waits", least(0..100, async |id| assert_eq!(awaited(id).await, id)).await),
        ("a miss that is answered empty, and a `peek`", least(0..100, miss).await),
        ("a stale read and its refresh", least(0..100, read_stale).await),
        ("a `set` of a new key", least(1_000..1_100, set).await),
        ("a `set` over a value", least(1_000..1_100, set).await),
        ("an `invalidate`, with its refresh", {
            let invalidate = async |id| {
                behind::entry(id).invalidate().await.unwrap();
                tokio::task::yield_now().await;
            };
            least(1_000..1_100, invalidate).await
        }),
        ("a `remove`", least(1_000..1_100, async |id| behind::entry(id).remove().await.unwrap()).await),
        (
            "a `remove` of a missing key",
            least(5_000..5_100, async |id| behind::entry(id).remove().await.unwrap()).await,
        ),
    ];
    assert_eq!(costs.map(|(_, count)| count), [16, 19, 14, 10, 2, 9, 4, 1], "{costs:?}");
}

/// Bytes of a call's future beyond its arguments.
fn beyond<F: Future>(arguments: usize, call: &F) -> usize {
    size_of_val(call) - arguments
}

#[test]
fn promise_1_a_call_is_small_however_large_its_body() {
    assert!(size_of_val(&large(1_u64)) > 4096);
    let db = shared();
    let repo = Repo { tenant: 7 };
    let text_size = size_of::<&str>();
    let sizes = [
        beyond(0, &no_argument()),
        beyond(8, &number(7)),
        beyond(text_size, &text("somebody")),
        beyond(size_of::<(u32, &str, bool)>(), &three(1, "somebody", true)),
        beyond(8, &computed(27)),
        beyond(8 + text_size + 8, &mixed(&db, "somebody", 4)),
        beyond(text_size, &borrowing(" somebody")),
        beyond(size_of::<(String, u64)>(), &borrowing_from_its_own(" somebody".to_owned(), 7)),
        beyond(8, &fallible(7)),
        beyond(8, &weighed(7)),
        beyond(8 + text_size, &repo.method("somebody")),
        beyond(text_size, &generic::<u8, 1>("somebody")),
        beyond(8 + 8, &repo.load(7)),
    ];
    assert_eq!(sizes, [16, 16, 16, 8, 16, 16, 16, 16, 16, 16, 16, 16, 16]);
}
