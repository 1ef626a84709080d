//! A proxy before the server, which makes the network fail, and counts what goes through it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Connections are closed, and new ones refused.
    Cut,
    /// Connections stay open, and nothing goes through.
    BlackHole,
    /// Each answer is this many milliseconds late.
    Latency(u64),
    /// Answers are other bytes.
    Garbage,
}

struct State {
    fault: Mutex<Fault>,
    open: Mutex<Vec<TcpStream>>,
    /// Commands by their names would need a parser: these are the bursts of bytes from the clients, and their bytes.
    bursts: AtomicU64,
    sent: AtomicU64,
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
            open: Mutex::default(),
            bursts: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if *serving.fault.lock().unwrap() == Fault::Cut {
                    continue;
                }
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
                let Ok(server) = server else { continue };
                serving
                    .open
                    .lock()
                    .unwrap()
                    .extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                let (to, from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let state = Arc::clone(&serving);
                thread::spawn(move || pump(client, server, &state, true));
                let state = Arc::clone(&serving);
                thread::spawn(move || pump(from, to, &state, false));
            }
        });
        Self { state, port: own }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.state.fault.lock().unwrap() = fault;
        if fault == Fault::Cut {
            for stream in self.state.open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Bursts of bytes that clients have sent: with one command at a time, round trips.
    pub(crate) fn bursts(&self) -> u64 {
        self.state.bursts.load(Ordering::SeqCst)
    }
}

/// Carries bytes from one side to the other.
fn pump(mut from: TcpStream, mut to: TcpStream, state: &State, is_request: bool) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        if is_request {
            state.bursts.fetch_add(1, Ordering::SeqCst);
            state.sent.fetch_add(read as u64, Ordering::SeqCst);
        }
        let fault = *state.fault.lock().unwrap();
        match fault {
            Fault::BlackHole => continue,
            Fault::Latency(millis) if !is_request => thread::sleep(Duration::from_millis(millis)),
            Fault::Garbage if !is_request => {
                buffer[..read].iter_mut().for_each(|byte| *byte = byte.wrapping_add(77));
            }
            _ => {}
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
