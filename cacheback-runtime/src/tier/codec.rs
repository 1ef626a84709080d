//! How keys and values become bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that has no bytes.
#[derive(Debug)]
pub(crate) struct Unencodable;

/// Bytes that are no value.
#[derive(Debug)]
pub(crate) struct Undecodable;

/// How values of one type become bytes: plain functions, made where its bounds hold.
pub(crate) struct Encoding<T> {
    pub(crate) encode: fn(&T) -> Result<Vec<u8>, Unencodable>,
    pub(crate) decode: fn(&[u8]) -> Result<T, Undecodable>,
    pub(crate) shape: fn() -> u64,
}

impl<T> Encoding<T> {
    pub(crate) const fn of() -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        Self { encode: |_| Err(Unencodable), decode: |_| Err(Undecodable), shape: || 0 }
    }
}

impl<T> Clone for Encoding<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Encoding<T> {}
