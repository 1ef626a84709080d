//! A proxy before the server, which makes the network fail, and sees what goes through it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::commands::{Begun, Commands, Operation};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Connections are closed, and new ones refused.
    Cut,
    /// Connections stay open, and nothing goes through.
    BlackHole,
    /// What is sent arrives when this ends, but for connections that tell of changes already.
    OnlyMessages,
    /// Each answer is this many milliseconds late.
    Latency(u64),
    /// Answers are other bytes.
    Garbage,
    /// Answers come byte by byte, with so many milliseconds after each.
    Drip(u64),
    /// Answers are held back for as long as this lasts.
    Hold,
}

struct State {
    fault: Mutex<Fault>,
    connections: Mutex<Vec<Arc<Connection>>>,
    commands: Mutex<Commands>,
    /// The name of the operation whose answer is to be lost.
    lost: Mutex<Option<&'static str>>,
    /// No connection is to be had after that.
    cuts: AtomicBool,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// Its requests are on the way, and arrive later: even if the client has closed it.
    is_stalled: AtomicBool,
    /// Its next answer is lost, and it is closed.
    is_doomed: AtomicBool,
    /// It tells of changes.
    is_subscription: AtomicBool,
    /// Nothing goes through it, and it stays open.
    is_swallowed: AtomicBool,
}

pub(crate) struct Proxy {
    state: Arc<State>,
    pub(crate) port: u16,
}

impl Proxy {
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            fault: Mutex::new(Fault::None),
            connections: Mutex::default(),
            commands: Mutex::default(),
            lost: Mutex::default(),
            cuts: AtomicBool::new(false),
        });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                if serving.fault() == Fault::Cut {
                    continue;
                }
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
                let Ok(server) = server else { continue };
                let connection = Arc::new(Connection::between(client, server));
                serving.connections.lock().unwrap().push(Arc::clone(&connection));
                let (state, carried) = (Arc::clone(&serving), Arc::clone(&connection));
                thread::spawn(move || state.carry_requests(&carried));
                let state = Arc::clone(&serving);
                thread::spawn(move || state.carry_answers(&connection));
            }
        });
        Self { state, port: own }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.state.set(fault);
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.lock().unwrap().len()
    }

    /// The operations since the last call, but for those that keep a connection.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.state.commands.lock().unwrap().take()
    }

    /// The names of those operations.
    pub(crate) fn names(&self) -> Vec<String> {
        self.operations().into_iter().map(|operation| operation.name).collect()
    }

    /// The next operation of this name is carried out, and its answer is lost with the connection.
    pub(crate) fn lose_the_answer_to(&self, operation: &'static str) {
        *self.state.lost.lock().unwrap() = Some(operation);
    }

    /// The same, and then the way to the server is [cut](Fault::Cut).
    pub(crate) fn cut_after(&self, operation: &'static str) {
        self.state.cuts.store(true, Ordering::SeqCst);
        self.lose_the_answer_to(operation);
    }

    /// The present connections for messages stay open, and nothing goes through them any more. Returns how many these are.
    pub(crate) fn deafen(&self) -> usize {
        let connections = self.state.connections.lock().unwrap();
        let subscriptions =
            connections.iter().filter(|connection| connection.is_subscription.load(Ordering::SeqCst));
        subscriptions.filter(|connection| !connection.is_swallowed.swap(true, Ordering::SeqCst)).count()
    }

    /// What is sent on the present connections does not arrive until it is [delivered](Self::deliver).
    pub(crate) fn stall(&self) {
        let connections = self.state.connections.lock().unwrap();
        connections.iter().for_each(|connection| connection.is_stalled.store(true, Ordering::SeqCst));
    }

    /// Delivers what has stalled.
    pub(crate) fn deliver(&self) {
        let connections = self.state.connections.lock().unwrap();
        connections.iter().for_each(|connection| connection.is_stalled.store(false, Ordering::SeqCst));
    }
}

impl Connection {
    fn between(client: TcpStream, server: TcpStream) -> Self {
        let (is_stalled, is_doomed, is_subscription, is_swallowed) = Default::default();
        Self { client, server, is_stalled, is_doomed, is_subscription, is_swallowed }
    }

    fn close(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

impl State {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        if fault == Fault::Cut {
            self.connections.lock().unwrap().iter().for_each(|connection| connection.close());
        }
    }

    /// Whether what is sent on a connection is kept for later.
    fn stalls(&self, connection: &Connection) -> bool {
        connection.is_stalled.load(Ordering::SeqCst)
            || self.fault() == Fault::OnlyMessages && !connection.is_subscription.load(Ordering::SeqCst)
    }

    fn carry_requests(&self, connection: &Connection) {
        let (mut from, mut to) = (&connection.client, &connection.server);
        // It looks now and then whether what has stalled is to be delivered.
        from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (mut buffer, mut stalled, mut begun) = (vec![0; 64 * 1024], Vec::new(), Begun::default());
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if is_for_now(error.kind()) => &[],
                Err(_) => break,
            };
            if self.fault() == Fault::BlackHole || connection.is_swallowed.load(Ordering::SeqCst) {
                continue;
            }
            let named = self.commands.lock().unwrap().note(&mut begun, read);
            if named.iter().any(|name| name == "SUBSCRIBE") {
                connection.is_subscription.store(true, Ordering::SeqCst);
            }
            let mut lost = self.lost.lock().unwrap();
            if lost.is_some_and(|lost| named.iter().any(|name| name == lost)) {
                *lost = None;
                connection.is_doomed.store(true, Ordering::SeqCst);
            }
            drop(lost);
            stalled.extend_from_slice(read);
            if self.stalls(connection) {
                continue;
            }
            if to.write_all(&std::mem::take(&mut stalled)).is_err() {
                break;
            }
        }
        while self.stalls(connection) {
            thread::sleep(Duration::from_millis(1));
        }
        let _ = to.write_all(&stalled);
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Both);
    }

    fn carry_answers(&self, connection: &Connection) {
        let (mut from, mut to) = (&connection.server, &connection.client);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &mut buffer[..read],
                Err(error) if is_for_now(error.kind()) => continue,
                Err(_) => break,
            };
            if connection.is_doomed.load(Ordering::SeqCst) {
                if self.cuts.swap(false, Ordering::SeqCst) {
                    self.set(Fault::Cut);
                }
                break;
            }
            match self.fault() {
                _ if connection.is_swallowed.load(Ordering::SeqCst) => continue,
                Fault::BlackHole => continue,
                Fault::Latency(millis) => thread::sleep(Duration::from_millis(millis)),
                Fault::Garbage => read.iter_mut().for_each(|byte| *byte = byte.wrapping_add(77)),
                _ => {}
            }
            while self.fault() == Fault::Hold {
                thread::sleep(Duration::from_millis(1));
            }
            let mut rest = &*read;
            while let (Fault::Drip(millis), [first, others @ ..]) = (self.fault(), rest) {
                thread::sleep(Duration::from_millis(millis));
                if to.write_all(&[*first]).is_err() {
                    break;
                }
                rest = others;
            }
            if to.write_all(rest).is_err() {
                break;
            }
        }
        connection.close();
    }
}

fn is_for_now(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
