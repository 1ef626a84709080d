//! Whether workers can run the refreshes of a function.

use crate::error::Errors;
use crate::options::{Handle, Options};
use crate::plan::companion::Companion;
use crate::plan::instances::Instances;

pub(in crate::plan) fn check(
    options: &Options,
    companion: &Companion,
    instances: &Instances,
    errors: &mut Errors,
) {
    let Some(queue) = &options.queue else {
        if let (Some(fallback), false) = (&options.queue_fallback, options.incomplete) {
            errors.on(
                &fallback.name,
                "`queue_fallback` is about refreshes that workers run, and this function has none\n\
                 write `queue` too, or remove `queue_fallback`",
            );
        }
        return;
    };
    // With an unreadable option about, `shared` may have been meant by it.
    if options.shared.is_none() && !options.incomplete {
        errors.on(
            &queue.name,
            "`queue` needs `shared`: the queue is in the second tier, and the value comes back through it\n\
             write `shared` too, or remove `queue`",
        );
    }
    let is_generic = matches!(instances, Instances::Named(parameters) if !parameters.is_empty());
    if is_generic {
        errors.on(
            &queue.name,
            "a worker has to know all types of a function, and this one is generic: it cannot take `queue`\n\
             let a function of certain types take it, and call this one",
        );
    }
    if let (Companion::Nothing, Some(handle)) = (companion, &options.handle) {
        if matches!(handle.value, Handle::Off) {
            errors.on(
                &handle.name,
                "a worker serves a function by its handle, which `handle = false` leaves out\n\
                 remove it, or let this function call a queued one that has a handle",
            );
        }
    }
}
