//! A master with a replica, and three sentinels that watch them.

use super::server::free_port;
use super::{Server, server, wait_until};

/// The name of the master.
pub(crate) const NAME: &str = "shop";

pub(crate) struct Sentinels {
    /// The first is the master when it all begins.
    pub(crate) servers: [Server; 2],
    pub(crate) sentinels: Vec<Server>,
}

impl Sentinels {
    /// `password`: that of the two servers, which the sentinels do not want.
    pub(crate) fn start(password: Option<&str>) -> Option<Self> {
        if !server::is_there() {
            return None;
        }
        let mut options = vec!["--repl-diskless-sync-delay", "0"];
        if let Some(password) = password {
            options.extend(["--requirepass", password, "--masterauth", password]);
        }
        let servers = [Server::start(&options)?, Server::start(&options)?];
        let [master, replica] = &servers;
        replica.run::<()>(&format!("REPLICAOF 127.0.0.1 {}", master.port));
        wait_until("the replica follows", || {
            replica.run::<String>("INFO replication").contains("master_link_status:up")
        });
        let sentinels: Vec<_> = (0..3).map(|_| sentinel()).collect::<Option<_>>()?;
        for sentinel in &sentinels {
            sentinel.run::<()>(&format!("SENTINEL MONITOR {NAME} 127.0.0.1 {} 2", master.port));
            if let Some(password) = password {
                sentinel.run::<()>(&format!("SENTINEL SET {NAME} auth-pass {password}"));
            }
            sentinel.run::<()>(&format!("SENTINEL SET {NAME} down-after-milliseconds 1000"));
            sentinel.run::<()>(&format!("SENTINEL SET {NAME} failover-timeout 5000"));
        }
        wait_until("the sentinels know each other and the replica", || {
            sentinels.iter().all(|sentinel| {
                let info: String = sentinel.run("INFO sentinel");
                info.contains("slaves=1,sentinels=3") && info.contains("status=ok")
            })
        });
        Some(Self { servers, sentinels })
    }

    /// How a process is told of it. `user`: `:password@`.
    pub(crate) fn url(&self, user: &str) -> String {
        let with_user = |url: String| url.replace("redis://", &format!("redis://{user}"));
        let urls: Vec<_> = self.sentinels.iter().map(|sentinel| with_user(sentinel.url())).collect();
        format!("sentinel:{NAME},{}", urls.join(","))
    }

    /// The port of the master that the first sentinel names.
    pub(crate) fn master(&self) -> u16 {
        let (_, port) =
            self.sentinels[0].run::<(String, u16)>(&format!("SENTINEL get-master-addr-by-name {NAME}"));
        port
    }
}

fn sentinel() -> Option<Server> {
    Server::start_on(free_port, &[], &["--sentinel"])
}
