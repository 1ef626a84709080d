//! One error, for all callers who waited for it.

use crate::base::sync::Arc;
use crate::outcome::error::FetchError;
use crate::outcome::{Describe, Sharing};

/// The `Err` of a fetch, in the one form that every caller gets: it does not depend on how many callers wait, or on
/// which of them started the fetch.
pub(crate) enum Shareable<E> {
    Copied(E, fn(&E) -> E),
    Shared(Arc<E>, fn(Arc<E>) -> E),
    Wrapped(FetchError, fn(FetchError) -> E),
}

impl<E: Send + Sync + 'static> Shareable<E> {
    /// An error, with the text that describes it.
    pub(crate) fn new(
        function: &'static str,
        error: E,
        text: &str,
        sharing: Sharing<E>,
        describe: Describe<E>,
    ) -> Self {
        match sharing {
            Sharing::Copied(copy) => Self::Copied(error, copy),
            Sharing::Shared(from) => Self::Shared(Arc::new(error), from),
            Sharing::Wrapped(from) => {
                Self::Wrapped(FetchError::of(function, error, text, describe.as_error), from)
            }
            Sharing::Never => unreachable!("`{function}` cannot fail"),
        }
    }

    /// Makes the error for one more caller. Runs user code.
    pub(crate) fn hand(&self) -> E {
        match self {
            Self::Copied(error, copy) => copy(error),
            Self::Shared(error, from) => from(Arc::clone(error)),
            Self::Wrapped(error, from) => from(error.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Own {
        Original,
        Copied,
        Shared(Arc<Self>),
        Wrapped(FetchError),
    }

    fn kept(sharing: Sharing<Own>) -> Shareable<Own> {
        Shareable::new("f", Own::Original, "cause", sharing, Describe::UNSEEN)
    }

    #[test]
    fn every_caller_gets_the_error_as_the_sharing_makes_it() {
        let copied = kept(Sharing::Copied(|_| Own::Copied));
        let shared = kept(Sharing::Shared(Own::Shared));
        let wrapped = kept(Sharing::Wrapped(Own::Wrapped));
        for _ in 0..3 {
            assert!(matches!(copied.hand(), Own::Copied));
            let Own::Shared(error) = shared.hand() else { panic!("shared") };
            assert!(matches!(*error, Own::Original));
            let Own::Wrapped(error) = wrapped.hand() else { panic!("wrapped") };
            assert!(matches!(error.downcast_ref(), Some(Own::Original)));
            assert_eq!((error.function(), error.to_string()), ("f", "cause".to_owned()));
        }
    }
}
