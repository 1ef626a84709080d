//! A server as a URL names it: where it is, and how a connection to it is made.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    RedisResult,
};

use crate::outcome::error::Error;

/// A server, with the user and password for it.
#[derive(Clone)]
pub(super) struct Node {
    info: ConnectionInfo,
    /// Host and port, or the path of a socket, without user and password.
    pub(super) address: String,
}

impl Node {
    /// The server of a URL.
    pub(super) fn of_url(url: &str) -> Result<Self, Error> {
        // The client's own message may show the URL, with its password.
        let wrong = |why: &str| Error::new(format!("the URL of a Redis server: {why}"));
        if !["redis://", "rediss://", "redis+unix://", "unix://"].iter().any(|scheme| url.starts_with(scheme))
        {
            return Err(wrong("it begins with `redis://`, `rediss://` or `redis+unix://`"));
        }
        let info = url.into_connection_info().map_err(|_| {
            wrong("it is read as `redis://user:password@host:port/database`, and special characters are written as `%40`")
        })?;
        if !info.addr().is_supported() {
            return Err(wrong("`rediss://` needs the feature `redis-tls` of `cacheback`"));
        }
        #[cfg(feature = "redis-tls")]
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. })
            && rustls::crypto::CryptoProvider::get_default().is_none()
        {
            // If another thread is faster, its provider stands.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            // What is not delivered when a connection is dropped is not delivered later, after newer writes.
            .set_linger_time(Duration::ZERO);
        let node = Self::new(info.set_tcp_settings(tcp));
        node.client().map_err(|error| wrong(&error.to_string()))?;
        Ok(node)
    }

    fn new(info: ConnectionInfo) -> Self {
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => at(host, *port),
            ConnectionAddr::Unix(path) => path.display().to_string(),
            _ => "a server".to_owned(),
        };
        Self { info, address }
    }

    /// Another server, which is spoken to in the same way.
    pub(super) fn at(&self, host: &str, port: u16) -> Self {
        let addr = match self.info.addr().clone() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host.to_owned(), port),
        };
        Self::new(self.info.clone().set_addr(addr))
    }

    /// The same server, spoken to with other settings.
    fn with(&self, settings: RedisConnectionInfo) -> Self {
        Self { info: self.info.clone().set_redis_settings(settings), address: self.address.clone() }
    }

    /// The same server without a database, as a sentinel is spoken to.
    pub(super) fn without_database(&self) -> Self {
        self.with(self.info.redis_settings().clone().set_db(0))
    }

    /// The same server without user, password and database.
    pub(super) fn without_user(&self) -> Self {
        self.with(RedisConnectionInfo::default())
    }

    pub(super) fn has_password(&self) -> bool {
        self.info.redis_settings().password().is_some()
    }

    pub(super) fn database(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// Host and port; `None` of a socket.
    pub(super) fn host(&self) -> Option<&str> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => Some(host),
            _ => None,
        }
    }

    /// A connection of its own. Whoever asks on it sets the time.
    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        self.client()?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// It connects to the server.
    pub(super) fn client(&self) -> RedisResult<Client> {
        Client::open(self.info.clone())
    }
}

/// The address of a host and port.
pub(super) fn at(host: &str, port: u16) -> String {
    format!("{host}:{port}")
}

/// Host and port of an address.
pub(super) fn parts(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_spoken_to_in_the_same_way() {
        let node = Node::of_url("redis://shop:secret@one:7000/3").unwrap();
        let other = node.at("two", 7001);
        assert_eq!((&*other.address, other.host()), ("two:7001", Some("two")));
        assert_eq!((other.has_password(), other.database()), (true, 3));
        let sentinel = other.without_database();
        assert_eq!((&*sentinel.address, sentinel.has_password(), sentinel.database()), ("two:7001", true, 0));
        assert!(!other.without_user().has_password());
    }

    #[test]
    fn the_parts_of_an_address() {
        assert_eq!(parts("127.0.0.1:7000"), Some(("127.0.0.1", 7000)));
        assert_eq!(parts("::1:7000"), Some(("::1", 7000)));
        assert_eq!(parts("[::1]:7000"), Some(("::1", 7000)));
        assert_eq!(parts(":7000"), Some(("", 7000)), "the host that was asked");
        assert_eq!(parts("7000"), None);
        assert_eq!(parts("host:port"), None);
    }
}
