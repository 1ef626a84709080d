//! `cached`: its two attributes for `async fn`. With a ttl alone, their stores have no bound.

use std::sync::Arc;

use cached::macros::{cached, concurrent_cached};

use super::{Contender, Setup};
use crate::case::{Key, Value};
use crate::run;

// `convert` is text that names an argument, so the two arms cannot share it through a third.
macro_rules! function {
    (u64: $name:ident, $attribute:ident, $value:ty) => {
        pub(super) fn $name(setup: Setup<'_, u64>) -> Contender<u64> {
            #[$attribute(ttl_secs = 86_400)]
            async fn read(key: u64) -> $value {
                let _ = key;
                <$value>::make()
            }

            run::polled(setup.keys, async |key| read(key).await);
            polled!(&read(Key::of(0)), key => read(key).await)
        }
    };
    (str: $name:ident, $attribute:ident, $value:ty) => {
        pub(super) fn $name(setup: Setup<'_, &'static str>) -> Contender<&'static str> {
            #[$attribute(ttl_secs = 86_400, key = "String", convert = r#"{ key.to_string() }"#)]
            async fn read(key: &str) -> $value {
                let _ = key;
                <$value>::make()
            }

            run::polled(setup.keys, async |key| read(key).await);
            polled!(&read(Key::of(0)), key => read(key).await)
        }
    };
}

function!(u64: cached_u64_bytes, cached, [u8; 16]);
function!(u64: concurrent_u64_bytes, concurrent_cached, [u8; 16]);
function!(u64: cached_u64_u64, cached, u64);
function!(u64: concurrent_u64_u64, concurrent_cached, u64);
function!(u64: cached_u64_arc, cached, Arc<String>);
function!(u64: concurrent_u64_arc, concurrent_cached, Arc<String>);
function!(u64: cached_u64_string, cached, String);
function!(u64: concurrent_u64_string, concurrent_cached, String);
function!(str: cached_str_bytes, cached, [u8; 16]);
function!(str: concurrent_str_bytes, concurrent_cached, [u8; 16]);
function!(str: cached_str_arc, cached, Arc<String>);
function!(str: concurrent_str_arc, concurrent_cached, Arc<String>);
