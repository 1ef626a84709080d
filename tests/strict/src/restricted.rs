//! The lints of clippy's restriction group that the expansion can keep, for users who keep them.
#![deny(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::implicit_return,
    clippy::missing_docs_in_private_items,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::shadow_unrelated,
    clippy::single_call_fn
)]
#![allow(clippy::needless_return)]

use std::future::Future;
use std::time::Duration;

use cacheback::cacheback;

/// Its options are expressions.
///
/// # Errors
///
/// Never.
#[cacheback(lifetime = Duration::from_secs(id), fetch_on_miss = id > 3, wait = "1s", empty = Ok(id), key = (id + 1, name.trim()))]
pub async fn computed(id: u64, name: &str) -> Result<u64, String> {
    return Ok(id + name.len() as u64);
}

/// Returns its future.
#[cacheback]
pub fn returned(id: u64) -> impl Future<Output = u64> + Send {
    return async move {
        return id;
    };
}

/// A repository.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Repo {
    /// Its tenant.
    tenant: u64,
}

impl Repo {
    /// A method.
    #[cacheback(key = (self.tenant, id), lifetime = Duration::from_secs(self.tenant))]
    pub async fn method(&self, id: u64) -> u64 {
        return id + self.tenant;
    }
}

/// A trait.
pub trait Load {
    /// Loads.
    fn load(&self, id: u64) -> impl Future<Output = u64> + Send;
}

impl Load for Repo {
    #[cacheback(key = (self.tenant, id), handle = false, lifetime = Duration::from_secs(id))]
    async fn load(&self, id: u64) -> u64 {
        return id + self.tenant;
    }
}
