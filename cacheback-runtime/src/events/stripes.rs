//! Counters that threads do not contend for. Each of the first threads counts in a place of its own with a plain
//! addition: an atomic one would be a third of a hit. Further threads share some places.

use std::cell::Cell;

use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};

/// How many threads at a time have a place of their own.
const OWN: usize = 32;
/// How many places the other threads share.
const SHARED: usize = 8;

/// A place, on cache lines of its own.
#[repr(align(64))]
struct Line<const COUNTERS: usize>([AtomicU64; COUNTERS]);

impl<const COUNTERS: usize> Default for Line<COUNTERS> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// A number of counters, each in every place.
#[derive(Default)]
pub(super) struct Stripes<const COUNTERS: usize> {
    /// Each is written by one thread at a time: see [`Seats`].
    own: [Line<COUNTERS>; OWN],
    shared: [Line<COUNTERS>; SHARED],
}

impl<const COUNTERS: usize> Stripes<COUNTERS> {
    /// Counts one.
    #[inline]
    pub(super) fn count(&self, counter: usize) {
        let seat = SEAT.try_with(Cell::get).unwrap_or(NO_SEAT);
        match self.own.get(seat) {
            Some(Line(own)) => {
                // Nobody else writes here.
                let count = own[counter].load(Ordering::Relaxed);
                own[counter].store(count.wrapping_add(1), Ordering::Relaxed);
            }
            None => self.count_elsewhere(seat, counter),
        }
    }

    /// Whether the next count of this thread is a multiple of `turn`. If threads share a place, their counts are taken
    /// together.
    #[inline]
    pub(super) fn is_turn(&self, counter: usize, turn: u64) -> bool {
        let seat = SEAT.try_with(Cell::get).unwrap_or(NO_SEAT);
        let count = match self.own.get(seat) {
            Some(Line(own)) => own[counter].load(Ordering::Relaxed),
            None => self.shared_count(seat, counter),
        };
        count % turn == turn - 1
    }

    #[cold]
    #[inline(never)]
    fn shared_count(&self, seat: usize, counter: usize) -> u64 {
        let Line(shared) = &self.shared[seat % SHARED];
        shared[counter].load(Ordering::Relaxed)
    }

    #[cold]
    #[inline(never)]
    fn count_elsewhere(&self, seat: usize, counter: usize) {
        if seat == NOT_ASKED {
            Seats::take();
            return self.count(counter);
        }
        let Line(shared) = &self.shared[seat % SHARED];
        shared[counter].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sum(&self, counter: usize) -> u64 {
        let lines = self.own.iter().chain(&self.shared);
        lines.map(|Line(line)| line[counter].load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// The thread has not counted yet.
const NOT_ASKED: usize = usize::MAX;
/// The thread is about to end, and gets no seat any more.
const NO_SEAT: usize = usize::MAX - 1;

thread_local! {
    /// The thread's seat; from [`OWN`] on it is shared.
    static SEAT: Cell<usize> = const { Cell::new(NOT_ASKED) };
    static LEAVES: Leaves = const { Leaves };
}

/// Which seats are free. A thread gives its seat up when it ends, under a lock, so the thread that takes the seat next
/// sees what was counted there.
struct Seats {
    free: Vec<usize>,
    taken: usize,
}

static SEATS: Mutex<Seats> = Mutex::new(Seats { free: Vec::new(), taken: 0 });

impl Seats {
    /// Takes a seat for this thread, until it ends.
    fn take() {
        // This thread is already running its TLS destructors, so we would never learn that it ended. It counts in a
        // shared place.
        if LEAVES.try_with(|_| ()).is_err() {
            return SEAT.set(NO_SEAT);
        }
        let mut seats = lock(&SEATS);
        let seat = seats.free.pop().unwrap_or_else(|| {
            seats.taken += 1;
            seats.taken - 1
        });
        SEAT.set(seat);
    }
}

/// Gives the thread's seat up when the thread ends.
struct Leaves;

impl Drop for Leaves {
    fn drop(&mut self) {
        let seat = SEAT.replace(NO_SEAT);
        if seat < NO_SEAT {
            let mut seats = lock(&SEATS);
            seats.free.push(seat);
            // The lowest is taken next: low seats are not shared.
            seats.free.sort_unstable_by(|one, other| other.cmp(one));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    const STATUSES: usize = 4;

    /// More threads at once than have places of their own, again and again: every count is there.
    #[test]
    fn nothing_is_lost_however_many_threads_come_and_go() {
        let stripes = Arc::new(Stripes::<STATUSES>::default());
        let threads = OWN + 2 * SHARED;
        for _ in 0..5 {
            let all_here = Arc::new(Barrier::new(threads));
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (stripes, all_here) = (&stripes, Arc::clone(&all_here));
                    scope.spawn(move || {
                        stripes.count(0);
                        // Each has its seat.
                        all_here.wait();
                        (0..1_000).for_each(|_| stripes.count(thread % STATUSES));
                    });
                }
            });
        }
        let expected = |counter| if counter == 0 { 5 * threads as u64 } else { 0 };
        let share = |counter| (0..threads).filter(|thread| thread % STATUSES == counter).count() as u64;
        for counter in 0..STATUSES {
            assert_eq!(stripes.sum(counter), expected(counter) + 5_000 * share(counter), "{counter}");
        }
    }

    /// The `Drop` of a thread-local may count, before or after the thread's seat was given up.
    #[test]
    fn a_thread_that_ends_may_still_count() {
        struct CountsAtTheEnd(Arc<Stripes<STATUSES>>);
        impl Drop for CountsAtTheEnd {
            fn drop(&mut self) {
                self.0.count(1);
            }
        }
        thread_local! {
            static BEFORE: Cell<Option<CountsAtTheEnd>> = const { Cell::new(None) };
            static AFTER: Cell<Option<CountsAtTheEnd>> = const { Cell::new(None) };
        }
        let stripes = Arc::new(Stripes::<STATUSES>::default());
        for _ in 0..OWN * 2 {
            let stripes = Arc::clone(&stripes);
            std::thread::spawn(move || {
                BEFORE.set(Some(CountsAtTheEnd(Arc::clone(&stripes))));
                stripes.count(0);
                AFTER.set(Some(CountsAtTheEnd(stripes)));
            })
            .join()
            .unwrap();
        }
        assert_eq!((stripes.sum(0), stripes.sum(1)), (2 * OWN as u64, 4 * OWN as u64));
    }
}
