//! The claims as a state machine: claim, join, supersede and end, without threads and without a clock.

use super::*;
use crate::base::clock::Moment;
use crate::executor::context::LaneId;

type Outcome = u64;
type Bench = Flights<&'static str, Outcome, &'static str>;

const LANE: LaneId = None;

fn moment(at: u64) -> Moment {
    Moment::from_bits(at)
}

fn compare(me: &&'static str, other: &KeyRef<&'static str>) -> Option<bool> {
    match other {
        KeyRef::Key(key) => Some(*me == **key),
        KeyRef::Node(_) => None,
    }
}

fn new() -> Flight<Outcome> {
    Flight::new(Ticket::new(0), None)
}

fn at<R>(flights: &Bench, work: impl Fn(&mut Lane<Outcome, &'static str>) -> R) -> R {
    let mut known = KnownKeys::new(Arc::new("key"), None);
    flights.at(7, &mut known, compare, |claims, _| Ok(work(claims.lane(LANE))))
}

/// A caller who waits for a fetch whose time-out is not known yet.
const WAITS: Need = Need::Awaited { runs_until: None };

fn join_or_claim(flights: &Bench, now: u64, need: Need) -> JoinOrClaim<Outcome, &'static str> {
    at(flights, |lane| lane.join_or_claim(moment(now), 0, need, new, &mut Vec::new()))
}

fn claim(flights: &Bench, now: u64) -> Arc<Flight<Outcome>> {
    match join_or_claim(flights, now, Need::Behind) {
        JoinOrClaim::Claimed { flight, waiter: None } => flight,
        _ => panic!("the key is free"),
    }
}

fn run(flights: &Bench, flight: &Arc<Flight<Outcome>>, until: u64) -> Option<Standing> {
    at(flights, |lane| lane.run(flight, moment(until)))
}

fn end(flights: &Bench, flight: &Arc<Flight<Outcome>>) -> Option<Standing> {
    at(flights, |lane| lane.end(flight))
}

fn supersede(flights: &Bench) -> Vec<Start<&'static str>> {
    let mut known = KnownKeys::new(Arc::new("key"), None);
    flights.at(7, &mut known, compare, |claims, _| Ok(claims.supersede()))
}

#[test]
fn one_claim_at_a_time_and_none_after_the_last_flight() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    assert!(matches!(join_or_claim(&flights, 0, Need::Behind), JoinOrClaim::Busy { .. }));
    assert_eq!(run(&flights, &flight, 10), Some(Standing::Current));
    assert_eq!(run(&flights, &flight, 10), None, "it starts only once");
    assert!(matches!(join_or_claim(&flights, 9, Need::Behind), JoinOrClaim::Busy { .. }));
    assert!(matches!(join_or_claim(&flights, 9, WAITS), JoinOrClaim::Joined { start: None, .. }));
    assert_eq!(flights.claims(), 1);
    assert_eq!(end(&flights, &flight), Some(Standing::Current));
    assert_eq!(end(&flights, &flight), None);
    assert_eq!(flights.claims(), 0);
}

#[test]
fn a_claim_lapses_at_its_moment_and_is_superseded_only_by_the_next() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    run(&flights, &flight, 10);
    assert!(matches!(join_or_claim(&flights, 9, Need::Behind), JoinOrClaim::Busy { .. }));
    assert!(at(&flights, |lane| lane.holds(&flight)));
    let later = claim(&flights, 10);
    assert!(at(&flights, |lane| lane.holds(&later)));
    assert_eq!(at(&flights, |lane| lane.lapsed(moment(10)).len()), 1);
    assert_eq!(end(&flights, &flight), Some(Standing::Superseded));
    assert_eq!(end(&flights, &later), Some(Standing::Current));
    assert_eq!(flights.claims(), 0);
}

/// A change that was told of before a caller came is missed by what is older than it, unless the flight has read since.
#[cfg(feature = "shared")]
#[test]
fn a_caller_misses_what_a_flight_has_not_seen() {
    let flights = Bench::new();
    let note = |change| {
        let mut known = KnownKeys::new(Arc::new("key"), None);
        flights.at(7, &mut known, compare, |claims, _| {
            claims.note(change);
            Ok(())
        });
    };
    let join = || match join_or_claim(&flights, 1, WAITS) {
        JoinOrClaim::Joined { waiter, .. } => waiter,
        _ => panic!("the key is taken"),
    };
    let flight = claim(&flights, 0);
    run(&flights, &flight, 10);
    let early = join();
    note(5);
    let late = join();
    for value in [None, Some(4)] {
        assert!(late.has_missed(value) && !early.has_missed(value), "{value:?}");
    }
    assert!(!late.has_missed(Some(5)));
    // A superseded flight goes on, and misses changes as well.
    supersede(&flights);
    flight.has_seen(4);
    assert!(late.has_missed(None));
    flight.has_seen(5);
    assert!(!late.has_missed(None));
    // Its message may come as late as this.
    note(5);
    assert_eq!(flight.unseen_by(None), None);
    note(6);
    assert_eq!((flight.unseen_by(Some(5)), flight.unseen_by(Some(6))), (Some(6), None));
    flight.reads_now();
    assert_eq!(flight.unseen_by(None), None);
}

#[test]
fn a_waiter_takes_a_queued_flight_over() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    let JoinOrClaim::Joined { start: Some(Start::Withdraw(_)), waiter } = join_or_claim(&flights, 0, WAITS)
    else {
        panic!("a queued flight is withdrawn")
    };
    assert!(!waiter.leads());
    assert_eq!(flight.waiting(), 1);
    drop(waiter);
    assert_eq!(flight.waiting(), 0);
}

#[test]
fn superseding_cancels_only_queued_flights_that_nobody_waits_for() {
    let flights = Bench::new();
    // It is queued and nobody waits for it: it never runs.
    let queued = claim(&flights, 0);
    assert!(matches!(supersede(&flights)[..], [Start::Withdraw(_)]));
    assert_eq!(run(&flights, &queued, 10), None);
    assert_eq!(flights.claims(), 0);
    // It is being started for a caller who waits: it runs, superseded.
    let JoinOrClaim::Claimed { flight, waiter: Some(waiter) } = join_or_claim(&flights, 0, WAITS) else {
        panic!("free")
    };
    assert!(waiter.leads());
    assert!(supersede(&flights).is_empty());
    assert_eq!(run(&flights, &flight, 10), Some(Standing::Superseded));
    // It runs: it goes on, superseded, and nobody joins it.
    let running = claim(&flights, 0);
    run(&flights, &running, 10);
    assert!(supersede(&flights).is_empty());
    assert!(matches!(join_or_claim(&flights, 0, WAITS), JoinOrClaim::Claimed { .. }));
    assert_eq!(end(&flights, &running), Some(Standing::Superseded));
    assert_eq!(end(&flights, &flight), Some(Standing::Superseded));
}

#[test]
fn an_invalidation_lets_two_bodies_run_and_parks_the_third() {
    let flights = Bench::new();
    let next = || Arc::new(new());
    let succeed = |now, flight: &Arc<Flight<Outcome>>, job| {
        at(&flights, move |lane| lane.succeed(moment(now), 0, flight, job))
    };
    let first = claim(&flights, 0);
    run(&flights, &first, 10);
    let second = next();
    assert!(matches!(succeed(0, &second, "second"), Succession::Submit("second")));
    assert!(matches!(succeed(0, &next(), "queued"), Succession::Ahead("queued")));
    run(&flights, &second, 10);
    let third = next();
    assert!(matches!(succeed(0, &third, "third"), Succession::Parked));
    assert!(matches!(succeed(0, &next(), "fourth"), Succession::Ahead("fourth")));
    assert!(
        matches!(join_or_claim(&flights, 0, Need::Behind), JoinOrClaim::Busy { .. }),
        "one is parked: a reader starts nothing"
    );
    assert_eq!(at(&flights, |lane| lane.unpark(moment(0))), None, "two bodies still run");
    end(&flights, &first);
    assert_eq!(at(&flights, |lane| lane.unpark(moment(0))), Some("third"));
    assert_eq!(at(&flights, |lane| lane.unpark(moment(0))), None, "only once");
}

#[test]
fn a_parked_flight_is_not_stuck_behind_bodies_that_hang() {
    let flights = Bench::new();
    let next = || Arc::new(new());
    for job in ["one", "two"] {
        let flight = next();
        at(&flights, |lane| lane.succeed(moment(0), 0, &flight, job));
        run(&flights, &flight, 10);
    }
    let parked = next();
    assert!(matches!(at(&flights, |lane| lane.succeed(moment(0), 0, &parked, "three")), Succession::Parked));
    assert!(matches!(join_or_claim(&flights, 9, Need::Behind), JoinOrClaim::Busy { .. }));
    assert!(
        matches!(join_or_claim(&flights, 10, Need::Behind), JoinOrClaim::Unparked("three")),
        "the claims of the others have lapsed"
    );
}

#[test]
fn a_flight_from_before_a_clear_is_not_joined() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    run(&flights, &flight, 10);
    let joined = at(&flights, |lane| lane.join_or_claim(moment(0), 1, WAITS, new, &mut Vec::new()));
    assert!(matches!(joined, JoinOrClaim::Claimed { waiter: Some(_), .. }));
}

#[test]
fn colliding_keys_have_claims_of_their_own() {
    let flights = Bench::new();
    let join_or_claim = |key: &'static str| {
        let mut known = KnownKeys::new(Arc::new(key), None);
        flights.at(7, &mut known, compare, |claims, _| {
            Ok(claims.lane(LANE).join_or_claim(moment(0), 0, Need::Behind, new, &mut Vec::new()))
        })
    };
    for key in ["one", "two", "three"] {
        assert!(matches!(join_or_claim(key), JoinOrClaim::Claimed { .. }), "{key}");
        assert!(matches!(join_or_claim(key), JoinOrClaim::Busy { .. }), "{key}");
    }
    assert_eq!(flights.claims(), 3);
    assert_eq!(flights.supersede_older(0).len(), 0);
    assert_eq!(flights.supersede_older(1).len(), 3);
    assert_eq!(flights.claims(), 0);
}

#[test]
fn a_caller_who_waits_claims_the_key_for_a_flight_that_runs() {
    let flights = Bench::new();
    let runs = Need::Awaited { runs_until: Some(moment(10)) };
    let JoinOrClaim::Claimed { flight, waiter: Some(_waiter) } = join_or_claim(&flights, 0, runs) else {
        panic!("claims the key");
    };
    assert!(flight.has_begun());
    // It is not put off: another caller has nothing to start.
    assert!(matches!(join_or_claim(&flights, 9, runs), JoinOrClaim::Joined { start: None, .. }));
    assert!(
        matches!(join_or_claim(&flights, 10, Need::Behind), JoinOrClaim::Claimed { .. }),
        "it has lapsed"
    );
    assert_eq!(at(&flights, |lane| lane.end(&flight)), Some(Standing::Superseded));
}

/// If they were compared one by one, with the work done again each time, the cost would grow with the third power of
/// their number.
#[test]
fn colliding_keys_are_compared_all_at_once() {
    const KEYS: [&str; 4] = ["one", "two", "three", "four"];
    let flights = Bench::new();
    for key in KEYS {
        let mut known = KnownKeys::new(Arc::new(key), None);
        let join_or_claim = |claims: &mut KeyClaims<_, _, _>| {
            claims.lane(LANE).join_or_claim(moment(0), 0, Need::Behind, new, &mut Vec::new())
        };
        let joined = flights.at(7, &mut known, compare, |claims, _| Ok(join_or_claim(claims)));
        assert!(matches!(joined, JoinOrClaim::Claimed { .. }));
    }
    let mut known = KnownKeys::new(Arc::new("four"), None);
    let mut shard = lock(flights.shard(7));
    let claims = shard.entry(7).or_default();
    let Err(uncompared) = claims_of(claims, &known) else { panic!("no key is known yet") };
    let compared = std::cell::Cell::new(0);
    known.compare(uncompared, |me, other| {
        compared.set(compared.get() + 1);
        compare(me, other)
    });
    assert_eq!(compared.get(), KEYS.len());
    assert!(matches!(claims_of(claims, &known), Ok(3)));
}

#[tokio::test]
async fn every_waiter_is_answered_once_whenever_it_joins() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    let waiters: Vec<_> = (0..3)
        .map(|_| match join_or_claim(&flights, 0, WAITS) {
            JoinOrClaim::Joined { waiter, .. } => waiter,
            _ => panic!("joins"),
        })
        .collect();
    let early = tokio::spawn(async move { *waiters[0].result().await });
    task::yield_now().await;
    flight.complete(1);
    flight.complete(2);
    assert_eq!(early.await.unwrap(), 1, "the first answer stands");
    assert_eq!(flight.result(), Some(&1));
    let JoinOrClaim::Joined { waiter, .. } = join_or_claim(&flights, 0, WAITS) else { panic!("joins") };
    assert_eq!(*waiter.result().await, 1);
}

#[tokio::test]
async fn the_last_caller_to_leave_a_lapsed_flight_abandons_it() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    let JoinOrClaim::Joined { waiter, .. } = join_or_claim(&flights, 0, WAITS) else { panic!("joins") };
    flight.lapse();
    drop(waiter);
    flight.abandoned().await;
}

#[test]
fn a_flight_is_evicted_without_its_key() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    run(&flights, &flight, 10);
    flights.evict(7, &flight);
    assert_eq!(flights.claims(), 0);
    assert!(flights.shards.iter().all(|shard| lock(shard).is_empty()), "nothing is left of it");
    flights.evict(7, &flight);
    let _ = claim(&flights, 0);
}
