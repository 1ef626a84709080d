//! `caches()`: every cache of the process that was used, without its types.

use cacheback::{Cache, CacheRef, cacheback, caches, settle, testing};

#[cacheback(lifetime = 10, name = "caches::one")]
async fn one(id: u64) -> u64 {
    id
}

#[cacheback(lifetime = 20, name = "caches::another")]
async fn another(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[cacheback(name = "caches::late")]
async fn late() -> u64 {
    0
}

fn names() -> Vec<&'static str> {
    caches().iter().map(CacheRef::name).collect()
}

/// The caches that were used, by name, once each, with their counters. An isolated runtime sees its own.
#[tokio::test(start_paused = true)]
async fn caches_lists_every_function_that_was_used() {
    {
        let _own = testing::isolate();
        assert!(names().is_empty());
        let _ = (late::cache().name(), late::cache().stats());
        assert_eq!(one::entry(1).peek().await, None);
        assert_eq!(names(), ["caches::one"]);
        for id in 0..3 {
            let _ = one(id).await;
            let _ = another("text").await;
        }
        settle().await;
        assert_eq!(names(), ["caches::another", "caches::one"]);
        let [another, one] = &caches()[..] else { panic!("{:?}", caches()) };
        assert_eq!((another.len(), one.len()), (1, 3));
        assert_stats!(another, fetches: 1);
        assert_stats!(one, fetches: 3);
        assert_eq!(one.policy().lifetime.as_secs(), 10);
        one.clear().await.unwrap();
        assert_eq!((another.len(), one.len()), (1, 0));
        let _inner = testing::isolate();
        assert!(names().is_empty());
    }
    // Outside of the isolation nothing was used.
    let seen = names();
    assert!(!seen.contains(&"caches::one") && !seen.contains(&"caches::late"), "{seen:?}");
    let _ = late().await;
    assert!(names().contains(&"caches::late"));
    settle().await;
}

/// Named cache objects are listed for as long as they live.
#[tokio::test(start_paused = true)]
async fn caches_lists_every_named_cache_object_while_it_lives() {
    let _own = testing::isolate();
    let _nameless: Cache<u64, u64> = Cache::builder().build().unwrap();
    let named: Cache<u64, u64> = Cache::builder().name("caches::object").build().unwrap();
    named.set(&1, 7).await.unwrap();
    let _ = one(1).await;
    assert_eq!(names(), ["caches::object", "caches::one"]);
    {
        let listed = &caches()[0];
        assert_eq!((listed.len(), listed.policy()), (1, named.policy()));
        assert_stats!(listed, entries: 1);
        listed.clear().await.unwrap();
        assert!(named.is_empty());
        let _inner = testing::isolate();
        assert!(names().is_empty(), "it was made elsewhere");
    }
    drop(named);
    assert_eq!(names(), ["caches::one"]);
    settle().await;
}
