//! The subscription: a connection of its own, on which the server tells of the changes of all processes.
//!
//! A connection that looks alive may be deaf. So each process sends itself an *echo* every two seconds, on the way that all
//! messages go: if none comes back, the connection is dropped. In a cluster one server tells of the changes at all masters,
//! so an echo goes through each of them. It has a channel of its own, or each process would be sent those of all others. A
//! server sends what it was told in this order, whatever the channel.
//!
//! Everything that was stored before is suspect with the first echo of each connection to a server, on each new
//! subscription: from then on nothing is missed, and a server that has been away may have lost what it had, or be another
//! one. While no echo comes back, but the server can be asked, it is so every few seconds.
//!
//! Messages wait in a queue with a bound until they are heard. If more come, the subscription ends, and the next one makes
//! everything suspect: so what was lost is looked at, and nothing grows without bound.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Weak;
use std::time::Duration;

use futures_core::Stream;
use redis::RedisResult;
use redis::aio::PubSub;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::link::{AnyTime, Counted, Fault, Link};
use super::messages::{self, Received};
use super::node::Node;
use super::servers::Servers;
use super::tries::Tries;
use super::{Connection, Inner};
use crate::base::sync::Arc;
use crate::events;
use crate::tier::messages::{Content, Message};
use crate::tier::{Bump, Down, Stamp, WireKey};

/// How often an echo is sent.
const ECHO: Duration = Duration::from_secs(2);
/// So many messages may wait to be heard.
const UNHEARD: usize = 1 << 14;
/// Without a subscription, everything becomes suspect no more often than this.
const SUSPECT: Duration = Duration::from_secs(2);

/// Keeps the subscription of a process, as long as the tier lives.
pub(super) async fn subscribe(inner: Weak<Inner>, process: u32) {
    let Some(of) = Connection::of(&inner, process) else { return };
    let (mut tries, mut is_told, mut is_first) = (Tries::new(of.inner.settings.timeout), false, true);
    drop(of);
    let mut suspected = None;
    // The server that was listened to last.
    let mut last = None;
    loop {
        let Some(connection) = Connection::of(&inner, process) else { return };
        let mut changes = connection.inner.of_this_process().common.changes.subscribe();
        let node = server_to_listen_to(connection.inner.servers(), last.as_ref(), is_first);
        let Some(node) = node else {
            drop(connection);
            // If the tier is closed instead, that is seen above.
            let _ = changes.changed().await;
            continue;
        };
        is_first = false;
        let subscribed = timeout(tries.patience(), connection.subscribed(&node)).await;
        drop(connection);
        let address = last.insert(node).address.clone();
        let why = match subscribed {
            Ok(Ok(subscribed)) => {
                let Some(end) = listen(&inner, process, subscribed, &address).await else { return };
                if end.has_heard {
                    tries.succeeded();
                    is_told = false;
                    // Messages may have been lost for some seconds already.
                    suspected = None;
                }
                end.why
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => {
                tries.timed_out();
                Some("no answer in time".to_owned())
            }
        };
        let Some(Connection { inner: of, .. }) = Connection::of(&inner, process) else { return };
        let life = &of.of_this_process().common.life;
        let (links, pause) = (life.contact(), tries.pause(life));
        drop(of);
        // If the server is gone, the link has noticed it by then.
        pause.await;
        let Some(Connection { inner, .. }) = Connection::of(&inner, process) else { return };
        // It may be back as well.
        let is_same_link = inner.of_this_process().common.life.contact() == links;
        // If the link is lost as well, that is said, and there is nobody to ask.
        if let (Some(why), false) = (why, inner.servers().connected().is_empty()) {
            if is_same_link && !std::mem::replace(&mut is_told, true) {
                events::tier_deaf(&address, &why);
            }
            if suspected.is_none_or(|suspected: Instant| suspected.elapsed() >= SUSPECT) {
                suspected = Some(Instant::now());
                inner.suspect();
            }
        }
    }
}

/// The server to listen to: one that is connected, and another one than `last`, if there is one.
fn server_to_listen_to(servers: &Servers, last: Option<&Node>, is_first: bool) -> Option<Node> {
    if let (Servers::One(link), true) = (servers, is_first) {
        // At first both connect at once, if it is known where.
        return link.node();
    }
    let mut nodes: Vec<_> = servers.connected().iter().filter_map(|link| link.node()).collect();
    fastrand::shuffle(&mut nodes);
    let other = nodes.iter().position(|node| last.is_none_or(|last| last.address != node.address));
    (!nodes.is_empty()).then(|| nodes.swap_remove(other.unwrap_or(0)))
}

impl Connection {
    async fn subscribed(&self, node: &Node) -> RedisResult<PubSub> {
        let mut subscribed = node.client()?.get_async_pubsub().await?;
        let own = self.inner.prefix.own_channel(self.origin);
        subscribed.subscribe(&[self.inner.prefix.channel(), own]).await?;
        Ok(subscribed)
    }
}

/// The end of a subscription.
struct End {
    /// `None`: the master is another server now, which is no fault.
    why: Option<String>,
    /// Echoes had come back.
    has_heard: bool,
}

/// The echoes of one subscription, by the numbers of the connections that they are sent on.
#[derive(Default)]
struct Echoes {
    /// Those that are under way, and since when.
    awaited: Vec<(u64, Instant)>,
    /// The connections whose echo has come back once.
    heard: HashSet<u64>,
    /// There are new ones among them, and nothing has become suspect since.
    has_news: bool,
}

impl Echoes {
    /// Whether one of those that are connected has lost an echo, at this moment.
    fn misses(&mut self, connected: &[u64], now: Instant) -> bool {
        // If the link is lost, that is no sign of deafness.
        self.awaited.retain(|(number, _)| connected.contains(number));
        // One that was sent for a new connection has some time left.
        self.awaited.iter().any(|(_, sent)| now - *sent > ECHO / 2)
    }

    /// Whether an echo is to be sent on a connection. `is_due`: on all of them.
    fn sends(&mut self, number: u64, is_due: bool, now: Instant) -> bool {
        let is_awaited = self.awaited.iter().any(|(own, _)| *own == number);
        let sends = !is_awaited && (is_due || !self.heard.contains(&number));
        if sends {
            self.awaited.push((number, now));
        }
        sends
    }

    /// An echo has come back, with these connections there. Whether everything is suspect with it: it is the first of its
    /// connection, and no other is under way.
    fn comes_back(&mut self, number: u64, connected: &[u64]) -> bool {
        self.awaited.retain(|(own, _)| *own != number && connected.contains(own));
        self.has_news |= connected.contains(&number) && self.heard.insert(number);
        self.heard.retain(|own| connected.contains(own));
        self.awaited.is_empty() && std::mem::take(&mut self.has_news)
    }
}

/// Puts messages on the queue of those that are still to be heard. Returns why there are no more.
async fn receive<T>(mut messages: impl Stream<Item = T> + Unpin, queue: mpsc::Sender<T>) -> &'static str {
    while let Some(message) = poll_fn(|context| Pin::new(&mut messages).poll_next(context)).await {
        if queue.try_send(message).is_err() {
            return "messages come faster than they are heard";
        }
    }
    "the connection was closed"
}

/// Reads messages until the connection is lost. `None` if the tier is gone.
async fn listen(inner: &Weak<Inner>, process: u32, subscribed: PubSub, address: &str) -> Option<End> {
    let (_sink, messages) = subscribed.split();
    let (queue, mut unheard) = mpsc::channel(UNHEARD);
    // It ends with this function.
    let mut receiving = JoinSet::new();
    receiving.spawn(receive(messages, queue));
    let mut ticks = interval(ECHO);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut echoes, mut has_heard) = (Echoes::default(), false);
    let (refused, mut refusals) = mpsc::unbounded_channel();
    let mut changes = Connection::of(inner, process)?.inner.of_this_process().common.changes.subscribe();
    let end = |why: &str, has_heard| Some(End { why: Some(why.to_owned()), has_heard });
    loop {
        let (message, is_due) = tokio::select! {
            biased;
            why = refusals.recv() => return Some(End { why, has_heard }),
            _ = ticks.tick() => (None, true),
            changed = changes.changed() => {
                changed.ok()?;
                (None, false)
            }
            Some(why) = receiving.join_next() => {
                return end(why.unwrap_or("the task that receives messages has panicked"), has_heard);
            }
            Some(message) = unheard.recv() => (Some(message), false),
        };
        let Connection { inner, origin } = &Connection::of(inner, process)?;
        let numbers =
            |links: &[Arc<Link>]| links.iter().filter_map(|link| link.connection()).collect::<Vec<_>>();
        match message {
            None => {
                let (links, now) = (inner.servers().connected(), Instant::now());
                if let (Servers::One(_), [link]) = (inner.servers(), &links[..]) {
                    if link.address() != address {
                        return Some(End { why: None, has_heard });
                    }
                }
                if is_due && echoes.misses(&numbers(&links), now) {
                    return end("no message came back that this process has sent to itself", has_heard);
                }
                for link in links {
                    let Some(number) = link.connection() else { continue };
                    if echoes.sends(number, is_due, now) {
                        send_echo(
                            &link,
                            inner.prefix.own_channel(*origin),
                            messages::echo(*origin, number),
                            &refused,
                        );
                    }
                }
            }
            Some(message) => match messages::read(message.get_payload_bytes()) {
                Some(Received::Echo { origin: own, connection }) if own == *origin => {
                    if echoes.comes_back(connection, &numbers(&inner.servers().connected())) {
                        has_heard = true;
                        // What was changed before this moment, nobody may have told this process of.
                        inner.suspect();
                    }
                }
                // Here the change has been made, and has no number yet.
                Some(Received::Deleted(message, _)) if message.origin == *origin => {}
                Some(Received::Message(message, number) | Received::Deleted(message, number)) => {
                    hear(inner, &message, number, *origin);
                }
                Some(Received::Echo { .. }) | None => {}
            },
        }
    }
}

/// Sends an echo. A refusal is told.
fn send_echo(link: &Link, channel: String, echo: Vec<u8>, refused: &mpsc::UnboundedSender<String>) {
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(channel).arg(echo);
    let (sent, refused) = (link.send(AnyTime(publish), Counted::Own), refused.clone());
    tokio::spawn(async move {
        if let Err(Fault::Down(Down::Refused(why))) = sent.await {
            let _ = refused.send(why);
        }
    });
}

/// Tells the caches of a message.
fn hear(inner: &Inner, message: &Message, number: u64, origin: u64) {
    note_age(inner, message, number);
    match message.content {
        Content::Changed(_) => inner.listeners.tell(message, origin),
        // All entries of a cache: meanwhile another thread does this one's work.
        Content::Bumped(change) => {
            let grown = match change {
                Bump::Stale => Stamp { stale: number, gone: 0 },
                Bump::Gone => Stamp { stale: 0, gone: number },
            };
            // First of all: what is read from here on is judged by it.
            inner.versions.learn(&message.scope.name, grown);
            tokio::task::block_in_place(|| inner.listeners.tell(message, origin));
        }
    }
}

/// Notes how old a message is when it arrives. Its number is the time of its change, by the clock of the key's server.
fn note_age(inner: &Inner, message: &Message, number: u64) {
    let name = || match &message.content {
        Content::Changed(news) => inner.prefix.names(&WireKey::new(&message.scope, &news.args)).value,
        Content::Bumped(_) => inner.prefix.versions(&message.scope),
    };
    let age = inner.servers().age_of(number, name);
    let common = &inner.of_this_process().common;
    common.meter.message(age, common.now());
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use super::*;

    #[test]
    fn everything_is_suspect_when_all_new_connections_are_heard() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        let all = [1, 2];
        assert!(echoes.sends(1, true, now) && echoes.sends(2, true, now));
        assert!(!echoes.sends(1, false, now), "it is under way");
        assert!(!echoes.comes_back(1, &all), "the other one may bring news of its own");
        assert!(echoes.comes_back(2, &all));
        let later = now + ECHO;
        assert!(!echoes.misses(&all, later));
        assert!(!echoes.sends(1, false, later), "nothing is new");
        assert!(echoes.sends(1, true, later) && echoes.sends(2, true, later));
        assert!(!echoes.comes_back(1, &all) && !echoes.comes_back(2, &all), "nothing is new");
        // The second is made anew.
        let all = [1, 3];
        assert!(!echoes.sends(1, false, later) && echoes.sends(3, false, later));
        assert!(echoes.comes_back(3, &all));
    }

    /// A stream that has all its items from the beginning.
    struct Ready(std::vec::IntoIter<usize>);

    impl Stream for Ready {
        type Item = usize;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
            Poll::Ready(self.0.next())
        }
    }

    fn received(messages: usize, bound: usize) -> (&'static str, usize) {
        let (queue, mut unheard) = mpsc::channel(bound);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let all: Vec<_> = (0..messages).collect();
        let why = runtime.block_on(receive(Ready(all.into_iter()), queue));
        (why, std::iter::from_fn(|| unheard.try_recv().ok()).count())
    }

    #[test]
    fn a_subscription_ends_before_its_messages_need_more_than_their_room() {
        assert_eq!(received(4, 4), ("the connection was closed", 4));
        assert_eq!(received(5, 4), ("messages come faster than they are heard", 4));
        assert_eq!(received(1_000_000, UNHEARD), ("messages come faster than they are heard", UNHEARD));
    }

    #[test]
    fn an_echo_is_missed_while_its_connection_is_there() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        echoes.sends(1, true, now);
        echoes.sends(2, true, now);
        assert!(!echoes.comes_back(2, &[1, 2]));
        assert!(!echoes.misses(&[1, 2], now + ECHO / 4), "it has just been sent");
        assert!(echoes.misses(&[1, 2], now + ECHO));
        assert!(!echoes.misses(&[2], now + ECHO), "the link has noticed it");
        // What was heard is news still.
        echoes.sends(2, true, now + ECHO);
        assert!(echoes.comes_back(2, &[2]));
    }
}
