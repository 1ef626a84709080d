//! What happens to encoded bytes on their way into the tier: they are compressed, or go through the user's [`Codec`].

use std::error::Error;
use std::fmt;

use lz4_flex::block;

use super::Packed;
use crate::base::panics::catch;
use crate::base::sync::Arc;

/// Transforms the bytes of values on their way into the second tier, and back: to encrypt them, say, or to compress
/// them by an algorithm of your own. It takes the place of the compression that is built in.
///
/// All processes that share values have to have the same codec. It is asked for values of its own [`id`](Self::id)
/// alone, and all others are fetched anew: also those that were written without a codec, so that nobody gets around an
/// encryption that tells forged bytes.
///
/// A codec is called on the threads of the runtime, so it should not block. A panic in it is caught; the value is then
/// not shared. An error is logged with its text, which must not show the value. Values alone go through a codec: names
/// and arguments are written as they are.
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use cacheback::shared::Codec;
///
/// /// Hides values from a casual reader. No encryption!
/// struct Xor(u8);
///
/// type BoxError = Box<dyn std::error::Error + Send + Sync>;
///
/// impl Codec for Xor {
///     fn id(&self) -> u8 {
///         16
///     }
///
///     fn encode(&self, raw: Vec<u8>) -> Result<Vec<u8>, BoxError> {
///         Ok(raw.into_iter().map(|byte| byte ^ self.0).collect())
///     }
///
///     fn decode(&self, stored: &[u8], limit: usize) -> Result<Vec<u8>, BoxError> {
///         if stored.len() > limit {
///             return Err("longer than it said".into());
///         }
///         Ok(stored.iter().map(|byte| byte ^ self.0).collect())
///     }
/// }
///
/// let stored = Xor(0x55).encode(b"a value".to_vec())?;
/// assert_ne!(stored, b"a value");
/// assert_eq!(Xor(0x55).decode(&stored, 7)?, b"a value");
/// # Ok::<(), BoxError>(())
/// ```
pub trait Codec: Send + Sync + 'static {
    /// Tells this codec's values from others': 16 or more, and another one when its format or its key changes. It is
    /// written beside each value. A value is decoded only by a codec of the same id.
    fn id(&self) -> u8;

    /// Transforms the bytes of a value.
    ///
    /// # Errors
    ///
    /// The value is not shared: it stays in the process that has fetched it.
    fn encode(&self, raw: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

    /// Makes the bytes of a value from what [`encode`](Self::encode) has returned.
    ///
    /// `stored` may come from anybody who can write to the tier, and `limit` is how many bytes `encode` was given, as
    /// far as `stored` is to be believed. Check lengths before memory is allocated: more than `limit` bytes are never
    /// accepted.
    ///
    /// # Errors
    ///
    /// The value counts as missing.
    fn decode(&self, stored: &[u8], limit: usize) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// The lowest id of a user's codec. Those below are the library's.
pub(crate) const FIRST_CODEC: u8 = 16;

/// As they were encoded.
const PLAIN: u8 = 0;
/// One block of LZ4, without a length before it.
const LZ4: u8 = 1;

/// Payloads up to here are stored as they are: they fit into few packets anyway.
const SMALL: usize = 4 * 1024;

/// Why bytes could not be packed or unpacked.
#[derive(Debug)]
pub(crate) enum Unpackable {
    /// More than 4 GiB.
    TooLong,
    /// The id of a user's codec is one of the library's.
    ReservedId(u8),
    /// Packed in another way than this process packs.
    Unknown(u8),
    /// Not what was packed.
    Damaged,
    /// Not as long as they were.
    OtherLength,
    /// The user's codec has returned an error.
    Refused(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for Unpackable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("it is longer than 4 GiB"),
            Self::ReservedId(id) => write!(f, "the codec's id is {id}, and has to be {FIRST_CODEC} at least"),
            Self::Unknown(id) => {
                write!(f, "it was written with the codec {id}, which is not that of this process")
            }
            Self::Damaged => f.write_str("its compressed bytes are damaged"),
            Self::OtherLength => f.write_str("it has another length than it had when it was written"),
            Self::Refused(why) => write!(f, "the codec has returned an error: {why}"),
        }
    }
}

/// Packs the encoded bytes of a value.
pub(crate) fn pack(codec: Option<&dyn Codec>, raw: Vec<u8>) -> Result<Packed, Unpackable> {
    let raw_len = u32::try_from(raw.len()).map_err(|_| Unpackable::TooLong)?;
    if let Some(codec) = codec {
        let compression = codec.id();
        if compression < FIRST_CODEC {
            return Err(Unpackable::ReservedId(compression));
        }
        let bytes = called(|| codec.encode(raw))?;
        return Ok(Packed { compression, raw_len, bytes: Arc::new(bytes) });
    }
    if raw.len() > SMALL {
        let bytes = block::compress(&raw);
        // At least a fifth less.
        if bytes.len() <= raw.len() - raw.len() / 5 {
            return Ok(Packed { compression: LZ4, raw_len, bytes: Arc::new(bytes) });
        }
    }
    Ok(Packed { compression: PLAIN, raw_len, bytes: Arc::new(raw) })
}

/// Calls the user's codec. A panic is an error of it.
fn called<T>(codec: impl FnOnce() -> Result<T, Box<dyn Error + Send + Sync>>) -> Result<T, Unpackable> {
    catch(codec).unwrap_or_else(|panic| Err(panic.message().to_owned().into())).map_err(Unpackable::Refused)
}

/// The encoded bytes of a value. The caller has checked that `raw_len` is no more than it accepts: the library's own
/// compression allocates no more.
pub(crate) fn unpack(
    codec: Option<&dyn Codec>,
    compression: u8,
    raw_len: u32,
    stored: &[u8],
) -> Result<Vec<u8>, Unpackable> {
    let len = raw_len as usize;
    let raw = match (codec, compression) {
        (Some(codec), id) if id >= FIRST_CODEC && id == codec.id() => called(|| codec.decode(stored, len))?,
        (None, PLAIN) => stored.to_vec(),
        (None, LZ4) => {
            let mut raw = vec![0; len];
            let written = block::decompress_into(stored, &mut raw).map_err(|_| Unpackable::Damaged)?;
            raw.truncate(written);
            raw
        }
        (_, id) => return Err(Unpackable::Unknown(id)),
    };
    if raw.len() == len { Ok(raw) } else { Err(Unpackable::OtherLength) }
}

#[cfg(test)]
mod tests;
