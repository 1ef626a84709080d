use super::*;

/// Hides values from a casual reader.
struct Xor(u8);

impl Codec for Xor {
    fn id(&self) -> u8 {
        self.0
    }

    fn encode(&self, raw: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        if raw == b"refused" {
            Err("not this one".into())
        } else {
            Ok(raw.iter().map(|byte| byte ^ 0x55).collect())
        }
    }

    fn decode(&self, stored: &[u8], _: usize) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        if stored == b"refused" {
            Err("not this one".into())
        } else {
            Ok(stored.iter().map(|byte| byte ^ 0x55).collect())
        }
    }
}

fn text(len: usize) -> Vec<u8> {
    b"a value that says the same again and again. ".iter().copied().cycle().take(len).collect()
}

#[test]
fn large_payloads_are_compressed_if_that_saves_a_fifth() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut noise = |len: usize| (0..len).map(|_| random.u8(..)).collect::<Vec<_>>();
    // An eighth of it can be saved.
    let mixed = [noise(70_000), text(10_000)].concat();
    let half = [noise(40_000), text(40_000)].concat();
    for (raw, compression) in [
        (Vec::new(), PLAIN),
        (text(SMALL), PLAIN),
        (text(SMALL + 1), LZ4),
        (text(1 << 20), LZ4),
        (noise(80_000), PLAIN),
        (mixed, PLAIN),
        (half, LZ4),
    ] {
        let packed = pack(None, raw.clone()).unwrap();
        assert_eq!(packed.compression, compression, "{} bytes", raw.len());
        assert_eq!(packed.raw_len as usize, raw.len());
        assert!(compression == PLAIN || packed.bytes.len() <= raw.len() / 5 * 4);
        assert_eq!(unpack(None, compression, packed.raw_len, &packed.bytes).unwrap(), raw);
    }
}

#[test]
fn a_codec_takes_the_place_of_the_compression() {
    let codec = Xor(16);
    let packed = pack(Some(&codec), text(10_000)).unwrap();
    assert_eq!((packed.compression, packed.raw_len, packed.bytes.len()), (16, 10_000, 10_000));
    let unpack = |codec: Option<&dyn Codec>, compression, raw_len| {
        unpack(codec, compression, raw_len, &packed.bytes).map_err(|why| why.to_string())
    };
    assert_eq!(unpack(Some(&codec), 16, 10_000).unwrap(), text(10_000));
    let other = |id| Err(format!("it was written with the codec {id}, which is not that of this process"));
    assert_eq!(unpack(None, 16, 10_000), other(16));
    assert_eq!(unpack(Some(&Xor(17)), 16, 10_000), other(16));
    assert_eq!(unpack(None, 2, 10_000), other(2));
    // Nobody gets around a codec.
    assert_eq!(unpack(Some(&codec), PLAIN, 10_000), other(PLAIN));
    assert_eq!(unpack(Some(&codec), LZ4, 10_000), other(LZ4));
    assert_eq!(unpack(Some(&Xor(LZ4)), LZ4, 10_000), other(LZ4));
    assert!(unpack(Some(&codec), 16, 9_999).unwrap_err().contains("another length"));

    let error = pack(Some(&Xor(15)), Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "the codec's id is 15, and has to be 16 at least");
    let error = pack(Some(&codec), b"refused".to_vec()).unwrap_err().to_string();
    assert_eq!(error, "the codec has returned an error: not this one");
    let error = super::unpack(Some(&codec), 16, 7, b"refused").unwrap_err().to_string();
    assert_eq!(error, "the codec has returned an error: not this one");
}

/// Damaged blocks are an error, or other bytes of the same length: the sum of the envelope tells those.
#[test]
fn no_more_is_unpacked_than_was_said() {
    let packed = pack(None, text(10_000)).unwrap();
    for raw_len in [0, 1, 9_999, 10_001, 1 << 20] {
        assert!(unpack(None, LZ4, raw_len, &packed.bytes).is_err(), "{raw_len}");
        assert!(unpack(None, PLAIN, raw_len, &packed.bytes).is_err(), "{raw_len}");
    }
    for end in 0..packed.bytes.len() {
        assert!(unpack(None, LZ4, packed.raw_len, &packed.bytes[..end]).is_err(), "the first {end} bytes");
    }
    for bit in 0..8 * packed.bytes.len() {
        let mut damaged = packed.bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(raw) = unpack(None, LZ4, packed.raw_len, &damaged) {
            assert_eq!(raw.len(), 10_000);
        }
    }
}
