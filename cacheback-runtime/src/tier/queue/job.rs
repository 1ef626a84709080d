//! A job as bytes: MessagePack, with the limits of every other value of the tier.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::sync::Arc;
use crate::tier::codec::{Encoding, Undecodable, Unencodable};
use crate::tier::wire_key::{Scope, WireKey};
use crate::tier::{Token, WriteId};

/// A refresh that a worker is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The key of the entry. Its encoded form is not carried: a worker makes it from the arguments, and compares.
    pub(crate) key: JobKey,
    /// The arguments that are not skipped, each encoded, in their order; of a cache object, its key.
    pub(crate) args: Vec<Vec<u8>>,
    /// That of the lease, which waits for the worker.
    pub(crate) token: Token,
    /// The value that was to be refreshed.
    pub(crate) seen: Option<WriteId>,
    /// The context of its trace.
    pub(crate) trace: Option<String>,
    /// When it was put on the queue, in milliseconds since 1970.
    pub(crate) enqueued: Option<u64>,
    /// How many workers have ended with the lease of the key, one after the other.
    pub(crate) deaths: u32,
}

/// What tells a key from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobKey {
    pub(crate) hash: [u8; 16],
    pub(crate) fingerprint: u64,
}

impl JobKey {
    pub(crate) fn of(key: &WireKey) -> Self {
        Self { hash: key.hash, fingerprint: key.fingerprint }
    }

    /// The key, to give up the lease of a job whose arguments nobody can read.
    pub(crate) fn without_args(self, scope: &Arc<Scope>) -> WireKey {
        let Self { hash, fingerprint } = self;
        WireKey { scope: Arc::clone(scope), hash, fingerprint, args: Arc::new([]) }
    }
}

/// The format of jobs. One of another format is not run.
const FORMAT: u8 = 1;

/// A job as it is sent, with the function that it is of.
#[derive(Serialize, Deserialize)]
struct Sent {
    format: u8,
    function: String,
    instance: Option<String>,
    version: u64,
    key: ([u8; 16], u64),
    args: Vec<Part>,
    token: u64,
    seen: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enqueued: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    deaths: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Bytes, and not a list of numbers.
#[derive(Serialize, Deserialize)]
struct Part(#[serde(with = "bytes")] Vec<u8>);

mod bytes {
    use std::fmt;

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_owned())
            }
            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// Why bytes are no job that may run. It never shows the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoJob {
    Undecodable(Undecodable),
    /// It is of another format.
    Format,
    /// It is of another function, or of an instantiation of it.
    Function,
    /// It is of another version of the function.
    Version,
}

impl fmt::Display for NoJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(why) => write!(f, "it is no job: {why}"),
            Self::Format => f.write_str("it has the format of another version of cacheback"),
            Self::Function => f.write_str("it is of another function"),
            Self::Version => f.write_str("it is of another version of the function"),
        }
    }
}

impl Job {
    /// The bytes of the job of a function.
    pub(crate) fn encode(self, scope: &Scope, version: u64) -> Result<Vec<u8>, Unencodable> {
        let Self { key: JobKey { hash, fingerprint }, args, token, seen, trace, enqueued, deaths } = self;
        let sent = Sent {
            format: FORMAT,
            function: scope.name.to_string(),
            instance: scope.instance.as_deref().map(str::to_owned),
            version,
            key: (hash, fingerprint),
            args: args.into_iter().map(Part).collect(),
            token: token.0,
            seen: seen.map(|WriteId(id)| id),
            trace,
            enqueued,
            deaths,
        };
        (Encoding::<Sent>::of().encode)(&sent)
    }

    /// The job of a function in this version, from its bytes.
    pub(crate) fn decode(bytes: &[u8], scope: &Scope, version: u64) -> Result<Self, NoJob> {
        let sent = (Encoding::<Sent>::of().decode)(bytes).map_err(NoJob::Undecodable)?;
        let Sent { format, function, instance, version: of, .. } = sent;
        if format != FORMAT {
            return Err(NoJob::Format);
        }
        if *function != *scope.name || instance.as_deref() != scope.instance.as_deref() {
            return Err(NoJob::Function);
        }
        if of != version {
            return Err(NoJob::Version);
        }
        let Sent { key: (hash, fingerprint), args, token, seen, trace, enqueued, deaths, .. } = sent;
        let args = args.into_iter().map(|Part(bytes)| bytes).collect();
        let key = JobKey { hash, fingerprint };
        Ok(Self { key, args, token: Token(token), seen: seen.map(WriteId), trace, enqueued, deaths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(name: &str, instance: Option<&str>) -> Scope {
        Scope { name: name.into(), instance: instance.map(Into::into) }
    }

    fn job() -> Job {
        let key = JobKey { hash: [7; 16], fingerprint: u64::MAX };
        Job {
            key,
            args: vec![vec![], vec![0xc1, 0, 255]],
            token: Token(9),
            seen: Some(WriteId(3)),
            trace: None,
            enqueued: None,
            deaths: 0,
        }
    }

    #[test]
    fn a_job_comes_out_as_it_went_in() {
        for (scope, job) in [
            (scope("shop::sales", None), job()),
            (scope("shop::Repo::sales", Some("Repo")), Job { args: vec![], seen: None, ..job() }),
            (scope("f", None), Job { trace: Some("00-a-b-01".to_owned()), ..job() }),
            (scope("f", None), Job { enqueued: Some(1_700_000_000_000), ..job() }),
            (scope("f", None), Job { deaths: 2, ..job() }),
        ] {
            let bytes = job.clone().encode(&scope, 2).unwrap();
            assert_eq!(Job::decode(&bytes, &scope, 2), Ok(job));
        }
    }

    #[test]
    fn a_job_of_another_function_or_version_is_told() {
        let own = scope("shop::sales", None);
        let bytes = job().encode(&own, 2).unwrap();
        let table = [
            (scope("shop::stock", None), 2, "it is of another function"),
            (scope("shop::sales", Some("Repo")), 2, "it is of another function"),
            (own.clone(), 3, "it is of another version of the function"),
        ];
        for (scope, version, told) in table {
            assert_eq!(Job::decode(&bytes, &scope, version).unwrap_err().to_string(), told);
        }
    }

    /// Whoever may write to the server may write jobs.
    #[test]
    fn no_bytes_break_a_worker() {
        let own = scope("shop::sales", None);
        let bytes = job().encode(&own, 2).unwrap();
        for end in 0..bytes.len() {
            assert!(Job::decode(&bytes[..end], &own, 2).is_err(), "{end} bytes");
        }
        let nested = [vec![0x91; 100_000], vec![0xc0]].concat();
        assert_eq!(Job::decode(&nested, &own, 2), Err(NoJob::Undecodable(Undecodable::TooDeep)));
        for at in 0..bytes.len() {
            for other in [0x00, 0x80, 0xc0, 0xdf, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = other;
                let _ = Job::decode(&bytes, &own, 2);
            }
        }
    }

    #[test]
    fn a_job_of_another_format_is_told() {
        let own = scope("f", None);
        let mut bytes = job().encode(&own, 2).unwrap();
        let at = bytes.windows(7).position(|window| window == b"\xa6format").unwrap() + 7;
        bytes[at] = 2;
        assert_eq!(Job::decode(&bytes, &own, 2), Err(NoJob::Format));
    }
}
