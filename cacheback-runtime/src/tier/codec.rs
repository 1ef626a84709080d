//! Encoding.
use serde::Serialize;
use serde::de::DeserializeOwned;
#[derive(Debug)]
pub(crate) struct Unencodable(pub(crate) String);
#[derive(Debug)]
pub(crate) struct Undecodable(pub(crate) String);
impl std::fmt::Display for Unencodable { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) } }
impl std::fmt::Display for Undecodable { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) } }
pub(crate) struct Encoding<T> {
    pub(crate) encode: fn(&T) -> Result<Vec<u8>, Unencodable>,
    pub(crate) decode: fn(&[u8]) -> Result<T, Undecodable>,
    pub(crate) shape: fn() -> u64,
}
impl<T> Clone for Encoding<T> { fn clone(&self) -> Self { *self } }
impl<T> Copy for Encoding<T> {}
impl<T: Serialize + DeserializeOwned> Encoding<T> {
    pub(crate) const fn of() -> Self {
        Self { encode: |_| Err(Unencodable(String::new())), decode: |_| Err(Undecodable(String::new())), shape: || 0 }
    }
}
