//! The subscription: a connection of its own, on which the server tells of the changes of all processes.
//!
//! A connection that looks alive may be deaf. So each process sends itself an *echo* every two seconds, on the way that all
//! messages go: if none comes back, the connection is dropped. Everything that was stored before is suspect with the first
//! echo of each new connection. While there is none, but the server can be asked, it is so every few seconds.

use std::future::{pending, poll_fn};
use std::sync::Weak;
use std::time::Duration;

use futures_core::Stream;
use redis::RedisResult;
use redis::aio::PubSub;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::link::{CONNECTING, FIRST_PAUSE, LONGEST_PAUSE};
use super::messages::{self, Received};
use super::{Connection, Inner};
use crate::events;
use crate::tier::messages::Content;
use crate::tier::{Down, Reply};

/// How often an echo is sent.
const ECHO: Duration = Duration::from_secs(2);
/// Without a subscription, everything becomes suspect no more often than this.
const SUSPECT: Duration = Duration::from_secs(2);

/// Keeps the subscription of a process, as long as the tier lives.
pub(super) async fn subscribe(inner: Weak<Inner>, process: u32) {
    let (mut pause, mut is_told, mut is_first) = (FIRST_PAUSE, false, true);
    let mut suspected = None;
    loop {
        let Some(connection) = Connection::of(&inner, process) else { return };
        // At first both connect at once.
        if !connection.inner.link().is_connected() && !std::mem::replace(&mut is_first, false) {
            drop(connection);
            sleep(FIRST_PAUSE).await;
            continue;
        }
        let why = match timeout(CONNECTING, connection.subscribed()).await {
            Ok(Ok(subscribed)) => {
                drop(connection);
                let Some(end) = listen(&inner, process, subscribed).await else { return };
                if end.has_heard {
                    (pause, is_told) = (FIRST_PAUSE, false);
                    // Messages may have been lost for some seconds already.
                    suspected = None;
                }
                end.why
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        // If the server is gone, the link has noticed it by then.
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        let Some(Connection { inner, .. }) = Connection::of(&inner, process) else { return };
        // If the link is lost as well, that is said, and there is nobody to ask.
        if inner.link().is_connected() {
            if !std::mem::replace(&mut is_told, true) {
                events::tier_deaf(&inner.settings.address, &why);
            }
            if suspected.is_none_or(|suspected: Instant| suspected.elapsed() >= SUSPECT) {
                suspected = Some(Instant::now());
                inner.listeners.untrusted();
            }
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Connection {
    async fn subscribed(&self) -> RedisResult<PubSub> {
        let mut subscribed = self.inner.settings.client.get_async_pubsub().await?;
        subscribed.subscribe(self.inner.prefix.channel()).await?;
        Ok(subscribed)
    }
}

/// The end of a subscription.
struct End {
    why: String,
    /// An echo had come back.
    has_heard: bool,
}

/// Reads messages until the connection is lost. `None` if the tier is gone.
async fn listen(inner: &Weak<Inner>, process: u32, subscribed: PubSub) -> Option<End> {
    let (_sink, mut messages) = subscribed.split();
    let mut echoes = interval(ECHO);
    echoes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_heard, mut has_heard) = (true, false);
    let mut echoed: Reply<_> = Box::pin(pending());
    let end = |why: &str, has_heard| Some(End { why: why.to_owned(), has_heard });
    loop {
        let message = tokio::select! {
            biased;
            answer = echoed.as_mut() => {
                echoed = Box::pin(pending());
                match answer {
                    Err(Down::Refused(why)) => return end(&why, has_heard),
                    _ => continue,
                }
            }
            _ = echoes.tick() => None,
            message = poll_fn(|context| std::pin::Pin::new(&mut messages).poll_next(context)) => Some(message),
        };
        let Connection { inner, origin } = &Connection::of(inner, process)?;
        match message {
            None => {
                // The one of two seconds ago. (If it could not be sent, the link is lost.)
                if !is_heard && inner.link().is_connected() {
                    return end("no message came back that this process has sent to itself", has_heard);
                }
                is_heard = false;
                let mut echo = redis::cmd("PUBLISH");
                echo.arg(inner.prefix.channel()).arg(messages::echo(*origin));
                echoed = inner.link().send_own(echo);
            }
            Some(None) => return end("the connection was closed", has_heard),
            Some(Some(message)) => match messages::read(message.get_payload_bytes()) {
                Some(Received::Echo(own)) if own == *origin => {
                    is_heard = true;
                    if !std::mem::replace(&mut has_heard, true) {
                        // What was changed before this moment, nobody may have told this process of.
                        inner.listeners.untrusted();
                    }
                }
                Some(Received::Message(message)) => match message.content {
                    Content::Changed(_) => inner.listeners.tell(&message, *origin),
                    // All entries of a cache: meanwhile another thread does this one's work.
                    Content::Bumped(_) => {
                        tokio::task::block_in_place(|| inner.listeners.tell(&message, *origin));
                    }
                },
                Some(Received::Echo(_)) | None => {}
            },
        }
    }
}
