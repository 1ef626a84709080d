//! A process of the fleet, and its answers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{Origin, is_long, wait_until};

type Answers = Arc<(Mutex<HashMap<u64, Answer>>, Condvar)>;
type Logs = Arc<Mutex<Vec<String>>>;

/// The answer to a command.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) took: Duration,
    pub(crate) words: String,
}

pub(crate) struct Process {
    child: Child,
    commands: ChildStdin,
    answers: Answers,
    logs: Logs,
    next: u64,
}

/// A command that was sent.
#[derive(Clone)]
pub(crate) struct Sent {
    id: u64,
    answers: Answers,
}

impl Process {
    pub(crate) fn start(origin: &Origin, server: &str, options: &[&str]) -> Self {
        Self::start_in(&[], origin, server, options)
    }

    /// A process with these variables in its environment.
    pub(crate) fn start_in(
        environment: &[(&str, &str)],
        origin: &Origin,
        server: &str,
        options: &[&str],
    ) -> Self {
        let (process, words) = Self::begin(environment, origin, server, options);
        assert_eq!(words, "ready");
        process
    }

    /// Why a process does not start.
    pub(crate) fn refusal(origin: &Origin, server: &str) -> String {
        Self::begin(&[], origin, server, &[]).1
    }

    fn begin(
        environment: &[(&str, &str)],
        origin: &Origin,
        server: &str,
        options: &[&str],
    ) -> (Self, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cacheback-shared-tests"))
            .arg(origin.address.to_string())
            .arg(server)
            .args(options)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (answers, logs) = (Answers::default(), Logs::default());
        let (told, logged) = (Arc::clone(&answers), Arc::clone(&logs));
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(log) = line.strip_prefix("log ") {
                    logged.lock().unwrap().push(log.to_owned());
                    continue;
                }
                let mut words = line.splitn(3, ' ');
                let mut number = || words.next().and_then(|word| word.parse().ok());
                let (Some(id), Some(took)) = (number(), number()) else { continue };
                let words = words.next().unwrap_or_default().to_owned();
                told.0.lock().unwrap().insert(id, Answer { took: Duration::from_millis(took), words });
                told.1.notify_all();
            }
        });
        let process = Self { child, commands, answers, logs, next: 1 };
        let words = process.sent(0).answer().words;
        (process, words)
    }

    fn sent(&self, id: u64) -> Sent {
        Sent { id, answers: Arc::clone(&self.answers) }
    }

    /// Sends a command: `get long key`.
    pub(crate) fn send(&mut self, command: &str) -> Sent {
        let id = self.next;
        self.next += 1;
        writeln!(self.commands, "{id} {command}").unwrap();
        self.sent(id)
    }

    /// Sends a command and waits for the answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.send(command).answer().words
    }

    /// The lines that it has logged with these words in them.
    pub(crate) fn logged(&self, words: &str) -> Vec<String> {
        self.logs.lock().unwrap().iter().filter(|line| line.contains(words)).cloned().collect()
    }

    /// Waits until it has logged a line with these words.
    #[track_caller]
    pub(crate) fn logs(&self, words: &str) -> String {
        wait_until(&format!("{words:?} is not logged"), || !self.logged(words).is_empty());
        self.logged(words).remove(0)
    }

    /// Waits until it is told of changes, for the first time: what it has stored before is suspect from then on.
    #[track_caller]
    pub(crate) fn listens(&self) {
        self.logs("messages of the second tier may have been lost");
    }

    /// Its warnings, once the server of the first connection was looked at.
    #[track_caller]
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.logs("second tier examined");
        self.logged("WARN")
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the signal of Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal(libc::SIGINT);
    }

    /// Sends the signal of service managers.
    pub(crate) fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Waits until it has ended by itself: its last words, and the code that it has ended with.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> (String, Option<i32>) {
        let mut ended = None;
        wait_until("the process does not end", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        let code = ended.and_then(|ended| ended.code());
        // One that was killed says nothing.
        let words = code.map(|_| self.sent(1).answer().words).unwrap_or_default();
        (words, code)
    }

    pub(crate) fn stop(&self) {
        self.signal(libc::SIGSTOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        #[allow(unsafe_code)]
        // SAFETY: sends a signal to our own child, which is not waited for yet.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Sent {
    #[track_caller]
    pub(crate) fn answer(&self) -> Answer {
        let (lock, told) = &*self.answers;
        let until = Instant::now() + Duration::from_secs(if is_long() { 120 } else { 30 });
        let mut answers = lock.lock().unwrap();
        loop {
            if let Some(answer) = answers.get(&self.id) {
                return answer.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "a command is not answered");
            answers = told.wait_timeout(answers, left).unwrap().0;
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answers.0.lock().unwrap().contains_key(&self.id)
    }
}
