//! Values as the server keeps them: envelopes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::settings::Redis;
use crate::tier::envelope::{self, Envelope, Header, Kind};
use crate::tier::{Ages, Bumped, Found, Payload, Stamp, WireKey, WriteId, compress};

/// No entry lives longer: the server's numbers of milliseconds are finite.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

pub(super) fn millis(time: Duration) -> u64 {
    envelope::to_ms(time.min(LONGEST))
}

/// The envelope of a value, and for how many milliseconds it is kept from its birth on.
pub(super) fn envelope(key: &WireKey, value: Payload, stamp: Stamp) -> (Vec<u8>, u64) {
    let Payload { packed, schema, ages, took, .. } = value;
    let retention = millis(ages.retention);
    let header = Header {
        kind: Kind::Value,
        encoding: envelope::MESSAGE_PACK,
        compression: packed.compression,
        write_id: WriteId(0),
        key: key.fingerprint,
        schema,
        created_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
        lifetime_ms: millis(ages.lifetime),
        retention_ms: retention,
        tags_stale: stamp.stale,
        tags_gone: stamp.gone,
        raw_len: packed.raw_len,
        compute_ms: u32::try_from(millis(took)).unwrap_or(u32::MAX),
    };
    (envelope::encode(&header, &packed.bytes), retention)
}

pub(super) fn tombstone(key: &WireKey, stamp: Stamp) -> Vec<u8> {
    let header = Header {
        kind: Kind::Tombstone,
        encoding: envelope::MESSAGE_PACK,
        compression: 0,
        write_id: WriteId(0),
        key: key.fingerprint,
        schema: 0,
        created_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
        lifetime_ms: 0,
        retention_ms: 0,
        tags_stale: stamp.stale,
        tags_gone: stamp.gone,
        raw_len: 0,
        compute_ms: 0,
    };
    envelope::encode(&header, &[])
}

/// What has the number that the caller's value has.
pub(super) enum Same {
    Value(Ages),
    /// The value, and all values were cleared since.
    Cleared,
    /// The removal before the caller's value, which could not be stored after it.
    Tombstone,
}

/// Reads the header of an envelope.
pub(super) fn same(key: &WireKey, envelope: &[u8], left: i64, stamp: Stamp) -> Same {
    match envelope::header(envelope, key.fingerprint) {
        Ok(header) if header.kind == Kind::Tombstone => Same::Tombstone,
        Ok(header) if header.tags_gone >= stamp.gone => Same::Value(ages(&header, left, stamp)),
        Ok(_) | Err(_) => Same::Cleared,
    }
}

/// How long ago all values were changed, at this moment of the server's. A change from the future, by a clock that was set
/// back, was made just now.
pub(super) fn bumped(stamp: Stamp, now: u64) -> Bumped {
    let ago = |version: u64| (version > 0).then(|| Duration::from_micros(now.saturating_sub(version)));
    Bumped { stale: ago(stamp.stale), gone: ago(stamp.gone) }
}

/// The ages of a value that has so many milliseconds left to live.
fn ages(header: &Header, left: i64, stamp: Stamp) -> Ages {
    // A time to live that cannot be is a sign of damage, or of a server that has lost it: the value is stale.
    let age = u64::try_from(left).ok().and_then(|left| header.retention_ms.checked_sub(left));
    let is_outdated = header.tags_stale < stamp.stale;
    let age_ms = age.unwrap_or(header.lifetime_ms);
    let lifetime_ms = if is_outdated { header.lifetime_ms.min(age_ms) } else { header.lifetime_ms };
    Ages {
        age: envelope::from_ms(age_ms),
        lifetime: envelope::from_ms(lifetime_ms),
        retention: envelope::from_ms(header.retention_ms),
    }
}

/// The value in an envelope that has so many milliseconds left to live. `None` if there is none, or it cannot be
/// read.
pub(super) fn found(
    settings: &Redis,
    key: &WireKey,
    envelope: &[u8],
    left: i64,
    stamp: Stamp,
) -> Option<Found> {
    let Envelope { header, payload } =
        envelope::decode(envelope, key.fingerprint, settings.max_value_bytes).ok()?;
    if header.kind == Kind::Tombstone || header.tags_gone < stamp.gone {
        return None;
    }
    let bytes =
        compress::unpack(settings.codec.as_deref(), header.compression, header.raw_len, payload).ok()?;
    let ages = ages(&header, left, stamp);
    let took = Duration::from_millis(header.compute_ms.into());
    Some(Found { id: header.write_id, written: None, ages, schema: header.schema, took, bytes })
}
