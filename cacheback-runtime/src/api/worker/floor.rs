//! The places for the jobs of a worker.

use crate::base::sync::{Arc, Mutex, Notify, lock};
use crate::engine::Cut;
use crate::tier::queue::Ended;

use super::Worked;

/// The places for jobs, and what has become of those that have left.
pub(super) struct Floor {
    state: Mutex<State>,
    /// Notified when a job comes, leaves or is to stop, and when the floor is closed.
    changed: Notify,
    cut: Arc<Cut>,
}

struct State {
    places: usize,
    /// Jobs that were taken and have not left.
    present: usize,
    /// Those of them that run.
    running: usize,
    /// One of those that are present runs alone, or waits until it can.
    has_loner: bool,
    /// Desks that take jobs.
    desks: usize,
    is_closed: bool,
    worked: Worked,
}

impl State {
    /// Begins a job that may run, unless the floor is closed. `None` if it has to wait.
    fn begin(&mut self, may_run: bool) -> Option<bool> {
        if self.is_closed {
            return Some(false);
        }
        self.running += usize::from(may_run);
        may_run.then_some(true)
    }
}

impl Floor {
    pub(super) fn new(places: usize) -> Self {
        let state = State {
            places,
            present: 0,
            running: 0,
            has_loner: false,
            desks: 0,
            is_closed: false,
            worked: Worked::default(),
        };
        Self { state: Mutex::new(state), changed: Notify::new(), cut: Arc::default() }
    }

    /// How many jobs may be taken now. None, while one runs alone, or waits for that.
    pub(super) fn free(&self) -> usize {
        let state = lock(&self.state);
        if state.has_loner { 0 } else { state.places.saturating_sub(state.present) }
    }

    /// A job was taken. If it is to run `alone`, no other is taken or begins before it has left. `None` if there is one
    /// like that already.
    pub(super) fn enter(self: &Arc<Self>, alone: bool) -> Option<Place> {
        let mut state = lock(&self.state);
        if alone && state.has_loner {
            return None;
        }
        state.present += 1;
        state.has_loner |= alone;
        drop(state);
        Some(Place { floor: Arc::clone(self), is_alone: alone })
    }

    /// A desk takes jobs until this is dropped.
    pub(super) fn staffed(self: &Arc<Self>) -> Staffed {
        lock(&self.state).desks += 1;
        Staffed(Arc::clone(self))
    }

    pub(super) fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).is_closed
    }

    /// Ends the jobs that run.
    pub(super) fn cut(&self) {
        self.cut.reach();
    }

    pub(super) fn cut_of_jobs(&self) -> Arc<Cut> {
        Arc::clone(&self.cut)
    }

    pub(super) fn count(&self, ended: Ended) {
        let mut state = lock(&self.state);
        let Worked { done, failed, dropped } = &mut state.worked;
        *match ended {
            Ended::Done => done,
            Ended::Failed => failed,
            Ended::Dropped => dropped,
        } += 1;
    }

    pub(super) fn worked(&self) -> Worked {
        lock(&self.state).worked
    }

    /// Completes when no job is left.
    pub(super) async fn is_empty(&self) {
        self.until(|state| state.present == 0).await;
    }

    /// Completes when no job and no desk is left.
    pub(super) async fn is_deserted(&self) {
        self.until(|state| state.present == 0 && state.desks == 0).await;
    }

    /// Completes when the floor is closed, or a job may be taken.
    pub(super) async fn has_room(&self) {
        self.until(|state| state.is_closed || !state.has_loner && state.present < state.places).await;
    }

    /// Completes when the floor is closed.
    pub(super) async fn closed(&self) {
        self.until(|state| state.is_closed).await;
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut lock(&self.state));
        self.changed.notify_waiters();
        changed
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        self.when(|state| done(state).then_some(())).await;
    }

    /// Changes the state as soon as that can be done.
    async fn when<T>(&self, change: impl Fn(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let done = change(&mut lock(&self.state));
            if let Some(done) = done {
                return done;
            }
            changed.await;
        }
    }
}

/// The place of a job.
pub(super) struct Place {
    floor: Arc<Floor>,
    is_alone: bool,
}

impl Place {
    /// Waits until the job may run. `None` if the floor is closed before.
    pub(super) async fn run(&self) -> Option<Running<'_>> {
        let may_run = |state: &State| if self.is_alone { state.running == 0 } else { !state.has_loner };
        let has_begun = self.floor.when(|state| state.begin(may_run(state))).await;
        has_begun.then(|| Running(&self.floor))
    }
}

/// A job that runs.
pub(super) struct Running<'f>(&'f Floor);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.running -= 1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.floor.change(|state| {
            state.present -= 1;
            state.has_loner &= !self.is_alone;
        });
    }
}

/// A desk that takes jobs.
pub(super) struct Staffed(Arc<Floor>);

impl Drop for Staffed {
    fn drop(&mut self) {
        self.0.change(|state| state.desks -= 1);
    }
}
