//! The settings of a Redis tier.

use std::fmt;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, IntoConnectionInfo};

use crate::outcome::error::Error;
use crate::tier::compress::Codec;

/// Redis or Valkey as the second tier, for [`Configure::shared`](crate::Configure::shared).
///
/// It is told of the server by a URL, and begins to connect when it is handed to `configure()`. A server that is down, slow or
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
#[must_use = "it is handed to `configure().shared(..)`"]
pub struct Redis {
    pub(super) client: Client,
    pub(super) address: String,
    /// `None` if none was given.
    pub(super) prefix: Option<String>,
    pub(super) timeout: Duration,
    pub(super) max_value_bytes: usize,
    pub(super) codec: Option<Box<dyn Codec>>,
}

impl Redis {
    /// A server by its URL: `redis://host:port/database`, `redis+unix:///path/to/socket?db=0`, or, with the feature
    /// `redis-tls`, `rediss://..`. User and password stand before the host: `redis://user:password@host/`; for a socket
    /// they are `&user=..&pass=..`. Neither is ever logged. `rediss://` trusts the CAs of the system, or those of the
    /// file in `SSL_CERT_FILE`.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL cannot be read, or needs a feature that is off. Nothing is connected yet.
    pub fn new(url: &str) -> Result<Self, Error> {
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
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                format!("{host}:{port}")
            }
            ConnectionAddr::Unix(path) => path.display().to_string(),
            _ => "a server".to_owned(),
        };
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            // What is not delivered when a connection is dropped is not delivered later, after newer writes.
            .set_linger_time(Duration::ZERO);
        let client = Client::open(info.set_tcp_settings(tcp)).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self {
            client,
            address,
            prefix: None,
            timeout: Duration::from_millis(100),
            max_value_bytes: 1 << 20,
            codec: None,
        })
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

    /// Sets the longest value, in encoded bytes, that is shared. Default: 1 MiB (1,048,576 bytes).
    ///
    /// A longer one stays in the process that has fetched it, and a warning is logged.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Sets the codec of the values, for encryption say. Default: values of more than 4 KiB are compressed if that saves
    /// a fifth.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codec = Some(Box::new(codec));
        self
    }
}

impl Redis {
    pub(super) fn prefix_or_default(&self) -> &str {
        self.prefix.as_deref().unwrap_or("cacheback")
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, timeout, max_value_bytes, .. } = self;
        f.debug_struct("Redis")
            .field("address", address)
            .field("prefix", &self.prefix_or_default())
            .field("timeout", timeout)
            .field("max_value_bytes", max_value_bytes)
            .finish_non_exhaustive()
    }
}
