//! User code that panics: caught, with its message.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs user code; `Err` is the message of its panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = message(&*payload);
        // What was panicked with is the user's too, and so may its `Drop` be. Enough is enough after that.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        message
    })
}

/// Polls a user's future to its end; `Err` is the message of its panic. Its `Drop` is caught too.
pub(crate) struct Caught<F>(Option<F>);

pub(crate) fn caught_future<F: Future + Unpin>(future: F) -> Caught<F> {
    Caught(Some(future))
}

impl<F: Future + Unpin> Future for Caught<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.0.as_mut() else { return Poll::Pending };
        match caught(|| Pin::new(future).poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Err(message) => Poll::Ready(Err(message)),
        }
    }
}

impl<F> Drop for Caught<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        let _ = caught(|| drop(future));
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "(a panic without a message)".to_owned()
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

    #[test]
    fn messages_of_every_kind() {
        assert_eq!(caught(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(caught(|| panic!("of {}", 3)), Err::<(), _>("of 3".to_owned()));
        let odd = caught(|| std::panic::panic_any(7));
        assert_eq!(odd, Err::<(), _>("(a panic without a message)".to_owned()));
        assert_eq!(caught(|| 3), Ok(3));
        let rude = caught(|| std::panic::panic_any(PanicsOnDrop));
        assert_eq!(rude, Err::<(), _>("(a panic without a message)".to_owned()));
    }

    #[tokio::test]
    async fn a_future_that_panics_or_whose_drop_does() {
        assert_eq!(
            caught_future(Box::pin(async { panic!("polled") })).await,
            Err::<(), _>("polled".to_owned())
        );
        let keeps = PanicsOnDrop;
        let future = caught_future(Box::pin(async move {
            let _keeps = keeps;
            std::future::pending::<()>().await;
        }));
        drop(future);
        assert_eq!(caught_future(Box::pin(async { 4 })).await, Ok(4));
    }
}
