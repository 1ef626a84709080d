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
    /// Jobs that run alone, or wait until they can.
    loners: usize,
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
            loners: 0,
            desks: 0,
            is_closed: false,
            worked: Worked::default(),
        };
        Self { state: Mutex::new(state), changed: Notify::new(), cut: Arc::default() }
    }

    /// How many jobs may be taken now. None, while one runs alone, or waits for that.
    pub(super) fn free(&self) -> usize {
        let state = lock(&self.state);
        if state.loners > 0 { 0 } else { state.places.saturating_sub(state.present) }
    }

    /// A job was taken.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        lock(&self.state).present += 1;
        Place { floor: Arc::clone(self) }
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
        self.until(|state| state.is_closed || state.loners == 0 && state.present < state.places).await;
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
}

impl Place {
    /// Waits until the job may run beside others. `None` if the floor is closed before.
    pub(super) async fn run(&self) -> Option<Running<'_>> {
        let has_begun = self.floor.when(|state| state.begin(state.loners == 0)).await;
        has_begun.then(|| Running { floor: &self.floor, _loner: None })
    }

    /// Waits until the job may run alone. `None` if the floor is closed before.
    pub(super) async fn run_alone(&self) -> Option<Running<'_>> {
        // From here on no other begins.
        let loner = Loner::new(&self.floor);
        let has_begun = self.floor.when(|state| state.begin(state.running == 0)).await;
        has_begun.then(|| Running { floor: &self.floor, _loner: Some(loner) })
    }
}

/// A job that runs alone, or waits for that.
struct Loner<'f>(&'f Floor);

impl<'f> Loner<'f> {
    fn new(floor: &'f Floor) -> Self {
        floor.change(|state| state.loners += 1);
        Self(floor)
    }
}

impl Drop for Loner<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.loners -= 1);
    }
}

/// A job that runs.
pub(super) struct Running<'f> {
    floor: &'f Floor,
    /// Dropped last.
    _loner: Option<Loner<'f>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.floor.change(|state| state.running -= 1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.floor.change(|state| state.present -= 1);
    }
}

/// A desk that takes jobs.
pub(super) struct Staffed(Arc<Floor>);

impl Drop for Staffed {
    fn drop(&mut self) {
        self.0.change(|state| state.desks -= 1);
    }
}
