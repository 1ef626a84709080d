//! Counters that threads do not contend for: each of the first threads counts in a place of its own, with a plain
//! addition, where a locked one would be a third of a hit. The rest share some places.

use std::cell::Cell;

use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};

/// So many threads at a time have a place of their own.
const OWN: usize = 32;
/// So many places the others share.
const SHARED: usize = 8;

/// How many counters there are in each place.
const COUNTERS: usize = 4;

/// A line of the processor's cache.
#[repr(align(64))]
#[derive(Default)]
struct Line([AtomicU64; COUNTERS]);

/// Counters of which each thread adds one at a time.
#[derive(Default)]
pub(super) struct Stripes {
    /// Each written by one thread at a time: see [`Seats`].
    own: [Line; OWN],
    shared: [Line; SHARED],
}

impl Stripes {
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

    /// Whether this thread is about to count the last of `turn` here. (Where threads share a place, one of them.)
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
/// The thread is about to end, and may not have a seat any more.
const NO_SEAT: usize = usize::MAX - 1;

thread_local! {
    /// The thread's seat; from [`OWN`] on it is shared.
    static SEAT: Cell<usize> = const { Cell::new(NOT_ASKED) };
    static LEAVES: Leaves = const { Leaves };
}

/// Who has which seat. A seat is given up when its thread ends, through a lock: what was counted there is seen by the
/// thread that takes it next.
struct Seats {
    free: Vec<usize>,
    taken: usize,
}

static SEATS: Mutex<Seats> = Mutex::new(Seats { free: Vec::new(), taken: 0 });

impl Seats {
    /// Takes a seat for this thread, until it ends.
    fn take() {
        // Of a thread that is about to end it cannot be heard when it does: it counts where many do.
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
            // The lowest next: those are not shared.
            seats.free.sort_unstable_by(|one, other| other.cmp(one));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    /// More threads at once than have places of their own, again and again: every count is there.
    #[test]
    fn nothing_is_lost_however_many_threads_come_and_go() {
        let stripes = Arc::new(Stripes::default());
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
                        (0..1_000).for_each(|_| stripes.count(thread % 4));
                    });
                }
            });
        }
        let expected = |counter| if counter == 0 { 5 * threads as u64 } else { 0 };
        let share = |counter| (0..threads).filter(|thread| thread % 4 == counter).count() as u64;
        for counter in 0..4 {
            assert_eq!(stripes.sum(counter), expected(counter) + 5_000 * share(counter), "{counter}");
        }
    }

    /// A thread-local's `Drop` may count, before or after the seat was given up.
    #[test]
    fn a_thread_that_ends_may_still_count() {
        struct CountsAtTheEnd(Arc<Stripes>);
        impl Drop for CountsAtTheEnd {
            fn drop(&mut self) {
                self.0.count(1);
            }
        }
        thread_local! {
            static BEFORE: Cell<Option<CountsAtTheEnd>> = const { Cell::new(None) };
            static AFTER: Cell<Option<CountsAtTheEnd>> = const { Cell::new(None) };
        }
        let stripes = Arc::new(Stripes::default());
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
