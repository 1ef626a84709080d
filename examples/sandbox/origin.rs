//! The origin: a slow service of tweets, which notes down who has asked it for what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::time::sleep;

use crate::timeline::Tweet;

/// Those who tweet.
pub(crate) const USERS: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

/// How long the origin takes for an answer.
const SLOWNESS: Duration = Duration::from_millis(350);
/// How many tweets a timeline has.
const SHOWN: usize = 3;
/// How many of the last bodies are kept.
const KEPT: usize = 8;

/// What they tweet, one after another.
const TEXTS: [&str; 12] = [
    "The first coffee of the day knows nothing of deadlines.",
    "Rewrote it. It is shorter now, and I understand it.",
    "There are two hard things, and I did neither today.",
    "A walk by the river fixes more bugs than a debugger.",
    "The test was right. I was not.",
    "Rain on the window, tea on the desk, green on the board.",
    "Found a comment of mine from last year. It was polite.",
    "Nothing is as permanent as a value with no lifetime.",
    "The train is late, so I read the manual. It was good.",
    "Deleted four hundred lines. Best part of the week.",
    "My bread has risen. My process has not.",
    "Somebody said thank you for an error message.",
];

/// The service. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Origin(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    tweets: BTreeMap<&'static str, VecDeque<Tweet>>,
    written: usize,
    asked: u64,
    live: Vec<Body>,
    ended: VecDeque<Ended>,
    by_process: BTreeMap<String, u64>,
    by_user: BTreeMap<String, u64>,
    most_at_once: usize,
    /// Processes that were killed, whose questions count no more.
    gone: BTreeSet<String>,
}

/// The run of a body: it lasts as long as its question to the origin.
#[derive(Clone)]
struct Body {
    number: u64,
    user: String,
    process: String,
    began: Instant,
}

struct Ended {
    body: Body,
    took: Duration,
    answered: bool,
}

/// What the page is told of a body.
#[derive(Serialize)]
pub(crate) struct Shown {
    number: u64,
    user: String,
    process: String,
    /// `None` while it runs.
    took_ms: Option<u128>,
    ago_ms: u128,
    answered: bool,
}

/// What the origin has seen.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Seen {
    pub(crate) bodies: u64,
    pub(crate) by_process: BTreeMap<String, u64>,
    pub(crate) by_user: BTreeMap<String, u64>,
    /// How many bodies of one timeline ran at once, at most.
    pub(crate) most_at_once: usize,
}

impl Origin {
    pub(crate) fn new() -> Self {
        let origin = Self::default();
        for _ in 0..USERS.len() * SHOWN {
            origin.write();
        }
        origin
    }

    pub(crate) fn router(&self) -> Router {
        Router::new().route("/tweets/{user}/for/{process}", get(answer)).with_state(self.clone())
    }

    /// Somebody writes a tweet now and then, for ever.
    pub(crate) async fn go_on(self) {
        loop {
            sleep(Duration::from_millis(900)).await;
            self.write();
        }
    }

    fn write(&self) {
        let mut notes = self.notes();
        let written = notes.written;
        notes.written += 1;
        // Five has no factor in common with six or twelve: all have their turn.
        let user = written * 5 % USERS.len();
        let text = TEXTS[(user * 2 + written / USERS.len() * 5) % TEXTS.len()];
        let tweets = notes.tweets.entry(USERS[user]).or_default();
        let number = tweets.front().map_or(1, |newest| newest.number + 1);
        tweets.push_front(Tweet { number, text: text.to_owned() });
        tweets.truncate(SHOWN);
    }

    /// The number of each user's newest tweet.
    pub(crate) fn newest(&self) -> BTreeMap<&'static str, u64> {
        let notes = self.notes();
        notes.tweets.iter().filter_map(|(user, tweets)| Some((*user, tweets.front()?.number))).collect()
    }

    pub(crate) fn seen(&self) -> Seen {
        let notes = self.notes();
        Seen {
            bodies: notes.by_process.values().sum(),
            by_process: notes.by_process.clone(),
            by_user: notes.by_user.clone(),
            most_at_once: notes.most_at_once,
        }
    }

    /// The bodies that run, and the last of those that have ended: the youngest first.
    pub(crate) fn bodies(&self) -> Vec<Shown> {
        let notes = self.notes();
        let shown = |body: &Body, took: Option<Duration>, answered| Shown {
            number: body.number,
            user: body.user.clone(),
            process: body.process.clone(),
            took_ms: took.map(|took| took.as_millis()),
            ago_ms: body.began.elapsed().as_millis(),
            answered,
        };
        let live = notes.live.iter().map(|body| shown(body, None, false));
        let ended = notes.ended.iter().map(|ended| shown(&ended.body, Some(ended.took), ended.answered));
        let mut bodies: Vec<_> = live.chain(ended).collect();
        bodies.sort_unstable_by_key(|body| std::cmp::Reverse(body.number));
        bodies.truncate(KEPT);
        bodies
    }

    /// The process was killed: its bodies have ended with it.
    pub(crate) fn forget(&self, process: &str) {
        let mut notes = self.notes();
        notes.gone.insert(process.to_owned());
        let (ended, live) = notes.live.drain(..).partition(|body| body.process == process);
        notes.live = live;
        ended.into_iter().for_each(|body| notes.end(body, false));
    }

    fn begin(&self, user: String, process: String) -> Question {
        let mut notes = self.notes();
        notes.asked += 1;
        let body = Body { number: notes.asked, user, process, began: Instant::now() };
        let question = Question { origin: self.clone(), number: body.number, is_answered: false };
        if !notes.gone.contains(&body.process) {
            let at_once = 1 + notes.live.iter().filter(|other| other.user == body.user).count();
            notes.most_at_once = notes.most_at_once.max(at_once);
            *notes.by_process.entry(body.process.clone()).or_default() += 1;
            *notes.by_user.entry(body.user.clone()).or_default() += 1;
            notes.live.push(body);
        }
        question
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn end(&mut self, body: Body, answered: bool) {
        let took = body.began.elapsed();
        self.ended.push_front(Ended { body, took, answered });
        self.ended.truncate(KEPT);
    }
}

/// A question that is being answered. It is dropped early if the one who has asked goes away.
struct Question {
    origin: Origin,
    number: u64,
    is_answered: bool,
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut notes = self.origin.notes();
        if let Some(place) = notes.live.iter().position(|body| body.number == self.number) {
            let body = notes.live.remove(place);
            notes.end(body, self.is_answered);
        }
    }
}

async fn answer(
    State(origin): State<Origin>,
    Path((user, process)): Path<(String, String)>,
) -> Json<Vec<Tweet>> {
    let mut question = origin.begin(user.clone(), process);
    sleep(SLOWNESS).await;
    question.is_answered = true;
    let notes = origin.notes();
    Json(notes.tweets.get(&*user).map(|tweets| tweets.iter().cloned().collect()).unwrap_or_default())
}
