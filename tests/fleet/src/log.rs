//! The log of a process: a line an event, in JSON. Each line is written at once, so that a process that is killed loses
//! the last one at most.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::clock::now;
use crate::events::{Event, MILLISECOND, Micros};

/// A thread that was not run for so long has stalled.
const STALL: Micros = 200 * MILLISECOND;

#[derive(Clone)]
pub(crate) struct Log(Arc<Mutex<File>>);

impl Log {
    pub(crate) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(folder.join(format!("{name}.log")))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    pub(crate) fn write(&self, event: &Event) {
        let mut line = serde_json::to_vec(event).expect("an event is JSON");
        line.push(b'\n');
        // In one call, so that no two lines mix, and none is torn unless its process is killed.
        self.0.lock().unwrap().write_all(&line).expect("the log can be written");
    }

    /// Notes when this process was not run by the system. `slot`: of one process of the fleet, otherwise of all.
    pub(crate) fn note_stalls(&self, slot: Option<u32>) {
        let log = self.clone();
        thread::spawn(move || {
            let mut last = now();
            loop {
                thread::sleep(Duration::from_millis(20));
                let to = now();
                if to - last > STALL {
                    log.write(&Event::Stalled { from: last, to, slot });
                }
                last = to;
            }
        });
    }
}

/// The events of all logs of a folder. A last line that is torn is left out.
pub(crate) fn read(folder: &Path) -> io::Result<Vec<Event>> {
    let mut events = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let lines = text.lines().count();
        for (number, line) in text.lines().enumerate() {
            match serde_json::from_str(line) {
                Ok(event) => events.push(event),
                Err(_) if number + 1 == lines => {}
                Err(error) => return Err(io::Error::other(format!("{}: {error}: {line}", path.display()))),
            }
        }
    }
    Ok(events)
}
