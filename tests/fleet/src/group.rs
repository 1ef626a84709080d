//! Several servers that are one tier: three masters of a cluster with a replica each, or a master with a replica and
//! three sentinels.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::server::Server;

/// The name of the master that sentinels watch.
const NAME: &str = "fleet";
/// How long a server is silent until the others take it for dead, in milliseconds.
const SILENCE: &str = "1500";
const SLOTS: u32 = 16_384;
const MASTERS: usize = 3;
/// A failover takes a few seconds, and longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cluster,
    Sentinel,
}

pub(crate) struct Group {
    kind: Kind,
    servers: Vec<Server>,
    sentinels: Vec<Server>,
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) -> io::Result<()> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if is_so() {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    Err(io::Error::other(format!("in vain: {what}")))
}

fn order(server: &Server, command: &str) -> io::Result<()> {
    server.run::<()>(command).map_err(|error| io::Error::other(format!("{command}: {error}")))
}

/// What a server says; nothing if it does not.
fn says(server: &Server, command: &str) -> String {
    server.run(command).unwrap_or_default()
}

fn is_master(server: &Server) -> bool {
    says(server, "INFO replication").contains("role:master")
}

fn follows(server: &Server) -> bool {
    let info = says(server, "INFO replication");
    info.contains("role:slave") && info.contains("master_link_status:up")
}

impl Group {
    pub(crate) fn start(kind: Kind) -> io::Result<Self> {
        let group = match kind {
            Kind::Cluster => {
                let options = [
                    ["--cluster-enabled", "yes"],
                    ["--cluster-node-timeout", SILENCE],
                    ["--cluster-require-full-coverage", "no"],
                    ["--cluster-replica-validity-factor", "0"],
                    // They name each other by their ports alone: each process has them at an address of its own.
                    ["--cluster-preferred-endpoint-type", "unknown-endpoint"],
                ];
                let start = |_| Server::start_with(options.as_flattened());
                let servers = (0..2 * MASTERS).map(start).collect::<io::Result<_>>()?;
                Self { kind, servers, sentinels: Vec::new() }
            }
            Kind::Sentinel => {
                let servers = (0..2).map(|_| Server::start_with(&[])).collect::<io::Result<_>>()?;
                let sentinels =
                    (0..3).map(|_| Server::start_with(&["--sentinel"])).collect::<io::Result<_>>()?;
                Self { kind, servers, sentinels }
            }
        };
        match kind {
            Kind::Cluster => group.join()?,
            Kind::Sentinel => group.watch()?,
        }
        Ok(group)
    }

    fn join(&self) -> io::Result<()> {
        for (number, server) in self.servers.iter().enumerate() {
            order(server, &format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1))?;
        }
        let (masters, replicas) = self.servers.split_at(MASTERS);
        let bound = |part: usize| SLOTS * part as u32 / MASTERS as u32;
        for (number, master) in masters.iter().enumerate() {
            let (first, last) = (bound(number), bound(number + 1) - 1);
            order(master, &format!("CLUSTER ADDSLOTSRANGE {first} {last}"))?;
        }
        for server in &self.servers[1..] {
            order(server, &format!("CLUSTER MEET 127.0.0.1 {}", self.servers[0].port()))?;
        }
        until("all servers know each other", || {
            self.servers.iter().all(|server| {
                let nodes = says(server, "CLUSTER NODES");
                nodes.matches(" connected").count() == self.servers.len() && !nodes.contains("handshake")
            })
        })?;
        for (master, replica) in masters.iter().zip(replicas) {
            order(replica, &format!("CLUSTER REPLICATE {}", says(master, "CLUSTER MYID")))?;
        }
        until("the replicas follow", || replicas.iter().all(follows))?;
        until("the replicas are known", || {
            let knows = |server: &Server| says(server, "CLUSTER NODES").matches("slave").count() == MASTERS;
            self.servers.iter().all(|server| knows(server) && self.is_well(server))
        })
    }

    fn watch(&self) -> io::Result<()> {
        let [master, replica] = &self.servers[..] else { unreachable!("two servers") };
        order(replica, &format!("REPLICAOF 127.0.0.1 {}", master.port()))?;
        until("the replica follows", || follows(replica))?;
        for sentinel in &self.sentinels {
            order(sentinel, &format!("SENTINEL MONITOR {NAME} 127.0.0.1 {} 2", master.port()))?;
            order(sentinel, &format!("SENTINEL SET {NAME} down-after-milliseconds 1000"))?;
            order(sentinel, &format!("SENTINEL SET {NAME} failover-timeout 5000"))?;
        }
        until("the sentinels know each other and the replica", || {
            self.sentinels.iter().all(|sentinel| {
                let info = says(sentinel, "INFO sentinel");
                info.contains("slaves=1,sentinels=3") && info.contains("status=ok")
            })
        })
    }

    /// The ports of the servers that a process may go to by an address of its own. (Sentinels name the master's own.)
    pub(crate) fn ports(&self) -> Vec<u16> {
        match self.kind {
            Kind::Cluster => self.servers.iter().map(Server::port).collect(),
            Kind::Sentinel => Vec::new(),
        }
    }

    /// How a process is told of it that has those servers at `host`.
    pub(crate) fn url(&self, host: &str) -> String {
        let urls = |servers: &[Server]| {
            let host = if self.kind == Kind::Cluster { host } else { "127.0.0.1" };
            let url = |server: &Server| format!("redis://{host}:{}/", server.port());
            servers.iter().map(url).collect::<Vec<_>>().join(",")
        };
        match self.kind {
            Kind::Cluster => format!("cluster:{}", urls(&self.servers[..MASTERS])),
            Kind::Sentinel => format!("sentinel:{NAME},{}", urls(&self.sentinels)),
        }
    }

    fn is_well(&self, server: &Server) -> bool {
        self.kind == Kind::Sentinel || says(server, "CLUSTER INFO").contains("cluster_state:ok")
    }

    pub(crate) fn masters(&self) -> Vec<&Server> {
        self.servers.iter().filter(|server| is_master(server)).collect()
    }

    /// Kills a master, or stops it, until its replica has taken its place; then it comes back, and follows.
    pub(crate) fn fail_over(&self, number: usize, kills: bool) -> io::Result<()> {
        let masters = self.masters();
        let count = masters.len();
        let victim = masters.into_iter().cycle().nth(number).ok_or_else(|| io::Error::other("no master"))?;
        if kills {
            victim.kill();
        } else {
            victim.stop();
        }
        until("a replica takes over", || {
            let others = || self.servers.iter().filter(|server| server.port() != victim.port());
            let masters = others().filter(|server| is_master(server)).collect::<Vec<_>>();
            masters.len() == count && masters.iter().all(|master| self.is_well(master))
        })?;
        if kills {
            victim.start_again()?;
        } else {
            victim.go_on();
        }
        until("the old master follows", || follows(victim))
    }
}
