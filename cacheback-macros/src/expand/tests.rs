//! Expansions, as files that can be read. `UPDATE_EXPECT=1 cargo test` writes them anew.

use expect_test::{ExpectFile, expect_file};

fn check(args: &str, item: &str, expected: &ExpectFile) {
    expected.assert_eq(&expand(args, item));
}

fn expand(args: &str, item: &str) -> String {
    let output = crate::expand(crate::tests::tokens(args), crate::tests::tokens(item));
    let file = syn::parse2(output).unwrap_or_else(|error| panic!("{error}"));
    prettyplease::unparse(&file)
}

#[test]
fn plain() {
    check(
        "lifetime = 600",
        "/// Tweets of a user.\npub async fn user_tweets(username: &str, limit: u32) -> Vec<Tweet> { \
         twitter::timeline(username, limit).await }",
        &expect_file!["snapshots/plain.rs"],
    );
}

/// What a reader of the README gets: a page.
#[test]
fn readme() {
    let readme = expand(
        "lifetime = 600",
        "async fn user_tweets(username: &str) -> Vec<String> { twitter::timeline(username).await }",
    );
    expect_file!["snapshots/readme.rs"].assert_eq(&readme);
    assert!(readme.lines().count() <= 59, "{}", readme.lines().count());
}

#[test]
fn no_arguments() {
    check("", "async fn nothing() {}", &expect_file!["snapshots/no_arguments.rs"]);
}

#[test]
fn fallible() {
    check(
        "fetch_on_miss, cache_err = \"5s\", share_err = |error: &Error| error.copy(), \
         lifetime_for = |user| user.lifetime, retention_for = |user| user.left, name = \"users\", crate = crate::cacheback",
        "pub(crate) async fn load(id: u64) -> Result<User, Error> { db::load(id).await }",
        &expect_file!["snapshots/fallible.rs"],
    );
}

#[test]
fn borrows() {
    check(
        "",
        "async fn borrows(columns: &[&str], pair: (&str, u8), maybe: Option<&str>, text: Cow<'_, str>, nested: &&str) \
         -> usize { columns.len() }",
        &expect_file!["snapshots/borrows.rs"],
    );
}

#[test]
fn computed_key() {
    check(
        "key = (username.to_lowercase(), limit), skip(db)",
        "async fn search(db: &Arc<Db>, username: &str, limit: u32, _trace: u64) -> Vec<Tweet> { \
         db.search(username, limit).await }",
        &expect_file!["snapshots/computed_key.rs"],
    );
}

#[test]
fn expressions() {
    check(
        "lifetime = minutes(limit), retention = KEEP, wait = patience(user), fetch_on_miss = limit > 3, \
         empty = format!(\"{user}\"), max_refreshes = 8, jitter = 0.1, capacity = 1_000, max_stale = \"1h\", \
         eviction = \"tiny_lfu\"",
        "async fn expressions(user: &str, mut limit: u64, (a, b): (u8, u8)) -> String { body(user, limit, a, b).await }",
        &expect_file!["snapshots/expressions.rs"],
    );
}

#[test]
fn weighed() {
    check(
        "max_bytes = \"64MiB\", weigh = |text| text.len(), eviction = \"lru\"",
        "async fn weighed() -> String { body().await }",
        &expect_file!["snapshots/weighed.rs"],
    );
}

#[test]
fn without_a_handle() {
    check(
        "handle = false, key = (id, names.len())",
        "async fn alone(id: u32, names: &[&str]) -> Vec<String> { names_of(id, names).await }",
        &expect_file!["snapshots/without_a_handle.rs"],
    );
}

#[test]
fn attributes() {
    check(
        "handle = other",
        "/// Docs.\n#[cfg(unix)] #[must_use] #[expect(unused, dead_code)] #[instrument(skip(name))] \
         pub(super) async fn r#match(#[allow(unused)] name: String) -> &'static str { #![allow(x)] \"\" }",
        &expect_file!["snapshots/attributes.rs"],
    );
}

#[test]
fn method() {
    check(
        "key = (self.tenant, id), lifetime = self.lifetime, empty = Self::nobody(id)",
        "/// A user.\n#[cfg(unix)] pub async fn user(&self, id: u64) -> Result<User, Error> { self.db.user(id).await }",
        &expect_file!["snapshots/method.rs"],
    );
}

#[test]
fn generic_method() {
    check(
        "skip(self)",
        "pub(crate) async fn rows<'a, T: Row, const N: usize>(self: &Arc<Self>, table: &'a str, filter: impl Filter) \
         -> [T; N] where T: Send { self.load(table, filter).await }",
        &expect_file!["snapshots/generic_method.rs"],
    );
}

#[test]
fn trait_impl() {
    check(
        "handle = false, skip(self), fetch_on_miss",
        "async fn load(&self, mut id: u32, (a, _): (u8, u8)) -> Result<u32, Error> { id += a; log!(\"{}\", self.name); \
         if id == 0 { return Err(Error); } self.db.load(id).await }",
        &expect_file!["snapshots/trait_impl.rs"],
    );
}

#[test]
fn trait_impl_of_a_future() {
    check(
        "handle = false, skip(self)",
        "fn load(&self, ids: &[&str]) -> impl Future<Output = u32> + Send { let n = ids.len(); async move { self.get(n).await } }",
        &expect_file!["snapshots/trait_impl_of_a_future.rs"],
    );
}

#[test]
fn generic_function() {
    check(
        "lifetime = T::LIFETIME, empty = vec![first.clone().into()]",
        "pub async fn parse<'a, T, const N: usize>( \
             text: &'a str, first: impl Into<T> + Clone + Hash + Eq + Send + Sync + 'static \
         ) -> Vec<T> \
         where T: FromStr + Clone + Send + Sync + 'static { split::<N>(text).map(parse).collect() }",
        &expect_file!["snapshots/generic_function.rs"],
    );
}

#[test]
fn shared() {
    check(
        "lifetime = 600, shared",
        "async fn user_tweets(username: &str, limit: u32) -> Vec<Tweet> { twitter::timeline(username, limit).await }",
        &expect_file!["snapshots/shared.rs"],
    );
}

#[test]
fn shared_method() {
    check(
        "shared = \"sessions\", version = SCHEMA, skip(self), key = (name.trim(), ids), fetch_on_miss",
        "async fn rows<T: Row>(&self, name: &str, ids: &[&str]) -> Result<Vec<T>, Error> { self.db.rows(name, ids).await }",
        &expect_file!["snapshots/shared_method.rs"],
    );
}

#[test]
fn queued() {
    check(
        "lifetime = 600, shared, queue, skip(db)",
        "async fn sales(db: &Db, region: &str, years: &[u16]) -> Vec<u64> { db.sales(region, years).await }",
        &expect_file!["snapshots/queued.rs"],
    );
}

#[test]
fn queued_method() {
    check(
        "shared, version = SCHEMA, queue = \"reports\", queue_fallback = false, key = (self.tenant, name.trim())",
        "pub async fn rows(&self, name: &str, (page, size): (u32, u32)) -> Vec<Row> { self.db.rows(name, page, size).await }",
        &expect_file!["snapshots/queued_method.rs"],
    );
}

#[test]
fn refused() {
    check("ttl = 5", "fn refused(a: &mut u8) {}", &expect_file!["snapshots/refused.rs"]);
}
