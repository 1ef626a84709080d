//! One error, many who waited for it.

use crate::error::{FetchError, FetchErrorKind};
use crate::outcome::Sharing;
use crate::sync::{Arc, Mutex, lock};

/// An error in a form that can be handed out again and again.
pub(crate) enum Kept<E> {
    Copied(E, fn(&E) -> E),
    Shared(Arc<E>, fn(Arc<E>) -> E),
    Wrapped(FetchError, fn(FetchError) -> E),
}

impl<E> Kept<E> {
    /// One more. Runs user code.
    pub(crate) fn hand(&self) -> E {
        match self {
            Self::Copied(error, copy) => copy(error),
            Self::Shared(error, from) => from(Arc::clone(error)),
            Self::Wrapped(error, from) => from(error.clone()),
        }
    }
}

/// The `Err` of a fetch, on its way to those who wait: the original for the call that started the fetch, something
/// kept for the others.
pub(crate) struct Failed<E> {
    original: Mutex<Option<E>>,
    kept: Option<Arc<Kept<E>>>,
    pub(crate) message: String,
    /// The origin is down, as far as this error tells.
    pub(crate) is_outage: bool,
}

impl<E: Send + Sync + 'static> Failed<E> {
    pub(crate) fn new(error: E, message: String, is_outage: bool) -> Self {
        Self { original: Mutex::new(Some(error)), kept: None, message, is_outage }
    }

    /// Prepares what the others get, where that has not been done. The original stays for a leader who waits, unless
    /// the only way to share is the original itself. Runs user code.
    pub(crate) fn keep(&mut self, function: &'static str, sharing: Sharing<E>, leader_waits: bool) {
        if self.kept.is_some() {
            return;
        }
        let original = self.original.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = match sharing {
            Sharing::Never => None,
            Sharing::Copied(copy) => original.as_ref().map(|error| Kept::Copied(copy(error), copy)),
            Sharing::Shared(from) => original.take().map(|error| Kept::Shared(Arc::new(error), from)),
            Sharing::Wrapped(from) => {
                let mut shared = FetchError::new(function, FetchErrorKind::Error, &self.message);
                if !leader_waits {
                    if let Some(error) = original.take() {
                        shared = shared.caused_by(error);
                    }
                }
                Some(Kept::Wrapped(shared, from))
            }
        };
        self.kept = kept.map(Arc::new);
    }

    pub(crate) fn kept(&self) -> Option<&Arc<Kept<E>>> {
        self.kept.as_ref()
    }

    /// The error for one who waited. `None` where there is none left, which only a second leader could see.
    pub(crate) fn hand(&self, leads: bool) -> Option<E> {
        debug_assert!(leads || self.kept.is_some(), "who shares an error finds one that can be shared");
        let original = if leads { lock(&self.original).take() } else { None };
        original.or_else(|| self.kept.as_ref().map(|kept| kept.hand()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Own {
        Original,
        Shared(Arc<Self>),
        Wrapped(FetchError),
    }

    fn failed(sharing: Sharing<Own>, leader_waits: bool) -> Failed<Own> {
        let mut failed = Failed::new(Own::Original, "cause".to_owned(), true);
        failed.keep("f", sharing, leader_waits);
        failed
    }

    #[test]
    fn a_leader_gets_the_original_and_the_others_a_copy() {
        let failed = failed(
            Sharing::Copied(|_| Own::Wrapped(FetchError::new("copy", FetchErrorKind::Error, ""))),
            true,
        );
        assert!(matches!(failed.hand(false), Some(Own::Wrapped(_))));
        assert!(matches!(failed.hand(true), Some(Own::Original)));
        assert!(matches!(failed.hand(false), Some(Own::Wrapped(_))));
    }

    #[test]
    fn a_shared_original_serves_all_alike() {
        let failed = failed(Sharing::Shared(Own::Shared), true);
        for leads in [true, false] {
            let Some(Own::Shared(error)) = failed.hand(leads) else { panic!("shared") };
            assert!(matches!(*error, Own::Original));
        }
    }

    #[test]
    fn a_wrapped_error_holds_the_original_where_no_leader_takes_it() {
        let without_leader = failed(Sharing::Wrapped(Own::Wrapped), false);
        let Some(Own::Wrapped(error)) = without_leader.hand(false) else { panic!("wrapped") };
        assert!(matches!(error.downcast_ref(), Some(Own::Original)));
        let with_leader = failed(Sharing::Wrapped(Own::Wrapped), true);
        let Some(Own::Wrapped(error)) = with_leader.hand(false) else { panic!("wrapped") };
        assert!(error.downcast_ref::<Own>().is_none());
        assert_eq!(error.to_string(), "fetch of `f` failed: cause");
        assert!(matches!(with_leader.hand(true), Some(Own::Original)));
    }
}
