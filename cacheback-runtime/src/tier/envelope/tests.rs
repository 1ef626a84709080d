use super::*;

const KEY_FINGERPRINT: u64 = 0x1111_2222_3333_4444;
const LIMIT: usize = 1 << 20;

fn header(payload: usize) -> Header {
    Header {
        kind: Kind::Value,
        encoding: MESSAGE_PACK,
        compression: 0,
        write_id: WriteId(1_764_400_000_000_001),
        key: KEY_FINGERPRINT,
        schema: 0x5555_6666_7777_8888,
        created_ms: 1_764_400_000_000,
        lifetime_ms: 600_000,
        retention_ms: 86_400_000,
        tags_stale: 7,
        tags_gone: 8,
        raw_len: payload as u32,
        compute_ms: 250,
    }
}

/// 200 bytes: a header and a payload.
fn sample() -> Vec<u8> {
    let payload: Vec<u8> = (0..116).map(|at: u8| at.wrapping_mul(37)).collect();
    let bytes = encode(&header(payload.len()), &payload);
    assert_eq!(bytes.len(), 200);
    bytes
}

fn read(bytes: &[u8]) -> Result<Envelope<'_>, Broken> {
    decode(bytes, KEY_FINGERPRINT, LIMIT)
}

/// The scripts on the server, and processes of other versions, know these offsets.
#[test]
fn the_layout_is_the_same_for_ever() {
    let bytes = encode(&header(2), b"\xc3\xc3");
    let fields: [(usize, &[u8]); 15] = [
        (0, b"CBK\x01"),
        (4, &[84]),
        (5, &[0x0f]),
        (6, &[1]),
        (7, &[0]),
        (8, &1_764_400_000_000_001_u64.to_le_bytes()),
        (16, &KEY_FINGERPRINT.to_le_bytes()),
        (24, &0x5555_6666_7777_8888_u64.to_le_bytes()),
        (32, &1_764_400_000_000_u64.to_le_bytes()),
        (40, &600_000_u64.to_le_bytes()),
        (48, &86_400_000_u64.to_le_bytes()),
        (56, &7_u64.to_le_bytes()),
        (64, &8_u64.to_le_bytes()),
        (72, &2_u32.to_le_bytes()),
        (76, &[106, 121, 208, 172]),
    ];
    let rest: [(usize, &[u8]); 2] = [(80, &250_u32.to_le_bytes()), (84, b"\xc3\xc3")];
    let all: Vec<u8> = fields
        .iter()
        .chain(&rest)
        .flat_map(|(at, field)| {
            assert_eq!(&bytes[*at..at + field.len()], *field, "at {at}");
            field.to_vec()
        })
        .collect();
    assert_eq!(all, bytes);
}

#[test]
fn any_two_kinds_differ_in_four_bits() {
    let kinds = [Kind::Value, Kind::Tombstone, Kind::Invalidated];
    for (at, one) in kinds.into_iter().enumerate() {
        assert_eq!(Kind::of(one as u8), Some(one));
        for other in &kinds[at + 1..] {
            assert_eq!((one as u8 ^ *other as u8).count_ones(), 4);
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = sample();
    for end in 0..bytes.len() {
        let error = read(&bytes[..end]).unwrap_err();
        let expected = if end < HEADER { Broken::Truncated } else { Broken::Damaged };
        assert_eq!(error, expected, "the first {end} bytes");
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(read(&longer), Err(Broken::Damaged));
}

#[test]
fn every_flipped_bit_is_an_error_or_the_patched_field() {
    let bytes = sample();
    let original = read(&bytes).unwrap();
    let mut patched = 0;
    for bit in 0..8 * bytes.len() {
        let (at, mask) = (bit / 8, 1_u8 << (bit % 8));
        let mut flipped = bytes.clone();
        flipped[at] ^= mask;
        let in_field = |start: usize| 1_u64 << (8 * (at - start) + bit % 8);
        let mut expected = original.header;
        match at {
            0..3 => assert_eq!(read(&flipped), Err(Broken::Foreign), "bit {bit}"),
            3 => assert_eq!(read(&flipped), Err(Broken::Version(1 ^ mask)), "bit {bit}"),
            4 => assert!(matches!(read(&flipped), Err(Broken::Damaged | Broken::Truncated)), "bit {bit}"),
            KIND => assert_eq!(read(&flipped), Err(Broken::UnknownKind(0x0f ^ mask)), "bit {bit}"),
            WRITE_ID..16 => {
                expected.write_id.0 ^= in_field(WRITE_ID);
                assert_eq!(read(&flipped), Ok(Envelope { header: expected, ..original }), "bit {bit}");
                patched += 1;
            }
            LIFETIME_MS..48 => {
                expected.lifetime_ms ^= in_field(LIFETIME_MS);
                assert_eq!(read(&flipped), Ok(Envelope { header: expected, ..original }), "bit {bit}");
                patched += 1;
            }
            _ => assert_eq!(read(&flipped), Err(Broken::Damaged), "bit {bit}"),
        }
    }
    assert_eq!(patched, 128);
}

#[test]
fn every_changed_byte_is_an_error_or_the_patched_field() {
    let bytes = sample();
    for at in 0..bytes.len() {
        for change in 1..=255_u8 {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            match read(&changed) {
                Err(_) => {}
                Ok(read) => {
                    let is_patched = matches!(at, KIND | WRITE_ID..16 | LIFETIME_MS..48);
                    assert!(is_patched, "byte {at} by {change}");
                    assert_eq!(encode(&read.header, read.payload), changed, "byte {at} by {change}");
                }
            }
        }
    }
}

#[test]
fn the_server_patches_in_place() {
    let mut bytes = sample();
    bytes[KIND] = Kind::Invalidated as u8;
    bytes[WRITE_ID..WRITE_ID + 8].copy_from_slice(&99_u64.to_le_bytes());
    bytes[LIFETIME_MS..LIFETIME_MS + 8].copy_from_slice(&12_u64.to_le_bytes());
    let header = Header { kind: Kind::Invalidated, write_id: WriteId(99), lifetime_ms: 12, ..header(116) };
    assert_eq!(read(&bytes).unwrap().header, header);
    assert_eq!(encode(&header, &bytes[HEADER..]), bytes);
    assert_eq!(write_id(&bytes), Some(WriteId(99)));
}

/// A header with fields of a later version: the sum covers those, too.
#[test]
fn a_longer_header_is_skipped() {
    for more in [1, 12, 255 - HEADER] {
        let mut bytes = encode(&header(3), b"");
        bytes[HEADER_LEN] = (HEADER + more) as u8;
        bytes.extend((0..more).map(|at| at as u8));
        let sum = sum(&bytes, b"abc");
        bytes[SUM..SUM + 4].copy_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(b"abc");
        assert_eq!(read(&bytes), Ok(Envelope { header: header(3), payload: b"abc" }));
        for at in HEADER..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(read(&damaged), Err(Broken::Damaged));
            assert!(read(&bytes[..at]).is_err());
        }
    }
}

#[test]
fn values_that_are_not_meant_are_refused() {
    let bytes = sample();
    assert_eq!(decode(&bytes, KEY_FINGERPRINT + 1, LIMIT), Err(Broken::OtherKey));
    assert_eq!(decode(&bytes, KEY_FINGERPRINT, 115), Err(Broken::TooBig { raw_len: 116, limit: 115 }));
    assert!(decode(&bytes, KEY_FINGERPRINT, 116).is_ok());
    // A few bytes that claim four gigabytes.
    let huge = encode(&Header { raw_len: u32::MAX, compression: 1, ..header(0) }, b"\0");
    assert_eq!(read(&huge), Err(Broken::TooBig { raw_len: u32::MAX, limit: LIMIT }));
    for foreign in ["", "C", "CBK"] {
        assert_eq!(read(foreign.as_bytes()), Err(Broken::Truncated), "{foreign:?}");
        assert_eq!(write_id(foreign.as_bytes()), None);
    }
    for foreign in ["X", "CBX", "a value of somebody else", "{\"json\": 1}"] {
        assert_eq!(read(foreign.as_bytes()), Err(Broken::Foreign), "{foreign:?}");
        assert_eq!(write_id(foreign.as_bytes()), None);
    }
}

#[test]
fn the_number_of_an_unknown_version_is_known() {
    let mut bytes = sample();
    bytes[3] = 2;
    assert_eq!(read(&bytes), Err(Broken::Version(2)));
    assert_eq!(write_id(&bytes), Some(WriteId(1_764_400_000_000_001)));
    assert_eq!(write_id(&bytes[..16]), Some(WriteId(1_764_400_000_000_001)));
    assert_eq!(write_id(&bytes[..15]), None);
}

#[test]
fn whatever_is_written_is_read() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..5_000 {
        let len = if random.u8(..) == 0 { random.usize(0..100_000) } else { random.usize(0..600) };
        let payload: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
        let kinds = [Kind::Value, Kind::Tombstone, Kind::Invalidated];
        let header = Header {
            kind: kinds[random.usize(0..3)],
            encoding: random.u8(..),
            compression: random.u8(..),
            write_id: WriteId(random.u64(..)),
            key: random.u64(..),
            schema: random.u64(..),
            created_ms: random.u64(..),
            lifetime_ms: random.u64(..),
            retention_ms: random.u64(..),
            tags_stale: random.u64(..),
            tags_gone: random.u64(..),
            raw_len: random.u32(..),
            compute_ms: random.u32(..),
        };
        let bytes = encode(&header, &payload);
        assert_eq!(bytes.len(), HEADER + len);
        assert_eq!(decode(&bytes, header.key, usize::MAX), Ok(Envelope { header, payload: &payload }));
        // Anything else is not.
        let noise: Vec<u8> = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
        assert!(decode(&[&MAGIC[..], &noise].concat(), header.key, usize::MAX).is_err());
    }
}

#[test]
fn durations_are_whole_milliseconds() {
    assert_eq!(to_ms(Duration::from_micros(1_999)), 1);
    assert_eq!(from_ms(1), Duration::from_millis(1));
    assert_eq!(to_ms(Duration::MAX), u64::MAX);
    assert_eq!(from_ms(u64::MAX), Duration::MAX);
}
