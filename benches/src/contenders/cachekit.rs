//! `cachekit-rs` as a local cache: its in-process level over a backend that keeps nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::cachekit::backend::{Backend, HealthStatus};
use ::cachekit::{BackendError, CacheKit, CachekitError, cachekit};
use async_trait::async_trait;

use super::{Contender, Setup};
use crate::run;

pub(super) struct Forgetful;

#[async_trait]
impl Backend for Forgetful {
    async fn get(&self, _: &str) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(None)
    }

    async fn set(&self, _: &str, _: Vec<u8>, _: Option<Duration>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<bool, BackendError> {
        Ok(false)
    }

    async fn exists(&self, _: &str) -> Result<bool, BackendError> {
        Ok(false)
    }

    async fn health(&self) -> Result<HealthStatus, BackendError> {
        Ok(HealthStatus {
            is_healthy: true,
            latency_ms: 0.0,
            backend_type: "none".to_owned(),
            details: HashMap::new(),
        })
    }
}

pub(super) fn client(capacity: u64, stale_after: f64) -> CacheKit {
    CacheKit::builder()
        .backend(Arc::new(Forgetful))
        .l1_capacity(capacity as usize)
        .swr_threshold_ratio(stale_after)
        .build()
        .expect("a client")
}

#[cachekit(client = cache, ttl = 86_400, interop = "bytes", namespace = "bench")]
async fn bytes_of(cache: &CacheKit, key: u64) -> Result<[u8; 16], CachekitError> {
    let _ = key;
    Ok([7; 16])
}

#[cachekit(client = cache, ttl = 86_400, interop = "number", namespace = "bench")]
async fn number_of(cache: &CacheKit, key: u64) -> Result<u64, CachekitError> {
    let _ = key;
    Ok(7)
}

macro_rules! contender {
    ($name:ident, $function:ident) => {
        pub(super) fn $name(setup: Setup<'_, u64>) -> Contender<u64> {
            let cache = client(setup.capacity, 0.9);
            run::polled(setup.keys, async |key| $function(&cache, key).await);
            let handle = cache.clone();
            polled!(&$function(&handle, 0), key => {
                $function(&cache, key).await.expect("a value")
            })
        }
    };
}

contender!(u64_bytes, bytes_of);
contender!(u64_u64, number_of);
