//! Chains of invalidations: a body invalidates a key, whose refresh runs a body, which invalidates the next key. A
//! chain that goes round in a circle would never end, so its length is counted and limited.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The longest chain, in bodies. An invalidation at the end of a longer one starts no refresh.
pub(super) const LONGEST: u32 = 16;

thread_local! {
    static LINKS: Cell<u32> = const { Cell::new(0) };
}

/// The length of the chain up to the body that this thread polls now: zero outside of any body.
pub(super) fn links() -> u32 {
    // A thread that destroys its thread-locals polls no body.
    LINKS.try_with(Cell::get).unwrap_or(0)
}

/// A body, and the length of the chain up to it, itself included.
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

/// Restores the length that was set before, when the poll is over or has panicked.
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
    fn the_length_of_the_chain_is_set_while_a_body_is_polled() {
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
