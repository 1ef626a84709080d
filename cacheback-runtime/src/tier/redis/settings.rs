//! The settings of a Redis tier.

use std::fmt;
use std::time::Duration;

use super::node::Node;
use crate::outcome::error::Error;
use crate::tier::compress::Codec;
use crate::tier::time_span::{self, TimeSpan};

/// Redis or Valkey as the second tier, for [`Configure::shared`](crate::Configure::shared).
///
/// A URL names the server. The tier starts to connect when it is passed to `configure()`. A server that is down, slow or
/// gone is no outage: functions work as if they were not shared, and the link is made anew in the background.
///
/// With each connection the commands and scripts are tried out on keys of their own. If the user lacks a right for them,
/// the tier is down, and the log names the right once. At the first connection, the log also warns once of settings of
/// the server that do not suit a second tier, as far as the user may see them (`CONFIG GET`, `INFO`).
///
/// # Examples
///
/// ```no_run
/// # mod cacheback { pub use cacheback_runtime::*; }
/// cacheback::configure()
///     .shared(cacheback::shared::Redis::new("redis://127.0.0.1/")?.prefix("shop"))
///     .apply()?;
/// # Ok::<(), cacheback::Error>(())
/// ```
#[must_use = "pass it to `configure().shared(..)`"]
pub struct Redis {
    pub(super) place: Place,
    /// `None` if none was given.
    pub(super) prefix: Option<String>,
    pub(super) timeout: Duration,
    pub(super) max_value_bytes: usize,
    pub(super) max_age: Duration,
    pub(super) replicas: usize,
    pub(super) codec: Option<Box<dyn Codec>>,
}

/// Where the values are.
#[derive(Clone)]
pub(super) enum Place {
    One(Box<Node>),
    /// Some servers of a cluster.
    Cluster(Vec<Node>),
    /// The name of a master, and the sentinels that know it.
    Sentinel(String, Vec<Node>),
}

impl Redis {
    /// A server by its URL: `redis://host:port/database`, `redis+unix:///path/to/socket?db=0`, or, with the feature
    /// `redis-tls`, `rediss://..`. User and password stand before the host: `redis://user:password@host/`; for a socket
    /// they are `&user=..&pass=..`. Neither is ever logged. `rediss://` trusts the CAs of the system, or those of the
    /// file in `SSL_CERT_FILE`.
    ///
    /// A server that is made a replica is no longer used: the log says so once, and it is tried again until it is a
    /// master. For a cluster there is [`cluster`](Self::cluster), and for servers that take each other's place
    /// [`sentinel`](Self::sentinel).
    ///
    /// # Errors
    ///
    /// Returns an error if the URL cannot be read, or needs a feature that is off. Nothing is connected yet.
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self::at(Place::One(Box::new(Node::of_url(url)?))))
    }

    /// A cluster by the URLs of some of its servers, which tell of all others. One is enough as long as it is there when the
    /// process starts.
    ///
    /// The cluster itself names the other servers, which have to be reachable by these names. User, password and TLS are
    /// those of the first URL. Each process has a connection to each master, and one more for messages. Replicas are not
    /// read. A master that is down takes only its keys with it: those are fetched without the tier, until it or the
    /// replica that takes its place is there.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// let urls = ["redis://10.0.0.1:6379/", "redis://10.0.0.2:6379/"];
    /// cacheback::configure().shared(cacheback::shared::Redis::cluster(urls)?.prefix("shop")).apply()?;
    /// # Ok::<(), cacheback::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if there is no URL, or if one cannot be read, needs a feature that is off, is a socket, or names a
    /// database other than 0: a cluster has no other. Nothing is connected yet.
    pub fn cluster<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Self, Error> {
        let nodes = nodes(urls, "a cluster")?;
        if nodes.iter().any(|node| node.database() != 0) {
            return Err(Error::new("the URLs of a cluster name no database: it has but one".to_owned()));
        }
        Ok(Self::at(Place::Cluster(nodes)))
    }

    /// The master that sentinels know by this name, by the URLs of the sentinels. If they name another one, after a failover,
    /// the connections move there.
    ///
    /// User, password, database and TLS in the URLs are those of the master. The sentinels are spoken to with the same
    /// user and password, or without any if they want none, and with TLS if the URLs say so.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// let urls = ["redis://10.0.0.1:26379/", "redis://10.0.0.2:26379/", "redis://10.0.0.3:26379/"];
    /// let tier = cacheback::shared::Redis::sentinel("mymaster", urls)?;
    /// cacheback::configure().shared(tier.prefix("shop")).apply()?;
    /// # Ok::<(), cacheback::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if there is no URL, or if one cannot be read, needs a feature that is off, or is a socket. Nothing is
    /// connected yet.
    pub fn sentinel<U: AsRef<str>>(master: &str, urls: impl IntoIterator<Item = U>) -> Result<Self, Error> {
        Ok(Self::at(Place::Sentinel(master.to_owned(), nodes(urls, "sentinels")?)))
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            prefix: None,
            timeout: Duration::from_millis(100),
            max_value_bytes: 1 << 20,
            max_age: Duration::MAX,
            replicas: 0,
            codec: None,
        }
    }

    /// Sets the beginning of all keys, by which services that use one database keep apart. Default: `cacheback`.
    ///
    /// If none is given, and there are keys of others in the database, a warning is logged once.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Sets how long one operation may take. Default: 100 ms.
    ///
    /// No caller waits longer for an operation. An operation that has taken longer may have been carried out or not.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the age at which values are gone there, at the latest: a [`Duration`], or a string such as `"1d"`. Default: the
    /// `retention` of each function, which is 30 days where nothing else is said.
    ///
    /// This limits the room taken by values that nobody asks for any more. An age counts from the start of the fetch. A value
    /// stays for its lifetime in any case. A process that read it from the tier does not keep it longer than the tier; the
    /// process that fetched it keeps it for its `retention`.
    ///
    /// # Panics
    ///
    /// Panics if a string is not a time.
    pub fn max_age(mut self, age: impl TimeSpan) -> Self {
        self.max_age = time_span::max_age(age);
        self
    }

    /// Sets the longest value, in encoded bytes, that is shared. Default: 1 MiB (1,048,576 bytes).
    ///
    /// A longer one stays in the process that has fetched it, and a warning is logged.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Sets how many replicas have to confirm a `set`, `invalidate`, `remove`, `take` or `clear` before it returns.
    /// Default: 0: the word of the master is enough.
    ///
    /// A master that fails may take changes with it that no replica has got yet. Those of the last ten seconds are told
    /// again to its successor, by the process that made them, as long as that lives. With confirmations (`WAIT`) a change
    /// that has returned `Ok` is in that many replicas, too. Redis does its best to promote one of those, and does not
    /// promise it. They take a round trip more, two for a `clear`, on a second connection to each master.
    ///
    /// Without the confirmations the call returns [`Unreachable`](crate::ErrorKind::Unreachable) (and `take` returns
    /// the value): one [`timeout`](Self::timeout) after the master has answered, or up to three if others wait as well.
    /// The change holds all the same, for all processes, unless it is lost with the master. Nobody asks again: make it
    /// once more to have it confirmed. The log says once a minute that changes are not confirmed. Reads and refreshes
    /// wait for no replica.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # mod cacheback { pub use cacheback_runtime::*; }
    /// let urls = ["redis://10.0.0.1:26379/", "redis://10.0.0.2:26379/", "redis://10.0.0.3:26379/"];
    /// let tier = cacheback::shared::Redis::sentinel("mymaster", urls)?;
    /// cacheback::configure().shared(tier.prefix("shop").wait_replicas(1)).apply()?;
    /// # Ok::<(), cacheback::Error>(())
    /// ```
    pub fn wait_replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// Sets the codec of the values, for encryption say. Default: values of more than 4 KiB are compressed if that saves
    /// a fifth.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codec = Some(Box::new(codec));
        self
    }
}

/// The servers of some URLs.
fn nodes<U: AsRef<str>>(urls: impl IntoIterator<Item = U>, of: &str) -> Result<Vec<Node>, Error> {
    let nodes: Vec<_> = urls.into_iter().map(|url| Node::of_url(url.as_ref())).collect::<Result<_, _>>()?;
    if nodes.is_empty() {
        return Err(Error::new(format!("{of}: one URL at least is needed")));
    }
    if nodes.iter().any(|node| node.host().is_none()) {
        return Err(Error::new(format!("{of}: a URL names a socket, and a host is needed")));
    }
    Ok(nodes)
}

impl Place {
    /// The servers that were named, without user and password.
    fn addresses(&self) -> String {
        let of = |nodes: &[Node]| nodes.iter().map(|node| &*node.address).collect::<Vec<_>>().join(", ");
        match self {
            Self::One(node) => node.address.clone(),
            Self::Cluster(nodes) => of(nodes),
            Self::Sentinel(master, nodes) => format!("{master}, of the sentinels {}", of(nodes)),
        }
    }
}

impl Redis {
    pub(super) fn prefix_or_default(&self) -> &str {
        self.prefix.as_deref().unwrap_or("cacheback")
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, timeout, max_value_bytes, max_age, replicas, .. } = self;
        f.debug_struct("Redis")
            .field("address", &place.addresses())
            .field("prefix", &self.prefix_or_default())
            .field("timeout", timeout)
            .field("max_value_bytes", max_value_bytes)
            .field("max_age", max_age)
            .field("wait_replicas", replicas)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_lead_nowhere() {
        let refused = |redis: Result<Redis, Error>| redis.unwrap_err().to_string();
        let none: [&str; 0] = [];
        assert_eq!(refused(Redis::cluster(none)), "a cluster: one URL at least is needed");
        assert_eq!(refused(Redis::sentinel("shop", none)), "sentinels: one URL at least is needed");
        let mixed = ["redis://user:secret@a/", "http://user:secret@b/"];
        for refusal in [refused(Redis::cluster(mixed)), refused(Redis::sentinel("shop", mixed))] {
            assert!(refusal.starts_with("the URL of a Redis server: ") && !refusal.contains("secret"));
        }
        let socket = ["redis+unix:///run/redis.sock"];
        assert!(refused(Redis::cluster(socket)).contains("a socket"));
        assert!(refused(Redis::sentinel("shop", socket)).contains("a socket"));
        assert!(refused(Redis::cluster(["redis://a/3"])).contains("no database"));
        let shown =
            format!("{:?}", Redis::sentinel("shop", ["redis://user:secret@a:1/3", "redis://b:2"]).unwrap());
        assert!(shown.contains("shop, of the sentinels a:1, b:2") && !shown.contains("secret"), "{shown}");
    }
}
