//! A lease that this process has, or may have: it is given back when it is dropped.

use std::time::Duration;

use super::SharedKey;
use crate::tier::{
    Acquired, Down, Lease, LeaseFor, Payload, Release, Request, Stored, Tier, Token, WireKey, WriteId,
};

/// How a lease is asked for.
pub(super) struct Asked {
    pub(super) seen: Option<WriteId>,
    pub(super) ahead: Option<Duration>,
    pub(super) is_awaited: bool,
    pub(super) purpose: LeaseFor,
    pub(super) job: Option<Token>,
}

/// A lease. If it is dropped, another process may fetch at once.
pub(in crate::engine) struct HeldLease {
    pub(super) shared: SharedKey,
    pub(super) token: Token,
    /// `None` if the tier has given no answer: the lease may have been granted all the same.
    pub(super) granted: Option<Lease>,
    has_ended: bool,
}

impl HeldLease {
    /// A lease that is not asked for yet.
    pub(super) fn of(shared: SharedKey) -> Self {
        Self { shared, token: Token::random(), granted: None, has_ended: true }
    }

    /// Asks for the lease. If the answer is lost, or not waited for, the lease may be ours.
    pub(super) async fn ask(
        &mut self,
        Asked { seen, ahead, is_awaited, purpose, job }: Asked,
    ) -> Result<Acquired, Down> {
        let request = Request { token: self.token, seen, ahead, is_awaited, purpose, job };
        self.has_ended = false;
        let acquired = self.shared.tier.acquire(&self.shared.key, request).await;
        match &acquired {
            Ok(Acquired::Ours(lease)) => self.granted = Some(*lease),
            Ok(Acquired::Theirs { .. } | Acquired::Newer(_)) => self.has_ended = true,
            Err(_) => {}
        }
        acquired
    }

    /// It waits for a worker now, who ends it.
    pub(super) fn is_left_to_a_worker(&mut self) {
        self.has_ended = true;
    }

    pub(super) fn tier(&self) -> &dyn Tier {
        &*self.shared.tier
    }

    pub(super) fn wire_key(&self) -> &WireKey {
        &self.shared.key
    }

    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// Gives up the lease that waits for a job, for nobody runs the job any more.
    pub(super) fn give_up(&self, job: Token) {
        self.shared.tier.release(&self.shared.key, job, Release::Free);
    }

    /// Stores the value of the fetch. If the answer is lost, the value may be stored all the same.
    pub(super) async fn store(&mut self, lease: Lease, payload: Payload) -> Result<Stored, Down> {
        let stored = self.shared.tier.store(&self.shared.key, &lease, payload).await;
        self.has_ended = matches!(stored, Ok(Stored::Yes(_)));
        stored
    }

    /// Ends the lease of a fetch that brings no value.
    pub(super) fn end(mut self, release: Release) {
        self.release(release);
    }

    fn release(&mut self, release: Release) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.shared.tier.release(&self.shared.key, self.token, release);
        }
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.release(Release::Free);
    }
}
