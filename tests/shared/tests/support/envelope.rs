//! The envelopes in the server, and what others make of them. Their layout stands in `cacheback-runtime`'s
//! `tier/envelope.rs`, and is the same for ever.

use std::time::Duration;

use twox_hash::XxHash3_64;

use super::Server;

pub(crate) const VERSION: usize = 3;
pub(crate) const KIND: usize = 5;
pub(crate) const WRITE_ID: usize = 8;
pub(crate) const CREATED_MS: usize = 32;
const LIFETIME_MS: usize = 40;
const RETENTION_MS: usize = 48;
pub(crate) const RAW_LEN: usize = 72;
const SUM: usize = 76;
pub(crate) const HEADER: usize = 84;

const SEED: u64 = 0x6361_6368_6562_636b;

/// The number of the only envelope of the server.
pub(crate) fn number(server: &Server) -> u64 {
    let bytes: Vec<u8> = server.query(redis::cmd("GET").arg(server.only("cb1:v:*")));
    u64::from_le_bytes(bytes[WRITE_ID..WRITE_ID + 8].try_into().unwrap())
}

/// How old the only value of the server is.
pub(crate) fn age(server: &Server) -> Duration {
    let key = server.only("cb1:v:*");
    let left: u64 = server.query(redis::cmd("PTTL").arg(&key));
    let bytes: Vec<u8> = server.query(redis::cmd("GET").arg(&key));
    let retention = u64::from_le_bytes(bytes[RETENTION_MS..RETENTION_MS + 8].try_into().unwrap());
    Duration::from_millis(retention - left)
}

/// Changes the only envelope of the server, and sums it anew.
pub(crate) fn change(server: &Server, change: impl FnOnce(&mut Vec<u8>)) {
    let key = server.only("cb1:v:*");
    let mut bytes: Vec<u8> = server.query(redis::cmd("GET").arg(&key));
    assert_eq!(bytes[SUM..SUM + 4], sum(&bytes), "envelopes are summed otherwise");
    change(&mut bytes);
    let sum = sum(&bytes);
    bytes[SUM..SUM + 4].copy_from_slice(&sum);
    server.query::<()>(redis::cmd("SET").arg(&key).arg(bytes).arg("KEEPTTL"));
}

/// The sum covers all but the fields that the server changes, and itself.
fn sum(envelope: &[u8]) -> [u8; 4] {
    let (header, payload) = envelope.split_at(HEADER);
    let mut fixed = header.to_vec();
    for (at, length) in [(KIND, 1), (WRITE_ID, 8), (LIFETIME_MS, 8), (SUM, 4)] {
        fixed[at..at + length].fill(0);
    }
    let seed = XxHash3_64::oneshot_with_seed(SEED, &fixed);
    (XxHash3_64::oneshot_with_seed(seed, payload) as u32).to_le_bytes()
}
