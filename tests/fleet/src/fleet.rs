//! The processes, the network of each, the server that they share, and what they log.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::catalogue::TIMEOUT;
use crate::clock::now;
use crate::events::{Event, Micros, Process, Reach};
use crate::group::{Group, Kind};
use crate::log::Log;
use crate::origin;
use crate::proxy::{Failure, Proxy, Which};
use crate::server::{Server, signal};

/// The server is asked so often whether it answers.
const BETWEEN: Duration = Duration::from_millis(50);
/// An answer that takes so long is slow: at such a time others may take longer than their time-out.
const SLOW: Micros = TIMEOUT / 3;

/// How many processes there are.
pub(crate) const SLOTS: u32 = 4;

pub(crate) struct Fleet {
    places: Vec<Place>,
    server: Mutex<Server>,
    /// In place of that one server.
    group: Option<Group>,
    /// On the same way as those of the processes, without faults.
    clear: Proxy,
    /// A server that nobody should be led to.
    _other: Server,
    origin: SocketAddr,
    pub(crate) folder: PathBuf,
    pub(crate) log: Log,
}

/// A place in the fleet, and the process that has it.
pub(crate) struct Place {
    pub(crate) slot: u32,
    /// Before the one server, or before each of a cluster. To a master and its sentinels a process goes by itself.
    pub(crate) proxies: Vec<Proxy>,
    url: String,
    running: Mutex<Running>,
}

struct Running {
    run: u32,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Fleet {
    /// Starts everything, with the logs in this folder.
    pub(crate) fn start(folder: PathBuf, kind: Option<Kind>) -> io::Result<Self> {
        let log = Log::create(&folder, "parent")?;
        log.note_stalls(None);
        let (server, other, origin) = (Server::start()?, Server::start()?, origin::start(&log)?);
        let group = kind.map(Group::start).transpose()?;
        let mut places = Vec::new();
        for slot in 0..SLOTS {
            let (proxies, url) = match &group {
                None => {
                    let proxy = Proxy::start(server.port(), other.port())?;
                    let url = proxy.url();
                    (vec![proxy], url)
                }
                Some(group) => {
                    let host = format!("127.0.0.{}", slot + 2);
                    let proxy = |port| Proxy::start_at((&host, port), port, other.port());
                    let proxies = group.ports().into_iter().map(proxy).collect::<io::Result<_>>()?;
                    (proxies, group.url(&host))
                }
            };
            let running = spawn(slot, 0, &url, origin, &folder)?;
            places.push(Place { slot, proxies, url, running: Mutex::new(running) });
        }
        let clear = Proxy::start(server.port(), other.port())?;
        note_slow_answers(&clear, log.clone());
        let fleet =
            Self { places, server: Mutex::new(server), group, clear, _other: other, origin, folder, log };
        fleet.places.iter().try_for_each(|place| place.running().ready())?;
        Ok(fleet)
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    pub(crate) fn server(&self) -> Server {
        self.server.lock().unwrap().clone()
    }

    /// From now on this is the server.
    pub(crate) fn lead_to(&self, server: Server) {
        self.clear.lead_to(server.port());
        let proxies = self.places.iter().flat_map(|place| &place.proxies);
        proxies.for_each(|proxy| proxy.lead_to(server.port()));
        *self.server.lock().unwrap() = server;
    }

    /// Gives an order to every process, and waits until all have obeyed.
    pub(crate) fn order(&self, order: &str) -> io::Result<()> {
        let mut all: Vec<_> = self.places.iter().map(Place::running).collect();
        all.iter_mut().try_for_each(|running| writeln!(running.orders, "{order}"))?;
        all.iter_mut().try_for_each(|running| running.hear("done"))
    }

    /// Ends every process. Each of its calls is answered.
    pub(crate) fn end(&self) -> io::Result<()> {
        self.log.write(&Event::Ended { at: now() });
        for place in &self.places {
            let mut running = place.running();
            writeln!(running.orders, "end")?;
            running.hear("ended")?;
            running.child.wait()?;
        }
        Ok(())
    }

    /// Kills a process.
    pub(crate) fn kill(&self, place: &Place) {
        let mut running = place.running();
        let _ = running.child.kill();
        let _ = running.child.wait();
        let process = Process { slot: place.slot, run: running.run };
        self.log.write(&Event::Killed { at: now(), process });
    }

    /// Starts another process in the place of one that was killed, and gives it an order.
    pub(crate) fn start_again(&self, place: &Place, order: &str) -> io::Result<()> {
        let mut running = place.running();
        *running = spawn(place.slot, running.run + 1, &place.url, self.origin, &self.folder)?;
        running.ready()?;
        writeln!(running.orders, "{order}")?;
        running.hear("done")
    }
}

impl Place {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap()
    }

    /// Its whole network fails in this way from now on.
    pub(crate) fn fail(&self, which: Which, failure: Failure) {
        self.proxies.iter().for_each(|proxy| proxy.fail(which, failure));
    }

    /// Nothing of it fails any more.
    pub(crate) fn heal(&self) {
        self.proxies.iter().for_each(Proxy::heal);
    }

    /// Stops the process, so that it does nothing and closes nothing.
    pub(crate) fn stop(&self) {
        signal(&self.running().child, Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        signal(&self.running().child, Signal::CONT);
    }

    /// Gives the process an order, and waits until it has obeyed.
    pub(crate) fn order(&self, order: &str) -> io::Result<()> {
        let mut running = self.running();
        writeln!(running.orders, "{order}")?;
        running.hear("done")
    }
}

impl Running {
    fn ready(&mut self) -> io::Result<()> {
        self.hear("ready")
    }

    fn hear(&mut self, word: &str) -> io::Result<()> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.trim_end() == word {
            return Ok(());
        }
        Err(io::Error::other(format!("a process said {line:?} and not {word:?}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Notes when the way to the server and back takes so long that operations may time out, though nothing fails: the
/// machine has other work. A thread that is late at each of several steps has not stalled.
fn note_slow_answers(proxy: &Proxy, log: Log) {
    let url = proxy.url();
    thread::spawn(move || {
        let Ok(client) = redis::Client::open(url) else { return };
        loop {
            thread::sleep(BETWEEN);
            let Ok(mut connection) = client.get_connection_with_timeout(Duration::from_secs(2)) else {
                continue;
            };
            let mut is_open = true;
            while is_open {
                thread::sleep(BETWEEN);
                let from = now();
                is_open = redis::cmd("PING").exec(&mut connection).is_ok();
                let to = now();
                if to - from > SLOW {
                    let (reach, what) = (Reach::Everything, "Slow".to_owned());
                    log.write(&Event::Outage { from, to, slot: None, reach, what });
                }
            }
        }
    });
}

fn spawn(slot: u32, run: u32, url: &str, origin: SocketAddr, folder: &PathBuf) -> io::Result<Running> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("worker")
        .args([slot, SLOTS, run].map(|number| number.to_string()))
        .args([url.to_owned(), origin.to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("a process without pipes"));
    };
    Ok(Running { run, child, orders, answers: BufReader::new(answers) })
}
