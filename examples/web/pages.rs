//! The service: a page of tweets without a cache and with one, and a write that makes the page stale.

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{AGE, CACHE_CONTROL, HOST};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use axum::routing::{get, post};
use cacheback::{Lookup, Status, cacheback};

use crate::database::{self, Database, Tweet};
use crate::report::grouped;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

pub(crate) fn router(db: Database) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/slow/{user}", get(slow))
        .route("/fast/{user}", get(fast))
        .route("/tweets/{user}", post(tweet))
        .route("/stats", get(stats))
        .with_state(db)
}

/// The newest tweets of the users whom the user follows. An empty page would be wrong, so the first callers wait.
#[cacheback(lifetime = "2s", max_stale = "1m", retention = "1h", fetch_on_miss, skip(db))]
pub(crate) async fn timeline(db: &Database, user: &str) -> Result<Arc<[Tweet]>, database::Error> {
    Ok(db.timeline(user).await?.into())
}

/// The start page for a browser: links to the pages of a few users, and the numbers of requests and queries so far.
async fn home(State(db): State<Database>, headers: HeaderMap) -> Html<String> {
    let links: String = (1..=5)
        .map(|user| {
            ["slow", "fast"]
                .map(|way| format!("<td><a href=\"/{way}/user{user}\">/{way}/user{user}</a></td>"))
        })
        .map(|cells| format!("<tr>{}</tr>\n", cells.concat()))
        .collect();
    let stats = timeline::cache().stats();
    let numbers: String = [
        ("requests to <code>/fast</code>", stats.calls()),
        ("of these from memory, fresh", stats.hits),
        ("of these from memory, stale", stats.stale),
        ("queries of both", db.queries()),
    ]
    .map(|(label, number)| {
        format!("<tr><td>{label}</td><td class=\"number\">{}</td></tr>\n", grouped(number))
    })
    .concat();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let page = include_str!("home.html").replace("{links}", &links).replace("{numbers}", &numbers);
    Html(page.replace("{host}", &escaped(host)))
}

/// The page without a cache: every request runs the query.
async fn slow(State(db): State<Database>, Path(user): Path<String>) -> Result<String, Unavailable> {
    Ok(page(&user, &db.timeline(&user).await?))
}

/// The same page, from the cache.
async fn fast(State(db): State<Database>, Path(user): Path<String>) -> Result<Response, Unavailable> {
    let Lookup { value, status, age, .. } = timeline::entry(&db, &user).lookup().await;
    Ok((headers(status, age), page(&user, &value?)).into_response())
}

/// Stores a tweet and makes the page of its author stale: the next reader still gets the old page, and the new one is
/// fetched in the background. If authors must see their own tweet at once, wait for `refresh()` here. Followers see the
/// tweet within the lifetime of their pages.
async fn tweet(
    State(db): State<Database>,
    Path(user): Path<String>,
    text: String,
) -> Result<StatusCode, Unavailable> {
    if !db.insert(&user, text).await? {
        return Ok(StatusCode::NOT_FOUND);
    }
    // This also supersedes a fetch that began before the tweet was stored.
    timeline::entry(&db, &user).invalidate().await?;
    Ok(StatusCode::CREATED)
}

async fn stats(State(db): State<Database>) -> String {
    let cache = timeline::cache();
    format!(
        "{}: {:#?}\nDatabase: {} queries, {} refused\n",
        cache.name(),
        cache.stats(),
        db.queries(),
        db.refused()
    )
}

/// Text from a client, escaped for a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(user: &str, tweets: &[Tweet]) -> String {
    let mut page = format!("The timeline of {user}\n\n");
    for Tweet { author, text, posted } in tweets {
        // Writing to a `String` does not fail.
        let _ = writeln!(page, "{posted}  {author}: {text}");
    }
    page
}

/// Tells other caches, such as the browser's, how long they may keep the page. They subtract `Age` from `max-age` (RFC
/// 9111), so `max-age` is the whole lifetime. For a stale value it is zero, whatever its age: the value may have been
/// invalidated.
fn headers(status: Status, age: Option<Duration>) -> AppendHeaders<Vec<(HeaderName, String)>> {
    let policy = timeline::cache().policy();
    let (cache_status, max_age) = match status {
        Status::Fresh => ("cacheback; hit", policy.lifetime),
        Status::Stale => ("cacheback; hit; detail=stale", Duration::ZERO),
        _ => ("cacheback; fwd=miss", policy.lifetime),
    };
    let mut cache_control = format!("max-age={}", max_age.as_secs());
    if let Some(max_stale) = policy.max_stale {
        let _ = write!(cache_control, ", stale-while-revalidate={}", max_stale.as_secs());
    }
    let mut headers = vec![(CACHE_STATUS, cache_status.to_owned()), (CACHE_CONTROL, cache_control)];
    // A value that this request fetched has just been made.
    if let Some(age) = age.filter(|_| status != Status::Fetched) {
        headers.push((AGE, age.as_secs().to_string()));
    }
    AppendHeaders(headers)
}

/// The response if a handler has no page: 503 and the reason.
struct Unavailable(String);

impl<E: Error> From<E> for Unavailable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        let Self(reason) = self;
        (StatusCode::SERVICE_UNAVAILABLE, [(CACHE_CONTROL, "no-store")], format!("{reason}\n"))
            .into_response()
    }
}
