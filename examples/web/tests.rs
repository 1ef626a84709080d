//! Tests of handlers over cached functions: on a paused clock, and with caches of its own for each test.
//!
//! The queries run in `spawn_blocking`, and tokio does not move a paused clock by itself while such a thread works. So
//! only the test moves the clock, however long a query takes.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, Request, StatusCode, header};
use cacheback::testing;
use tempfile::TempDir;
use tokio::time::{Instant, advance};
use tower::ServiceExt;

use crate::Command;
use crate::database::{Database, Size};
use crate::pages::{router, timeline};

struct Service {
    router: Router,
    db: Database,
    _directory: TempDir,
}

struct Answer {
    status: StatusCode,
    /// The values of [`HEADERS`], or `-` if a header is missing.
    headers: [String; 3],
    body: String,
}

const HEADERS: [HeaderName; 3] =
    [HeaderName::from_static("cache-status"), header::CACHE_CONTROL, header::AGE];

impl Service {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let size = Size { users: 8, followed: 3, tweets: 5 };
        let db = Database::create(&directory.path().join("tweets.sqlite"), size).await.unwrap();
        Self { router: router(db.clone()), db, _directory: directory }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, text: &str) -> Answer {
        self.send(Request::post(path).body(Body::from(text.to_owned())).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let headers = HEADERS.map(|name| {
            answer.headers().get(name).map_or("-".to_owned(), |value| value.to_str().unwrap().to_owned())
        });
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        Answer { status, headers, body: String::from_utf8(body.into()).unwrap() }
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_page_is_fetched_then_hit_then_stale_while_one_query_refreshes_it() {
    let _own = testing::isolate();
    let service = Service::start().await;
    let started = Instant::now();

    let first = service.get("/fast/user1").await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.headers, ["cacheback; fwd=miss", "max-age=2, stale-while-revalidate=60", "-"]);
    assert_eq!(first.body.lines().count(), 2 + 20, "a title and the newest of four users' tweets");
    assert_eq!(service.db.queries(), 1);
    assert_eq!(started.elapsed(), Duration::ZERO, "the clock stands still while a query runs");

    advance(SECOND).await;
    let hit = service.get("/fast/user1").await;
    assert_eq!(hit.headers, ["cacheback; hit", "max-age=2, stale-while-revalidate=60", "1"]);
    assert_eq!(hit.body, first.body);
    assert_eq!(service.db.queries(), 1);

    advance(2 * SECOND).await;
    for _ in 0..10 {
        let stale = service.get("/fast/user1").await;
        assert_eq!(
            stale.headers,
            ["cacheback; hit; detail=stale", "max-age=0, stale-while-revalidate=60", "3"]
        );
    }
    cacheback::settle().await;
    assert_eq!(service.db.queries(), 2, "one refresh for ten readers");
    assert_eq!(service.get("/fast/user1").await.headers[0], "cacheback; hit");
    assert_eq!(service.db.queries(), 2);
}

#[tokio::test(start_paused = true)]
async fn readers_of_a_cold_page_share_one_query() {
    let _own = testing::isolate();
    let service = Service::start().await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let request = Request::get("/fast/user1").body(Body::empty()).unwrap();
        readers.spawn(service.router.clone().oneshot(request));
    }
    for answer in readers.join_all().await {
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(service.db.queries(), 1);
    assert_eq!(timeline::cache().stats().fetches, 1);
}

#[tokio::test(start_paused = true)]
async fn a_tweet_makes_its_authors_page_stale() {
    let _own = testing::isolate();
    let service = Service::start().await;
    let old = service.get("/fast/user1").await;

    assert_eq!(service.post("/tweets/user1", "Hello").await.status, StatusCode::CREATED);
    let stale = service.get("/fast/user1").await;
    assert_eq!(stale.headers, ["cacheback; hit; detail=stale", "max-age=0, stale-while-revalidate=60", "0"]);
    assert_eq!(stale.body, old.body);

    cacheback::settle().await;
    let new = service.get("/fast/user1").await;
    assert_eq!(new.headers[0], "cacheback; hit");
    assert!(new.body.lines().nth(2).unwrap().ends_with("user1: Hello"), "{}", new.body);

    let nobody = service.post("/tweets/nobody", "Hello").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn without_the_database_cached_pages_are_served_and_all_else_is_unavailable() {
    let _own = testing::isolate();
    let service = Service::start().await;
    let old = service.get("/fast/user1").await;
    service.db.close();
    advance(5 * SECOND).await;

    for _ in 0..10 {
        let stale = service.get("/fast/user1").await;
        assert_eq!((stale.status, &stale.body), (StatusCode::OK, &old.body));
        cacheback::settle().await;
    }
    assert_eq!(service.db.refused(), 1, "the page is in back-off after a failed refresh");

    for path in ["/slow/user1", "/fast/user2"] {
        let failed = service.get(path).await;
        assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(failed.body, "the database is closed\n");
        assert_eq!(failed.headers, ["-", "no-store", "-"]);
    }
    assert_eq!(service.post("/tweets/user1", "Hello").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn the_page_of_numbers_shows_hits_and_queries() {
    let _own = testing::isolate();
    let service = Service::start().await;
    service.get("/fast/user1").await;
    service.get("/fast/user1").await;
    service.get("/slow/user1").await;
    let stats = service.get("/stats").await.body;
    assert!(stats.starts_with(timeline::cache().name()), "{stats}");
    assert!(stats.contains("hits: 1,") && stats.contains("waited: 1,"), "{stats}");
    assert!(stats.ends_with("Database: 2 queries, 0 refused\n"), "{stats}");
}

#[tokio::test(start_paused = true)]
async fn the_start_page_has_links_that_work() {
    let _own = testing::isolate();
    let service = Service::start().await;
    let before = service.get("/").await;
    assert_eq!(before.status, StatusCode::OK);
    assert!(before.body.starts_with("<!doctype html>"), "{}", before.body);
    let links: Vec<_> =
        before.body.split("href=\"").skip(1).filter_map(|link| link.split('"').next()).collect();
    assert_eq!(links.len(), 5 * 2 + 1);
    for link in links {
        assert_eq!(service.get(link).await.status, StatusCode::OK, "{link}");
    }
    service.get("/fast/user1").await;

    let after = service.get("/").await.body;
    for row in [
        "requests to <code>/fast</code></td><td class=\"number\">6<",
        "of these from memory, fresh</td><td class=\"number\">1<",
        "queries of both</td><td class=\"number\">10<",
    ] {
        assert!(after.contains(row), "{row}: {after}");
    }
    for placeholder in ["{links}", "{numbers}", "{host}"] {
        assert!(!after.contains(placeholder), "{after}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_that_a_client_sends_is_escaped_on_the_page() {
    let _own = testing::isolate();
    let service = Service::start().await;
    let request = Request::get("/").header(header::HOST, "<script>").body(Body::empty()).unwrap();
    let page = service.send(request).await.body;
    assert!(page.contains("http://&lt;script&gt;/tweets") && !page.contains("<script>"), "{page}");
}

#[test]
fn the_command_line_takes_serve_or_help_or_nothing() {
    let read = |arguments: &[&str]| Command::read(arguments.iter().map(|&argument| argument.to_owned()));
    assert_eq!(read(&[]).unwrap(), Command::Load);
    assert_eq!(read(&["--serve"]).unwrap(), Command::Serve);
    for help in ["--help", "-h"] {
        assert_eq!(read(&[help]).unwrap(), Command::Help);
    }
    let refused = read(&["--server"]).unwrap_err().to_string();
    assert!(refused.starts_with("`--server` is not known\n") && refused.contains("-- --serve"), "{refused}");
    assert!(read(&["--serve", "--fast"]).is_err());
}
