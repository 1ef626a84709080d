//! Catches panics of user code, with their payloads.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::base::sync::plain::{Mutex, lock};

/// A panic of user code that was caught.
pub(crate) struct Panic {
    message: String,
    /// The payload, unless it is a text.
    payload: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A caught panic on its way to a caller.
pub(crate) enum Rethrown {
    As(Box<dyn Any + Send>),
    Saying(String),
}

impl Panic {
    fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let is_text = text.is_some();
        let message = text.unwrap_or_else(|| "(a panic without a message)".to_owned());
        Self { message, payload: Mutex::new((!is_text).then_some(payload)) }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The panic for a caller who waited for `function`. There is only one payload, so only the caller who started the
    /// function gets it. The others get its text.
    pub(crate) fn rethrown(&self, function: &str, is_starter: bool) -> Rethrown {
        let payload = if is_starter { lock(&self.payload).take() } else { None };
        payload.map_or_else(
            || Rethrown::Saying(format!("`{function}` panicked: {}", self.message)),
            Rethrown::As,
        )
    }
}

/// The payload is the user's, and its `Drop` may panic too. The payload of that second panic is leaked, so that there
/// is no third.
impl Drop for Panic {
    fn drop(&mut self) {
        let payload = lock(&self.payload).take();
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
    }
}

impl Rethrown {
    pub(crate) fn panic(self) -> ! {
        match self {
            Self::As(payload) => resume_unwind(payload),
            Self::Saying(message) => panic!("{message}"),
        }
    }
}

/// Runs user code and catches its panic.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Panic::new)
}

/// Polls a user's future to its end. A panic of its `Drop` is caught too.
pub(crate) struct Caught<F>(Option<F>);

pub(crate) fn catch_future<F: Future + Unpin>(future: F) -> Caught<F> {
    Caught(Some(future))
}

impl<F: Future + Unpin> Future for Caught<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.0.as_mut() else { return Poll::Pending };
        match catch(|| Pin::new(future).poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

impl<F> Drop for Caught<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        let _ = catch(|| drop(future));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    /// The `Err` is the message of the panic.
    fn said<T>(catch: Result<T, Panic>) -> Result<T, String> {
        catch.map_err(|panic| panic.message().to_owned())
    }

    #[test]
    fn messages_of_every_kind() {
        assert_eq!(said(catch(|| panic!("plain"))), Err::<(), _>("plain".to_owned()));
        assert_eq!(said(catch(|| panic!("of {}", 3))), Err::<(), _>("of 3".to_owned()));
        let odd = said(catch(|| std::panic::panic_any(7)));
        assert_eq!(odd, Err::<(), _>("(a panic without a message)".to_owned()));
        assert_eq!(said(catch(|| 3)), Ok(3));
        let rude = said(catch(|| std::panic::panic_any(PanicsOnDrop)));
        assert_eq!(rude, Err::<(), _>("(a panic without a message)".to_owned()));
    }

    #[test]
    fn only_the_starter_gets_a_payload_and_all_get_a_text() {
        let Err(panic) = catch(|| -> u8 { std::panic::panic_any(7) }) else { panic!("no panic") };
        let said = |rethrown| match rethrown {
            Rethrown::Saying(text) => text,
            Rethrown::As(_) => panic!("a payload"),
        };
        assert_eq!(said(panic.rethrown("f", false)), "`f` panicked: (a panic without a message)");
        let Rethrown::As(payload) = panic.rethrown("f", true) else { panic!("a text") };
        assert_eq!(payload.downcast_ref(), Some(&7));
        let Err(panic) = catch(|| -> u8 { panic!("of {}", 3) }) else { panic!("no panic") };
        for is_starter in [true, false] {
            assert_eq!(said(panic.rethrown("f", is_starter)), "`f` panicked: of 3");
        }
    }

    #[tokio::test]
    async fn a_future_that_panics_in_poll_or_in_drop() {
        assert_eq!(
            said(catch_future(Box::pin(async { panic!("polled") })).await),
            Err::<(), _>("polled".to_owned())
        );
        let keeps = PanicsOnDrop;
        let future = catch_future(Box::pin(async move {
            let _keeps = keeps;
            std::future::pending::<()>().await;
        }));
        drop(future);
        assert_eq!(said(catch_future(Box::pin(async { 4 })).await), Ok(4));
    }
}
