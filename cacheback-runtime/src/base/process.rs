//! What belongs to one process. A child that was forked has a copy of the parent's memory, but none of its threads.
//!
//! A child works if no other thread of the parent was inside of the library at the fork: a lock that such a thread held
//! would stay locked. The housekeeper is such a thread, for some microseconds a second while fetches live, and so are
//! the threads of the library's own runtime.

use crate::base::sync::plain::OnceLock;

/// The number of this process. Asks the system: for cold paths.
pub(crate) fn id() -> u32 {
    std::process::id()
}

/// Something with threads, made anew in a child. The parent's is left alone there: its threads cannot be joined.
pub(crate) struct PerProcess<T: 'static>(OnceLock<Box<Generation<T>>>);

struct Generation<T: 'static> {
    process: u32,
    made: T,
    next: PerProcess<T>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// That of this process, whose number is `process`.
    pub(crate) fn get_or_init(&'static self, process: u32, make: impl Fn() -> T) -> &'static T {
        let mut at = self;
        loop {
            let generation =
                at.0.get_or_init(|| Box::new(Generation { process, made: make(), next: Self::new() }));
            // The last one, since the system gives the numbers of ancestors away again.
            if generation.process == process && generation.next.0.get().is_none() {
                return &generation.made;
            }
            at = &generation.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_anew_in_a_child() {
        static NUMBERS: PerProcess<u32> = PerProcess::new();
        let made = |process, number| *NUMBERS.get_or_init(process, || number);
        assert_eq!((made(1, 10), made(1, 11)), (10, 10));
        assert_eq!((made(2, 20), made(2, 21)), (20, 20));
        assert_eq!((made(1, 30), made(1, 31)), (30, 30), "a grandchild with the number of its grandparent");
    }
}
