//! The cached functions of a process, as the catalogue has them. Each run of a body is a question to the origin.

use std::sync::OnceLock;

use cacheback::{CacheRef, Entry, cacheback};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::catalogue::function_of;
use crate::events::Made;

/// Where the origin is, and the name of this process.
pub(crate) static ORIGIN: OnceLock<(String, String)> = OnceLock::new();

type Answer = Result<Option<Made>, String>;

/// Asks the origin: `body key`, or `write key` for a new version of it.
pub(crate) async fn ask(what: &str, key: &str) -> Result<Made, String> {
    let (origin, process) = ORIGIN.get().ok_or("there is no origin")?;
    let asking = async {
        let mut stream = TcpStream::connect(origin).await?;
        stream.write_all(format!("{what} {key} {process}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = asking.await.map_err(|error| error.to_string())?;
    let numbers =
        answer.trim_end().split_once(' ').map(|(version, number)| (version.parse(), number.parse()));
    let Some((Ok(version), Ok(number))) = numbers else { return Err(format!("the origin said {answer:?}")) };
    Ok(Made { key: key.to_owned(), version, number })
}

async fn body(key: &str) -> Answer {
    ask("body", key).await.map(Some)
}

#[cacheback(shared, lifetime = 2, fetch_on_miss, wait = "2s", empty = Ok(None), max_backoff = "1s")]
async fn short(key: &str) -> Answer {
    body(key).await
}

#[cacheback(shared, lifetime = 600, fetch_on_miss, wait = "2s", empty = Ok(None), max_backoff = "1s")]
async fn long(key: &str) -> Answer {
    body(key).await
}

#[cacheback(shared, lifetime = 600, fetch_on_miss, wait = "2s", empty = Ok(None), max_backoff = "1s")]
async fn rare(key: &str) -> Answer {
    body(key).await
}

#[cacheback(shared, lifetime = 2, max_backoff = "1s")]
async fn at_once(key: &str) -> Answer {
    body(key).await
}

#[cacheback(shared, lifetime = 600, fetch_on_miss, wait = "2s", empty = Ok(None), max_backoff = "1s")]
async fn cleared(key: &str) -> Answer {
    body(key).await
}

pub(crate) fn entry(key: &str) -> Entry<Answer> {
    match name_of(key) {
        "short" => short::entry(key),
        "long" => long::entry(key),
        "rare" => rare::entry(key),
        "at_once" => at_once::entry(key),
        "cleared" => cleared::entry(key),
        other => panic!("there is no function {other}"),
    }
}

/// The cache of a function by its name, or that of a key.
pub(crate) fn cache(key: &str) -> CacheRef {
    match name_of(key) {
        "short" => short::cache(),
        "long" => long::cache(),
        "rare" => rare::cache(),
        "at_once" => at_once::cache(),
        "cleared" => cleared::cache(),
        other => panic!("there is no function {other}"),
    }
}

fn name_of(key: &str) -> &'static str {
    function_of(key).map_or_else(|| panic!("{key} is of no function"), |function| function.name)
}
