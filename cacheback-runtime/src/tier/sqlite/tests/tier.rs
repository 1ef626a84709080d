//! The way to a file: order, time-outs, and a disk that does not answer.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::super::File;
use super::super::link::Concerns;
use super::super::room::Size;
use crate::base::clock::{Moment, nanos};
use crate::base::sync::Arc;
use crate::base::sync::plain::OnceLock;
use crate::tier::late::Late;
use crate::tier::queue::{Line, Queue, Room};
use crate::tier::sqlite::Sqlite;
use crate::tier::{
    Acquired, Ages, Bump, Change, Down, LeaseFor, Packed, Payload, Read, Release, Request, Scope, Stored,
    Tier, Token, WireKey, WriteId,
};

fn key(hash: u8) -> WireKey {
    let scope = Arc::new(Scope { name: "users".into(), instance: None });
    WireKey { scope, hash: [hash; 16], fingerprint: 1, args: [1].into() }
}

fn value(text: &str) -> Payload {
    let ages =
        Ages { age: Duration::ZERO, lifetime: Duration::from_secs(10), retention: Duration::from_secs(600) };
    let packed = Packed { compression: 0, raw_len: text.len() as u32, bytes: Arc::new(text.into()) };
    Payload { packed, schema: 7, ages, at: Moment::now(), took: Duration::ZERO }
}

fn set(text: &str) -> Change {
    Change::Set(value(text))
}

fn file(timeout: u64) -> (tempfile::TempDir, File) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    let settings = Arc::new(Sqlite::open(path).unwrap().timeout(Duration::from_millis(timeout)));
    (folder, File { settings, listeners: Arc::default(), link: OnceLock::new() })
}

async fn text(file: &File) -> Option<String> {
    match file.read(&key(1), None).await.unwrap() {
        Read::Found(found) => Some(String::from_utf8(found.bytes).unwrap()),
        _ => None,
    }
}

/// A look is a way of its own, and does not overtake a change that was asked for before.
#[tokio::test]
async fn an_operation_takes_effect_before_its_reply_is_polled() {
    let (_folder, file) = file(60_000);
    for round in 0..200 {
        let round = round.to_string();
        drop(file.write(&key(1), set("before")));
        drop(file.write(&key(1), set(&round)));
        assert_eq!(text(&file).await, Some(round));
        drop(file.write(&key(1), set("again")));
        drop(file.bump(&key(1).scope, Bump::Gone, Moment::now()));
        assert_eq!(text(&file).await, None);
    }
}

/// Whatever passes between the making of a value and its sending counts.
#[tokio::test]
async fn a_value_that_is_sent_late_is_as_old_as_it_is() {
    let (_folder, file) = file(60_000);
    let ago = |secs: u64| Moment::from_bits(Moment::now().to_bits() - nanos(Duration::from_secs(secs)));
    let made = |secs| Payload { at: ago(secs), ..value("a") };
    let age = async || match file.read(&key(1), None).await.unwrap() {
        Read::Found(found) => found.ages.age.as_secs(),
        other => panic!("{other:?}"),
    };
    file.write(&key(1), Change::Set(made(20))).await.unwrap();
    assert!(age().await >= 20, "set");
    let late = Late { at: ago(25), known: None, over: Some(WriteId(u64::MAX)) };
    file.deliver(&key(1), Change::Set(made(30)), late).await.unwrap();
    assert!(age().await >= 30, "delivered");
    let request = Request {
        token: Token(1),
        seen: None,
        ahead: None,
        is_awaited: true,
        purpose: LeaseFor::Fetch,
        job: None,
    };
    file.write(&key(1), Change::Remove { tombstone: Duration::ZERO }).await.unwrap();
    let Acquired::Ours(lease) = file.acquire(&key(1), request).await.unwrap() else { panic!("it is free") };
    file.store(&key(1), &lease, made(40)).await.unwrap();
    assert!(age().await >= 40, "stored");
}

#[tokio::test]
async fn a_lease_and_its_value() {
    let (_folder, file) = file(60_000);
    let request = |token| Request {
        token: Token(token),
        seen: None,
        ahead: None,
        is_awaited: true,
        purpose: LeaseFor::Fetch,
        job: None,
    };
    let Acquired::Ours(lease) = file.acquire(&key(1), request(1)).await.unwrap() else {
        panic!("it is free")
    };
    assert!(matches!(file.acquire(&key(1), request(2)).await.unwrap(), Acquired::Theirs { .. }));
    file.release(&key(1), lease.token, Release::Free);
    let Acquired::Ours(lease) = file.acquire(&key(1), request(2)).await.unwrap() else {
        panic!("it is free")
    };
    let long = "0123456789".repeat(1_000);
    let packed = file.pack(long.clone().into_bytes()).unwrap();
    assert!(packed.bytes.len() < 1_000, "it is compressed");
    let stored = file.store(&key(1), &lease, Payload { packed, ..value("") }).await.unwrap();
    assert!(matches!(stored, Stored::Yes(_)));
    assert_eq!(text(&file).await, Some(long.clone()));
    let Acquired::Newer(found) = file.acquire(&key(1), request(3)).await.unwrap() else {
        panic!("it is newer")
    };
    assert_eq!(found.bytes, long.into_bytes());
}

/// A step that does not come back from the disk is waited for by nobody beyond the time-out, and by nobody at all then.
#[tokio::test]
async fn a_disk_that_does_not_answer() {
    let (_folder, file) = file(100);
    while file.write(&key(1), set("a")).await.is_err() {}
    let (goes_on, gate) = channel::<()>();
    let link = file.link().unwrap();
    let stuck = link.change(Concerns::Key([2; 16]), Size::SMALL, move |_, _| {
        let _ = gate.recv();
        Ok(Ok(()))
    });
    let behind = file.write(&key(1), set("too late"));
    assert_eq!(stuck.await, Err(Down::TimedOut));
    assert_eq!(behind.await, Err(Down::TimedOut));
    // The step began a little later than its caller asked: at the latest whoever asks next finds the thread stuck.
    while file.is_up() {
        assert!(file.write(&key(1), set("too late")).await.is_err());
    }
    assert!(!Tier::status(&file).connected);
    assert_eq!(file.read(&key(1), None).await, Err(Down::Disconnected));
    drop(goes_on);
    while !file.is_up() {
        tokio::task::yield_now().await;
    }
    // What came too late has changed nothing.
    assert_eq!(text(&file).await.as_deref(), Some("a"));
    let status = Tier::status(&file);
    assert!(status.connected && status.timeouts >= 2 && status.errors >= 1, "{status:?}");
}

/// It has happened, and its answer came too late: the job is not lost until others take it for abandoned.
#[tokio::test]
async fn what_a_take_has_brought_too_late_is_put_back() {
    let (_folder, file) = file(1_000);
    let line = Line::new("default", "users", 0);
    let queue: &dyn Queue = &file;
    while queue.beat("w", std::slice::from_ref(&line)).await.is_err() {}
    while queue.enqueue(&line, b"job".to_vec()).await.is_err() {}
    let rooms = [Room::new(line.clone(), 1, Duration::from_secs(75))];
    let gates = [(); 2].map(|()| channel::<()>());
    let [(first, is_first), (second, is_second)] = gates;
    let link = file.link().unwrap();
    let stuck = |gate: Receiver<()>| {
        link.change(Concerns::Jobs, Size::SMALL, move |_, _| {
            let _ = gate.recv();
            Ok(Ok(()))
        })
    };
    // The writer is busy until the take and what holds it up have gathered.
    let before = stuck(is_first);
    let mut take = queue.take("w", &rooms, 1, Duration::ZERO);
    // It has looked, and is with the writer.
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut take).await.is_err());
    let behind = stuck(is_second);
    drop(first);
    let late = take.await;
    drop((second, before, behind));
    // On a machine that stands still for a second, it may not come too late.
    let taken = match late {
        Ok(taken) => taken,
        Err(_) => loop {
            if let Ok(taken) = queue.take("w", &rooms, 1, Duration::ZERO).await {
                break taken;
            }
            tokio::task::yield_now().await;
        },
    };
    assert_eq!((taken.len(), taken[0].1.deliveries), (1, 1));
}
