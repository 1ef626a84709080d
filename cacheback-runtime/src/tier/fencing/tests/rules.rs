//! Each rule of a tier. A store of keys has these tests with `State` as its own: see `tier/memory/tests.rs`.

use std::time::Duration;

use super::{State, TICK, name};
use crate::base::clock::{Moment, nanos};
use crate::base::sync::Arc;
use crate::tier::{
    Acquired, Ages, Bump, Change, Lease, LeaseFor, Packed, Payload, Read, Release, Request, Scope, Stored,
    Token, WireKey, WriteId,
};

pub(super) const KEPT: Duration = Duration::from_secs(600);

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn key() -> WireKey {
    let scope = Arc::new(Scope { name: "users".into(), instance: None });
    WireKey { scope, hash: [1; 16], fingerprint: 1, args: [1].into() }
}

/// A value of some age: fresh for 10 s, kept for 60.
pub(super) fn value(text: &str, age: u64) -> Payload {
    let ages = Ages { age: secs(age), lifetime: secs(10), retention: secs(60) };
    let packed = Packed { compression: 0, raw_len: text.len() as u32, bytes: Arc::new(text.into()) };
    Payload { packed, schema: 7, ages, at: Moment::now(), took: Duration::ZERO }
}

/// A server, and a clock.
pub(super) struct World {
    pub(super) state: State,
    pub(super) now: Moment,
    pub(super) key: WireKey,
}

impl World {
    /// `None` if there is no server on this machine.
    pub(super) fn new() -> Option<Self> {
        // In whole milliseconds.
        let now = Moment::from_bits((1 << 62) / 1_000_000 * 1_000_000);
        Some(Self { state: State::new(now)?, now, key: key() })
    }
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(nanos(time));
    }
    pub(super) fn read(&mut self) -> Read {
        self.state.read(self.now, &self.key, None)
    }
    /// The number of the tombstone, if there is no value.
    pub(super) fn missing(&mut self) -> Option<Option<WriteId>> {
        match self.read() {
            Read::Missing { tombstone, .. } => Some(tombstone.map(|tombstone| tombstone.id)),
            _ => None,
        }
    }
    fn text(&mut self) -> Option<String> {
        match self.read() {
            Read::Found(found) => Some(String::from_utf8(found.bytes).unwrap()),
            _ => None,
        }
    }
    pub(super) fn ages(&mut self) -> Ages {
        match self.read() {
            Read::Found(found) => found.ages,
            other => panic!("{other:?}"),
        }
    }
    fn ask(&mut self, request: Request) -> Acquired {
        self.state.acquire(self.now, &self.key, request)
    }
    /// Asks for the lease to refresh what is there.
    pub(super) fn refresh(&mut self, token: u64) -> Acquired {
        let seen = match self.read() {
            Read::Found(found) => Some(found.id),
            Read::Missing { tombstone, .. } => tombstone.map(|tombstone| tombstone.id),
            Read::Cleared(id) => Some(id),
            Read::Unchanged(_) => None,
        };
        self.ask(Request {
            token: Token(token),
            seen,
            ahead: None,
            is_awaited: false,
            purpose: LeaseFor::Fetch,
            job: None,
        })
    }
    pub(super) fn lease(&mut self, token: u64) -> Lease {
        match self.refresh(token) {
            Acquired::Ours(lease) => lease,
            other => panic!("{other:?}"),
        }
    }
    fn await_lease(&mut self, token: u64) -> Acquired {
        self.ask(Request {
            token: Token(token),
            seen: Some(WriteId(u64::MAX)),
            ahead: None,
            is_awaited: true,
            purpose: LeaseFor::Fetch,
            job: None,
        })
    }
    fn store(&mut self, lease: &Lease, text: &str) -> Stored {
        self.state.store(self.now, &self.key, lease, value(text, 0))
    }
    pub(super) fn write(&mut self, change: Change) -> WriteId {
        self.state.write(self.now, &self.key, change)
    }
    pub(super) fn set(&mut self, text: &str) -> WriteId {
        self.write(Change::Set(value(text, 0)))
    }
    fn fail(&mut self, lease: &Lease, left: Duration) {
        self.state.release(self.now, &self.key, lease.token, Release::BackOff { left, failures: 3 });
    }
    fn bump(&mut self, change: Bump) {
        let scope = Arc::clone(&self.key.scope);
        self.state.bump(self.now, &scope, change, Duration::ZERO);
    }
    pub(super) fn extend(&mut self, token: u64) -> bool {
        self.state.extend(self.now, &name(&self.key), Token(token))
    }
}

fn is_ours(answer: &Acquired) -> bool {
    matches!(answer, Acquired::Ours(_))
}

#[test]
fn a_value_is_read_until_its_retention_ends() {
    let Some(mut world) = World::new() else { return };
    assert_eq!(world.missing(), Some(None));
    let id = world.write(Change::Set(value("a", 5)));
    world.pass(secs(3));
    assert_eq!(world.ages(), Ages { age: secs(8), lifetime: secs(10), retention: secs(60) });
    let have = world.state.read(world.now, &world.key, Some(id));
    assert_eq!(have, Read::Unchanged(world.ages()));
    world.pass(secs(52) - TICK);
    assert_eq!(world.text().as_deref(), Some("a"));
    world.pass(TICK);
    assert_eq!(world.missing(), Some(None));
}

#[test]
fn another_key_with_the_same_hash_is_missing() {
    let Some(mut world) = World::new() else { return };
    let id = world.set("a");
    world.key.fingerprint = 2;
    assert_eq!(world.missing(), Some(Some(id)));
    let lease = world.lease(1);
    assert_eq!(lease.seen, Some(id));
    assert!(matches!(world.store(&lease, "b"), Stored::Yes(_)));
    assert_eq!(world.text().as_deref(), Some("b"));
}

#[test]
fn an_invalidated_value_keeps_its_bytes_and_is_stale() {
    let Some(mut world) = World::new() else { return };
    let before = world.set("a");
    world.pass(secs(4));
    let after = world.write(Change::Invalidate { tombstone: KEPT });
    assert!(after > before);
    world.pass(secs(2));
    assert_eq!(world.ages(), Ages { age: secs(6), lifetime: secs(4), retention: secs(60) });
    world.pass(secs(10));
    world.write(Change::Invalidate { tombstone: KEPT });
    assert_eq!(world.ages().lifetime, secs(4), "it is never made fresher");
    assert_eq!(world.text().as_deref(), Some("a"));
    world.pass(secs(44));
    assert_eq!(world.missing(), Some(None));
}

#[test]
fn a_tombstone_is_left_and_lasts_as_long_as_any_asked_for() {
    for change in [Change::Invalidate { tombstone: secs(20) }, Change::Remove { tombstone: secs(20) }] {
        let Some(mut world) = World::new() else { return };
        let id = world.write(change.clone());
        assert_eq!(world.missing(), Some(Some(id)));
        assert_eq!(world.lease(1).seen, Some(id), "a tombstone is observed");
        let id = world.write(Change::Remove { tombstone: secs(5) });
        world.pass(secs(20) - TICK);
        assert_eq!(world.missing(), Some(Some(id)));
        world.pass(TICK);
        assert_eq!(world.missing(), Some(None));
    }
    let Some(mut world) = World::new() else { return };
    world.set("a");
    let id = world.write(Change::Remove { tombstone: secs(20) });
    assert_eq!(world.missing(), Some(Some(id)));
}

#[test]
fn a_scope_turns_stale_or_is_gone() {
    let Some(mut world) = World::new() else { return };
    let id = world.set("a");
    world.pass(secs(4));
    world.bump(Bump::Stale);
    world.pass(secs(1));
    assert_eq!(world.ages(), Ages { age: secs(5), lifetime: secs(5), retention: secs(60) });
    world.set("b");
    assert_eq!(world.ages().lifetime, secs(10), "what was set since then is fresh");
    world.bump(Bump::Gone);
    assert_eq!(world.text(), None);
    let lease = world.lease(1);
    assert!(lease.seen > Some(id), "it is observed all the same");
    assert!(matches!(world.store(&lease, "c"), Stored::Yes(_)));
    assert_eq!((world.text().as_deref(), world.ages().lifetime), (Some("c"), secs(10)));
    world.bump(Bump::Gone);
    world.write(Change::Invalidate { tombstone: KEPT });
    assert_eq!(world.text(), None, "an invalidation brings nothing back");
}

#[test]
fn a_lease_keeps_others_off_for_five_seconds() {
    let Some(mut world) = World::new() else { return };
    let lease = world.lease(1);
    assert_eq!(lease.seen, None);
    world.pass(secs(2));
    assert_eq!(world.refresh(2), Acquired::Theirs { left: secs(3), is_backoff: false, queued: None });
    assert_eq!(world.await_lease(2), Acquired::Theirs { left: secs(3), is_backoff: false, queued: None });
    assert!(is_ours(&world.refresh(1)), "its own token: the reply was lost");
    world.pass(secs(5) - TICK);
    assert!(!is_ours(&world.refresh(2)));
    world.pass(TICK);
    assert!(is_ours(&world.refresh(2)), "lapsed");
}

#[test]
fn a_lease_is_extended_by_its_holder_alone() {
    let Some(mut world) = World::new() else { return };
    world.lease(1);
    world.pass(secs(4));
    assert!(world.extend(1) && !world.extend(2));
    world.pass(secs(4));
    assert_eq!(world.refresh(2), Acquired::Theirs { left: secs(1), is_backoff: false, queued: None });
    world.set("a");
    assert!(!world.extend(1), "void");
    let lease = world.lease(1);
    world.fail(&lease, secs(1));
    world.pass(secs(1));
    assert!(!world.extend(1), "a back-off is not extended");
    assert!(is_ours(&world.refresh(2)));
}

#[test]
fn a_queued_fetch_and_a_back_off_give_way_to_a_caller_who_waits() {
    let Some(mut world) = World::new() else { return };
    world.ask(Request {
        token: Token(1),
        seen: None,
        ahead: None,
        is_awaited: false,
        purpose: LeaseFor::Queue,
        job: None,
    });
    let queued = Some(Token(1));
    assert_eq!(world.refresh(2), Acquired::Theirs { left: secs(600), is_backoff: false, queued });
    let Acquired::Ours(lease) = world.await_lease(3) else { panic!("a queued fetch gives way") };
    assert!(!is_ours(&world.await_lease(4)), "a running one does not");
    world.fail(&lease, secs(30));
    assert_eq!(world.refresh(2), Acquired::Theirs { left: secs(30), is_backoff: true, queued: None });
    assert!(is_ours(&world.await_lease(4)));
}

/// A job of the token 1, which waits for a worker. Returns the number that it was enqueued with.
fn enqueued(world: &mut World) -> Option<WriteId> {
    let seen = match world.read() {
        Read::Found(found) => Some(found.id),
        _ => None,
    };
    let queued = Request {
        token: Token(1),
        seen,
        ahead: None,
        is_awaited: false,
        purpose: LeaseFor::Queue,
        job: None,
    };
    assert!(is_ours(&world.ask(queued)));
    seen
}

/// A worker, with a token of its own, asks to run the job.
fn run_job(world: &mut World, token: u64, seen: Option<WriteId>) -> Acquired {
    let (token, job) = (Token(token), Some(Token(1)));
    world.ask(Request {
        token,
        seen,
        ahead: Some(Duration::ZERO),
        is_awaited: false,
        purpose: LeaseFor::Job,
        job,
    })
}

#[test]
fn a_worker_takes_the_queued_lease_of_its_job_and_nobody_else_does() {
    let Some(mut world) = World::new() else { return };
    world.set("a");
    world.pass(secs(20));
    let seen = enqueued(&mut world);
    world.pass(secs(599));
    let Acquired::Ours(lease) = run_job(&mut world, 2, seen) else { panic!("it waits for ten minutes") };
    assert!(is_ours(&run_job(&mut world, 2, seen)), "a lost reply");
    assert!(!is_ours(&run_job(&mut world, 3, seen)), "a second delivery finds another token");
    assert!(matches!(world.store(&lease, "b"), Stored::Yes(_)));
    assert!(matches!(run_job(&mut world, 3, seen), Acquired::Newer(_)), "a fresh key is no work");
}

#[test]
fn a_job_whose_lease_has_lapsed_runs_if_its_value_is_still_there() {
    let Some(mut world) = World::new() else { return };
    world.set("a");
    let seen = enqueued(&mut world);
    world.pass(secs(30));
    let id = world.write(Change::Invalidate { tombstone: KEPT });
    assert!(!is_ours(&run_job(&mut world, 2, seen)), "changed since");
    assert!(is_ours(&run_job(&mut world, 2, Some(id))));
    let Some(mut world) = World::new() else { return };
    assert_eq!(enqueued(&mut world), None);
    world.pass(secs(601));
    assert!(is_ours(&run_job(&mut world, 2, None)), "nothing was there, and nothing is");
}

#[test]
fn a_job_is_void_after_a_change_of_its_key() {
    let removed = |world: &mut World| {
        world.write(Change::Remove { tombstone: KEPT });
    };
    let cleared = |world: &mut World| world.bump(Bump::Gone);
    let made_stale = |world: &mut World| world.bump(Bump::Stale);
    let changes: [&dyn Fn(&mut World); 3] = [&removed, &cleared, &made_stale];
    for (number, change) in changes.iter().enumerate() {
        let Some(mut world) = World::new() else { return };
        world.set("a");
        world.pass(secs(20));
        let seen = enqueued(&mut world);
        change(&mut world);
        assert!(!is_ours(&run_job(&mut world, 2, seen)), "change {number}");
    }
}

/// Its worker was stopped for longer than its lease lasts, and goes on as another one fetches, or afterwards.
#[test]
fn a_job_that_another_worker_has_claimed_is_not_stored() {
    let Some(mut world) = World::new() else { return };
    world.set("a");
    world.pass(secs(20));
    let seen = enqueued(&mut world);
    let Acquired::Ours(stopped) = run_job(&mut world, 2, seen) else { panic!("it waits") };
    world.pass(secs(5));
    let Acquired::Ours(next) = run_job(&mut world, 3, seen) else { panic!("nobody has it") };
    assert_eq!(world.store(&stopped, "old"), Stored::Superseded, "the other one fetches");
    assert!(matches!(world.store(&next, "b"), Stored::Yes(_)));
    assert_eq!(world.store(&stopped, "old"), Stored::Superseded, "the other one has fetched");
    assert_eq!(world.text().as_deref(), Some("b"));
}

/// Its lease was lost with a change of the key, and the next reader has enqueued another job.
#[test]
fn a_job_leaves_the_lease_of_a_later_one_alone() {
    let Some(mut world) = World::new() else { return };
    let seen = enqueued(&mut world);
    world.write(Change::Remove { tombstone: KEPT });
    let later = Token(5);
    world.ask(Request {
        token: later,
        seen,
        ahead: None,
        is_awaited: false,
        purpose: LeaseFor::Queue,
        job: None,
    });
    assert!(!is_ours(&run_job(&mut world, 2, seen)));
    let request = Request {
        token: Token(3),
        seen,
        ahead: None,
        is_awaited: false,
        purpose: LeaseFor::Fetch,
        job: Some(later),
    };
    assert!(is_ours(&world.ask(request)));
}

#[test]
fn a_job_leaves_a_running_fetch_and_a_back_off_alone() {
    let Some(mut world) = World::new() else { return };
    let seen = enqueued(&mut world);
    let Acquired::Ours(lease) = world.await_lease(1) else { panic!("its own") };
    assert!(!is_ours(&run_job(&mut world, 2, seen)), "the process that has enqueued it runs it itself");
    world.fail(&lease, secs(30));
    assert!(!is_ours(&run_job(&mut world, 2, seen)), "it has failed");
}

/// That of the value that is there.
fn number(world: &mut World) -> WriteId {
    match world.read() {
        Read::Found(found) => found.id,
        other => panic!("{other:?}"),
    }
}

/// How many workers have ended with the lease, as the reader is told who puts the next job on the queue.
fn deaths(world: &mut World) -> u32 {
    let id = number(world);
    let (token, seen) = (Token(1), Some(id));
    match world.ask(Request {
        token,
        seen,
        ahead: None,
        is_awaited: false,
        purpose: LeaseFor::Queue,
        job: None,
    }) {
        Acquired::Ours(lease) => lease.deaths,
        other => panic!("{other:?}"),
    }
}

/// A value that is kept for long.
fn kept(text: &str) -> Payload {
    let value = value(text, 0);
    Payload { ages: Ages { retention: secs(9_999), ..value.ages }, ..value }
}

/// A worker takes the job that waits, and does not tell its end.
fn end_with_job(world: &mut World, token: u64) {
    let id = number(world);
    assert!(is_ours(&run_job(world, token, Some(id))));
    world.pass(secs(2));
    assert!(world.extend(token));
    world.pass(secs(5));
}

#[test]
fn workers_that_end_with_a_lease_are_counted() {
    let Some(mut world) = World::new() else { return };
    world.write(Change::Set(kept("a")));
    world.pass(secs(20));
    for ended in 0..4 {
        assert_eq!(deaths(&mut world), ended);
        end_with_job(&mut world, 2);
        world.state.sweep(world.now);
    }
    // A caller who waits has another process fetch it, whose end is not counted.
    let Acquired::Ours(lease) = world.await_lease(3) else { panic!("nobody has it") };
    assert_eq!(lease.deaths, 4);
    world.pass(secs(5));
    assert_eq!(deaths(&mut world), 0);
    // A change by nobody who has fetched it says nothing of its body.
    end_with_job(&mut world, 2);
    world.write(Change::Invalidate { tombstone: KEPT });
    assert_eq!(deaths(&mut world), 1);
    end_with_job(&mut world, 2);
    world.pass(secs(599));
    assert_eq!(deaths(&mut world), 2, "it is remembered for ten minutes");
    end_with_job(&mut world, 2);
    world.pass(secs(600));
    world.state.sweep(world.now);
    assert_eq!(deaths(&mut world), 0);
}

/// A worker may have ended with its job before it began, so that no lease of a body has lapsed.
#[test]
fn a_job_that_is_lost_counts_as_a_death() {
    let Some(mut world) = World::new() else { return };
    world.write(Change::Set(kept("a")));
    world.pass(secs(20));
    let seen = Some(number(&mut world));
    enqueued(&mut world);
    let queues = |world: &mut World, token: u64, job: u64| {
        let (token, job, purpose) = (Token(token), Some(Token(job)), LeaseFor::Queue);
        match world.ask(Request { token, seen, ahead: None, is_awaited: false, purpose, job }) {
            Acquired::Ours(lease) => Some(lease.deaths),
            _ => None,
        }
    };
    assert_eq!(queues(&mut world, 2, 1), Some(1));
    assert_eq!(queues(&mut world, 2, 2), Some(1), "its own");
    assert_eq!(queues(&mut world, 3, 1), None, "it has another token");
    assert_eq!(queues(&mut world, 3, 2), Some(2));
    world.pass(secs(599));
    assert_eq!(queues(&mut world, 3, 3), Some(2));
    world.pass(secs(599));
    assert_eq!(queues(&mut world, 3, 3), Some(2), "it waits for ten minutes more");
    // The token of a job that has failed is no lease for it.
    world.state.release(world.now, &world.key, Token(3), Release::BackOff { left: secs(9), failures: 1 });
    assert_eq!(queues(&mut world, 3, 3), None);
    assert!(!is_ours(&run_job(&mut world, 3, seen)));
}

#[test]
fn a_job_that_has_told_its_end_is_no_death() {
    let Some(mut world) = World::new() else { return };
    world.write(Change::Set(kept("a")));
    world.pass(secs(20));
    for release in [Release::Free, Release::BackOff { left: secs(9), failures: 1 }] {
        deaths(&mut world);
        end_with_job(&mut world, 2);
        assert_eq!(deaths(&mut world), 1);
        let id = number(&mut world);
        assert!(is_ours(&run_job(&mut world, 3, Some(id))));
        world.state.release(world.now, &world.key, Token(3), release);
        world.pass(secs(9));
        assert_eq!(deaths(&mut world), 0);
        world.state.release(world.now, &world.key, Token(1), Release::Free);
    }
    deaths(&mut world);
    let id = number(&mut world);
    let Acquired::Ours(lease) = run_job(&mut world, 2, Some(id)) else { panic!("it waits") };
    world.pass(secs(5));
    assert!(matches!(world.state.store(world.now, &world.key, &lease, kept("b")), Stored::Yes(_)), "late");
    assert_eq!(deaths(&mut world), 0);
}

#[test]
fn a_lease_from_before_a_clear_is_void() {
    for change in [Bump::Stale, Bump::Gone] {
        let Some(mut world) = World::new() else { return };
        let lease = world.lease(1);
        world.bump(change);
        assert!(is_ours(&world.refresh(2)));
        assert_eq!(world.store(&lease, "old"), Stored::Superseded);
        world.state.release(world.now, &world.key, lease.token, Release::Free);
        assert!(!is_ours(&world.refresh(3)), "a release ends no lease of another");
    }
}

#[test]
fn a_newer_value_is_returned_and_no_lease_given() {
    let Some(mut world) = World::new() else { return };
    let old = world.set("a");
    world.set("b");
    for seen in [None, Some(old)] {
        let request = Request {
            token: Token(1),
            seen,
            ahead: None,
            is_awaited: true,
            purpose: LeaseFor::Fetch,
            job: None,
        };
        let Acquired::Newer(found) = world.ask(request) else { panic!("{seen:?}") };
        assert_eq!((found.bytes, found.schema), (b"b".to_vec(), 7));
    }
    let id = world.write(Change::Remove { tombstone: KEPT });
    let request = Request {
        token: Token(1),
        seen: Some(old),
        ahead: None,
        is_awaited: true,
        purpose: LeaseFor::Fetch,
        job: None,
    };
    let Acquired::Ours(lease) = world.ask(request) else { panic!("a tombstone is no value") };
    assert_eq!(lease.seen, Some(id));
}

#[test]
fn a_store_ends_its_lease() {
    let Some(mut world) = World::new() else { return };
    let lease = world.lease(1);
    let Stored::Yes(id) = world.store(&lease, "a") else { panic!("nobody else has changed it") };
    assert!(matches!(world.read(), Read::Found(found) if found.id == id && found.bytes == b"a"));
    assert!(is_ours(&world.refresh(2)));
}

#[test]
fn a_lapsed_fetch_is_stored_if_nobody_else_fetches() {
    let Some(mut world) = World::new() else { return };
    world.set("old");
    let lapsed = world.lease(1);
    world.pass(secs(6));
    let other = world.lease(2);
    assert_eq!(world.store(&lapsed, "a"), Stored::Superseded, "another's running lease");
    world.fail(&other, secs(30));
    assert!(matches!(world.store(&lapsed, "a"), Stored::Yes(_)), "a back-off does not refuse");
    assert!(is_ours(&world.refresh(3)), "and is over, for the origin answers");

    let Some(mut world) = World::new() else { return };
    world.set("old");
    let lapsed = world.lease(1);
    world.pass(secs(6));
    let queued = Request {
        token: Token(2),
        seen: lapsed.seen,
        ahead: None,
        is_awaited: false,
        purpose: LeaseFor::Queue,
        job: None,
    };
    assert!(is_ours(&world.ask(queued)));
    assert_eq!(world.store(&lapsed, "a"), Stored::Superseded, "another's queued lease");
    world.pass(secs(6));
    assert_eq!(world.store(&lapsed, "a"), Stored::Superseded, "which need not be extended");
    world.state.release(world.now, &world.key, Token(2), Release::Free);
    assert!(matches!(world.store(&lapsed, "a"), Stored::Yes(_)));
}

/// There is nothing to compare its value with: a change and its tombstone may have been lost.
#[test]
fn a_fetch_of_a_key_that_had_nothing_is_stored_under_its_own_lease_alone() {
    let Some(mut world) = World::new() else { return };
    let lapsed = world.lease(1);
    world.pass(secs(6));
    assert_eq!(world.store(&lapsed, "a"), Stored::Unfenced, "no lease");
    let other = world.lease(2);
    world.fail(&other, secs(30));
    assert_eq!(world.store(&lapsed, "a"), Stored::Unfenced, "a back-off of another");
    assert!(!is_ours(&world.refresh(3)), "which goes on");

    let Some(mut world) = World::new() else { return };
    let held = world.lease(1);
    world.write(Change::Remove { tombstone: KEPT });
    world.state.flush();
    assert_eq!(world.store(&held, "removed"), Stored::Unfenced);
}

#[test]
fn a_store_over_another_value_than_the_observed_is_refused() {
    let changes = [
        Change::Set(value("set", 0)),
        Change::Invalidate { tombstone: KEPT },
        Change::Remove { tombstone: KEPT },
    ];
    for was_there in [false, true] {
        for change in &changes {
            let Some(mut world) = World::new() else { return };
            if was_there {
                world.set("before");
            }
            let lease = world.lease(1);
            world.write(change.clone());
            assert_eq!(world.store(&lease, "fetched"), Stored::Superseded, "{was_there} {change:?}");
            assert_ne!(world.text().as_deref(), Some("fetched"));
        }
    }
}

#[test]
fn a_fetch_from_before_a_loss_is_not_stored_over_nothing() {
    let Some(mut world) = World::new() else { return };
    world.set("a");
    let lease = world.lease(1);
    world.state.flush();
    assert_eq!(world.store(&lease, "b"), Stored::Unfenced);
    let lease = world.lease(2);
    assert!(matches!(world.store(&lease, "b"), Stored::Yes(_)));
}

#[test]
fn writes_void_fetches_and_back_offs_stay_for_an_invalidation_alone() {
    let changes = [
        (Change::Set(value("set", 0)), true),
        (Change::Remove { tombstone: KEPT }, true),
        (Change::Invalidate { tombstone: KEPT }, false),
    ];
    for (change, ends_back_off) in changes {
        for purpose in [LeaseFor::Fetch, LeaseFor::Queue] {
            let Some(mut world) = World::new() else { return };
            world.ask(Request {
                token: Token(1),
                seen: None,
                ahead: None,
                is_awaited: false,
                purpose,
                job: None,
            });
            world.write(change.clone());
            assert!(is_ours(&world.refresh(2)), "{change:?}");
        }
        let Some(mut world) = World::new() else { return };
        let lease = world.lease(1);
        world.fail(&lease, secs(30));
        world.write(change.clone());
        assert_eq!(is_ours(&world.refresh(2)), ends_back_off, "{change:?}");
    }
}

#[test]
fn a_release_frees_the_key_or_leaves_a_back_off() {
    let Some(mut world) = World::new() else { return };
    let lease = world.lease(1);
    world.state.release(world.now, &world.key, lease.token, Release::Free);
    let lease = world.lease(2);
    world.fail(&lease, secs(30));
    world.pass(secs(10));
    assert_eq!(world.refresh(3), Acquired::Theirs { left: secs(20), is_backoff: true, queued: None });
    world.pass(secs(20));
    let lease = world.lease(3);
    world.fail(&lease, Duration::ZERO);
    world.lease(4);
}

#[test]
fn a_sweep_drops_what_is_over_and_nothing_else() {
    let Some(mut world) = World::new() else { return };
    world.set("a");
    world.pass(secs(60) - TICK);
    world.state.sweep(world.now);
    assert_eq!(world.state.len(), 1);
    world.pass(TICK);
    world.state.sweep(world.now);
    assert_eq!(world.state.len(), 0);
    world.lease(1);
    world.state.sweep(world.now);
    assert_eq!(world.state.len(), 1);
    world.pass(secs(5));
    world.state.sweep(world.now);
    assert_eq!(world.state.len(), 0);
}

/// With nothing there, only the holder of the lease can tell that there was no change meanwhile.
#[test]
fn a_change_that_the_server_has_lost_keeps_older_fetches_out() {
    let Some(mut world) = World::new() else { return };
    let early = world.lease(1);
    world.set("a");
    world.state.flush();
    assert_eq!(world.store(&early, "b"), Stored::Unfenced);

    // The value of an older fetch was invalidated, and its retention has ended.
    let Some(mut world) = World::new() else { return };
    let early = world.lease(1);
    world.pass(secs(6));
    world.write(Change::Set(value("a", 50)));
    world.write(Change::Invalidate { tombstone: KEPT });
    world.pass(secs(10));
    assert_eq!(world.store(&early, "b"), Stored::Unfenced);
}
