//! Bodies that invalidate what other bodies make, which invalidate in turn: how long such a chain is. One that goes round in
//! a circle would never end.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An invalidation at the end of a chain of so many bodies starts no refresh any more.
pub(super) const LONGEST: u32 = 16;

thread_local! {
    static LINKS: Cell<u32> = const { Cell::new(0) };
}

/// How many bodies are behind what this thread does now: zero outside of every body.
pub(super) fn links() -> u32 {
    // A thread that ends has no body left to run.
    LINKS.try_with(Cell::get).unwrap_or(0)
}

/// A body with so many bodies behind it, itself among them.
pub(super) struct Linked<F> {
    links: u32,
    body: F,
}

pub(super) fn linked<F>(links: u32, body: F) -> Linked<F> {
    Linked { links, body }
}

impl<F: Future + Unpin> Future for Linked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _unlinked = Unlinked(LINKS.replace(self.links));
        Pin::new(&mut self.body).poll(context)
    }
}

/// Puts back what was there before, when the poll is over or has panicked.
struct Unlinked(u32);

impl Drop for Unlinked {
    fn drop(&mut self) {
        LINKS.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_body_has_its_links_while_it_is_polled() {
        let mut context = Context::from_waker(Waker::noop());
        let mut inner = linked(2, Box::pin(async { links() }));
        let outer = async {
            assert_eq!(Pin::new(&mut inner).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(2));
            links()
        };
        assert_eq!(pin!(linked(1, Box::pin(outer))).poll(&mut context), Poll::Ready(1));
        let mut panics = linked(3, Box::pin(async { panic!("in a body") }));
        assert!(catch_unwind(AssertUnwindSafe(|| Pin::new(&mut panics).poll(&mut context))).is_err());
        assert_eq!(links(), 0);
    }
}
