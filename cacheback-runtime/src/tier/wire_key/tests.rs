use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::*;

fn scope(name: &str, instance: Option<&str>) -> Arc<Scope> {
    Arc::new(Scope { name: name.into(), instance: instance.map(Into::into) })
}

/// Other processes, of other versions, look for these very bytes.
#[test]
fn a_key_is_the_same_for_ever() {
    let key = WireKey::new(&scope("shop::tweets", Some("u8")), b"\x91\xa5alice");
    assert_eq!(key.hex(), "6c3d7bf8fe91847a9b70df03f3312847");
    assert_eq!(key.fingerprint, 13_832_419_570_379_233_031);
}

#[test]
fn the_hash_is_sha_256() {
    let key = WireKey::new(&scope("f", None), b"x");
    let bytes = [
        &b"cacheback key 1"[..],
        b"\x01\0\0\0\0\0\0\0f",
        b"\x01\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0",
        b"\x01\0\0\0\0\0\0\0x",
    ];
    assert_eq!(key.hash, Sha256::digest(bytes.concat())[..16]);
    assert_eq!(key.hex().len(), 32);
    assert_eq!(u128::from_str_radix(&key.hex(), 16), Ok(u128::from_be_bytes(key.hash)));
}

#[test]
fn different_keys_have_different_hashes() {
    let mut keys = Vec::new();
    for (name, instance) in
        [("f", None), ("f", Some("")), ("f", Some("u8")), ("fu8", None), ("", Some("fu8"))]
    {
        for args in ["", "a", "u8", "\0"] {
            keys.push(WireKey::new(&scope(name, instance), args.as_bytes()));
        }
    }
    let hashes: HashSet<_> = keys.iter().map(|key| key.hash).collect();
    let fingerprints: HashSet<_> = keys.iter().map(|key| key.fingerprint).collect();
    assert_eq!((hashes.len(), fingerprints.len()), (keys.len(), keys.len()));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Skips {
    id: u8,
    #[serde(skip)]
    tenant: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Plain<T>(T);

#[test]
fn a_key_is_shared_only_if_its_bytes_name_it_alone() {
    fn key<K>(key: &K) -> Result<WireKey, NotCanonical>
    where
        K: Serialize + serde::de::DeserializeOwned + PartialEq,
    {
        wire_key(&scope("f", None), &Encoding::of(), key, K::eq)
    }
    let alice = key(&("alice".to_owned(), 1_u8)).unwrap();
    assert_eq!(alice.hash, WireKey::new(&scope("f", None), b"\x92\xa5alice\x01").hash);

    assert!(key(&Skips { id: 1, tenant: 0 }).is_ok());
    assert_eq!(key(&Skips { id: 1, tenant: 2 }).unwrap_err(), NotCanonical::Merged);
    assert_eq!(key(&f64::NAN).unwrap_err(), NotCanonical::Merged);
    assert_eq!(key(&Some(None::<u8>)).unwrap_err(), NotCanonical::Unencodable(Unencodable::NestedOption));
    // With 64 elements, the order of another set is another one.
    let set: HashSet<u32> = (0..64).collect();
    assert_eq!(key(&Plain(set)).unwrap_err(), NotCanonical::Unstable);
}

#[test]
fn a_key_that_cannot_be_decoded_is_not_shared() {
    /// Written as a text, read as a number.
    #[derive(PartialEq)]
    struct OneWay;
    impl Serialize for OneWay {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str("secret")
        }
    }
    impl<'de> Deserialize<'de> for OneWay {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u8::deserialize(deserializer).map(|_| Self)
        }
    }
    let error = wire_key(&scope("f", None), &Encoding::of(), &OneWay, OneWay::eq).unwrap_err();
    assert_eq!(error, NotCanonical::Undecodable(Undecodable::Refused));
    assert!(!error.to_string().contains("secret"), "{error}");
}
