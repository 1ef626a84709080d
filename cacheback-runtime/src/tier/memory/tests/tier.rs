//! The way to the state machine: time, held leases, faults.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, advance};

use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::tier::late::Late;
use crate::tier::memory::Memory;
use crate::tier::memory::faults::{Operation, Place};
use crate::tier::{
    Acquired, Ages, Bump, Bumped, Change, Down, Lease, LeaseFor, Packed, Payload, Read, Release, Request,
    Scope, Stored, Tier, Token, WireKey,
};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn key() -> WireKey {
    let scope = Arc::new(Scope { name: "users".into(), instance: None });
    WireKey { scope, hash: [1; 16], fingerprint: 1, args: [1].into() }
}

fn value(text: &str) -> Payload {
    let ages = Ages { age: Duration::ZERO, lifetime: secs(10), retention: secs(600) };
    let packed = Packed { compression: 0, raw_len: text.len() as u32, bytes: Arc::new(text.into()) };
    Payload { packed, schema: 7, ages, at: Moment::now(), took: Duration::ZERO }
}

pub(super) fn set(text: &str) -> Change {
    Change::Set(value(text))
}

async fn text(memory: &Memory) -> Option<String> {
    match memory.read(&key(), None).await.unwrap() {
        Read::Found(found) => Some(String::from_utf8(found.bytes).unwrap()),
        _ => None,
    }
}

fn request(token: u64) -> Request {
    Request {
        token: Token(token),
        seen: None,
        ahead: None,
        is_awaited: true,
        purpose: LeaseFor::Fetch,
        job: None,
    }
}

async fn lease(memory: &Memory, token: u64) -> Option<Lease> {
    match memory.acquire(&key(), request(token)).await.unwrap() {
        Acquired::Ours(lease) => Some(lease),
        _ => None,
    }
}

fn process() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn clones_are_one_tier() {
    let memory = Memory::new();
    let other = memory.clone();
    memory.write(&key(), set("a")).await.unwrap();
    assert_eq!(text(&other).await.as_deref(), Some("a"));
    other.bump(&key().scope, Bump::Gone, Moment::now()).await.unwrap();
    assert_eq!(text(&memory).await, None);
    assert_eq!(format!("{memory:?}"), "Memory { link: Up, keys: 1, .. }");
}

#[test]
fn ages_are_by_the_clock_of_the_tier() {
    let memory = Memory::new();
    let (one, other) = (process(), process());
    one.block_on(async { memory.write(&key(), set("a")).await }).unwrap();
    one.block_on(async {
        advance(secs(7)).await;
        text(&memory).await
    });
    let Read::Found(found) = other.block_on(async { memory.read(&key(), None).await }).unwrap() else {
        panic!("it is there")
    };
    assert!(found.ages.age >= secs(7), "{found:?}");
}

/// Whatever passes between the making of a value and its sending counts.
#[tokio::test(start_paused = true)]
async fn a_value_that_is_sent_late_is_as_old_as_it_is() {
    let memory = Memory::new();
    let made = value("a");
    let lease = lease(&memory, 1).await.unwrap();
    advance(secs(2)).await;
    let late = Late { at: Moment::now(), known: None, over: None };
    advance(secs(5)).await;
    let age = async || match memory.read(&key(), None).await.unwrap() {
        Read::Found(found) => found.ages.age,
        other => panic!("{other:?}"),
    };
    memory.store(&key(), &lease, made.clone()).await.unwrap();
    assert_eq!(age().await, secs(7), "stored");
    memory.write(&key(), Change::Set(made.clone())).await.unwrap();
    assert_eq!(age().await, secs(7), "set");
    memory.write(&key(), Change::Remove { tombstone: secs(1) }).await.unwrap();
    advance(secs(1)).await;
    memory.deliver(&key(), Change::Set(made), late).await.unwrap();
    assert_eq!(age().await, secs(8), "delivered");
}

#[tokio::test(start_paused = true)]
async fn an_operation_takes_effect_before_its_reply_is_polled() {
    let memory = Memory::new();
    drop(memory.write(&key(), set("a")));
    let (one, other) = (memory.write(&key(), set("b")), memory.write(&key(), set("c")));
    assert!(other.await.unwrap() > one.await.unwrap());
    assert_eq!(text(&memory).await.as_deref(), Some("c"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_held_through_one_long_step_of_the_clock() {
    let memory = Memory::new();
    let held = lease(&memory, 1).await.unwrap();
    advance(secs(71)).await;
    let answer = memory.acquire(&key(), request(2)).await.unwrap();
    assert_eq!(answer, Acquired::Theirs { left: secs(4), is_backoff: false, queued: None });
    assert!(matches!(memory.store(&key(), &held, value("a")).await.unwrap(), Stored::Yes(_)));
}

#[test]
fn the_lease_of_a_dropped_runtime_lapses() {
    let memory = Memory::new();
    let (one, other) = (process(), process());
    one.block_on(lease(&memory, 1)).unwrap();
    let waits = |time| {
        other.block_on(async {
            advance(time).await;
            lease(&memory, 2).await
        })
    };
    assert!(waits(secs(30)).is_none());
    drop(one);
    assert!(waits(secs(2)).is_none());
    assert!(waits(secs(3)).is_some());
    assert!(other.block_on(lease(&memory, 3)).is_none(), "the other one holds it now");
}

#[tokio::test(start_paused = true)]
async fn leases_that_nobody_extends_lapse() {
    let memory = Memory::new();
    lease(&memory, 1).await.unwrap();
    advance(secs(30)).await;
    memory.leave_leases();
    advance(secs(4)).await;
    assert!(lease(&memory, 2).await.is_none());
    advance(secs(1)).await;
    assert!(lease(&memory, 2).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lease_lapses_while_its_holder_is_cut_off() {
    let memory = Memory::new();
    lease(&memory, 1).await.unwrap();
    memory.disconnect();
    advance(secs(4)).await;
    memory.reconnect();
    assert!(lease(&memory, 2).await.is_none(), "back in time");
    memory.disconnect();
    advance(secs(6)).await;
    memory.reconnect();
    assert!(lease(&memory, 2).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_everything_fails_at_once() {
    let memory = Memory::new();
    let other = memory.clone();
    let held = lease(&memory, 1).await.unwrap();
    memory.write(&key(), set("a")).await.unwrap();
    memory.disconnect();
    assert!(!other.is_up());
    let before = Instant::now();
    assert_eq!(other.read(&key(), None).await, Err(Down::Disconnected));
    assert_eq!(other.acquire(&key(), request(2)).await, Err(Down::Disconnected));
    assert_eq!(other.store(&key(), &held, value("b")).await, Err(Down::Disconnected));
    assert_eq!(other.write(&key(), set("b")).await, Err(Down::Disconnected));
    assert_eq!(other.bump(&key().scope, Bump::Gone, Moment::now()).await, Err(Down::Disconnected));
    other.release(&key(), held.token, Release::Free);
    assert_eq!(before.elapsed(), Duration::ZERO);
    memory.reconnect();
    assert!(memory.is_up());
    assert_eq!(text(&memory).await.as_deref(), Some("a"), "nothing has happened");
}

#[tokio::test(start_paused = true)]
async fn no_operation_waits_longer_than_the_time_out() {
    let memory = Memory::new().timeout(Duration::from_millis(30));
    memory.hang();
    assert!(memory.is_up());
    let before = Instant::now();
    assert_eq!(memory.write(&key(), set("a")).await, Err(Down::TimedOut));
    let took = before.elapsed();
    assert!((30..=31).contains(&took.as_millis()), "{took:?}");
    memory.reconnect();
    assert_eq!(text(&memory).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_gate_holds_a_request_and_a_late_one_does_nothing() {
    let memory = Memory::new();
    let gate = memory.close(Operation::Write, Place::Request);
    let reply = tokio::spawn(memory.write(&key(), set("a")));
    tokio::task::yield_now().await;
    assert_eq!((gate.waiting(), text(&memory).await), (1, None));
    gate.open();
    assert!(reply.await.unwrap().is_ok());
    assert_eq!(text(&memory).await.as_deref(), Some("a"));

    let gate = memory.close(Operation::Write, Place::Request);
    assert_eq!(memory.write(&key(), set("b")).await, Err(Down::TimedOut));
    gate.open();
    assert_eq!(text(&memory).await.as_deref(), Some("a"), "it came too late");
    assert_eq!(memory.count(Operation::Write), 2);
}

#[tokio::test(start_paused = true)]
async fn a_gate_holds_an_answer() {
    let memory = Memory::new();
    let gate = memory.close(Operation::Acquire, Place::Answer);
    assert_eq!(memory.acquire(&key(), request(1)).await, Err(Down::TimedOut));
    drop(gate);
    assert!(lease(&memory, 2).await.is_none(), "it was given all the same");
    assert!(lease(&memory, 1).await.is_some(), "and is given again to the one that has it");

    let gate = memory.close(Operation::Read, Place::Answer);
    let reply = tokio::spawn(memory.read(&key(), None));
    tokio::task::yield_now().await;
    memory.write(&key(), set("a")).await.unwrap();
    gate.open();
    assert_eq!(
        reply.await.unwrap(),
        Ok(Read::Missing { tombstone: None, bumped: Bumped::default() }),
        "from before the write"
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_can_be_lost() {
    let memory = Memory::new();
    let held = lease(&memory, 1).await.unwrap();
    drop({
        let gate = memory.close(Operation::Release, Place::Request);
        memory.release(&key(), held.token, Release::Free);
        gate
    });
    assert!(lease(&memory, 2).await.is_none());
    memory.release(&key(), held.token, Release::Free);
    assert!(lease(&memory, 2).await.is_some());
    memory.flush_all();
    assert!(lease(&memory, 3).await.is_some());
}
