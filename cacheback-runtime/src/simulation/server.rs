//! The tier.

use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::tier::memory::state::State;
use crate::tier::messages::Content;
use crate::tier::{
    Acquired, Ages, Change, Lease, Packed, Payload, Read, Request, Scope, Stored, WireKey, WriteId,
};

/// The server of a fleet, with one function of one key.
#[derive(Debug)]
pub struct Server {
    state: State,
    key: WireKey,
}

/// What a process asks the server for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The flight that waits for the answer. `None`: nobody does.
    pub(super) flight: Option<u64>,
    pub(super) ask: Ask,
}

#[derive(Clone, Debug)]
pub(super) enum Ask {
    Read { have: Option<WriteId> },
    Acquire(Request),
    Store { lease: Lease, value: Payload },
    Invalidate { tombstone: Duration },
}

/// What the server answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) flight: Option<u64>,
    pub(super) told: Told,
}

#[derive(Clone, Debug)]
pub(super) enum Told {
    Read(Read),
    Acquired(Acquired),
    Stored(Stored),
    Written,
}

/// A message: the key was changed.
#[derive(Clone, Copy, Debug)]
pub struct News(pub(super) WriteId);

impl Server {
    /// An empty server.
    #[must_use]
    pub fn new() -> Self {
        let scope = Arc::new(Scope { name: "simulated".into(), instance: None });
        Self { state: State::default(), key: WireKey::new(&scope, b"key") }
    }

    /// Answers a question that arrives `now`. The second part is the message to all processes, if there is one.
    pub fn answer(&mut self, now: u64, question: Question) -> (Answer, Option<News>) {
        let now = Moment::from_bits(now);
        let Self { state, key } = self;
        let told = match question.ask {
            Ask::Read { have } => Told::Read(state.read(now, key, have)),
            Ask::Acquire(request) => Told::Acquired(state.acquire(now, key, request)),
            Ask::Store { lease, value } => Told::Stored(state.store(now, key, &lease, value)),
            Ask::Invalidate { tombstone } => {
                state.write(now, key, Change::Invalidate { tombstone });
                Told::Written
            }
        };
        let mut news = state.outbox.drain(..).filter_map(|(_, content, _)| match content {
            Content::Changed(news) => Some(News(news.id)),
            Content::Bumped(_) => None,
        });
        (Answer { flight: question.flight, told }, news.next_back())
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

/// A value on its way into the tier. It is told from every other by its number.
pub(super) fn payload(version: u64, age: Duration, lifetime: Duration, retention: Duration) -> Payload {
    let bytes = Arc::new(version.to_le_bytes().to_vec());
    let packed = Packed { compression: 0, raw_len: 8, bytes };
    Payload { packed, schema: 1, ages: Ages { age, lifetime, retention }, at: Moment::PAST, took: age }
}

/// The number of a value that was found.
pub(super) fn version(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}
