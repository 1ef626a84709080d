//! The trace of a refresh, which goes on in the worker that runs it.

use tracing::Span;

use crate::base::panics::catch;
use crate::base::sync::Arc;

/// A context of more bytes stays behind: whoever may write to the queue may write any.
const LONGEST: usize = 1 << 10;

type Context = dyn Fn(&Span) -> Option<String> + Send + Sync;
type Follow = dyn Fn(&Span, &str) + Send + Sync;

/// How the user's layer of `tracing` gives the context of a span, and takes it up.
#[derive(Clone)]
pub(crate) struct Traces {
    context: Arc<Context>,
    follow: Arc<Follow>,
}

impl Traces {
    pub(crate) fn new(
        context: impl Fn(&Span) -> Option<String> + Send + Sync + 'static,
        follow: impl Fn(&Span, &str) + Send + Sync + 'static,
    ) -> Self {
        Self { context: Arc::new(context), follow: Arc::new(follow) }
    }

    /// The context of the span of a refresh, for its job. Runs user code; a panic counts as none.
    pub(crate) fn context(&self, span: &Span) -> Option<String> {
        let context = catch(|| (self.context)(span)).ok().flatten();
        context.filter(|context| context.len() <= LONGEST)
    }

    /// Lets the span of a job follow from that of its refresh. Runs user code; after a panic it follows from none.
    pub(crate) fn follow(&self, span: &Span, context: &str) {
        if context.len() <= LONGEST {
            let _ = catch(|| (self.follow)(span, context));
        }
    }
}
