//! Changes that are under way, and deliveries together.

use super::*;
use crate::tier::memory::Memory;
use crate::tier::memory::faults::{Operation, Place};

fn over(memory: &Memory) -> Recovering {
    Recovering::over(memory.clone().open(), None)
}

fn key() -> WireKey {
    let scope = Arc::new(Scope { name: "users".into(), instance: None });
    WireKey { scope, hash: [1; 16], fingerprint: 1, args: [1].into() }
}

const REMOVE: Change = Change::Remove { tombstone: Duration::from_secs(600) };

/// The server may refuse it, as it comes late, and answer the look before its caller has given it up.
#[tokio::test(start_paused = true)]
async fn a_look_waits_for_a_change_that_is_under_way() {
    let memory = Memory::new();
    let tier = over(&memory);
    let gate = memory.close(Operation::Write, Place::Request);
    let change = tokio::spawn(tier.write(&key(), REMOVE));
    let look = tokio::spawn(tier.read(&key(), None));
    tokio::task::yield_now().await;
    assert_eq!((gate.waiting(), memory.count(Operation::Read)), (1, 0));
    gate.open();
    assert!(change.await.unwrap().is_ok());
    assert!(matches!(look.await.unwrap(), Ok(Read::Missing { tombstone: Some(_), .. })));
}

/// A caller who has stopped to poll its change keeps nobody waiting for longer than the time-out.
#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_polls_keeps_no_look_for_long() {
    let memory = Memory::new().timeout(Duration::from_millis(30));
    let tier = over(&memory);
    let change = tier.write(&key(), REMOVE);
    let began = tokio::time::Instant::now();
    assert_eq!(tier.read(&key(), None).await, Err(Down::TimedOut));
    let took = began.elapsed();
    assert!((30..=31).contains(&took.as_millis()), "{took:?}");
    drop(change);
    // Nobody knows whether it was made, so it is told once more.
    assert!(matches!(tier.read(&key(), None).await, Ok(Read::Missing { tombstone: Some(_), .. })));
    assert_eq!(memory.count(Operation::Write), 2);
}

/// One that takes two round trips keeps no other back.
#[tokio::test]
async fn what_is_told_together_does_not_wait_for_each_other() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let first: BoxFuture<u8> = Box::pin(async move {
        told.await.unwrap();
        1
    });
    let second: BoxFuture<u8> = Box::pin(async move {
        tell.send(()).unwrap();
        2
    });
    assert_eq!(all(vec![first, second]).await, [1, 2]);
}
