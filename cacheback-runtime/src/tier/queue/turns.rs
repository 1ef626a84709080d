//! The lines of a worker take turns, so that a long one keeps no other from being served.
//!
//! A job that was delivered before, and may have ended its worker, is taken with no other: if it ends this one, too, a job
//! beside it would be counted for nothing.

use super::{Delivery, Line, Room};

/// What a job is taken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// It is the first.
    Nothing,
    /// It is to be one that was not delivered before.
    Others,
}

/// The next job of a line.
pub(crate) enum Next {
    Job(Delivery),
    /// It was delivered before, and is not taken beside others.
    Redelivered,
    Nothing,
}

/// Takes jobs for a worker, as many as it has places and `most` of all, from one line after the other. `turn` is the line
/// that was served last, and `next` takes the next job of a line.
pub(crate) fn take_turns<E>(
    rooms: &[Room],
    most: usize,
    turn: &mut Option<Line>,
    mut next: impl FnMut(&Room, Beside) -> Result<Next, E>,
) -> Result<Vec<(Line, Delivery)>, E> {
    let (mut taken, mut passed_over) = (Vec::new(), None);
    let mut places: Vec<_> = rooms.iter().map(|room| room.places).collect();
    let last = rooms.iter().position(|room| Some(&room.line) == turn.as_ref());
    let (mut at, mut empty) = (last.map_or(0, |last| last + 1), 0);
    while taken.len() < most && empty < rooms.len() {
        let (room, places) = (&rooms[at % rooms.len()], &mut places[at % rooms.len()]);
        let before = &rooms[(at + rooms.len() - 1) % rooms.len()];
        at += 1;
        let beside = if taken.is_empty() { Beside::Nothing } else { Beside::Others };
        let next = if *places > 0 { next(room, beside)? } else { Next::Nothing };
        let Next::Job(job) = next else {
            if let Next::Redelivered = next {
                passed_over.get_or_insert_with(|| before.line.clone());
            }
            empty += 1;
            continue;
        };
        *places -= 1;
        empty = 0;
        *turn = Some(room.line.clone());
        let is_new = job.deliveries == 1;
        taken.push((room.line.clone(), job));
        if !is_new {
            break;
        }
    }
    if passed_over.is_some() {
        // It is the first of the next take.
        *turn = passed_over;
    }
    Ok(taken)
}
