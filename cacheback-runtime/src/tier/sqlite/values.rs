//! Values as a file keeps them: envelopes, as every tier writes them.
//!
//! What changes in a stored value stands in columns beside the envelope, in nanoseconds. The envelope's own fields of time
//! are those of the moment it was written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::settings::Sqlite;
use crate::tier::envelope::{self, Envelope, Header, Kind};
use crate::tier::fencing::Contents;
use crate::tier::{
    Acquired, Ages, Bumped, Found, Payload, Read, Tombstone, UNREADABLE, WireKey, WriteId, compress,
};

/// A value in the file, or on its way there.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) fingerprint: u64,
    /// `None` if they were not read.
    pub(super) envelope: Option<Vec<u8>>,
}

impl Contents for Kept {
    fn of(payload: Payload, key: &WireKey) -> Self {
        let Payload { packed, schema, ages, took, .. } = payload;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = Header {
            kind: Kind::Value,
            encoding: envelope::MESSAGE_PACK,
            compression: packed.compression,
            write_id: WriteId(0),
            key: key.fingerprint,
            schema,
            created_ms: envelope::to_ms(now),
            lifetime_ms: envelope::to_ms(ages.lifetime),
            retention_ms: envelope::to_ms(ages.retention),
            tags_stale: 0,
            tags_gone: 0,
            raw_len: packed.raw_len,
            compute_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
        };
        let envelope = Some(envelope::encode(&header, &packed.bytes));
        Self { fingerprint: key.fingerprint, envelope }
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn is_of(&self, payload: &Payload, key: &WireKey) -> bool {
        let kept = self.envelope.as_deref();
        let kept = kept.and_then(|kept| envelope::decode(kept, key.fingerprint, usize::MAX).ok());
        kept.is_some_and(|kept| {
            kept.payload == payload.packed.bytes.as_slice() && kept.header.schema == payload.schema
        })
    }
}

/// A value as it was read.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) id: WriteId,
    pub(super) written: Duration,
    pub(super) ages: Ages,
    pub(super) envelope: Vec<u8>,
}

impl Raw {
    /// `None` if it cannot be read. Runs the user's codec.
    fn found(&self, settings: &Sqlite, key: &WireKey) -> Option<Found> {
        let Self { id, written, ages, envelope } = self;
        let Envelope { header, payload } =
            envelope::decode(envelope, key.fingerprint, settings.longest()).ok()?;
        let codec = settings.codec.as_deref();
        let bytes = compress::unpack(codec, header.compression, header.raw_len, payload).ok()?;
        let took = Duration::from_millis(header.compute_ms.into());
        Some(Found { id: *id, written: Some(*written), ages: *ages, schema: header.schema, took, bytes })
    }
}

/// A value that cannot be read counts as missing.
pub(super) fn read(read: Read<Raw>, settings: &Sqlite, key: &WireKey) -> Read {
    match read {
        Read::Found(raw) => {
            let tombstone = Tombstone { id: raw.id, written: Some(raw.written) };
            let unreadable = Read::Missing { tombstone: Some(tombstone), bumped: Bumped::default() };
            raw.found(settings, key).map_or(unreadable, Read::Found)
        }
        Read::Missing { tombstone, bumped } => Read::Missing { tombstone, bumped },
        Read::Cleared(id) => Read::Cleared(id),
        Read::Unchanged(ages) => Read::Unchanged(ages),
    }
}

/// A value that cannot be read is shown as one of a schema that nobody has.
pub(super) fn acquired(acquired: Acquired<Raw>, settings: &Sqlite, key: &WireKey) -> Acquired {
    acquired.map(|raw| {
        let nothing = Duration::ZERO;
        raw.found(settings, key).unwrap_or(Found {
            id: raw.id,
            written: None,
            ages: Ages { age: nothing, lifetime: nothing, retention: nothing },
            schema: UNREADABLE,
            took: nothing,
            bytes: Vec::new(),
        })
    })
}
