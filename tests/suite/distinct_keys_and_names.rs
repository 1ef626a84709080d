//! Keys and names that other caches mistake for one another.

use cacheback::{cacheback, settle, testing};

mod one {
    #[super::cacheback(fetch_on_miss)]
    pub(super) async fn same_name(_id: u64) -> &'static str {
        "one"
    }
}

mod other {
    #[super::cacheback(fetch_on_miss)]
    pub(super) async fn same_name(_id: u64) -> &'static str {
        "other"
    }
}

/// Functions of one name, in two modules or within two functions, share no entry and no counter.
///
/// Elsewhere: functions of one name in two modules share their keys.
#[tokio::test(start_paused = true)]
async fn functions_of_one_name_share_nothing() {
    #[cacheback(fetch_on_miss)]
    async fn same_name(_id: u64) -> &'static str {
        "outer"
    }
    async fn inner() -> &'static str {
        #[cacheback(fetch_on_miss)]
        async fn same_name(_id: u64) -> &'static str {
            "inner"
        }
        same_name(1).await
    }
    let _own = testing::isolate();
    for _ in 0..2 {
        let answers = [one::same_name(1).await, other::same_name(1).await, same_name(1).await, inner().await];
        assert_eq!(answers, ["one", "other", "outer", "inner"]);
    }
    one::same_name::cache().clear().await.unwrap();
    assert_stats!(one::same_name::cache(), entries: 0);
    assert_stats!(other::same_name::cache(), entries: 1);
    assert_ne!(one::same_name::cache().name(), other::same_name::cache().name());
}

/// Keys are the arguments themselves, not their texts, which could be alike when they are joined by some sign.
///
/// Elsewhere: arguments are joined to a text, and different ones collide.
#[tokio::test(start_paused = true)]
async fn arguments_whose_texts_join_alike_are_different_keys() {
    #[cacheback(fetch_on_miss)]
    async fn joined(left: &str, right: &str) -> String {
        format!("{left}, {right}")
    }
    #[cacheback(fetch_on_miss)]
    async fn listed(parts: &[&str], last: Option<&str>) -> usize {
        parts.len() + usize::from(last.is_some())
    }
    let _own = testing::isolate();
    for sign in ["|", ",", "\", \"", "\0", ":", "/", " "] {
        let (long, both) = (format!("a{sign}b"), format!("b{sign}c"));
        assert_eq!(joined(&long, "c").await, format!("{long}, c"));
        assert_eq!(joined("a", &both).await, format!("a, {both}"));
        assert_eq!(joined(&format!("a{sign}b{sign}c"), "").await, format!("a{sign}b{sign}c, "));
        assert_eq!(joined("", &format!("a{sign}b{sign}c")).await, format!(", a{sign}b{sign}c"));
        assert_eq!([listed(&["a", "b"], None).await, listed(&[&long], None).await], [2, 1]);
        assert_eq!([listed(&["a"], Some("b")).await, listed(&["a"], Some("None")).await], [2, 2]);
        assert_eq!(listed(&["a", "None"], None).await, 2);
    }
    settle().await;
    assert_stats!(joined::cache(), entries: 7 * 4);
    assert_stats!(listed::cache(), entries: 7 + 4);
}
