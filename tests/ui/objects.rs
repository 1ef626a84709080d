//! What people forget to tell a builder.

use cacheback::Cache;

#[derive(Clone)]
struct User;

/// Neither `Clone` nor anything else.
#[derive(Debug)]
struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

fn no_empty_value() {
    let _ = Cache::builder().fetcher(|_: u64| async { User }).build();
}

fn an_error_that_cannot_be_shared() {
    let _ = Cache::builder().fetch_on_miss().try_fetcher(|_: u64| async { Err::<u64, _>(Failed) }).build();
}

fn a_body_that_is_not_send() {
    let _ = Cache::builder().fetcher(|_: u64| async { std::rc::Rc::new(7) }).build();
}

fn a_signed_weight() {
    let _: Result<Cache<u64, u64>, _> = Cache::builder().max_bytes(64).weigh(|_: &u64| -1).build();
}

fn main() {}
