//! User code that panics: caught, with what it panicked with.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::base::sync::plain::{Mutex, lock};

/// A panic of user code, caught.
pub(crate) struct Panic {
    message: String,
    /// What it was panicked with, if that is no text.
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

    /// For one who waited for `function`. Nobody but its starter gets a payload that is no text: there is one of it.
    pub(crate) fn rethrown(&self, function: &str, is_starter: bool) -> Rethrown {
        let payload = if is_starter { lock(&self.payload).take() } else { None };
        payload.map_or_else(
            || Rethrown::Saying(format!("`{function}` panicked: {}", self.message)),
            Rethrown::As,
        )
    }
}

/// A payload is the user's too, and so may its `Drop` be. Enough is enough after that.
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

/// Runs user code.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Panic::new)
}

/// Polls a user's future to its end. Its `Drop` is caught too.
pub(crate) struct Caught<F>(Option<F>);

pub(crate) fn caught_future<F: Future + Unpin>(future: F) -> Caught<F> {
    Caught(Some(future))
}

impl<F: Future + Unpin> Future for Caught<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.0.as_mut() else { return Poll::Pending };
        match caught(|| Pin::new(future).poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

impl<F> Drop for Caught<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        let _ = caught(|| drop(future));
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

    /// A panic's message is the `Err`.
    fn said<T>(caught: Result<T, Panic>) -> Result<T, String> {
        caught.map_err(|panic| panic.message().to_owned())
    }

    #[test]
    fn messages_of_every_kind() {
        assert_eq!(said(caught(|| panic!("plain"))), Err::<(), _>("plain".to_owned()));
        assert_eq!(said(caught(|| panic!("of {}", 3))), Err::<(), _>("of 3".to_owned()));
        let odd = said(caught(|| std::panic::panic_any(7)));
        assert_eq!(odd, Err::<(), _>("(a panic without a message)".to_owned()));
        assert_eq!(said(caught(|| 3)), Ok(3));
        let rude = said(caught(|| std::panic::panic_any(PanicsOnDrop)));
        assert_eq!(rude, Err::<(), _>("(a panic without a message)".to_owned()));
    }

    #[test]
    fn the_starter_alone_gets_a_payload_and_all_get_a_text() {
        let Err(panic) = caught(|| -> u8 { std::panic::panic_any(7) }) else { panic!("it panics") };
        let said = |rethrown| match rethrown {
            Rethrown::Saying(text) => text,
            Rethrown::As(_) => panic!("a payload"),
        };
        assert_eq!(said(panic.rethrown("f", false)), "`f` panicked: (a panic without a message)");
        let Rethrown::As(payload) = panic.rethrown("f", true) else { panic!("a text") };
        assert_eq!(payload.downcast_ref(), Some(&7));
        let Err(panic) = caught(|| -> u8 { panic!("of {}", 3) }) else { panic!("it panics") };
        for is_starter in [true, false] {
            assert_eq!(said(panic.rethrown("f", is_starter)), "`f` panicked: of 3");
        }
    }

    #[tokio::test]
    async fn a_future_that_panics_or_whose_drop_does() {
        assert_eq!(
            said(caught_future(Box::pin(async { panic!("polled") })).await),
            Err::<(), _>("polled".to_owned())
        );
        let keeps = PanicsOnDrop;
        let future = caught_future(Box::pin(async move {
            let _keeps = keeps;
            std::future::pending::<()>().await;
        }));
        drop(future);
        assert_eq!(said(caught_future(Box::pin(async { 4 })).await), Ok(4));
    }
}
