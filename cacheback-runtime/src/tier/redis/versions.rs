//! The versions of all scopes, as far as this process knows them.
//!
//! With a single server every script reads the versions of its scope, and this is only the memory of the highest that were
//! seen, for a server that has lost them.
//!
//! In a cluster the versions of a scope lie on one master, and a script that concerns a key runs on another, where they are
//! out of reach. There the versions that are known *here* count. They are right because of these rules:
//!
//! - Versions are *confirmed* by asking the master that has them. Before the first answer no value of the scope is read and
//!   no lease is taken.
//! - A change of them sends a message with the new version, and this process learns it before it acts on the message. So as
//!   long as messages arrive, confirmed versions are current: what an operation judges by older ones is a change whose
//!   message cannot have come yet.
//! - If messages may have been lost (a new *epoch*: a new subscription, a missing echo, a new connection to a master), all
//!   versions are to be confirmed again *before* the next look counts. The question is sent after the subscription is there,
//!   so a change is either in the answer, or its message will come. A process that is cut off is told by its missing echo, as
//!   it is with single keys, and within the same time.
//! - A change that this process makes itself is a question, too: from the moment when it is sent, versions are unknown until
//!   the answer to it, or what was changed could be read on another master meanwhile.
//! - A change during a fetch: the lease has the versions from before the body began, and the value is stored with these.
//!   Whoever knows the change takes the value for outdated, and the fetch itself is refused if this process has learned of
//!   it. The opposite mistake, a value with a version that is too low although its body began after the change, costs a
//!   fetch.
//! - A `set` must not be lost to a change that was complete before it and that this process has not heard of. So each `set`
//!   also asks, at the same time, and if the versions have grown it is written once more with the new ones.
//! - Versions that the server has lost (evicted, or in a failover) are written back by each process that asks and knows
//!   higher ones: at most every [`CONFIRMED`] while it uses the scope. They never fall here.
//! - If the master of the versions is down, nobody can change them, and the keys on other masters go on with the versions
//!   that were confirmed before. Its return is a new epoch, and a change that was lost with it is found then. A process that
//!   has never had them confirmed does without the tier for this scope.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
use crate::tier::{Down, Stamp};

/// After so long versions are confirmed once more, behind an operation.
const CONFIRMED: Duration = Duration::from_secs(2);

/// When versions were asked for: the epoch of all scopes, and the number of changes that this process has made of this one.
type Epoch = (u64, u64);

/// The versions of all scopes.
#[derive(Default)]
pub(super) struct Versions {
    /// By the names of the scopes: instances of a function share them.
    scopes: Mutex<HashMap<Arc<str>, Known>>,
    /// Messages may have been lost between two epochs.
    epoch: AtomicU64,
}

#[derive(Default)]
struct Known {
    /// The highest that were seen.
    stamp: Stamp,
    /// How often this process has changed them.
    changes: u64,
    /// The epoch and the moment in which they were last confirmed.
    confirmed: Option<(Epoch, Instant)>,
    /// The last question that is under way, by its epoch, and who waits for the answer.
    asked: Option<(Epoch, Vec<Waiting>)>,
}

/// Who waits for the answer to a question.
struct Waiting {
    /// The changes of this process that came before.
    changes: u64,
    answer: oneshot::Sender<Result<(), Down>>,
}

/// Whether the versions of a scope can be used.
pub(super) enum Currency {
    /// They can.
    Current,
    /// They can, and the caller is to ask for them.
    Aged(Question),
    /// They cannot until the question is answered. With a question it is the caller who is to ask.
    Unknown(Option<Question>, oneshot::Receiver<Result<(), Down>>),
}

/// A question for the versions of a scope.
pub(super) struct Question {
    pub(super) name: Arc<str>,
    epoch: Epoch,
}

impl Versions {
    /// The highest that were seen.
    pub(super) fn known(&self, name: &Arc<str>) -> Stamp {
        lock(&self.scopes).get(name).map(|known| known.stamp).unwrap_or_default()
    }

    /// Notes the versions of a scope, which never fall, and returns the highest that were seen.
    pub(super) fn learn(&self, name: &Arc<str>, seen: Stamp) -> Stamp {
        let mut scopes = lock(&self.scopes);
        let stamp = &mut scopes.entry(Arc::clone(name)).or_default().stamp;
        stamp.stale = stamp.stale.max(seen.stale);
        stamp.gone = stamp.gone.max(seen.gone);
        *stamp
    }

    /// Messages may have been lost.
    pub(super) fn suspect(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// This process is about to change the versions of a scope. The answer to that is one to this question.
    pub(super) fn change(&self, name: &Arc<str>) -> Question {
        let mut scopes = lock(&self.scopes);
        let known = scopes.entry(Arc::clone(name)).or_default();
        known.changes += 1;
        let epoch = (self.epoch.load(Ordering::SeqCst), known.changes);
        // Whoever waits for an older one is content with either.
        known.asked.get_or_insert((epoch, Vec::new())).0 = epoch;
        Question { name: Arc::clone(name), epoch }
    }

    /// Whether the versions of a scope can be used now.
    pub(super) fn currency(&self, name: &Arc<str>, now: Instant) -> Currency {
        let mut scopes = lock(&self.scopes);
        let known = scopes.entry(Arc::clone(name)).or_default();
        let epoch = (self.epoch.load(Ordering::SeqCst), known.changes);
        let question = || Question { name: Arc::clone(name), epoch };
        match known.confirmed {
            Some((of, at)) if of == epoch => {
                if now.saturating_duration_since(at) < CONFIRMED || known.asked.is_some() {
                    return Currency::Current;
                }
                known.asked = Some((epoch, Vec::new()));
                Currency::Aged(question())
            }
            _ => {
                let (answer, answered) = oneshot::channel();
                let answer = Waiting { changes: known.changes, answer };
                match &mut known.asked {
                    Some((of, waiting)) if *of == epoch => {
                        waiting.push(answer);
                        Currency::Unknown(None, answered)
                    }
                    // Whoever waits for the answer to an older question is content with that to a newer one.
                    Some((of, waiting)) => {
                        *of = epoch;
                        waiting.push(answer);
                        Currency::Unknown(Some(question()), answered)
                    }
                    None => {
                        known.asked = Some((epoch, vec![answer]));
                        Currency::Unknown(Some(question()), answered)
                    }
                }
            }
        }
    }

    /// Notes the answer to a question, whose versions were learned already.
    pub(super) fn answered(&self, question: &Question, answer: Result<(), Down>, now: Instant) {
        let mut scopes = lock(&self.scopes);
        let known = scopes.entry(Arc::clone(&question.name)).or_default();
        if answer.is_ok() && known.confirmed.is_none_or(|(epoch, _)| epoch <= question.epoch) {
            known.confirmed = Some((question.epoch, now));
        }
        // Nobody can change them while their master is not there.
        let may_go_on = known.confirmed.is_some() && answer == Err(Down::Disconnected);
        let answer = if may_go_on { Ok(()) } else { answer };
        let Some((last, waiting)) = known.asked.take_if(|(last, _)| last.0 == question.epoch.0) else {
            return;
        };
        // Later changes of this process supersede whatever is read before them.
        let (content, later): (Vec<_>, _) =
            waiting.into_iter().partition(|waiting| waiting.changes <= question.epoch.1);
        content.into_iter().for_each(|waiting| drop(waiting.answer.send(answer.clone())));
        if last != question.epoch {
            known.asked = Some((last, later));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(stale: u64, gone: u64) -> Stamp {
        Stamp { stale, gone }
    }

    fn asks(currency: Currency) -> (Question, oneshot::Receiver<Result<(), Down>>) {
        match currency {
            Currency::Unknown(Some(question), answered) => (question, answered),
            _ => panic!("they are unknown"),
        }
    }

    #[test]
    fn versions_never_fall() {
        let (versions, name) = (Versions::default(), Arc::from("f"));
        assert_eq!(versions.known(&name), stamp(0, 0));
        assert_eq!(versions.learn(&name, stamp(5, 1)), stamp(5, 1));
        assert_eq!(versions.learn(&name, stamp(2, 3)), stamp(5, 3));
        assert_eq!(versions.known(&name), stamp(5, 3));
    }

    #[test]
    fn one_asks_and_others_wait_for_the_answer() {
        let (versions, name, now) = (Versions::default(), Arc::from("f"), Instant::now());
        let (question, mut first) = asks(versions.currency(&name, now));
        let Currency::Unknown(None, mut second) = versions.currency(&name, now) else {
            panic!("it is asked")
        };
        assert!(first.try_recv().is_err());
        versions.answered(&question, Ok(()), now);
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(Ok(())), Ok(Ok(()))));
        assert!(matches!(versions.currency(&name, now), Currency::Current));
        let later = now + CONFIRMED;
        let Currency::Aged(again) = versions.currency(&name, later) else { panic!("it has aged") };
        assert!(matches!(versions.currency(&name, later), Currency::Current), "it is asked");
        versions.answered(&again, Err(Down::TimedOut), later);
        assert!(matches!(versions.currency(&name, later), Currency::Aged(_)), "it has aged still");
    }

    /// The answer may be of before a change whose message was lost.
    #[test]
    fn in_a_new_epoch_an_older_answer_does_not_count() {
        let (versions, name, now) = (Versions::default(), Arc::from("f"), Instant::now());
        let (old, mut first) = asks(versions.currency(&name, now));
        versions.suspect();
        let (new, mut second) = asks(versions.currency(&name, now));
        versions.answered(&old, Ok(()), now);
        assert!(first.try_recv().is_err() && second.try_recv().is_err(), "both wait for the newer one");
        assert!(matches!(versions.currency(&name, now), Currency::Unknown(None, _)));
        versions.answered(&new, Ok(()), now);
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(Ok(())), Ok(Ok(()))));
        assert!(matches!(versions.currency(&name, now), Currency::Current));
        versions.suspect();
        assert!(matches!(versions.currency(&name, now), Currency::Unknown(Some(_), _)));
    }

    /// The master that has the versions answers later than the one that has a value.
    #[test]
    fn while_this_process_changes_them_they_are_unknown() {
        let (versions, name, now) = (Versions::default(), Arc::from("f"), Instant::now());
        let (question, mut first) = asks(versions.currency(&name, now));
        let change = versions.change(&name);
        let waits = || match versions.currency(&name, now) {
            Currency::Unknown(None, answered) => answered,
            _ => panic!("the change is the question"),
        };
        let mut second = waits();
        versions.answered(&question, Ok(()), now);
        assert_eq!(first.try_recv(), Ok(Ok(())), "it has asked before the change");
        assert!(second.try_recv().is_err());
        let another = versions.change(&name);
        let mut third = waits();
        versions.answered(&change, Ok(()), now);
        assert_eq!(second.try_recv(), Ok(Ok(())));
        assert!(third.try_recv().is_err());
        drop(waits());
        versions.answered(&another, Ok(()), now);
        assert_eq!(third.try_recv(), Ok(Ok(())));
        assert!(matches!(versions.currency(&name, now), Currency::Current));
        let failed = versions.change(&name);
        let mut fourth = waits();
        versions.answered(&failed, Err(Down::TimedOut), now);
        assert_eq!(fourth.try_recv(), Ok(Err(Down::TimedOut)));
        assert!(matches!(versions.currency(&name, now), Currency::Unknown(Some(_), _)));
    }

    #[test]
    fn without_their_master_known_versions_stand_and_unknown_ones_do_not() {
        let (versions, name, now) = (Versions::default(), Arc::from("f"), Instant::now());
        let (question, mut answered) = asks(versions.currency(&name, now));
        versions.answered(&question, Err(Down::Disconnected), now);
        assert_eq!(answered.try_recv(), Ok(Err(Down::Disconnected)), "they were never known");
        let (question, _) = asks(versions.currency(&name, now));
        versions.answered(&question, Ok(()), now);
        versions.suspect();
        // They are asked for each time.
        for (answer, goes_on) in [(Down::Disconnected, Ok(())), (Down::TimedOut, Err(Down::TimedOut))] {
            let (question, mut answered) = asks(versions.currency(&name, now));
            versions.answered(&question, Err(answer), now);
            assert_eq!(answered.try_recv(), Ok(goes_on));
        }
    }
}
