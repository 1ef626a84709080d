//! The lines of a worker take turns, so that a long one keeps no other from being served.
//!
//! A job that was delivered before, and may have ended its worker, is taken with no other: it would condemn that one, too.

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
    Held,
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
    let (mut taken, mut held) = (Vec::new(), None);
    let mut places: Vec<_> = rooms.iter().map(|room| room.places).collect();
    let last = rooms.iter().position(|room| Some(&room.line) == turn.as_ref());
    let (mut at, mut empty) = (last.map_or(0, |last| last + 1), 0);
    while taken.len() < most && empty < rooms.len() {
        let (room, places) = (&rooms[at % rooms.len()], &mut places[at % rooms.len()]);
        let before = &rooms[(at + rooms.len() - 1) % rooms.len()];
        at += 1;
        let beside = if taken.is_empty() { Beside::Nothing } else { Beside::Others };
        let job = match if *places > 0 { next(room, beside)? } else { Next::Nothing } {
            Next::Job(job) => job,
            is_held => {
                if let Next::Held = is_held {
                    held.get_or_insert_with(|| before.line.clone());
                }
                empty += 1;
                continue;
            }
        };
        *places -= 1;
        empty = 0;
        *turn = Some(room.line.clone());
        let is_first = job.deliveries == 1;
        taken.push((room.line.clone(), job));
        if !is_first {
            break;
        }
    }
    if held.is_some() {
        // It is the first of the next take.
        *turn = held;
    }
    Ok(taken)
}
