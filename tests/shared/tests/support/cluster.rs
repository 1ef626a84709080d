//! A cluster of the test's own: some masters, and a replica of each if failovers are tested.

use std::net::TcpListener;

use super::envelope::WRITE_ID;
use super::tls::Authority;
use super::{Proxy, Server, server, wait_until};

/// How long a server may be silent, in milliseconds, until the others take it for dead.
const SILENCE: &str = "1500";
const SLOTS: u16 = 16_384;

pub(crate) struct Cluster {
    pub(crate) masters: Vec<Server>,
    pub(crate) replicas: Vec<Server>,
}

impl Cluster {
    /// Three masters, each with so many replicas. `None` if there is no program to run.
    pub(crate) fn start(replicas: usize) -> Option<Self> {
        if !server::is_there() {
            return None;
        }
        let start = |_| Server::start_on(free_port, &[], &options());
        let masters: Vec<_> = (0..3).map(start).collect::<Option<_>>()?;
        let replicas: Vec<_> = (0..3 * replicas).map(start).collect::<Option<_>>()?;
        let cluster = Self { masters, replicas };
        cluster.join();
        Some(cluster)
    }

    /// Three masters with certificates of this authority, which talk to each other over TLS as well. `None` if there is no
    /// program that does.
    pub(crate) fn over_tls(authority: &Authority) -> Option<Self> {
        if !server::is_there() || !server::knows_tls() {
            return None;
        }
        let start = |_| {
            let mut all = authority.options("127.0.0.1", free_port());
            all.extend(options().into_iter().chain(["--tls-cluster", "yes"]).map(str::to_owned));
            Server::start_on(free_port, &[], &all.iter().map(|option| &**option).collect::<Vec<_>>())
        };
        let cluster = Self { masters: (0..3).map(start).collect::<Option<_>>()?, replicas: Vec::new() };
        cluster.join();
        Some(cluster)
    }

    /// Three masters, which name the ports of proxies before them as their own.
    pub(crate) fn behind_proxies() -> Option<(Self, Vec<Proxy>)> {
        let cluster = Self::start(0)?;
        let proxies: Vec<_> = cluster.masters.iter().map(|master| Proxy::before(master.port)).collect();
        for (master, proxy) in cluster.masters.iter().zip(&proxies) {
            master.run::<()>(&format!("CONFIG SET cluster-announce-bus-port {}", master.port + 10_000));
            master.run::<()>(&format!("CONFIG SET cluster-announce-port {}", proxy.port));
        }
        wait_until("all name the proxies", || {
            cluster.masters.iter().all(|master| {
                let nodes: String = master.run("CLUSTER NODES");
                proxies.iter().all(|proxy| nodes.contains(&format!(":{}@", proxy.port)))
            })
        });
        Some((cluster, proxies))
    }

    fn all(&self) -> impl Iterator<Item = &Server> {
        self.masters.iter().chain(&self.replicas)
    }

    fn join(&self) {
        for (number, server) in self.all().enumerate() {
            server.run::<()>(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
        }
        let bounds: Vec<u16> = (0..=3).map(|part| part * (SLOTS / 3)).collect();
        for (number, master) in self.masters.iter().enumerate() {
            let last = if number == 2 { SLOTS - 1 } else { bounds[number + 1] - 1 };
            master.run::<()>(&format!("CLUSTER ADDSLOTSRANGE {} {last}", bounds[number]));
        }
        let first = &self.masters[0];
        for server in self.all().skip(1) {
            server.run::<()>(&format!("CLUSTER MEET 127.0.0.1 {}", first.tls_port().unwrap_or(first.port)));
        }
        let count = self.all().count();
        wait_until("all servers know each other", || {
            self.all().all(|server| {
                let nodes: String = server.run("CLUSTER NODES");
                nodes.lines().filter(|line| line.contains(" connected")).count() == count
                    && !nodes.contains("handshake")
            })
        });
        for (number, replica) in self.replicas.iter().enumerate() {
            let id: String = self.masters[number % 3].run("CLUSTER MYID");
            replica.run::<()>(&format!("CLUSTER REPLICATE {id}"));
        }
        wait_until("the cluster is up", || {
            let is_ok = |server: &Server| server.run::<String>("CLUSTER INFO").contains("cluster_state:ok");
            let is_linked =
                |server: &Server| server.run::<String>("INFO replication").contains("master_link_status:up");
            self.all().all(is_ok) && self.replicas.iter().all(is_linked)
        });
        // All of them know the replicas as such.
        wait_until("the replicas are known", || {
            self.all().all(|server| {
                server.run::<String>("CLUSTER NODES").matches("slave").count() == self.replicas.len()
            })
        });
    }

    /// How a process is told of it: by the URL of each master.
    pub(crate) fn url(&self) -> String {
        let url = |master: &Server| match master.tls_port() {
            Some(port) => format!("rediss://127.0.0.1:{port}/"),
            None => master.url(),
        };
        let urls: Vec<_> = self.masters.iter().map(url).collect();
        format!("cluster:{}", urls.join(","))
    }

    /// The slot of a key.
    pub(crate) fn slot(&self, key: &str) -> u16 {
        redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query(&mut self.masters[0].connection()).unwrap()
    }

    /// The number of the master that has this key.
    pub(crate) fn holder(&self, pattern: &str) -> usize {
        let has = |master: &Server| !master.run::<Vec<String>>(&format!("KEYS {pattern}")).is_empty();
        self.masters.iter().position(has).unwrap_or_else(|| panic!("nobody has {pattern}"))
    }

    /// Gives the values of a master other numbers, which nobody is told of.
    pub(crate) fn change_silently(&self, master: usize) {
        for name in self.masters[master].run::<Vec<String>>("KEYS cb1:v:*") {
            let bit = 8 * WRITE_ID + 7;
            let now: u8 = self.masters[master].run(&format!("GETBIT {name} {bit}"));
            self.masters[master].run::<()>(&format!("SETBIT {name} {bit} {}", 1 - now));
        }
    }

    /// The number of a value.
    pub(crate) fn number(&self, name: &str) -> Vec<u8> {
        let mut get = redis::cmd("GETRANGE");
        get.arg(name).arg(WRITE_ID).arg(WRITE_ID + 7);
        get.query(&mut self.masters[self.holder(name)].connection()).unwrap()
    }

    /// All keys of a pattern.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        self.masters.iter().flat_map(|master| master.run::<Vec<String>>(&format!("KEYS {pattern}"))).collect()
    }

    /// Waits until so many processes are told of changes: each by one of the servers.
    pub(crate) fn tells(&self, processes: usize) {
        let listening = |server: &Server| -> usize {
            server.run::<Vec<String>>("PUBSUB NUMSUB cb1:bp:cacheback")[1].parse().unwrap()
        };
        wait_until("all listen", || self.masters.iter().map(listening).sum::<usize>() == processes);
    }

    /// Begins to move a slot from one master to another: `goes on` moves the keys, and `ends` the slot.
    pub(crate) fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let [from_id, to_id] = [from, to].map(|master| self.masters[master].run::<String>("CLUSTER MYID"));
        self.masters[to].run::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}"));
        self.masters[from].run::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}"));
    }

    pub(crate) fn move_keys(&self, slot: u16, from: usize, to: usize) {
        loop {
            let keys: Vec<String> = self.masters[from].run(&format!("CLUSTER GETKEYSINSLOT {slot} 100"));
            if keys.is_empty() {
                return;
            }
            let mut migrate = redis::cmd("MIGRATE");
            migrate
                .arg("127.0.0.1")
                .arg(self.masters[to].port)
                .arg("")
                .arg(0)
                .arg(5_000)
                .arg("KEYS")
                .arg(keys);
            migrate.exec(&mut self.masters[from].connection()).unwrap();
        }
    }

    pub(crate) fn end_move(&self, slot: u16, to: usize) {
        let id: String = self.masters[to].run("CLUSTER MYID");
        let end = format!("CLUSTER SETSLOT {slot} NODE {id}");
        self.masters[to].run::<()>(&end);
        self.masters.iter().for_each(|master| master.run::<()>(&end));
    }
}

fn options() -> [&'static str; 10] {
    [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        SILENCE,
        "--cluster-require-full-coverage",
        "no",
        "--cluster-replica-validity-factor",
        "0",
        "--repl-diskless-sync-delay",
        "0",
    ]
}

/// A port whose sister for the bus, ten thousand higher, is free as well.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The system gives ports from 32,768 on, which leaves room below and above.
        let port = if port > 55_000 { port - 20_000 } else { port };
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 10_000) {
            return port;
        }
    }
}
