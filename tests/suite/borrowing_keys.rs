//! Computed parts of a key that borrow: from an argument, from something that an argument holds, or for ever.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cacheback::{Status, cacheback, settle, testing};

type Jar = BTreeMap<String, String>;

fn jar(session: &str) -> Jar {
    Jar::from([("sid".to_owned(), session.to_owned())])
}

#[derive(Clone)]
struct Request {
    tenant: String,
    path: &'static str,
}

impl Request {
    fn kind(&self) -> &'static str {
        if self.path.starts_with("/api") { "api" } else { "page" }
    }
}

#[cacheback(fetch_on_miss, key = name.trim())]
async fn trimmed(name: &str) -> usize {
    name.len()
}

#[cacheback(fetch_on_miss, key = (jar.get("sid"), page))]
async fn by_cookie(jar: &Jar, page: u8) -> String {
    format!("{} {page}", jar.len())
}

/// The part borrows from an argument that the wrapper owns and that the entry takes.
#[cacheback(fetch_on_miss, key = (jar.get("sid").map(String::as_str), Cow::Borrowed(request.path)))]
async fn by_owned(jar: Jar, request: Request) -> String {
    format!("{} {}", jar["sid"], request.tenant)
}

#[cacheback(fetch_on_miss, handle = false, key = (request.tenant.as_str(), Cow::Borrowed(request.path)))]
async fn alone(request: Request) -> String {
    request.tenant
}

#[cacheback(fetch_on_miss, key = (request.kind(), &parts[1..], parts.first(), path.parent(), Some(bytes)))]
async fn of_all_kinds(request: Request, parts: &[&str], path: &Path, bytes: &[u8]) -> usize {
    request.path.len() + parts.len() + path.as_os_str().len() + bytes.len()
}

#[derive(Clone)]
struct Repo {
    tenant: Arc<str>,
}

impl Repo {
    #[cacheback(fetch_on_miss, key = (&*self.tenant, name.trim()))]
    async fn by_reference(&self, name: &str) -> usize {
        self.tenant.len() + name.len()
    }

    #[cacheback(fetch_on_miss, key = (&*self.tenant, name.trim()))]
    async fn by_value(self, name: String) -> usize {
        self.tenant.len() + name.len()
    }

    #[cacheback(fetch_on_miss, handle = false, key = (&*self.tenant, name.trim()))]
    async fn alone(self: Arc<Self>, name: String) -> usize {
        self.tenant.len() + name.len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_part_may_borrow_from_an_argument() {
    let _own = testing::isolate();
    assert_eq!(
        [trimmed("a ").await, trimmed("a").await, trimmed(" a  ").await, trimmed("ab").await],
        [2, 2, 2, 2]
    );
    assert_eq!(trimmed::cache().len(), 2);
    assert_eq!(trimmed::entry("a   ").lookup().await.status, Status::Fresh);
    trimmed::entry(" ab").invalidate().await.unwrap();
    settle().await;
    assert_eq!(trimmed("ab").await, 3, "refreshed with its own arguments");
}

#[tokio::test(start_paused = true)]
async fn a_key_part_may_borrow_from_what_an_argument_holds() {
    let _own = testing::isolate();
    for _ in 0..2 {
        assert_eq!(by_cookie(&jar("one"), 1).await, "1 1");
        assert_eq!(by_cookie(&Jar::new(), 1).await, "0 1");
        let request = Request { tenant: "a".to_owned(), path: "/" };
        assert_eq!(by_owned(jar("one"), request.clone()).await, "one a");
        assert_eq!(by_owned(jar("other"), request.clone()).await, "other a");
        assert_eq!(by_owned::entry(jar("one"), request.clone()).lookup().await.status, Status::Fresh);
        assert_eq!(alone(request).await, "a");
    }
    assert_stats!(by_cookie::cache(), fetches: 2);
    assert_stats!(by_owned::cache(), fetches: 2);
    let repo = Repo { tenant: "tenant".into() };
    for _ in 0..2 {
        assert_eq!(repo.by_reference("a ").await, 8);
        assert_eq!(repo.clone().by_value("a ".to_owned()).await, 8);
        assert_eq!(Arc::new(repo.clone()).alone("a ".to_owned()).await, 8);
    }
    assert_eq!(repo.by_reference("a").await, 8, "another spelling of the same");
    assert_eq!(repo.clone().by_value(" a".to_owned()).await, 8);
    let other = Repo { tenant: "other".into() };
    assert_eq!((other.by_reference("a").await, other.by_value("a".to_owned()).await), (6, 6));
    assert_eq!((Repo::by_reference_cache().len(), Repo::by_value_cache().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn key_parts_that_borrow_may_be_of_many_types() {
    let _own = testing::isolate();
    let page = Request { tenant: String::new(), path: "/a" };
    for _ in 0..2 {
        assert_eq!(of_all_kinds(page.clone(), &["a", "b"], Path::new("x/y"), &[1]).await, 8);
        assert_eq!(of_all_kinds(page.clone(), &["a", "c"], Path::new("x/y"), &[1]).await, 8);
        assert_eq!(of_all_kinds(page.clone(), &["b", "b"], Path::new("x/y"), &[1]).await, 8);
        assert_eq!(of_all_kinds(page.clone(), &["a", "b"], Path::new("z/y"), &[1]).await, 8);
        assert_eq!(of_all_kinds(page.clone(), &["a", "b"], Path::new("x/y"), &[2]).await, 8);
        let api = Request { path: "/api", ..page.clone() };
        assert_eq!(of_all_kinds(api, &["a", "b"], Path::new("x/y"), &[1]).await, 10);
    }
    assert_eq!(of_all_kinds(page, &["a", "b"], Path::new("x/other"), &[1]).await, 8, "of the same parent");
    assert_stats!(of_all_kinds::cache(), fetches: 6, hits: 7);
}
