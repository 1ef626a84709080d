//! Options that contradict each other: constant ones panic at first use, others are clamped.

use std::time::Duration;

use cacheback::{Status, cacheback, settle, testing};

use crate::support::{advance, secs};

const LONG: Duration = Duration::from_secs(100);

#[cacheback(lifetime = LONG, retention = Duration::from_secs(10))]
async fn contradicting(id: u64) -> u64 {
    id
}

#[tokio::test(start_paused = true)]
async fn promise_6_contradicting_constants_panic_at_each_use_and_name_function_and_option() {
    let _own = testing::isolate();
    for _ in 0..2 {
        let panic = tokio::spawn(contradicting(1)).await.unwrap_err().into_panic();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(
            message.contains("contradicting_options::contradicting") && message.contains("`retention`"),
            "{message}"
        );
    }
}

#[cacheback(lifetime = Duration::from_secs(id), retention = 10)]
async fn depending(id: u64) -> u64 {
    id
}

#[tokio::test(start_paused = true)]
async fn promise_6_contradicting_options_that_depend_on_arguments_are_clamped() {
    let _own = testing::isolate();
    depending::entry(100).set(7).await.unwrap();
    advance(secs(9)).await;
    assert_eq!(depending::entry(100).lookup().await.status, Status::Fresh);
    advance(secs(1)).await;
    assert_eq!(
        depending::entry(100).lookup().await.status,
        Status::Empty,
        "the lifetime ends with the retention"
    );
    settle().await;
    depending::entry(1).set(7).await.unwrap();
    advance(secs(1)).await;
    assert_eq!(depending::entry(1).lookup().await.status, Status::Stale);
    settle().await;
    assert_eq!(depending::cache().policy().varies, ["lifetime"]);
}
