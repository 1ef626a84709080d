//! For the fuzz targets in `tests/fuzz`: what anybody could send who may write to the second tier.
//!
//! Each function takes any bytes, and panics if they do what they must not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tier::codec::Encoding;
use crate::tier::envelope::{self, Header};
use crate::tier::messages::{Content, Message};
use crate::tier::queue::job::{Job, JobKey};
use crate::tier::redis::messages::{self, Received};
use crate::tier::{Scope, Token, WriteId, compress};

/// The longest value.
const LIMIT: usize = 1 << 20;
/// The fingerprint of the key, in whose place all bytes are read.
const KEY: u64 = 7;

/// An envelope, as it was found and with the sum that it would have to have.
pub fn envelope(bytes: &[u8]) {
    let _ = envelope::write_id(bytes);
    let _ = envelope::header(bytes, KEY);
    read(bytes);
    let mut sealed = bytes.to_vec();
    if envelope::seal(&mut sealed, KEY) {
        read(&sealed);
    }
}

fn read(bytes: &[u8]) {
    let Ok(found) = envelope::decode(bytes, KEY, LIMIT) else { return };
    let header = found.header;
    assert!(header.raw_len as usize <= LIMIT);
    if let Ok(raw) = compress::unpack(None, header.compression, header.raw_len, found.payload) {
        assert_eq!(raw.len(), header.raw_len as usize);
        value(&raw);
    }
    // One of a later version may have more fields.
    if bytes.len() == envelope::HEADER + found.payload.len() {
        assert_eq!(envelope::encode(&header, found.payload), bytes);
    }
}

/// A value with a bit of everything.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    #[serde(default)]
    numbers: (u8, i64, u128),
    maybe: Option<Box<Everything>>,
    #[serde(default)]
    list: Vec<Kind>,
    #[serde(default)]
    map: BTreeMap<String, Kind>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(u32),
    Tuple(bool, char),
    Struct { name: String, unit: () },
}

/// The encoded form of a value: what is read from it comes out again.
pub fn value(bytes: &[u8]) {
    let encoding = Encoding::<Everything>::of();
    let Ok(value) = (encoding.decode)(bytes) else { return };
    let Ok(again) = (encoding.encode)(&value) else { return };
    assert_eq!((encoding.decode)(&again).expect("it was written here"), value);
}

/// A job of the queue.
pub fn job(bytes: &[u8]) {
    let Ok(job) = Job::decode(bytes, &scope(), 1) else { return };
    let again = job.clone().encode(&scope(), 1).expect("it was read");
    assert_eq!(Job::decode(&again, &scope(), 1), Ok(job));
}

/// A message of the channel.
pub fn message(bytes: &[u8]) {
    let again = match messages::read(bytes) {
        Some(Received::Message(Message { origin, scope, content }, number)) => {
            let message = match content {
                Content::Changed(news) => messages::changed(origin, &scope, &news.args),
                Content::Bumped(bump) => messages::bumped(origin, &scope, bump),
            };
            messages::numbered(message, i64::from_le_bytes(number.to_le_bytes()))
        }
        Some(Received::Deleted(Message { origin, scope, content: Content::Changed(news) }, number)) => {
            let message = messages::deleted(origin, &scope, &news.args);
            messages::numbered(message, i64::from_le_bytes(number.to_le_bytes()))
        }
        Some(Received::Deleted(..)) => unreachable!("a key"),
        Some(Received::Echo { origin, connection }) => messages::echo(origin, connection),
        None => return,
    };
    assert_eq!(messages::read(&again), messages::read(bytes));
}

/// Bytes that each target may begin with: they are as they should be.
#[must_use]
pub fn seeds() -> [(&'static str, Vec<u8>); 4] {
    let list = vec![Kind::Unit, Kind::Newtype(1), Kind::Tuple(true, 'a')];
    let map = BTreeMap::from([("key".to_owned(), Kind::Struct { name: "a".repeat(5_000), unit: () })]);
    let one = Everything { text: "text".to_owned(), numbers: (1, -2, 3), maybe: None, list, map };
    let value = (Encoding::<Everything>::of().encode)(&one).expect("it is a value");
    let packed = compress::pack(None, value.clone()).expect("it is short");
    let header = Header {
        kind: envelope::Kind::Value,
        encoding: envelope::MESSAGE_PACK,
        compression: packed.compression,
        write_id: WriteId(1),
        key: KEY,
        schema: 2,
        created_ms: 3,
        lifetime_ms: 4,
        retention_ms: 5,
        tags_stale: 6,
        tags_gone: 7,
        raw_len: packed.raw_len,
        compute_ms: 8,
    };
    let job = Job {
        key: JobKey { hash: [1; 16], fingerprint: KEY },
        args: vec![vec![0xc0], vec![0x07]],
        token: Token(2),
        seen: Some(WriteId(3)),
        trace: Some("00-a-b-01".to_owned()),
        enqueued: Some(4),
        deaths: 1,
    };
    [
        ("envelope", envelope::encode(&header, &packed.bytes)),
        ("value", value),
        ("job", job.encode(&scope(), 1).expect("it is short")),
        ("message", messages::changed(1, &scope(), &[2])),
    ]
}

fn scope() -> Scope {
    Scope { name: "f".into(), instance: None }
}
