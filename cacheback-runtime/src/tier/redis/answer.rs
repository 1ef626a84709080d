//! What the server answers.

use redis::Value;

use crate::tier::{Down, Stamp};

/// The answer of a script.
pub(super) struct Answer {
    pub(super) word: String,
    /// The versions of the scope when it ran.
    pub(super) stamp: Stamp,
    pub(super) rest: Vec<Value>,
}

impl Answer {
    /// The number of the key, if an envelope was refused because its versions have grown.
    pub(super) fn refused_for_its_versions(&self) -> Option<u64> {
        match &self.rest[..] {
            [id] if self.word == "versions" => number(id).ok(),
            _ => None,
        }
    }
}

pub(super) fn stamp_of(bytes: &[u8]) -> Option<Stamp> {
    let (stale, gone) = bytes.split_first_chunk::<8>()?;
    let gone = <[u8; 8]>::try_from(gone).ok()?;
    Some(Stamp { stale: u64::from_le_bytes(*stale), gone: u64::from_le_bytes(gone) })
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

pub(super) fn number_of(value: &Value) -> Result<i64, Down> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(unexpected()),
    }
}

pub(super) fn number(value: &Value) -> Result<u64, Down> {
    u64::try_from(number_of(value)?).map_err(|_| unexpected())
}

pub(super) fn unexpected() -> Down {
    Down::Refused("the server has given an answer that is none".to_owned())
}
