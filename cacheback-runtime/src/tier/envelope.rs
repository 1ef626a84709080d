//! The bytes of a value in the tier: a header of fixed layout, then the payload. All numbers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | [`MAGIC`]: `CBK` and the version of the layout |
//! | 4 | 1 | length of the header |
//! | 5 | 1 | kind: value, tombstone, invalidated (*patched*) |
//! | 6 | 1 | encoding of the value |
//! | 7 | 1 | compression of the payload |
//! | 8 | 8 | write id (*patched*) |
//! | 16 | 8 | fingerprint of the key |
//! | 24 | 8 | fingerprint of the types |
//! | 32 | 8 | moment of the write in milliseconds since 1970, by the writer's clock: no decision depends on it |
//! | 40 | 8 | lifetime in milliseconds; of a tombstone, since when it counts (*patched*) |
//! | 48 | 8 | retention in milliseconds |
//! | 56 | 8 | version of the tags: *stale* |
//! | 64 | 8 | version of the tags: *gone* |
//! | 72 | 4 | length of the payload before its compression |
//! | 76 | 4 | sum of everything that is not patched |
//! | 80 | 4 | duration of the fetch in milliseconds |
//!
//! These are [`HEADER`] = 84 bytes. A later version of the library may add fields and say so in the length of the
//! header: this one skips them. A layout that cannot be read so has another version.
//!
//! The server writes three fields in place, within a stored envelope: it gives a write its id, an invalidation changes
//! the kind and cuts the lifetime, and a tombstone whose change was told late says since when it may have been made, in
//! microseconds of the server's time. The server cannot compute the sum, so the sum does not cover them. Any two kinds
//! differ in four bits.

use std::fmt;
use std::time::Duration;

use twox_hash::XxHash3_64;

use super::WriteId;

/// Begins each envelope. The last byte is the version of the layout.
pub(crate) const MAGIC: [u8; 4] = *b"CBK\x01";

/// The length of the header in this version.
pub(crate) const HEADER: usize = 84;

/// Offsets of the fields that the server patches: a byte, and two numbers of eight.
pub(crate) const KIND: usize = 5;
pub(crate) const WRITE_ID: usize = 8;
pub(crate) const LIFETIME_MS: usize = 40;

/// The encoding of values in this version: MessagePack with names.
pub(crate) const MESSAGE_PACK: u8 = 1;

const HEADER_LEN: usize = 4;
const ENCODING: usize = 6;
const COMPRESSION: usize = 7;
const KEY: usize = 16;
const SCHEMA: usize = 24;
const CREATED_MS: usize = 32;
const RETENTION_MS: usize = 48;
const TAGS_STALE: usize = 56;
const TAGS_GONE: usize = 64;
const RAW_LEN: usize = 72;
const SUM: usize = 76;
const COMPUTE_MS: usize = 80;

/// The seed of sums.
const SEED: u64 = 0x6361_6368_6562_636b;

/// What an envelope holds. Any two of the bytes differ in four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Value = 0x0f,
    /// No value: it was removed, or invalidated before there was one.
    Tombstone = 0x33,
    /// A value that was invalidated. Its lifetime is its age at that moment.
    Invalidated = 0x55,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Value, Self::Tombstone, Self::Invalidated].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The fields of an envelope that its writer chooses or the server has patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) encoding: u8,
    pub(crate) compression: u8,
    pub(crate) write_id: WriteId,
    /// [`WireKey::fingerprint`](super::WireKey).
    pub(crate) key: u64,
    pub(crate) schema: u64,
    pub(crate) created_ms: u64,
    pub(crate) lifetime_ms: u64,
    pub(crate) retention_ms: u64,
    pub(crate) tags_stale: u64,
    pub(crate) tags_gone: u64,
    pub(crate) raw_len: u32,
    pub(crate) compute_ms: u32,
}

/// An envelope that was read: its payload is still packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) header: Header,
    pub(crate) payload: &'a [u8],
}

/// Why bytes are no envelope, or not the one that was looked for. Each counts as a missing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// They do not begin as an envelope does.
    Foreign,
    /// Written by another version of the library.
    Version(u8),
    Truncated,
    /// The sum is wrong.
    Damaged,
    UnknownKind(u8),
    /// The value of another key, whose hash is the same.
    OtherKey,
    TooBig {
        raw_len: u32,
        limit: usize,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it was not written by cacheback"),
            Self::Version(version) => {
                write!(f, "it has the format {version} of another version of cacheback")
            }
            Self::Truncated => f.write_str("it ends too early"),
            Self::Damaged => f.write_str("it is damaged: its sum is wrong"),
            Self::UnknownKind(kind) => write!(f, "it is of the unknown kind {kind}"),
            Self::OtherKey => f.write_str("it belongs to another key"),
            Self::TooBig { raw_len, limit } => write!(f, "it has {raw_len} bytes, and {limit} are allowed"),
        }
    }
}

/// Writes an envelope.
pub(crate) fn encode(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[HEADER as u8, header.kind as u8, header.encoding, header.compression]);
    for number in [
        header.write_id.0,
        header.key,
        header.schema,
        header.created_ms,
        header.lifetime_ms,
        header.retention_ms,
        header.tags_stale,
        header.tags_gone,
    ] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for number in [header.raw_len, 0, header.compute_ms] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let sum = sum(&bytes, payload);
    bytes[SUM..SUM + 4].copy_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads an envelope of the key with this fingerprint, whose value has no more than `limit` bytes. Allocates nothing.
pub(crate) fn decode(bytes: &[u8], key: u64, limit: usize) -> Result<Envelope<'_>, Broken> {
    let (header, payload) = split(bytes)?;
    if u32_at(header, SUM) != sum(header, payload) {
        return Err(Broken::Damaged);
    }
    let header = fields(header, key)?;
    if header.raw_len as usize > limit {
        return Err(Broken::TooBig { raw_len: header.raw_len, limit });
    }
    Ok(Envelope { header, payload })
}

/// Gives bytes that are long enough the beginning, the key and the sum of an envelope. Returns whether they are.
#[cfg(feature = "fuzzing")]
pub(crate) fn seal(bytes: &mut [u8], key: u64) -> bool {
    if bytes.len() < HEADER {
        return false;
    }
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    bytes[KEY..KEY + 8].copy_from_slice(&key.to_le_bytes());
    let Ok((header, payload)) = split(bytes) else { return false };
    let sum = sum(header, payload);
    bytes[SUM..SUM + 4].copy_from_slice(&sum.to_le_bytes());
    true
}

/// Reads a header whose payload was not sent, so that its sum cannot be checked.
#[cfg(feature = "redis")]
pub(crate) fn header(bytes: &[u8], key: u64) -> Result<Header, Broken> {
    fields(split(bytes)?.0, key)
}

/// Header and payload.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Broken> {
    version(bytes)?;
    if bytes.len() < HEADER {
        return Err(Broken::Truncated);
    }
    let header_len = usize::from(bytes[HEADER_LEN]);
    if header_len < HEADER {
        return Err(Broken::Damaged);
    }
    bytes.split_at_checked(header_len).ok_or(Broken::Truncated)
}

fn fields(header: &[u8], key: u64) -> Result<Header, Broken> {
    let kind = Kind::of(header[KIND]).ok_or(Broken::UnknownKind(header[KIND]))?;
    if u64_at(header, KEY) != key {
        return Err(Broken::OtherKey);
    }
    Ok(Header {
        kind,
        encoding: header[ENCODING],
        compression: header[COMPRESSION],
        write_id: WriteId(u64_at(header, WRITE_ID)),
        key,
        schema: u64_at(header, SCHEMA),
        created_ms: u64_at(header, CREATED_MS),
        lifetime_ms: u64_at(header, LIFETIME_MS),
        retention_ms: u64_at(header, RETENTION_MS),
        tags_stale: u64_at(header, TAGS_STALE),
        tags_gone: u64_at(header, TAGS_GONE),
        raw_len: u32_at(header, RAW_LEN),
        compute_ms: u32_at(header, COMPUTE_MS),
    })
}

/// The number of an envelope, whether or not the rest of it can be read: it stands at this place in every version.
#[cfg(any(feature = "redis", test))]
pub(crate) fn write_id(bytes: &[u8]) -> Option<WriteId> {
    let is_ours = !matches!(version(bytes), Err(Broken::Foreign));
    (is_ours && bytes.len() >= WRITE_ID + 8).then(|| WriteId(u64_at(bytes, WRITE_ID)))
}

fn version(bytes: &[u8]) -> Result<(), Broken> {
    let (name, version) = MAGIC.split_at(3);
    match bytes.get(..MAGIC.len()) {
        None if MAGIC.starts_with(bytes) => Err(Broken::Truncated),
        Some(magic) if magic == MAGIC => Ok(()),
        Some(magic) if magic.starts_with(name) && magic[3..] != *version => Err(Broken::Version(magic[3])),
        _ => Err(Broken::Foreign),
    }
}

/// The sum of an envelope: 32 bits of xxh3 over the payload. Its seed is the xxh3 of the header, in which the patched
/// fields and the sum itself are zero.
fn sum(header: &[u8], payload: &[u8]) -> u32 {
    let mut fixed = [0; u8::MAX as usize];
    let fixed = &mut fixed[..header.len()];
    fixed.copy_from_slice(header);
    for patched in [KIND..KIND + 1, WRITE_ID..WRITE_ID + 8, LIFETIME_MS..LIFETIME_MS + 8, SUM..SUM + 4] {
        fixed[patched].fill(0);
    }
    let seed = XxHash3_64::oneshot_with_seed(SEED, fixed);
    XxHash3_64::oneshot_with_seed(seed, payload) as u32
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// A duration as envelopes write it: whole milliseconds, and the greatest number for all that are longer.
pub(crate) fn to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as it was written by [`to_ms`].
#[cfg(any(feature = "redis", test))]
pub(crate) fn from_ms(ms: u64) -> Duration {
    if ms == u64::MAX { Duration::MAX } else { Duration::from_millis(ms) }
}

#[cfg(test)]
mod tests;
