//! Every form of a function whose values can be shared: its key and its value have the bounds, whatever form they have.

use std::borrow::Cow;
use std::hash::Hash;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use cacheback::{cacheback, testing};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct User {
    name: String,
}

/// Neither bytes nor a key.
#[derive(Clone)]
struct Db;

#[derive(Clone, Debug, PartialEq)]
struct DbError;

const SCHEMA: u64 = 2;

#[cacheback(shared)]
async fn nothing() {}

#[cacheback(shared, fetch_on_miss)]
async fn free(id: u64, user: User) -> Vec<User> {
    vec![user; id as usize]
}

#[cacheback(shared = "sessions", version = 3, fetch_on_miss)]
async fn with_an_alias(id: u64) -> Option<User> {
    (id > 0).then(User::default)
}

#[cacheback(shared, version = SCHEMA + 1, fetch_on_miss)]
async fn of_a_computed_version(user: &User) -> String {
    user.name.clone()
}

#[cacheback(shared, fetch_on_miss)]
#[allow(clippy::too_many_arguments)]
async fn borrowed(
    text: &str,
    names: &[&str],
    maybe: Option<&str>,
    cow: Cow<'_, str>,
    nested: &&str,
    pair: (&str, u8),
    bytes: &[u8],
    path: &Path,
    user: Option<&User>,
) -> usize {
    let texts = [text, maybe.unwrap_or_default(), &cow, nested, pair.0];
    let user = user.map_or(0, |user| user.name.len());
    texts.map(str::len).iter().sum::<usize>() + names.len() + bytes.len() + path.as_os_str().len() + user
}

#[cacheback(shared, fetch_on_miss, skip(db, log))]
async fn skipped(db: &Arc<Db>, log: fn(&str), id: u64) -> u64 {
    let _ = db;
    log("skipped");
    id
}

#[cacheback(shared, fetch_on_miss, key = (name.trim(), ids, id + 1), skip(db))]
async fn of_a_computed_key(db: &Arc<Db>, name: &str, ids: &[&str], id: u64) -> u64 {
    let _ = (db, name);
    id + ids.len() as u64
}

#[cacheback(shared, fetch_on_miss, key = ())]
async fn of_one_key(id: u64) -> u64 {
    id
}

#[cacheback(shared, fetch_on_miss)]
async fn fallible(id: u64) -> Result<User, DbError> {
    if id == 0 { Err(DbError) } else { Ok(User::default()) }
}

type Answer = Result<User, DbError>;

#[cacheback(shared, empty = Err(DbError))]
async fn fallible_by_an_alias(id: u64) -> Answer {
    let _ = id;
    Err(DbError)
}

#[cacheback(shared, fetch_on_miss)]
async fn generic<K, V, const N: usize>(key: K) -> Vec<V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static + Serialize + DeserializeOwned,
    V: Default + Clone + Send + Sync + 'static + Serialize + for<'de> Deserialize<'de>,
{
    let _ = key;
    vec![V::default(); N]
}

#[cacheback(shared, fetch_on_miss)]
async fn inferred(
    key: impl Hash + Eq + Clone + Send + Sync + 'static + Serialize + DeserializeOwned + Into<u64>,
) -> u64 {
    key.into()
}

#[cacheback(shared, fetch_on_miss, handle = false)]
async fn alone<T: Hash + Eq + Clone + Send + Sync + 'static + Serialize + DeserializeOwned>(key: T) -> T {
    key
}

#[cacheback(shared, fetch_on_miss)]
#[allow(clippy::manual_async_fn)]
fn of_a_future(id: u64) -> impl Future<Output = u64> + Send {
    async move { id }
}

impl Db {
    #[cacheback(shared, fetch_on_miss, skip(self))]
    async fn method(&self, name: &str) -> usize {
        name.len()
    }

    #[cacheback(shared, fetch_on_miss, skip(self))]
    async fn method_of_an_arc(self: &Arc<Self>, name: &str) -> Result<usize, DbError> {
        Ok(name.len())
    }

    #[cacheback(shared = "sessions", fetch_on_miss, in_impl)]
    async fn associated(id: u64) -> u64 {
        id
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Tenant(u32);

impl Tenant {
    #[cacheback(shared, fetch_on_miss, key = (self, id))]
    async fn with_self_in_the_key(&self, id: u64) -> u64 {
        u64::from(self.0) + id
    }
}

#[derive(Clone)]
struct Repo<T>(PhantomData<fn() -> T>);

impl<T: Default + Clone + Send + Sync + 'static + Serialize + DeserializeOwned> Repo<T> {
    #[cacheback(shared, fetch_on_miss, skip(self))]
    async fn find(&self, id: u64) -> Option<T> {
        (id > 0).then(T::default)
    }
}

trait Source {
    fn load(&self, id: u32) -> impl Future<Output = u32> + Send;
}

impl Source for Db {
    #[cacheback(shared, fetch_on_miss, handle = false, skip(self))]
    async fn load(&self, id: u32) -> u32 {
        id
    }
}

#[tokio::test(start_paused = true)]
async fn a_shared_function_has_any_form() {
    let _own = testing::isolate();
    let (db, user) = (Arc::new(Db), User { name: "alice".to_owned() });
    nothing().await;
    assert_eq!(free(2, user.clone()).await, [user.clone(), user.clone()]);
    assert_eq!(with_an_alias(0).await, None);
    assert_eq!(of_a_computed_version(&user).await, "alice");
    let path = Path::new("a/b");
    assert_eq!(borrowed("a", &["b"], None, "c".into(), &"d", ("e", 1), &[1], path, Some(&user)).await, 14);
    assert_eq!(skipped(&db, |_| {}, 1).await, 1);
    assert_eq!(of_a_computed_key(&db, " a", &["b"], 1).await, 2);
    assert_eq!(of_one_key(1).await, 1);
    assert_eq!(fallible(0).await, Err(DbError));
    assert_eq!(fallible(1).await, Ok(User::default()));
    assert_eq!(fallible_by_an_alias(1).await, Err(DbError));
    assert_eq!(generic::<u64, u8, 2>(1).await, [0, 0]);
    assert_eq!(generic::<String, bool, 1>(String::new()).await, [false]);
    assert_eq!((inferred(1_u8).await, inferred(2_u16).await), (1, 2));
    assert_eq!((alone(1_u8).await, alone("a".to_owned()).await), (1, "a".to_owned()));
    assert_eq!(of_a_future(1).await, 1);
    assert_eq!(db.method("a").await, 1);
    assert_eq!(db.method_of_an_arc("a").await, Ok(1));
    assert_eq!(Db::associated(1).await, 1);
    assert_eq!(Tenant(1).with_self_in_the_key(1).await, 2);
    assert_eq!(Repo::<User>(PhantomData).find(1).await, Some(User::default()));
    assert_eq!(Repo::<u8>(PhantomData).find(1).await, Some(0));
    assert_eq!(db.load(1).await, 1);
    assert_eq!(free::entry(2, user.clone()).peek().await.map(|snapshot| snapshot.value.len()), Some(2));
}
