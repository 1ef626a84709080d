//! Sentinels: servers that watch a master and its replicas, and name another master when it fails.
//!
//! With each connection they are asked for the master, one after the other, until one answers. The server that is named
//! has to say itself that it is the master: for some moments after a failover a sentinel may still name the old one. A
//! task listens to them (`+switch-master`) and asks again every second, as a message may be lost. If the master is
//! another server than the connected one, the link gives its connection up and makes another.

use std::future::poll_fn;
use std::sync::Weak;
use std::time::Duration;

use futures_core::Stream;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{ErrorKind, RedisResult};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::link::{Link, Loss};
use super::node::{self, Node};
use super::tries::Tries;
use crate::base::sync::Arc;
use crate::base::sync::plain::{Mutex, lock};
use crate::base::tasks::BoxFuture;

/// How long one sentinel may take to answer, if there is another one to ask.
const ANSWERS: Duration = Duration::from_millis(300);
/// The sentinels are asked so often whether the master is still the same.
const ASK: Duration = Duration::from_secs(1);
/// The channel on which they tell of another master.
const SWITCHED: &str = "+switch-master";

/// The sentinels of a master.
pub(super) struct Sentinels {
    /// The name that they know it by.
    master: String,
    /// The one that has answered last comes first.
    nodes: Mutex<Vec<Node>>,
}

impl Sentinels {
    pub(super) fn new(master: &str, nodes: Vec<Node>) -> Self {
        Self { master: master.to_owned(), nodes: Mutex::new(nodes) }
    }

    pub(super) fn find(of: Arc<Self>) -> BoxFuture<Result<Node, Loss>> {
        Box::pin(async move { of.master().await })
    }

    /// The master, by the first sentinel that names it.
    async fn master(&self) -> Result<Node, Loss> {
        let mut why = Loss::new("there is no sentinel");
        let nodes = lock(&self.nodes).clone();
        for node in nodes {
            match timeout(ANSWERS, self.asked(&node)).await {
                Ok(Ok(Some(master))) => {
                    self.prefer(&node);
                    return Ok(master);
                }
                Ok(Ok(None)) => {
                    why = Loss::new(format!(
                        "the sentinel {} knows no master of the name `{}`",
                        node.address, self.master
                    ));
                }
                Ok(Err(error)) => {
                    why = Loss::new(format!("the sentinel {}: {}", node.address, Loss::of(&error).why));
                }
                Err(_) => {
                    why = Loss::new(format!("the sentinel {}: no answer in time", node.address));
                }
            }
            self.avoid(&node);
        }
        Err(why)
    }

    /// The next time it is asked first.
    fn prefer(&self, node: &Node) {
        let mut nodes = lock(&self.nodes);
        if let Some(at) = nodes.iter().position(|own| own.address == node.address) {
            nodes[..=at].rotate_right(1);
        }
    }

    /// The next time it is asked last.
    fn avoid(&self, node: &Node) {
        let mut nodes = lock(&self.nodes);
        if let Some(at) = nodes.iter().position(|own| own.address == node.address) {
            nodes[at..].rotate_left(1);
        }
    }

    async fn asked(&self, node: &Node) -> RedisResult<Option<Node>> {
        let (mut sentinel, _) = speak(node).await?;
        self.named_by(&mut sentinel, node).await
    }

    /// The master that a sentinel names.
    async fn named_by(&self, sentinel: &mut MultiplexedConnection, node: &Node) -> RedisResult<Option<Node>> {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(&self.master);
        let named: Option<(String, u16)> = ask.query_async(sentinel).await?;
        Ok(named.map(|(host, port)| node.at(&host, port)))
    }
}

/// Connects to a sentinel: with the user and password of the master, or without any if it wants none.
async fn speak(node: &Node) -> RedisResult<(MultiplexedConnection, Node)> {
    let connect = async |node: Node| RedisResult::Ok((node.connect().await?, node));
    match connect(node.without_database()).await {
        Err(error) if node.has_password() && ErrorKind::AuthenticationFailed == error.kind() => {
            connect(node.without_user()).await
        }
        connected => connected,
    }
}

/// Lets a link follow its master, as long as the link lives.
pub(super) async fn follow(sentinels: Weak<Sentinels>, link: Weak<Link>) {
    let mut tries = Tries::new(ANSWERS);
    loop {
        let Some(of) = sentinels.upgrade() else { return };
        let node = lock(&of.nodes).first().cloned();
        let Some(node) = node else { return };
        let listening = timeout(ANSWERS, async {
            let (connection, way) = speak(&node).await?;
            let mut messages = way.client()?.get_async_pubsub().await?;
            messages.subscribe(SWITCHED).await?;
            RedisResult::Ok((connection, messages))
        });
        if let Ok(Ok((connection, messages))) = listening.await {
            drop(of);
            tries.succeeded();
            if listen(&sentinels, &link, &node, connection, messages).await.is_none() {
                return;
            }
        } else {
            of.avoid(&node);
        }
        if link.strong_count() == 0 {
            return;
        }
        sleep(tries.next_pause()).await;
    }
}

/// Listens to a sentinel until it does not answer any more. `None` if the link is gone.
async fn listen(
    sentinels: &Weak<Sentinels>,
    link: &Weak<Link>,
    node: &Node,
    mut sentinel: MultiplexedConnection,
    messages: PubSub,
) -> Option<()> {
    let (_sink, mut messages) = messages.split();
    let mut asks = interval(ASK);
    asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            biased;
            message = poll_fn(|context| std::pin::Pin::new(&mut messages).poll_next(context)) => Some(message),
            _ = asks.tick() => None,
        };
        let (of, link) = (sentinels.upgrade()?, link.upgrade()?);
        let named = match message {
            Some(None) => return Some(()),
            Some(Some(message)) => {
                let Some(named) = switched(message.get_payload_bytes(), &of.master) else { continue };
                named
            }
            None => match timeout(ANSWERS, of.named_by(&mut sentinel, node)).await {
                Ok(Ok(Some(named))) => named.address,
                Ok(Ok(None)) => continue,
                Ok(Err(_)) | Err(_) => return Some(()),
            },
        };
        if link.connection().is_some() && link.address() != named {
            link.leave();
        }
    }
}

/// The address of the new master, if the message is one of this master: `name old-host old-port new-host new-port`.
fn switched(message: &[u8], master: &str) -> Option<String> {
    let words: Vec<&str> = std::str::from_utf8(message).ok()?.split(' ').collect();
    match words[..] {
        [name, _, _, host, port] if name == master => Some(node::at(host, port.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_another_master() {
        let message = b"shop 127.0.0.1 7000 127.0.0.1 7001";
        assert_eq!(switched(message, "shop"), Some("127.0.0.1:7001".to_owned()));
        for (message, master) in [
            (&message[..], "sho"),
            (b"shop 127.0.0.1 7000 127.0.0.1", "shop"),
            (b"shop 127.0.0.1 7000 127.0.0.1 port", "shop"),
            (b"\xff", "shop"),
            (b"", "shop"),
        ] {
            assert_eq!(switched(message, master), None);
        }
    }

    #[test]
    fn whoever_answers_is_asked_first_and_whoever_does_not_last() {
        let nodes = ["redis://a:1", "redis://b:1", "redis://c:1"].map(|url| Node::of_url(url).unwrap());
        let sentinels = Sentinels::new("shop", nodes.to_vec());
        let order = || {
            let nodes = lock(&sentinels.nodes);
            nodes.iter().map(|node| node.address[..1].to_owned()).collect::<String>()
        };
        sentinels.prefer(&nodes[1]);
        assert_eq!(order(), "bac");
        sentinels.avoid(&nodes[1]);
        assert_eq!(order(), "acb");
        sentinels.avoid(&nodes[1]);
        sentinels.prefer(&nodes[0]);
        assert_eq!(order(), "acb");
    }
}
