//! The network between a process and a server, which fails. Each process has its own.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How the network fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Connections are closed, and new ones refused.
    Cut,
    /// Connections stay open, and nothing goes through.
    BlackHole,
    /// Each answer is this many milliseconds late.
    Latency(u64),
    /// Answers are other bytes.
    Garbage,
    /// Connections lead to another server.
    Astray,
}

/// Which connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Those that messages come on.
    Messages,
    /// The others.
    Operations,
}

struct State {
    failure: Mutex<Option<(Which, Failure)>>,
    connections: Mutex<Vec<Arc<Connection>>>,
    /// The port of the server.
    server: AtomicU16,
    /// That of another one.
    other: u16,
    /// No connection is taken any more.
    is_over: AtomicBool,
}

struct Connection {
    client: TcpStream,
    server: Mutex<TcpStream>,
    /// How often it was led to another server.
    turns: AtomicU64,
    is_of_messages: AtomicBool,
    is_over: AtomicBool,
}

/// With the last clone it ends, and gives back all that it has opened: a round has several, and an hour sixty rounds.
#[derive(Clone)]
pub(crate) struct Proxy {
    state: Arc<State>,
    port: u16,
    _end: Arc<End>,
}

/// Ends a proxy when it is dropped.
struct End {
    state: Arc<State>,
    address: SocketAddr,
}

impl Drop for End {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // It waits for one.
        let _ = TcpStream::connect(self.address);
        self.state.close(Which::All);
        self.state.connections.lock().unwrap().clear();
    }
}

impl Proxy {
    pub(crate) fn start(server: u16, other: u16) -> io::Result<Self> {
        Self::start_at(("127.0.0.1", 0), server, other)
    }

    /// At this host and port, with 0 for any port.
    pub(crate) fn start_at(at: (&str, u16), server: u16, other: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(at)?;
        let address = listener.local_addr()?;
        let (failure, connections, is_over) = Default::default();
        let state = Arc::new(State { failure, connections, server: AtomicU16::new(server), other, is_over });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                if serving.is_over.load(Ordering::SeqCst) {
                    return;
                }
                serving.serve(client);
            }
        });
        let end = Arc::new(End { state: Arc::clone(&state), address });
        Ok(Self { state, port: address.port(), _end: end })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Fails in this way from now on.
    pub(crate) fn fail(&self, which: Which, failure: Failure) {
        *self.state.failure.lock().unwrap() = Some((which, failure));
        if matches!(failure, Failure::Cut | Failure::Astray) {
            self.state.close(which);
        }
    }

    /// Fails no more. What has stayed open over a black hole, or leads astray, is closed.
    pub(crate) fn heal(&self) {
        let failure = self.state.failure.lock().unwrap().take();
        if let Some((which, Failure::BlackHole | Failure::Astray)) = failure {
            self.state.close(which);
        }
    }

    /// Leads to another server from now on.
    pub(crate) fn lead_to(&self, server: u16) {
        self.state.server.store(server, Ordering::SeqCst);
        self.state.close(Which::All);
    }
}

impl Connection {
    fn close(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.lock().unwrap().shutdown(Shutdown::Both);
    }

    fn is_one(&self, which: Which) -> bool {
        let is_of_messages = self.is_of_messages.load(Ordering::SeqCst);
        match which {
            Which::All => true,
            Which::Messages => is_of_messages,
            Which::Operations => !is_of_messages,
        }
    }
}

impl State {
    fn failure(&self, connection: &Connection) -> Option<Failure> {
        let (which, failure) = (*self.failure.lock().unwrap())?;
        connection.is_one(which).then_some(failure)
    }

    fn close(&self, which: Which) {
        let mut connections = self.connections.lock().unwrap();
        connections.retain(|connection| !connection.is_over.load(Ordering::SeqCst));
        connections
            .iter()
            .filter(|connection| connection.is_one(which))
            .for_each(|connection| connection.close());
    }

    fn serve(self: &Arc<Self>, client: TcpStream) {
        if *self.failure.lock().unwrap() == Some((Which::All, Failure::Cut)) {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.server.load(Ordering::SeqCst))) else {
            return;
        };
        // Bytes that were sent apart go on apart, and at once.
        let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
        let (turns, is_of_messages, is_over) = Default::default();
        let server = Mutex::new(server);
        let connection = Arc::new(Connection { client, server, turns, is_of_messages, is_over });
        let mut connections = self.connections.lock().unwrap();
        connections.retain(|connection| !connection.is_over.load(Ordering::SeqCst));
        connections.push(Arc::clone(&connection));
        drop(connections);
        let (state, carried) = (Arc::clone(self), Arc::clone(&connection));
        thread::spawn(move || {
            let _ = state.carry_requests(&carried);
            carried.close();
        });
        self.carry_answers(&connection);
    }

    fn carry_requests(self: &Arc<Self>, connection: &Arc<Connection>) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match (&connection.client).read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let subscribes = read.windows(9).any(|word| word == b"SUBSCRIBE");
            if subscribes {
                connection.is_of_messages.store(true, Ordering::SeqCst);
            }
            match self.failure(connection) {
                Some(Failure::BlackHole) => continue,
                Some(Failure::Cut) => return Ok(()),
                Some(Failure::Astray) if subscribes => {
                    let other = TcpStream::connect(("127.0.0.1", self.other))?;
                    connection.turns.fetch_add(1, Ordering::SeqCst);
                    let before = std::mem::replace(&mut *connection.server.lock().unwrap(), other);
                    let _ = before.shutdown(Shutdown::Both);
                    self.carry_answers(connection);
                }
                _ => {}
            }
            let mut server = connection.server.lock().unwrap().try_clone()?;
            server.write_all(read)?;
        }
    }

    /// Carries the answers of the present server, in a thread.
    fn carry_answers(self: &Arc<Self>, connection: &Arc<Connection>) {
        let (state, connection) = (Arc::clone(self), Arc::clone(connection));
        let turn = connection.turns.load(Ordering::SeqCst);
        let Ok(from) = connection.server.lock().unwrap().try_clone() else { return };
        thread::spawn(move || {
            let _ = state.carry_answers_of(&from, &connection);
            if connection.turns.load(Ordering::SeqCst) == turn {
                connection.close();
            }
        });
    }

    fn carry_answers_of(&self, mut from: &TcpStream, connection: &Connection) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        // One that is late keeps no later one back: each has its moment.
        let (late, on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>();
        let mut client = connection.client.try_clone()?;
        thread::spawn(move || {
            for (moment, bytes) in on_the_way {
                thread::sleep(moment.saturating_duration_since(Instant::now()));
                if client.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => &mut buffer[..read],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut moment = Instant::now();
            match self.failure(connection) {
                Some(Failure::BlackHole) => continue,
                Some(Failure::Latency(millis)) => moment += Duration::from_millis(millis),
                Some(Failure::Garbage) => read.iter_mut().for_each(|byte| *byte = byte.wrapping_add(77)),
                Some(Failure::Cut | Failure::Astray) | None => {}
            }
            late.send((moment, read.to_vec())).map_err(io::Error::other)?;
        }
    }
}
