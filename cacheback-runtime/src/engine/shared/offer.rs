//! A value that was fetched or set while the tier could not be told, and that stands: it is offered to the tier, and so to
//! the other processes.

use std::time::Duration;

use super::super::{Cacheable, Engine, Target};
use super::held::{Asked, HeldLease};
use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::executor::context::Here;
use crate::tier::late::stands;
use crate::tier::{Acquired, LeaseFor, Payload, Read, Stored, WriteId};

impl<C: Cacheable> Engine<C> {
    /// Stores the value of this process in the tier, if what is there is still what was `seen`, and if nobody fetches it.
    /// If that fails, it stays a value of this process alone.
    pub(super) async fn offer(
        self: &Arc<Self>,
        here: &Here,
        target: &Target<C::OwnedKey>,
        seen: Option<WriteId>,
    ) {
        let offered = catch(|| {
            let (_, tier) = self.tier(here)?;
            let pin = self.store.pin();
            let node = self.store.find(target.hash, |key| C::is_same_key(key, target.key()), &pin)?;
            let is_ours = node.has_value(Moment::now(), &self.store.windows) && node.write_id().is_none();
            let payload = is_ours.then(|| self.payload(node, &*tier).ok()).flatten()?;
            let times = node.times(&self.store.windows);
            Some((node.id(), times, payload, self.shared_key(here, target)?))
        });
        let Ok(Some((node, times, payload, shared))) = offered else { return };
        let mut lease = HeldLease::of(shared);
        let asked = Asked { seen, ahead: None, is_awaited: false, purpose: LeaseFor::Fetch, job: None };
        let Ok(Acquired::Ours(granted)) = lease.ask(asked).await else { return };
        if granted.seen != seen {
            return;
        }
        // All values may have been invalidated since the look, and before the lease. The lease has the versions of
        // afterwards, by which the value would pass for one from after it. So it is compared once more, under the
        // lease.
        let written = match lease.tier().read(lease.wire_key(), None).await {
            Ok(Read::Found(found)) => found.written,
            Ok(Read::Missing { tombstone: Some(tombstone), .. }) => tombstone.written,
            Ok(Read::Missing { .. } | Read::Cleared(_) | Read::Unchanged(_)) | Err(_) => return,
        };
        if !stands(Duration::from_nanos(times.age(Moment::now())), written) {
            return;
        }
        // How long its body took is not known any more.
        let payload = Payload { took: Duration::ZERO, ..payload };
        if let Ok(Stored::Yes(WriteId(id))) = lease.store(granted, payload).await {
            // The user's `Eq` runs in here.
            let _ = catch(|| self.number(target, node, id));
        }
    }
}
