//! Commands on their way to the servers, and the versions that go with them.

use std::sync::Weak;
use std::time::{Duration, Instant};

use redis::{Cmd, Value};
use tokio::task::JoinHandle;

use super::answer::{Answer, bytes, number, unexpected};
use super::link::{AnyTime, Operation, runtime};
use super::names::Names;
use super::scripts::{self, Scripts, lateness, sent, stamp_bytes, text};
use super::values::{self, millis};
use super::versions::{Currency, Question};
use super::writes::Turn;
use super::{Inner, LEASE, messages};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::base::sync::plain::lock;
use crate::tier::late::{Delivered, Late};
use crate::tier::{Bump, Change, Down, Payload, Reply, Scope, Stamp, Token, WireKey, WriteId};

/// How often the leases of this process are extended.
const EXTEND: Duration = Duration::from_secs(2);

/// A script that concerns one key.
#[derive(Clone)]
struct Call {
    inner: Arc<Inner>,
    scope: Arc<Scope>,
    names: Arc<Names>,
    script: fn(&Scripts) -> &scripts::Script,
    args: Arc<[Vec<u8>]>,
    times: Times,
}

/// The last arguments of a script, which are not known before it is sent.
#[derive(Clone, Copy, Default)]
pub(super) struct Times {
    /// Of a write: how late it is.
    late: Option<Option<Late>>,
    /// Of what brings a value: the age that it had at a moment.
    value: Option<(Duration, Moment)>,
}

impl Times {
    pub(super) fn of(value: &Payload) -> Self {
        Self { late: None, value: Some((value.ages.age, value.at)) }
    }
}

impl Operation for Call {
    fn command(&self, deadline: i64) -> Cmd {
        let Self { inner, scope, names, script, args, times } = self;
        let Names { value, lease, versions } = &**names;
        let known = stamp_bytes(inner.versions.known(&scope.name));
        let mut all = vec![text(deadline), known, inner.prefix.channel().into_bytes()];
        all.extend_from_slice(args);
        // Not before it is sent: see `Late` and `Payload`.
        let (now, timeout) = (Moment::now(), inner.settings.timeout);
        if let Some(late) = times.late {
            all.extend(lateness(late.map(|late| late.by(now)), timeout));
        }
        if let Some((age, at)) = times.value {
            let waited = Duration::from_nanos(now.since(at));
            all.extend(sent(age.saturating_add(waited), deadline.saturating_sub(micros(timeout))));
        }
        let script = script(&inner.scripts);
        if inner.servers().is_cluster() {
            script.call(&[value, lease], &all)
        } else {
            script.call(&[value, lease, versions], &all)
        }
    }
}

/// A task that is aborted when nobody waits for it any more.
struct GoesWith<T>(JoinHandle<T>);

impl<T> Drop for GoesWith<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// The script that changes all keys of a scope.
#[derive(Clone)]
struct BumpCall {
    inner: Arc<Inner>,
    scope: Arc<Scope>,
    change: Bump,
    /// When it was made.
    at: Moment,
}

impl Operation for BumpCall {
    fn command(&self, deadline: i64) -> Cmd {
        let Self { inner, scope, change, at } = self;
        let which = match change {
            Bump::Stale => "stale",
            Bump::Gone => "gone",
        };
        let known = stamp_bytes(inner.versions.known(&scope.name));
        let message = messages::bumped(inner.origin(), scope, *change);
        let channel = inner.prefix.channel().into_bytes();
        let age = Moment::now().since(*at) / 1_000;
        let args = [text(deadline), known, channel, which.into(), message, text(age)];
        inner.scripts.bump.call(&[inner.prefix.versions(scope)], &args)
    }
}

/// The message of a key that was deleted, which no script sends.
#[derive(Clone)]
struct Deleted {
    inner: Arc<Inner>,
    message: Vec<u8>,
}

impl Operation for Deleted {
    fn command(&self, deadline: i64) -> Cmd {
        let Self { inner, message } = self;
        // Its number is the server's time, which is so much before the deadline.
        let now = deadline.saturating_sub(micros(inner.settings.timeout));
        let numbered = messages::numbered(message.clone(), now);
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(inner.prefix.channel()).arg(numbered);
        publish
    }
}

impl Inner {
    /// Sends a script that concerns one key.
    pub(super) fn call(
        self: &Arc<Self>,
        key: &WireKey,
        script: fn(&Scripts) -> &scripts::Script,
        args: Vec<Vec<u8>>,
    ) -> Reply<Answer> {
        self.call_at(key, script, args, Times::default())
    }

    /// The same with what is not known before it is sent.
    pub(super) fn call_at(
        self: &Arc<Self>,
        key: &WireKey,
        script: fn(&Scripts) -> &scripts::Script,
        args: Vec<Vec<u8>>,
        times: Times,
    ) -> Reply<Answer> {
        self.run(self.call_on(key, script, args, times), None)
    }

    fn call_on(
        self: &Arc<Self>,
        key: &WireKey,
        script: fn(&Scripts) -> &scripts::Script,
        args: Vec<Vec<u8>>,
        times: Times,
    ) -> Call {
        let (scope, names) = (Arc::clone(&key.scope), Arc::new(self.prefix.names(key)));
        Call { inner: Arc::clone(self), scope, names, script, args: args.into(), times }
    }

    /// The same after the versions are confirmed, both within the time of one operation.
    pub(super) fn call_after(
        self: &Arc<Self>,
        confirmed: Reply<()>,
        key: &WireKey,
        script: fn(&Scripts) -> &scripts::Script,
        args: Vec<Vec<u8>>,
    ) -> Reply<Answer> {
        let (inner, key) = (Arc::clone(self), key.clone());
        let both = async move {
            confirmed.await?;
            inner.call(&key, script, args).await
        };
        let limit = self.settings.timeout;
        // Where there are timers, whatever runtime the caller has. What was not sent when the caller went is not sent.
        let mut done = GoesWith(runtime().spawn(async move { tokio::time::timeout(limit, both).await }));
        Box::pin(async move {
            match (&mut done.0).await {
                Ok(Ok(answered)) => answered,
                Ok(Err(_)) => Err(Down::TimedOut),
                Err(_) => Err(Down::Disconnected),
            }
        })
    }

    /// The same for a write, in its turn.
    fn call_in_turn(
        self: &Arc<Self>,
        key: &WireKey,
        script: fn(&Scripts) -> &scripts::Script,
        args: Vec<Vec<u8>>,
        times: Times,
    ) -> Reply<Answer> {
        let call = self.call_on(key, script, args, times);
        self.writes.next(key, |turn| self.run(call, Some(turn)))
    }

    /// Sends a call. If it is late, because the server's clock has been set forward, it is sent once more, unless its turn
    /// is over by then.
    fn run(self: &Arc<Self>, call: Call, turn: Option<Turn>) -> Reply<Answer> {
        let (names, scope) = (Arc::clone(&call.names), Arc::clone(&call.scope));
        let first = self.servers().send(&names.value, call.clone(), turn.clone());
        let inner = Arc::clone(self);
        Box::pin(async move {
            let answer = inner.answer(&scope, &names.value, first.await?)?;
            if answer.word != "late" {
                return Ok(answer);
            }
            let send = || inner.servers().send(&names.value, call, turn.clone());
            let again = match &turn {
                Some(turn) => turn.again(send).ok_or(Down::TimedOut)?,
                None => send(),
            };
            inner.answer(&scope, &names.value, again.await?)
        })
    }

    /// Sends a read, as this operation.
    pub(super) fn send_read<O: Operation>(
        &self,
        key: &WireKey,
        have: Option<WriteId>,
        operation: fn(Cmd) -> O,
    ) -> Reply<Value> {
        let Names { value, versions, .. } = self.prefix.names(key);
        let known = text(have.map_or(0, |WriteId(id)| id));
        let read = if self.servers().is_cluster() {
            self.scripts.read.call(&[&value], &[known])
        } else {
            self.scripts.read.call(&[&value, &versions], &[known])
        };
        self.servers().send(&value, operation(read), None)
    }

    /// The message of a change of a key.
    pub(super) fn message(&self, key: &WireKey) -> Vec<u8> {
        messages::changed(self.origin(), &key.scope, &key.args)
    }

    /// Changes a key. `late`: the change was made a while ago.
    pub(super) fn change(
        self: &Arc<Self>,
        key: &WireKey,
        change: Change,
        late: Option<Late>,
    ) -> Reply<Delivered> {
        let inner = Arc::clone(self);
        let stamp = inner.versions.known(&key.scope.name);
        let first = inner.send_write(key, &change, None, late);
        // In a cluster, beside it.
        let asked =
            matches!(change, Change::Set(_)).then(|| inner.ask_for_versions(&key.scope.name)).flatten();
        let key = key.clone();
        Box::pin(async move {
            let mut answered = first.await;
            let mut again = answered.as_ref().ok().and_then(Answer::refused_for_its_versions);
            if let (Some(asked), Ok(Answer { word, rest, .. })) = (asked, &answered) {
                let has_grown = asked.await.is_ok_and(|now| now != stamp);
                if let ("stored", [id], true) = (&**word, &rest[..], has_grown) {
                    again = Some(number(id)?);
                }
            }
            // The envelope names the versions of its scope. If those have grown, the older value is gone, and this one is
            // written once more, unless somebody else was faster.
            if let Some(id) = again {
                answered = inner.send_write(&key, &change, Some(id), None).await;
            }
            if answered.as_ref().is_err_and(Down::is_refusal) && late.is_none() {
                // The server is out of memory, say. The older value is not to be taken for the present one.
                inner.delete(&key).await;
            }
            match answered? {
                Answer { word, rest, .. } if word == "stored" && rest.len() == 1 => {
                    Ok(Delivered::Done(WriteId(number(&rest[0])?)))
                }
                Answer { word, rest, .. } if word == "unsure" && rest.len() == 1 => {
                    Ok(Delivered::Unsure(WriteId(number(&rest[0])?)))
                }
                Answer { word, rest, .. } if word == "yielded" && rest.len() == 1 => {
                    Ok(Delivered::Yielded(WriteId(number(&rest[0])?)))
                }
                // Versions that grow all the time: the value is gone there, and that is what it would be.
                answer => answer
                    .refused_for_its_versions()
                    .map(|id| Delivered::Done(WriteId(id)))
                    .ok_or_else(unexpected),
            }
        })
    }

    /// Deletes a key, and tells all processes, each of which then looks.
    async fn delete(self: &Arc<Self>, key: &WireKey) {
        let Names { value, lease, .. } = self.prefix.names(key);
        let mut delete = redis::cmd("DEL");
        // No transaction, and no script: a server without memory refuses those.
        delete.arg(&value).arg(lease);
        let deleted = self.servers().send(&value, AnyTime(delete), None);
        let message = messages::deleted(self.origin(), &key.scope, &key.args);
        let told = Deleted { inner: Arc::clone(self), message };
        let told = self.servers().send(&value, told, None);
        let _ = deleted.await;
        let _ = told.await;
    }

    /// Sends a write. `again`: it was refused before, and left the key with this number.
    fn send_write(
        self: &Arc<Self>,
        key: &WireKey,
        change: &Change,
        again: Option<u64>,
        late: Option<Late>,
    ) -> Reply<Answer> {
        let stamp = self.versions.known(&key.scope.name);
        let (envelope, kept) = match change {
            Change::Set(value) => values::envelope(key, value.clone(), stamp),
            Change::Invalidate { tombstone } | Change::Remove { tombstone } => {
                (values::tombstone(key, stamp), millis(*tombstone))
            }
        };
        let (script, args): (fn(&Scripts) -> &scripts::Script, _) = match change {
            Change::Invalidate { .. } => {
                (|scripts| &scripts.invalidate, vec![text(kept), envelope, self.message(key)])
            }
            Change::Set(_) | Change::Remove { .. } => {
                let again = again.map_or_else(Vec::new, text);
                let versions = [text(stamp.stale), text(stamp.gone)];
                let rest = [text(kept), envelope, again, self.message(key)];
                (|scripts| &scripts.set, versions.into_iter().chain(rest).collect())
            }
        };
        let value = match change {
            Change::Set(value) => Times::of(value).value,
            // One script sets and removes.
            Change::Remove { .. } => Some((Duration::ZERO, Moment::now())),
            Change::Invalidate { .. } => None,
        };
        self.call_in_turn(key, script, args, Times { late: Some(late), value })
    }

    pub(super) fn send_bump(self: &Arc<Self>, scope: &Arc<Scope>, change: Bump, at: Moment) -> Reply<Value> {
        let bump = BumpCall { inner: Arc::clone(self), scope: Arc::clone(scope), change, at };
        self.servers().send(&self.prefix.versions(scope), bump, None)
    }

    /// The answer of a script on this key. Its second and third items are the versions of the scope.
    pub(super) fn answer(&self, scope: &Scope, key: &str, value: Value) -> Result<Answer, Down> {
        let Value::Array(items) = value else { return Err(unexpected()) };
        let mut items = items.into_iter();
        let word = items
            .next()
            .and_then(bytes)
            .and_then(|word| String::from_utf8(word).ok())
            .ok_or_else(unexpected)?;
        if word == "late" {
            let now = items.next().as_ref().map(number).transpose()?.unwrap_or_default();
            self.servers().correct_clock(key, i64::try_from(now).unwrap_or(i64::MAX));
            return Ok(Answer { word, stamp: Stamp::default(), rest: Vec::new() });
        }
        let (Some(stale), Some(gone)) = (items.next(), items.next()) else { return Err(unexpected()) };
        let stamp = Stamp { stale: number(&stale)?, gone: number(&gone)? };
        self.versions.learn(&scope.name, stamp);
        Ok(Answer { word, stamp, rest: items.collect() })
    }

    /// In a cluster: asks the master of a scope's versions for them. `None`: every script sees them.
    pub(super) fn ask_for_versions(self: &Arc<Self>, name: &Arc<str>) -> Option<Reply<Stamp>> {
        self.servers().is_cluster().then(|| self.raise_versions(name))
    }

    /// Tells the master of a scope's versions of those that are known here, and learns what they are after that.
    pub(super) fn raise_versions(self: &Arc<Self>, name: &Arc<str>) -> Reply<Stamp> {
        let scope = Scope { name: Arc::clone(name), instance: None };
        let versions = self.prefix.versions(&scope);
        let known = stamp_bytes(self.versions.known(name));
        let ask = AnyTime(self.scripts.versions.call(&[&versions], &[known]));
        let asked = self.servers().send(&versions, ask, None);
        let (inner, name) = (Arc::clone(self), Arc::clone(name));
        Box::pin(async move {
            let scope = Scope { name, instance: None };
            inner.answer(&scope, &versions, asked.await?)?;
            Ok(inner.versions.known(&scope.name))
        })
    }

    /// In a cluster: completes when the versions of a scope can be used. `None`: they can be used now.
    pub(super) fn confirmed(self: &Arc<Self>, name: &Arc<str>) -> Option<Reply<()>> {
        if !self.servers().is_cluster() {
            return None;
        }
        match self.versions.currency(name, Instant::now()) {
            Currency::Current => None,
            Currency::Aged(question) => {
                self.confirm(question);
                None
            }
            Currency::Unknown(question, answered) => {
                if let Some(question) = question {
                    self.confirm(question);
                }
                Some(Box::pin(async move { answered.await.unwrap_or(Err(Down::Disconnected)) }))
            }
        }
    }

    /// Asks a question, whoever waits for the answer.
    fn confirm(self: &Arc<Self>, question: Question) {
        let Some(asked) = self.ask_for_versions(&question.name) else { return };
        let inner = Arc::clone(self);
        runtime().spawn(async move {
            let answer = asked.await.map(drop);
            inner.versions.answered(&question, answer, Instant::now());
        });
    }
}

/// Extends the leases of this process, as long as the tier lives: all in one command, or in a cluster each in one of its
/// own.
pub(super) async fn extend(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(EXTEND).await;
        let Some(inner) = inner.upgrade() else { return };
        let leases: Vec<(Token, String)> =
            lock(&inner.leases).iter().map(|(token, name)| (*token, name.clone())).collect();
        let together = if inner.servers().is_cluster() { 1 } else { leases.len().max(1) };
        let sent: Vec<_> = leases.chunks(together).map(|leases| inner.send_extend(leases)).collect();
        for extended in sent {
            // A lease that could not be extended lapses, and the value of its fetch is stored if nobody else's is newer.
            let _ = extended.await;
        }
    }
}

impl Inner {
    fn send_extend(&self, leases: &[(Token, String)]) -> Reply<Value> {
        let mut args = vec![text(LEASE.as_millis())];
        args.extend(leases.iter().map(|(token, _)| token.0.to_le_bytes().to_vec()));
        let names: Vec<_> = leases.iter().map(|(_, name)| &**name).collect();
        let extend = self.scripts.extend.call(&names, &args);
        self.servers().send(names[0], AnyTime(extend), None)
    }
}
