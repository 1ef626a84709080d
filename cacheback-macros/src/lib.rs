//! The attribute macro of `cacheback`. Use it through that crate.
//!
//! A pipeline, a stage a folder: `options` reads the attribute and `function` the item under it, `plan` decides, `expand`
//! writes. Whatever is wrong is collected in `error`, and then `fallback` writes instead.
//!
//! Imports point one way: `lib -> {expand, fallback} -> plan -> {options, function} -> error`.

// There are only a few of these values per function: boxing their expressions would save nothing, and would complicate
// matching.
#![allow(clippy::large_enum_variant)]

mod error;
mod expand;
mod fallback;
mod function;
mod options;
mod plan;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::error::Errors;
use crate::function::{place, signature};
use crate::plan::Plan;

/// Makes every call of an `async fn` a read from a cache that is refreshed in the background.
///
/// The function keeps its signature. A call returns the cached value, fresh or stale, at once; if it is no longer
/// fresh, one refresh is started in the background. **While nothing is cached a call returns the empty value
/// (`Default::default()`), not your data**; write `fetch_on_miss` if that would be wrong.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Tweet;
/// # mod twitter { pub async fn timeline<T: Default>(_: &str) -> T { T::default() } }
/// #[cacheback(lifetime = 600)]
/// async fn user_tweets(username: &str) -> Vec<Tweet> {
///     twitter::timeline(username).await
/// }
///
/// # async fn show() {
/// let tweets = user_tweets("alice").await;
/// # }
/// ```
///
/// Beside the function stands a type of the same name, its handle:
///
/// ```
/// # use cacheback::cacheback;
/// # #[cacheback]
/// # async fn user_tweets(username: &str) -> Vec<String> { vec![username.to_owned()] }
/// # async fn show(tweets: Vec<String>) -> Result<(), cacheback::Error> {
/// user_tweets::entry("alice").invalidate().await?;
/// user_tweets::entry("alice").set(tweets).await?;
/// let value = user_tweets::entry("alice").get_or_fetch().await;
/// let stats = user_tweets::cache().stats();
/// # Ok(())
/// # }
/// ```
///
/// # Which functions
///
/// Free functions, methods and associated functions, of up to twelve arguments, a receiver among them. An `async fn`,
/// or one that returns `impl Future<Output = ..>`. Arguments are owned once for a fetch, never for a hit: `T`, `&T`,
/// `&str`, `&[T]`, `&[&str]`, `Option<&str>`, `(&str, u8)`, `Cow<'_, str>` and their like. The return type is `Clone`
/// and holds no borrow; of a `Result` the `Ok` is kept.
///
/// ## Methods
///
/// The receiver is `&self` or `self` of a type that is `Clone` (a fetch owns one), `self: Arc<Self>` or
/// `self: &Arc<Self>`. Whether two values of the type share their entries is for you to say: `self` is in
/// [`skip`](#skip), or in [`key`](#key), else it does not compile. Beside a method `NAME` stand `NAME_entry`, with the
/// same receiver and arguments, and `NAME_cache`; both are as visible as it is.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone)] struct Pool;
/// # impl Pool { async fn name(&self, _: u64) -> Option<String> { None } async fn count(&self, _: u64) -> u32 { 0 } }
/// #[derive(Clone)]
/// struct Repo {
///     tenant: u64,
///     pool: Pool,
/// }
///
/// impl Repo {
///     #[cacheback(skip(self))] // all repositories share the entries
///     async fn currency(&self, country: u64) -> Option<String> {
///         self.pool.name(country).await
///     }
///
///     #[cacheback(key = (self.tenant, user), lifetime = "1m")] // each tenant has its own
///     async fn orders(&self, user: u64) -> u32 {
///         self.pool.count(user).await
///     }
/// }
///
/// # async fn show(repo: &Repo) -> Result<(), cacheback::Error> {
/// repo.orders_entry(42).invalidate().await?;
/// let stats = Repo::orders_cache().stats();
/// # Ok(())
/// # }
/// ```
///
/// A method of a trait has nothing beside it: in the `impl` of a trait write `handle = false`. If a handle is wanted,
/// let it call a cached method of the type.
///
/// ```
/// # use cacheback::cacheback;
/// trait Source {
///     fn load(&self, id: u64) -> impl Future<Output = String> + Send;
/// }
/// # #[derive(Clone)] struct Files;
///
/// impl Source for Files {
///     #[cacheback(handle = false, skip(self))]
///     async fn load(&self, id: u64) -> String {
///         std::fs::read_to_string(format!("{id}.txt")).unwrap_or_default()
///     }
/// }
/// ```
///
/// With `handle = false` a method's body moves into the fetch, with `self` under another name. In strings that capture
/// it (`"{self}"`) write `{}` instead.
///
/// ## Generic functions
///
/// Type and const parameters, `where` clauses, named lifetimes and `impl Trait` arguments. Each instantiation has a cache
/// of its own, in a generic `impl` too, and a [`capacity`](#capacity) of its own; `cache()` is the handle of all of them.
/// Parameters in arguments and values are `Clone + Send + Sync + 'static`, those in the key `Hash + Eq` too. Each type of
/// an `impl Trait` argument, skipped or not, is an instantiation, and two closures are of two types.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::str::FromStr;
/// # async fn read(_: &str) -> String { "12".to_owned() }
/// #[cacheback(fetch_on_miss)]
/// async fn setting<T>(name: &str) -> Option<T>
/// where
///     T: FromStr + Clone + Send + Sync + 'static,
/// {
///     read(name).await.parse().ok()
/// }
///
/// # async fn show() {
/// let port: Option<u16> = setting("port").await;
/// let stored = setting::entry::<u16>("port").peek().await;
/// let all = setting::cache().len();
/// # }
/// ```
///
/// Only a `Result` that is written as one, or stands behind an alias, is seen as one: if a type parameter, or an
/// associated type of one, becomes a `Result`, an `Err` is kept like any value. An option's expression may name `Self` and the
/// function's own parameters, and is then evaluated for each fetch; a parameter of the `impl` is reached through a
/// constant or a function of `Self`.
///
/// # Durations
///
/// A whole number is seconds. A string is read when the program is compiled: `"10m"`, `"1h 30m"`, `"500ms"`. Anything
/// else is an expression of type `Duration`; one that uses arguments is evaluated once for each fetch or write, never
/// on a hit.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::time::Duration;
/// # mod config { pub const LIFETIME: std::time::Duration = std::time::Duration::from_secs(60); }
/// # const MINUTE: Duration = Duration::from_secs(60);
/// # const HOUR: Duration = Duration::from_secs(60 * 60);
/// #[cacheback(lifetime = "10m")]
/// # async fn a(user: &str) -> usize { user.len() }
/// #[cacheback(lifetime = config::LIFETIME)]
/// # async fn b(user: &str) -> usize { user.len() }
/// #[cacheback(lifetime = if user == "admin" { MINUTE } else { HOUR })]
/// # async fn c(user: &str) -> usize { user.len() }
/// ```
///
/// # Options
///
/// Everything is optional. Options that contradict each other are compile errors if they are literals.
///
/// | option | takes | default |
/// |---|---|---|
/// | [`lifetime`](#lifetime) | duration | 600 s |
/// | [`max_stale`](#max_stale) | duration | until `retention` |
/// | [`retention`](#retention) | duration | 30 days |
/// | [`refresh_ahead`](#refresh_ahead) | duration | 0 |
/// | [`fetch_on_miss`](#fetch_on_miss) | flag, or `= bool` expression over the arguments | off |
/// | [`empty`](#empty) | expression over the arguments | `Default::default()`, in `Ok` for a `Result` |
/// | [`wait`](#wait) | duration | no limit |
/// | [`refresh_timeout`](#refresh_timeout) | duration | 60 s |
/// | [`max_backoff`](#max_backoff) | duration | 60 s |
/// | [`breaker`](#breaker) | `bool` | `true` |
/// | [`max_refreshes`](#max_refreshes) | whole number | 64, with all functions |
/// | [`lifetime_for`](#lifetime_for) | closure `\|&value\| -> Duration` | none |
/// | [`retention_for`](#retention_for) | closure `\|&value\| -> Duration` | none |
/// | [`cache_err`](#cache_err) | duration | off |
/// | [`share_err`](#share_err) | closure `\|&E\| -> E` | none |
/// | [`is_outage`](#is_outage) | closure `\|&E\| -> bool` | every error is one |
/// | [`jitter`](#jitter) | 0.0 to 1.0 | 0 |
/// | [`key`](#key) | expression or tuple over the arguments | all arguments not skipped |
/// | [`skip`](#skip) | argument names | none |
/// | [`capacity`](#capacity) | whole number | 10,000 |
/// | [`max_bytes`](#max_bytes) | whole number of bytes, or a string such as `"64MiB"` | none |
/// | [`weigh`](#weigh) | closure `\|&value\| -> bytes` | none |
/// | [`eviction`](#eviction) | `"lru"` or `"tiny_lfu"` | `"lru"` |
/// | [`shared`](#shared) | flag, or `= "name of a tier"` | off |
/// | [`version`](#version) | whole number | 0 |
/// | [`queue`](#queue) | flag, or `= "name of a queue"` | off |
/// | [`queue_fallback`](#queue_fallback) | `bool` | `true` |
/// | [`name`](#name) | string | path of the function |
/// | [`in_impl`](#in_impl) | flag | seen by a receiver or `Self` |
/// | [`handle`](#handle) | `false`, or another name | name of the function |
/// | [`crate`](#crate) | path | `::cacheback` |
///
/// The options `tags` and `batch` are planned, and not in this version. "Arguments" are the receiver too: an expression
/// may use `self`.
///
/// ## `lifetime`
///
/// How long a value is fresh, counted from the start of the fetch that made it. Default: 600 seconds.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Rate;
/// # mod bank { pub async fn rates<T: Default>(_: &str) -> T { T::default() } }
/// #[cacheback(lifetime = "5m")]
/// async fn rates(base: &str) -> Vec<Rate> { bank::rates(base).await }
/// ```
///
/// ## `max_stale`
///
/// How long past its lifetime a value is still served without waiting, while it is refreshed. After that a call waits
/// for the fetch, and gets the stale value only if the fetch fails. Default: until `retention`.
///
/// ```
/// # use cacheback::cacheback;
/// # mod warehouse { pub async fn count<T: Default>(_: u64) -> T { T::default() } }
/// #[cacheback(lifetime = "1m", max_stale = "1h")]
/// async fn stock(article: u64) -> u32 { warehouse::count(article).await }
/// ```
///
/// ## `retention`
///
/// The age at which an entry is gone, fresh or not. Not shorter than `lifetime`. See also
/// [`retention_for`](#retention_for). Default: 30 days.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Weather;
/// # mod station { pub async fn report<T: Default>(_: &str) -> T { T::default() } }
/// #[cacheback(lifetime = "1h", retention = "1d")]
/// async fn weather(city: &str) -> Option<Weather> { station::report(city).await }
/// ```
///
/// ## `refresh_ahead`
///
/// A hit within this time of the end of the lifetime starts the refresh: keys in use never turn stale. Shorter than
/// `lifetime`. Default: 0, no refresh while fresh.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::sync::Arc;
/// # #[derive(Clone, Default)] struct Page;
/// # mod render { pub async fn front_page<T: Default>() -> T { T::default() } }
/// #[cacheback(lifetime = "10m", refresh_ahead = "1m")]
/// async fn front_page() -> Arc<Page> { render::front_page().await }
/// ```
///
/// ## `fetch_on_miss`
///
/// While nothing is cached, a caller waits for the value instead of getting the empty one. With an expression over the
/// arguments, some callers do. Default: off.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct User;
/// # #[derive(Clone, Default)] struct Item;
/// # #[derive(Clone)] struct DbError;
/// # mod db {
/// #     pub async fn user<T: Default, E>(_: u64) -> Result<T, E> { Ok(T::default()) }
/// #     pub async fn listing<T: Default>(_: u32) -> T { T::default() }
/// # }
/// #[cacheback(fetch_on_miss)]
/// async fn user(id: u64) -> Result<User, DbError> { db::user(id).await }
///
/// #[cacheback(fetch_on_miss = page == 0)]
/// async fn listing(page: u32) -> Vec<Item> { db::listing(page).await }
/// ```
///
/// ## `empty`
///
/// What a caller gets while nothing is cached: an expression of the return type over the arguments. Default:
/// `Default::default()`, in `Ok` for a `Result`: `None`, `0`, `Ok(vec![])`. A caller who has to tell it from a real value
/// calls `entry(..).lookup()`, whose `status` is then `Status::Empty`.
///
/// With plain `fetch_on_miss` and no `wait` nobody is ever given it: there it is refused. With `fetch_on_miss` and
/// [`wait`](#wait) together it has to be written.
///
/// ```
/// # use cacheback::cacheback;
/// # mod db { pub async fn display_name<T: Default>(_: u64) -> T { T::default() } }
/// #[cacheback(empty = format!("user {id}"))]
/// async fn display_name(id: u64) -> String { db::display_name(id).await }
/// ```
///
/// ## `wait`
///
/// The longest that a caller waits for a fetch. Then it gets the stale or the empty value, and the fetch goes on.
/// Default: no limit.
///
/// With [`fetch_on_miss`](#fetch_on_miss) that answer is written as [`empty`](#empty). `fetch_on_miss` says that the
/// default would be wrong, and a slow database is no reason to say "not found": for a `Result` that is most often an
/// `Err`.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct User;
/// # #[derive(Clone)] enum DbError { TimedOut }
/// # mod search { pub async fn suggest<T: Default>(_: &str) -> T { T::default() } }
/// # mod db { pub async fn find<T: Default, E>(_: u64) -> Result<T, E> { Ok(T::default()) } }
/// #[cacheback(fetch_on_miss, wait = "500ms", empty = vec![])]
/// async fn suggestions(word: String) -> Vec<String> { search::suggest(&word).await }
///
/// #[cacheback(fetch_on_miss, wait = "2s", empty = Err(DbError::TimedOut))]
/// async fn find(id: u64) -> Result<Option<User>, DbError> { db::find(id).await }
/// ```
///
/// ## `refresh_timeout`
///
/// How long a fetch holds its key: after that another may start, and a fetch that nobody waits for is aborted. Not
/// zero. Default: 60 seconds.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::sync::Arc;
/// # #[derive(Clone, Default)] struct Report;
/// # mod warehouse { pub async fn report<T: Default>(_: u16) -> T { T::default() } }
/// #[cacheback(refresh_timeout = "5m")]
/// async fn report(year: u16) -> Arc<Report> { warehouse::report(year).await }
/// ```
///
/// ## `max_backoff`
///
/// The longest pause after failed fetches of a key. It begins with a second and doubles with each failure. Default: 60
/// seconds.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone)] struct ApiError;
/// # mod api { pub async fn quota<T: Default, E>(_: u64) -> Result<T, E> { Ok(T::default()) } }
/// #[cacheback(max_backoff = "10m")]
/// async fn quota(account: u64) -> Result<u64, ApiError> { api::quota(account).await }
/// ```
///
/// ## `breaker`
///
/// Back-off is for each key, so ten thousand stale keys over a dead origin are still hundreds of attempts a second. After
/// ten fetches in a row that failed, over any keys, the breaker opens: fetches that nobody waits for shrink to one trial
/// a back-off period (1 s, doubled with each trial that fails up to `max_backoff`, each shortened by up to half at random),
/// until one succeeds. Stale keys come first: a missing one may take the trial half a period later than they. Callers who
/// wait fetch as ever, and their failures put no trial off. An error that is an answer is no failure:
/// [`is_outage`](#is_outage). `false` turns the breaker off. Default: `true`.
///
/// ```
/// # use cacheback::cacheback;
/// # mod sensor { pub async fn read<T: Default>(_: u64) -> T { T::default() } }
/// // Each key is a device of its own: that ten of them are switched off says nothing of the others.
/// #[cacheback(lifetime = 5, breaker = false)]
/// async fn reading(device: u64) -> Result<f64, String> { sensor::read::<Option<f64>>(device).await.ok_or("off".into()) }
/// ```
///
/// ## `max_refreshes`
///
/// How many refreshes of this function run at once. A number, or an expression of type `usize` without arguments. Not
/// zero. Default: the limit that all functions share.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::{path::Path, sync::Arc};
/// # mod images { pub async fn thumbnail<T: Default>(_: &std::path::Path) -> T { T::default() } }
/// #[cacheback(max_refreshes = 4)]
/// async fn thumbnail(path: &Path) -> Arc<[u8]> { images::thumbnail(path).await }
/// ```
///
/// ## `lifetime_for`
///
/// A closure that gives one value its own lifetime; for a `Result` it sees the `Ok`. Zero: those who wait get the
/// value, and nothing is stored. A lifetime past `retention` ends there; the log says so once. Default: none, `lifetime`
/// holds for all.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::time::Duration;
/// # #[derive(Clone, Default)] struct User;
/// # mod db { pub async fn find_user<T: Default>(_: &str) -> T { T::default() } }
/// #[cacheback(lifetime_for = |user| Duration::from_secs(if user.is_some() { 600 } else { 10 }))]
/// async fn find_user(mail: &str) -> Option<User> { db::find_user(mail).await }
/// ```
///
/// ## `retention_for`
///
/// A closure that gives one value its own retention; for a `Result` it sees the `Ok`. From that age on nobody is given the
/// value, even if the origin is down: for tokens, and whatever else is worth nothing after a moment. `retention` holds as
/// well, and the shorter of the two counts; a lifetime is not longer than it. Zero: those who wait get the value, and
/// nothing is stored. Default: none, `retention` holds for all.
///
/// An age counts from the start of the fetch, so a value never outlives the time that an answer says it has left.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::time::Duration;
/// # #[derive(Clone)] struct AuthError;
/// # #[derive(Clone, Default)] struct Token { expires_in: u64 }
/// # mod auth { pub async fn token<T: Default, E>(_: &str) -> Result<T, E> { Ok(T::default()) } }
/// #[cacheback(
///     fetch_on_miss,
///     refresh_ahead = "30s",
///     retention_for = |token: &Token| Duration::from_secs(token.expires_in),
/// )]
/// async fn token(tenant: &str) -> Result<Token, AuthError> { auth::token(tenant).await }
/// ```
///
/// ## `cache_err`
///
/// An `Err` is never stored over a value. If there is none, it answers waiting callers for this long, so that a dead
/// origin is left alone. Not zero. Default: off.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Price;
/// # #[derive(Clone)] struct ShopError;
/// # mod shop { pub async fn price<T: Default, E>(_: u64) -> Result<T, E> { Ok(T::default()) } }
/// #[cacheback(fetch_on_miss, cache_err = "5s")]
/// async fn price(article: u64) -> Result<Price, ShopError> { shop::price(article).await }
/// ```
///
/// ## `share_err`
///
/// How one error is handed to the callers who waited for it. Everybody gets it in the same form, whether many wait or one
/// alone: as this closure makes it; else a clone, if the error is `Clone`; else one made by `From<Arc<E>>`; else one
/// made by `From<cacheback::FetchError>`, as `anyhow::Error` and `Box<dyn Error + Send + Sync>` are. Keep in it what
/// callers look at.
///
/// An error of another crate that has none of these is shared by an `Arc`: `-> Result<T, Arc<reqwest::Error>>`, where `?`
/// makes one of the other. The guide shows the ways side by side.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::io::Error as IoError;
/// # mod telnet { pub async fn motd<T: Default, E>(_: &str) -> Result<T, E> { Ok(T::default()) } }
/// #[cacheback(fetch_on_miss, share_err = |error: &IoError| IoError::new(error.kind(), error.to_string()))]
/// async fn motd(host: &str) -> Result<String, IoError> { telnet::motd(host).await }
/// ```
///
/// ## `is_outage`
///
/// A closure that says whether an error means that the origin is down. An error for which it is false, such as "not
/// found", is an answer of a healthy origin: its key backs off as after any error, but it does not count for the
/// [`breaker`](#breaker), and closes an open one as a value does. A panic or a time-out is always an outage. Default:
/// every error is one.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Row;
/// # #[derive(Clone)] enum DbError { NotFound, Closed }
/// # mod db { pub async fn row<T: Default, E>(_: u64) -> Result<T, E> { Ok(T::default()) } }
/// #[cacheback(fetch_on_miss, is_outage = |error| !matches!(error, DbError::NotFound))]
/// async fn row(id: u64) -> Result<Row, DbError> { db::row(id).await }
/// ```
///
/// ## `jitter`
///
/// Each stored lifetime is shortened by up to this share, at random, so that what was fetched together is not refreshed
/// together. From 0.0 to 1.0. Default: 0.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Profile;
/// # mod db { pub async fn profile<T: Default>(_: u64) -> T { T::default() } }
/// #[cacheback(lifetime = "1h", jitter = 0.1)]
/// async fn profile(id: u64) -> Option<Profile> { db::profile(id).await }
/// ```
///
/// ## `key`
///
/// What tells one entry from another: an expression over the arguments, or a tuple of them. A part that is just an
/// argument is looked up as it is; another part is evaluated on every call, and is `Clone + Hash + Eq`. It may borrow
/// (`name.trim()`, `jar.get("sid")`): a hit allocates nothing for it, and a fetch owns it. It may borrow from an
/// argument, or from something that lives for ever; of a temporary value write `.to_owned()`.
/// Default: all arguments that are not skipped. A literal is refused, for it would be one entry for all; `()` is that.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Account;
/// # mod db { pub async fn account<T: Default>(_: u32, _: &str) -> T { T::default() } }
/// #[cacheback(key = (tenant, mail.to_lowercase()))]
/// async fn account(tenant: u32, mail: &str) -> Option<Account> { db::account(tenant, mail).await }
/// ```
///
/// ## `skip`
///
/// Arguments that are handed to the function but are no part of the key. They are `Clone`, and need no `Hash` and `Eq`.
/// `skip(self)`: all values of the type share their entries, whatever they hold.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::sync::Arc;
/// # #[derive(Clone, Default)] struct Order;
/// # struct Db;
/// # impl Db { async fn orders(&self, _: u64) -> Vec<Order> { vec![] } }
/// #[cacheback(skip(db))]
/// async fn orders(db: &Arc<Db>, customer: u64) -> Vec<Order> { db.orders(customer).await }
/// ```
///
/// ## `capacity`
///
/// The most entries that are kept. A number, or an expression of type `u64` without arguments. Zero: nothing is
/// kept, and every call that waits fetches. During insertions up to 64 more are held if the bound is above 128;
/// `cache().len()` never shows them. The memory of keys without a value, such as a back-off or an error that
/// `cache_err` keeps, has a bound of its own, a quarter of this one, and pushes no value out. Default: 10,000.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::sync::Arc;
/// # mod images { pub async fn avatar<T: Default>(_: u64) -> T { T::default() } }
/// #[cacheback(capacity = 500)]
/// async fn avatar(user: u64) -> Arc<[u8]> { images::avatar(user).await }
/// ```
///
/// ## `max_bytes`
///
/// The most bytes that are kept, in place of `capacity`. Bytes are what [`weigh`](#weigh) counts: it takes both. A whole
/// number, an expression of type `u64` without arguments, or a string that is read when the program is compiled: kB, MB
/// and GB are 1000s, KiB, MiB and GiB 1024s. Zero: nothing is kept, and every call that waits fetches. Default: none,
/// `capacity` counts the entries.
///
/// Keys without a value of which something is remembered, such as a back-off, have a bound of their own: a quarter of
/// `max_bytes`, at 256 bytes each. A value that alone weighs more than `max_bytes` answers those who wait and is not stored. An older value of its key
/// is dropped, and for a second nothing is fetched in the background.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::sync::Arc;
/// # mod images { pub async fn photo<T: Default>(_: u64) -> T { T::default() } }
/// #[cacheback(max_bytes = "64MiB", weigh = |photo| photo.len())]
/// async fn photo(id: u64) -> Arc<[u8]> { images::photo(id).await }
///
/// assert_eq!(photo::cache().policy().max_bytes, Some(64 * 1024 * 1024));
/// ```
///
/// ## `weigh`
///
/// A closure that says how many bytes a value counts against [`max_bytes`](#max_bytes), as any unsigned integer; for a
/// `Result` it sees the `Ok`. It is asked once for each value that is stored, so it should be cheap, and need not be
/// exact: keys and bookkeeping (some 350 bytes an entry) are not counted. Zero counts as 1. If the closure panics, the
/// value answers those who wait and is not stored, as one that is too heavy. Default: none.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Article { title: String, text: String }
/// # #[derive(Clone)] struct DbError;
/// # mod db { pub async fn article<T: Default, E>(_: u64) -> Result<T, E> { Ok(T::default()) } }
/// #[cacheback(max_bytes = 50_000_000, weigh = |article| article.title.len() + article.text.len())]
/// async fn article(id: u64) -> Result<Article, DbError> { db::article(id).await }
/// ```
///
/// ## `eviction`
///
/// Which values are dropped first when there are more than [`capacity`](#capacity). `"lru"`: those that were not read
/// for the longest time. `"tiny_lfu"`: those that are asked for least often, so that a scan over many keys does not push
/// out what is in use; it is slower to follow when what is in use changes. Either way a value that was just stored is
/// seen by the next read: with `"tiny_lfu"` one in a hundred entries is kept for newcomers (W-TinyLFU: Einziger, Friedman
/// and Manes, 2017). Not `"tiny_lfu"` with `max_bytes`. Default: `"lru"`.
///
/// ```
/// # use cacheback::cacheback;
/// # mod dictionary { pub async fn meaning<T: Default>(_: &str) -> T { T::default() } }
/// #[cacheback(capacity = 1_000, eviction = "tiny_lfu")]
/// async fn meaning(word: &str) -> Option<String> { dictionary::meaning(word).await }
///
/// assert_eq!(meaning::cache().policy().eviction, cacheback::Eviction::TinyLfu);
/// ```
///
/// ## `shared`
///
/// Puts a second tier behind the memory of this process, whose values all processes share: what one of them has fetched
/// is a value of all. `shared = "sessions"` is the tier of that name. The key and the value are sent as bytes, so the
/// types of both are `Serialize + DeserializeOwned`: of the key its owned form, such as `String` for `&str`, and of a
/// `Result` the `Ok`. A hit in memory is the same as without `shared`. The name of the function is a part of the shared
/// key, and so are the type of a method and the type arguments of a generic function, as
/// [`type_name`](std::any::type_name) has them: the compiler may name them otherwise in another version. Needs the
/// feature `redis` or `sqlite`, or for tests `test-util`, which has a tier in memory. Default: off.
///
/// ```
/// # use cacheback::cacheback;
/// # mod db { pub async fn find_user<T: Default>(_: &str) -> T { T::default() } }
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// #[cacheback(lifetime = 600, shared)]
/// async fn find_user(mail: &str) -> Option<User> { db::find_user(mail).await }
/// ```
///
/// ## `version`
///
/// The version of the shared entries: a new number forgets all entries of the old one. While processes of
/// both run, each sees its own. A number, or an expression of type `u64` without arguments. Needs [`shared`](#shared).
/// Default: 0.
///
/// ```
/// # use cacheback::cacheback;
/// # mod tax { pub async fn rate<T: Default>(_: &str) -> T { T::default() } }
/// // 2: the rate is in per mille, and was in per cent.
/// #[cacheback(lifetime = "1h", shared, version = 2)]
/// async fn tax_rate(country: &str) -> u32 { tax::rate(country).await }
/// ```
///
/// ## `queue`
///
/// Refreshes that nobody waits for, that after `invalidate()` among them, run in worker processes
/// (`cacheback::worker()`, feature `worker`), which take them from a queue of the second tier. `queue` alone is the
/// queue `default`. A call that waits still fetches in its own process, and so does a refresh if no worker was seen in
/// the last 15 seconds: see
/// [`queue_fallback`](#queue_fallback). Needs [`shared`](#shared), and a handle.
///
/// Arguments that are not [skipped](#skip) are sent to the worker, and are `Serialize + DeserializeOwned` in their owned
/// form. Skipped ones, and a skipped `self`, are the worker's own (`Worker::provide`). A generic function cannot be
/// queued. Default: off.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::sync::Arc;
/// # pub struct Db;
/// # impl Db { async fn sum(&self, _: &str) -> u64 { 0 } }
/// #[cacheback(lifetime = "10m", shared, queue = "reports", skip(db))]
/// async fn sales(db: &Arc<Db>, region: &str) -> u64 { db.sum(region).await }
/// ```
///
/// ## `queue_fallback`
///
/// Whether a refresh that no worker takes runs in the process that asks for it: if no worker of the function was seen in
/// the last 15 seconds, 10,000 of its jobs wait already, the queue or the second tier gives no answer, the tier has no
/// queue, or the arguments cannot be sent. The log says so. With `false` the value stays stale instead, up to its
/// `max_stale`: then a call waits, and fetches. The trial of an open [`breaker`](#breaker) still runs in the process that
/// asks, and so does each refresh without a second tier, or of a key that cannot be encoded for it. Needs
/// [`queue`](#queue). Default: `true`.
///
/// ```
/// # use cacheback::cacheback;
/// # mod warehouse { pub async fn total<T: Default>(_: u16) -> T { T::default() } }
/// // A query that no web process is to run.
/// #[cacheback(lifetime = "1h", shared, queue, queue_fallback = false)]
/// async fn turnover(year: u16) -> u64 { warehouse::total(year).await }
/// ```
///
/// ## `name`
///
/// What the cache is called in logs and metrics. Default: the path of the function, in an `impl` with the name of the
/// type.
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Invoice;
/// # mod db { pub async fn invoices<T: Default>(_: u64) -> T { T::default() } }
/// #[cacheback(name = "billing.invoices")]
/// async fn invoices(customer: u64) -> Vec<Invoice> { db::invoices(customer).await }
/// ```
///
/// ## `in_impl`
///
/// Says that the function stands in an `impl` if nothing in its signature does: it has no receiver and does not name
/// `Self`. Without it there is an error that asks for it; in the output of a macro, and before Rust 1.88, that is the
/// compiler's "enum is not supported in `trait`s or `impl`s".
///
/// ```
/// # use cacheback::cacheback;
/// # #[derive(Clone, Default)] struct Rate;
/// # mod bank { pub async fn rates<T: Default>() -> T { T::default() } }
/// struct Bank;
///
/// impl Bank {
///     #[cacheback(in_impl, lifetime = "5m")]
///     async fn rates() -> Vec<Rate> { bank::rates().await }
/// }
///
/// # async fn show() {
/// let stored = Bank::rates_entry().peek().await;
/// # }
/// ```
///
/// ## `handle`
///
/// The name of the handle, if a module, a type or a crate already has the function's name; or `false` for none. For a method
/// `handle = x` makes `x_entry` and `x_cache`.
///
/// ```
/// # use cacheback::cacheback;
/// mod user {
///     // ...
/// #     pub async fn load<T: Default>(_: u64) -> T { T::default() }
/// }
/// # #[derive(Clone, Default)] struct User;
///
/// #[cacheback(handle = user_cache)]
/// async fn user(id: u64) -> Option<User> { user::load(id).await }
///
/// # async fn show() -> Result<(), cacheback::Error> {
/// user_cache::entry(42).invalidate().await?;
/// # Ok(())
/// # }
/// ```
///
/// ## `crate`
///
/// Where `cacheback` is, if it is not `::cacheback`: in a crate that re-exports it, for its own macros.
///
/// ```
/// # use cacheback::cacheback;
/// # use std::sync::Arc;
/// # mod my_framework { pub use ::cacheback; }
/// # #[derive(Clone, Default)] struct Settings;
/// # mod config { pub async fn load<T: Default>() -> T { T::default() } }
/// #[cacheback(crate = crate::my_framework::cacheback)]
/// async fn settings() -> Arc<Settings> { config::load().await }
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn cacheback(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(args.into(), item.into()).into()
}

/// The whole pipeline.
fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    match plan(args, &item, &mut errors) {
        Some(plan) if errors.is_empty() => expand::tokens(&plan),
        plan => {
            let certain = plan.filter(|plan| plan.has_certain_handle);
            fallback::original(item, certain.as_ref().map(expand::stand_ins), &errors)
        }
    }
}

/// All stages that may find an error.
fn plan(args: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Plan> {
    let options = options::parse(args, errors);
    let function = signature::parse(item, errors)?;
    let place = place::of(&function.sig.ident);
    Some(plan::make(options, function, place.as_ref(), errors))
}
