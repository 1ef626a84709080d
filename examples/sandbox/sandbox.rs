//! The sandbox: two web processes and a worker, and what they are asked and told from here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::origin::{Origin, Seen, Shown, USERS};
use crate::processes::Process;
use crate::timeline::LIFETIME;
use crate::web::{Answer, Answers, Health, Queue};

/// All processes of the sandbox but for that of its own Redis.
#[derive(Clone)]
pub(crate) struct Sandbox(Arc<Parts>);

struct Parts {
    settings: Settings,
    client: Client,
    webs: [Web; 2],
    crew: Mutex<Crew>,
    /// Whose turn it is, for each user.
    turns: [AtomicUsize; USERS.len()],
}

/// What a process needs to be started.
pub(crate) struct Settings {
    pub(crate) origin: Origin,
    pub(crate) origin_address: SocketAddr,
    /// The tier, as an argument, and for the eye.
    pub(crate) tier: String,
    pub(crate) tier_in_words: String,
    /// Before the names of all keys on a server.
    pub(crate) prefix: String,
}

/// A web process.
struct Web {
    address: SocketAddr,
    process: Mutex<Option<Process>>,
}

/// The worker, if there is one, and how many there were.
#[derive(Default)]
struct Crew {
    worker: Option<Process>,
    hired: u32,
}

/// What the page shows beside the timelines.
#[derive(Serialize)]
pub(crate) struct State {
    /// The tier, in words.
    tier: String,
    connected: bool,
    lifetime_ms: u128,
    webs: Vec<Running>,
    worker: Option<Running>,
    queue: Option<Queue>,
    /// How many refreshes web processes have run themselves, as no worker did.
    fallbacks: u64,
    answers: Answers,
    origin: Seen,
    bodies: Vec<Shown>,
    /// The number of each user's newest tweet.
    newest: BTreeMap<&'static str, u64>,
}

/// A process that runs.
#[derive(Serialize)]
struct Running {
    name: String,
    pid: u32,
}

impl Sandbox {
    /// Starts two web processes and a worker.
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Self> {
        let webs = [Web::start(&settings, "one").await?, Web::start(&settings, "two").await?];
        let sandbox = Self(Arc::new(Parts {
            settings,
            client: Client::new(),
            webs,
            crew: Mutex::default(),
            turns: Default::default(),
        }));
        sandbox.hire().await?;
        Ok(sandbox)
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.0.settings.origin
    }

    pub(crate) fn tier_in_words(&self) -> &str {
        &self.0.settings.tier_in_words
    }

    /// Reads a timeline from the web process whose turn it is.
    pub(crate) async fn read(&self, user: usize) -> anyhow::Result<Answer> {
        self.read_from(self.0.turns[user].fetch_add(1, Ordering::Relaxed) % 2, user).await
    }

    pub(crate) async fn read_from(&self, web: usize, user: usize) -> anyhow::Result<Answer> {
        let path = format!("/timelines/{}", USERS[user]);
        Ok(serde_json::from_slice(&self.0.client.get(self.0.webs[web].address, &path).await?)?)
    }

    /// Has one process invalidate, remove or refresh a timeline.
    pub(crate) async fn change(&self, user: usize, change: &str) -> anyhow::Result<()> {
        let path = format!("/timelines/{}/{change}", USERS[user]);
        self.0.client.post(self.0.webs[0].address, &path).await?;
        Ok(())
    }

    /// What the two web processes say of themselves.
    pub(crate) async fn health(&self) -> anyhow::Result<[Health; 2]> {
        let ask = |web: &Web| {
            let address = web.address;
            async move { anyhow::Ok(serde_json::from_slice(&self.0.client.get(address, "/health").await?)?) }
        };
        let (one, two) = tokio::try_join!(ask(&self.0.webs[0]), ask(&self.0.webs[1]))?;
        Ok([one, two])
    }

    /// Kills the worker, if there is one, in the midst of whatever it does.
    pub(crate) async fn kill_worker(&self) -> anyhow::Result<()> {
        let mut crew = self.0.crew.lock().await;
        if let Some(worker) = crew.worker.take() {
            let name = worker.name.clone();
            worker.kill().await?;
            self.origin().forget(&name);
        }
        Ok(())
    }

    /// Starts a worker, if there is none.
    pub(crate) async fn hire(&self) -> anyhow::Result<()> {
        let mut crew = self.0.crew.lock().await;
        if crew.worker.as_mut().and_then(Process::pid).is_none() {
            crew.hired += 1;
            let name = format!("worker-{}", crew.hired);
            crew.worker = Some(self.0.settings.start("worker", &name).await?);
        }
        Ok(())
    }

    /// Ends all processes.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them has not ended well. The others have ended all the same.
    pub(crate) async fn end(&self) -> anyhow::Result<()> {
        let mut processes: Vec<_> = self.0.crew.lock().await.worker.take().into_iter().collect();
        for web in &self.0.webs {
            processes.extend(web.process.lock().await.take());
        }
        let ends: JoinSet<_> = processes.into_iter().map(Process::end).collect();
        ends.join_all().await.into_iter().collect()
    }

    /// The state of all processes, for the page.
    pub(crate) async fn state(&self) -> anyhow::Result<State> {
        let [one, two] = self.health().await?;
        let mut webs = Vec::new();
        for web in &self.0.webs {
            webs.extend(web.process.lock().await.as_mut().and_then(Running::of));
        }
        Ok(State {
            tier: self.tier_in_words().to_owned(),
            connected: one.connected && two.connected,
            lifetime_ms: LIFETIME.as_millis(),
            webs,
            worker: self.0.crew.lock().await.worker.as_mut().and_then(Running::of),
            queue: one.queue,
            fallbacks: one.stats.queue_fallbacks + two.stats.queue_fallbacks,
            answers: one.answers.plus(two.answers),
            origin: self.origin().seen(),
            bodies: self.origin().bodies(),
            newest: self.origin().newest(),
        })
    }
}

impl Settings {
    /// Starts a process in its role.
    async fn start(&self, role: &str, name: &str) -> anyhow::Result<Process> {
        let origin = self.origin_address.to_string();
        Process::start(name, &[role, name, &self.tier, &self.prefix, &origin]).await
    }
}

impl Web {
    async fn start(settings: &Settings, name: &str) -> anyhow::Result<Self> {
        let process = settings.start("web", name).await?;
        let address = process.greeting.parse().context("a web process has printed no address")?;
        Ok(Self { address, process: Mutex::new(Some(process)) })
    }
}

impl Running {
    fn of(process: &mut Process) -> Option<Self> {
        Some(Self { pid: process.pid()?, name: process.name.clone() })
    }
}
