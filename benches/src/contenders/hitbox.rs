//! `hitbox-fn` with `hitbox-moka`. It must be able to serialize the responses.

use std::time::Duration;

use hitbox::policy::PolicyConfig;
use hitbox_fn::{Cache, CacheableResponse, cached};
use hitbox_moka::MokaBackend;
use serde::{Deserialize, Serialize};

use super::{Contender, Setup};
use crate::run;

#[derive(Clone, Copy, Debug, Serialize, Deserialize, CacheableResponse)]
struct Bytes {
    bytes: [u8; 16],
}

#[cached]
async fn bytes_of(key: u64) -> Bytes {
    let _ = key;
    Bytes { bytes: [7; 16] }
}

#[cached]
async fn number_of(key: u64) -> u64 {
    let _ = key;
    7
}

#[cached]
async fn string_of(key: u64) -> String {
    let _ = key;
    "v".repeat(64)
}

macro_rules! contender {
    ($name:ident, $function:ident) => {
        pub(super) fn $name(setup: Setup<'_, u64>) -> Contender<u64> {
            let cache = Cache::builder()
                .backend(MokaBackend::builder().max_entries(setup.capacity).build())
                .policy(PolicyConfig::builder().ttl(Duration::from_secs(86_400)).build())
                .build();
            run::polled(setup.keys, async |key| $function(key).cache(&cache).await);
            let call = $function(0).cache(&cache).into_future();
            let future = Some(size_of_val(&call));
            drop(call);
            Contender {
                future,
                ..polled!(&async {}, key => $function(key).cache(&cache).await)
            }
        }
    };
}

contender!(u64_bytes, bytes_of);
contender!(u64_u64, number_of);
contender!(u64_string, string_of);
