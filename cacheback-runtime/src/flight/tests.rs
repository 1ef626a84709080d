//! The desk as a state machine: who may claim, join, supersede and end, without a thread or a clock.

use super::*;
use crate::base::clock::Moment;
use crate::executor::context::LaneId;

type Landed = u64;
type Bench = Flights<&'static str, Landed, &'static str>;

const LANE: LaneId = None;

fn moment(at: u64) -> Moment {
    Moment::from_bits(at)
}

fn compare(me: &&'static str, face: &Face<&'static str>) -> Option<bool> {
    match face {
        Face::Key(key) => Some(*me == **key),
        Face::Node(_) => None,
    }
}

fn new() -> Flight<Landed> {
    Flight::new(Ticket::new(0), None)
}

fn at<R>(flights: &Bench, work: impl Fn(&mut Lane<Landed, &'static str>) -> R) -> R {
    let mut known = Known::new(Arc::new("key"), None);
    flights.at(7, &mut known, compare, |desk, _| Ok(work(desk.lane(LANE))))
}

fn board(flights: &Bench, now: u64, waits: bool) -> Boarding<Landed, &'static str> {
    at(flights, |lane| lane.board(moment(now), 0, waits, new, &mut Vec::new()))
}

fn claim(flights: &Bench, now: u64) -> Arc<Flight<Landed>> {
    match board(flights, now, false) {
        Boarding::Claimed { flight, seat: None } => flight,
        _ => panic!("the key is free"),
    }
}

fn run(flights: &Bench, flight: &Arc<Flight<Landed>>, until: u64) -> Option<Ended> {
    at(flights, |lane| lane.run(flight, moment(until)))
}

fn end(flights: &Bench, flight: &Arc<Flight<Landed>>) -> Option<Ended> {
    at(flights, |lane| lane.end(flight))
}

fn supersede(flights: &Bench) -> Vec<Start<&'static str>> {
    let mut known = Known::new(Arc::new("key"), None);
    flights.at(7, &mut known, compare, |desk, _| Ok(desk.supersede()))
}

#[test]
fn one_claim_at_a_time_and_the_desk_goes_with_the_last_flight() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    assert!(matches!(board(&flights, 0, false), Boarding::Busy));
    assert_eq!(run(&flights, &flight, 10), Some(Ended::Current));
    assert_eq!(run(&flights, &flight, 10), None, "started once");
    assert!(matches!(board(&flights, 9, false), Boarding::Busy));
    assert!(matches!(board(&flights, 9, true), Boarding::Joined { start: None, .. }));
    assert_eq!(flights.desks(), 1);
    assert_eq!(end(&flights, &flight), Some(Ended::Current));
    assert_eq!(end(&flights, &flight), None);
    assert_eq!(flights.desks(), 0);
}

#[test]
fn a_claim_is_over_at_its_moment_and_a_lapse_alone_supersedes_nothing() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    run(&flights, &flight, 10);
    assert!(matches!(board(&flights, 9, false), Boarding::Busy));
    assert!(at(&flights, |lane| lane.holds(&flight)));
    let later = claim(&flights, 10);
    assert!(at(&flights, |lane| lane.holds(&later)));
    assert_eq!(at(&flights, |lane| lane.lapsed(moment(10)).len()), 1);
    assert_eq!(end(&flights, &flight), Some(Ended::Superseded));
    assert_eq!(end(&flights, &later), Some(Ended::Current));
    assert_eq!(flights.desks(), 0);
}

#[test]
fn a_waiter_takes_what_was_put_off() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    let Boarding::Joined { start: Some(Start::Withdraw(_)), seat } = board(&flights, 0, true) else {
        panic!("a queued flight is withdrawn")
    };
    assert!(!seat.leads());
    assert_eq!(flight.waiting(), 1);
    drop(seat);
    assert_eq!(flight.waiting(), 0);
}

#[test]
fn superseding_cancels_what_nobody_waits_for_and_keeps_the_rest() {
    let flights = Bench::new();
    // Queued, nobody waits: never runs.
    let queued = claim(&flights, 0);
    assert!(matches!(supersede(&flights)[..], [Start::Withdraw(_)]));
    assert_eq!(run(&flights, &queued, 10), None);
    assert_eq!(flights.desks(), 0);
    // Being started for a caller who waits: runs, superseded.
    let Boarding::Claimed { flight, seat: Some(seat) } = board(&flights, 0, true) else { panic!("free") };
    assert!(seat.leads());
    assert!(supersede(&flights).is_empty());
    assert_eq!(run(&flights, &flight, 10), Some(Ended::Superseded));
    // Running: goes on, superseded, and nobody joins it.
    let running = claim(&flights, 0);
    run(&flights, &running, 10);
    assert!(supersede(&flights).is_empty());
    assert!(matches!(board(&flights, 0, true), Boarding::Claimed { .. }));
    assert_eq!(end(&flights, &running), Some(Ended::Superseded));
    assert_eq!(end(&flights, &flight), Some(Ended::Superseded));
}

#[test]
fn an_invalidation_lets_two_bodies_run_and_parks_the_third() {
    let flights = Bench::new();
    let next = || Arc::new(new());
    let succeed = |now, flight: &Arc<Flight<Landed>>, job| {
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
    assert!(matches!(board(&flights, 0, false), Boarding::Busy), "parked: a reader starts nothing");
    assert_eq!(at(&flights, |lane| lane.unpark(moment(0))), None, "two still run");
    end(&flights, &first);
    assert_eq!(at(&flights, |lane| lane.unpark(moment(0))), Some("third"));
    assert_eq!(at(&flights, |lane| lane.unpark(moment(0))), None, "once");
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
    assert!(matches!(board(&flights, 9, false), Boarding::Busy));
    assert!(matches!(board(&flights, 10, false), Boarding::Unparked("three")), "the others have lapsed");
}

#[test]
fn a_flight_from_before_a_clear_is_not_joined() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    run(&flights, &flight, 10);
    let boarding = at(&flights, |lane| lane.board(moment(0), 1, true, new, &mut Vec::new()));
    assert!(matches!(boarding, Boarding::Claimed { seat: Some(_), .. }));
}

#[test]
fn colliding_keys_have_desks_of_their_own() {
    let flights = Bench::new();
    let board = |key: &'static str| {
        let mut known = Known::new(Arc::new(key), None);
        flights.at(7, &mut known, compare, |desk, _| {
            Ok(desk.lane(LANE).board(moment(0), 0, false, new, &mut Vec::new()))
        })
    };
    for key in ["one", "two", "three"] {
        assert!(matches!(board(key), Boarding::Claimed { .. }), "{key}");
        assert!(matches!(board(key), Boarding::Busy), "{key}");
    }
    assert_eq!(flights.desks(), 3);
    assert_eq!(flights.supersede_older(0).len(), 0);
    assert_eq!(flights.supersede_older(1).len(), 3);
    assert_eq!(flights.desks(), 0);
}

/// Not one after the other, each time with the work done again: that would be the third power of their number.
#[test]
fn colliding_keys_are_met_all_at_once() {
    const KEYS: [&str; 4] = ["one", "two", "three", "four"];
    let flights = Bench::new();
    for key in KEYS {
        let mut known = Known::new(Arc::new(key), None);
        let board =
            |desk: &mut Desk<_, _, _>| desk.lane(LANE).board(moment(0), 0, false, new, &mut Vec::new());
        let boarding = flights.at(7, &mut known, compare, |desk, _| Ok(board(desk)));
        assert!(matches!(boarding, Boarding::Claimed { .. }));
    }
    let mut known = Known::new(Arc::new("four"), None);
    let mut shard = lock(flights.shard(7));
    let Err(strangers) = desk_of(&mut shard, 7, &known) else { panic!("nobody is known yet") };
    let compared = std::cell::Cell::new(0);
    known.meet(strangers, |me, face| {
        compared.set(compared.get() + 1);
        compare(me, face)
    });
    assert_eq!(compared.get(), KEYS.len());
    assert!(matches!(desk_of(&mut shard, 7, &known), Ok(3)));
}

#[tokio::test]
async fn every_seat_is_answered_once_whenever_it_was_taken() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    let seats: Vec<_> = (0..3)
        .map(|_| match board(&flights, 0, true) {
            Boarding::Joined { seat, .. } => seat,
            _ => panic!("joins"),
        })
        .collect();
    let early = tokio::spawn(async move { *seats[0].landed().await });
    task::yield_now().await;
    flight.land(1);
    flight.land(2);
    assert_eq!(early.await.unwrap(), 1, "the first answer stands");
    assert_eq!(flight.landed(), Some(&1));
    let Boarding::Joined { seat, .. } = board(&flights, 0, true) else { panic!("joins") };
    assert_eq!(*seat.landed().await, 1);
}

#[tokio::test]
async fn the_last_caller_of_a_lapsed_flight_says_so() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    let Boarding::Joined { seat, .. } = board(&flights, 0, true) else { panic!("joins") };
    flight.lapse();
    drop(seat);
    flight.abandoned().await;
}

#[test]
fn a_flight_is_evicted_without_a_look_at_its_key() {
    let flights = Bench::new();
    let flight = claim(&flights, 0);
    run(&flights, &flight, 10);
    flights.evict(7, &flight);
    assert_eq!(flights.desks(), 0);
    assert!(flights.shards.iter().all(|shard| lock(shard).is_empty()), "nothing is left of it");
    flights.evict(7, &flight);
    let _ = claim(&flights, 0);
}
