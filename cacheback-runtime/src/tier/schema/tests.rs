use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::num::{NonZeroI8, NonZeroU64};
use std::time::Duration;

use serde::Deserialize;

use super::*;

/// The shape of the type `Root` among the given ones.
macro_rules! shape_of {
    ($($item:item)*) => {{
        $(#[derive(Deserialize)] #[allow(dead_code)] $item)*
        shape::<Root>()
    }};
}

/// Each has another shape than all others.
fn all_different(shapes: &[u64]) {
    for (at, shape) in shapes.iter().enumerate() {
        let same = shapes[..at].iter().position(|other| other == shape);
        assert_eq!(same, None, "the shape {at} is that of an earlier one");
    }
}

#[test]
fn primitives_differ() {
    all_different(&[
        shape::<bool>(),
        shape::<char>(),
        shape::<String>(),
        shape::<()>(),
        shape::<u8>(),
        shape::<u16>(),
        shape::<u32>(),
        shape::<u64>(),
        shape::<u128>(),
        shape::<i8>(),
        shape::<i16>(),
        shape::<i32>(),
        shape::<i64>(),
        shape::<i128>(),
        shape::<f32>(),
        shape::<f64>(),
        shape::<Option<u8>>(),
        shape::<Option<u16>>(),
        shape::<Option<Option<u8>>>(),
        shape::<Vec<u8>>(),
        shape::<Vec<Vec<u8>>>(),
        shape::<Vec<u16>>(),
        shape::<[u8; 1]>(),
        shape::<[u8; 2]>(),
        shape::<(u8,)>() ^ 1,
        shape::<(u8, u16)>(),
        shape::<(u16, u8)>(),
        shape::<(u8, u8, u16)>(),
        shape::<(String, u8)>(),
        shape::<(String, u16)>(),
        shape::<BTreeMap<u8, u8>>(),
        shape::<BTreeMap<u8, u16>>(),
        shape::<BTreeMap<u16, u8>>(),
        shape::<BTreeMap<String, Vec<u8>>>(),
        shape::<BTreeMap<String, Vec<u16>>>(),
        shape::<BTreeMap<(u8, String), Option<u8>>>(),
        shape::<BTreeMap<(u8, String), Option<u16>>>(),
        shape::<Result<u8, String>>(),
        shape::<Result<u8, ()>>(),
        shape::<Result<u16, String>>(),
        shape::<Duration>(),
    ]);
}

#[test]
fn what_is_written_alike_is_the_same() {
    assert_eq!(shape::<Box<u8>>(), shape::<u8>());
    assert_eq!(shape::<Vec<Box<str>>>(), shape::<Vec<String>>());
    assert_eq!(shape::<HashMap<u8, String>>(), shape::<BTreeMap<u8, String>>());
    assert_eq!(shape::<BTreeSet<u8>>(), shape::<Vec<u8>>());
    assert_eq!(shape::<(u8, u8)>(), shape::<[u8; 2]>());
    assert_eq!(shape::<NonZeroU64>(), shape::<u64>());
    assert_eq!(shape::<(NonZeroI8, NonZeroU64, u8)>(), shape::<(i8, u64, u8)>());
    // The order of items and private names do not matter.
    assert_eq!(
        shape_of! { struct Root { a: Vec<Inner>, b: Inner } struct Inner(u8, u8); },
        shape_of! { struct Inner(u8, u8); struct Root { a: Vec<Inner>, b: Inner } },
    );
    assert_eq!(
        shape_of! { struct Root { a: u8 } },
        shape_of! { struct Root { #[serde(rename = "a")] other: u8, #[serde(skip)] skipped: u64 } },
    );
}

#[test]
fn structs_differ() {
    all_different(&[
        shape_of! { struct Root { a: u8, b: u16 } },
        shape_of! { struct Root { b: u16, a: u8 } },
        shape_of! { struct Root { a: u8, b: u32 } },
        shape_of! { struct Root { a: u8, c: u16 } },
        shape_of! { struct Root { a: u8, #[serde(rename = "d")] b: u16 } },
        shape_of! { struct Root { a: u8 } },
        shape_of! { struct Root { a: u8, b: u16, c: u8 } },
        shape_of! { struct Root { a: Option<u8>, b: u16 } },
        shape_of! { struct Root { a: u8, b: Vec<u16> } },
        shape_of! { #[serde(rename = "Other")] struct Root { a: u8, b: u16 } },
        shape_of! { struct Root(u8, u16); },
        shape_of! { struct Root(u8, u32); },
        shape_of! { struct Root(u8); },
        shape_of! { struct Root(u16); },
        shape_of! { struct Root; },
        shape_of! { struct Root {} },
        shape_of! { #[serde(transparent)] struct Root(u8); },
        shape_of! { struct Root { a: Inner } struct Inner { b: u8 } },
        shape_of! { struct Root { a: Inner } struct Inner { b: u16 } },
        shape_of! { struct Root { a: Inner } struct Inner { c: u8 } },
        shape_of! { struct Root { a: Vec<Option<Inner>> } struct Inner { b: u8 } },
        shape_of! { struct Root { a: Vec<Option<Inner>> } struct Inner { b: u16 } },
        // After a field whose value nobody can make up.
        shape_of! { struct Root { a: IpAddr, b: u8 } },
        shape_of! { struct Root { a: IpAddr, b: u16 } },
        // Behind a key that has to be made up.
        shape_of! { struct Root { a: HashMap<Inner, u8> } #[derive(PartialEq, Eq, Hash)] struct Inner { b: NonZeroU64, c: Option<u8> } },
        shape_of! { struct Root { a: HashMap<Inner, u16> } #[derive(PartialEq, Eq, Hash)] struct Inner { b: NonZeroU64, c: Option<u8> } },
        shape_of! { struct Root { a: HashMap<Inner, u8> } #[derive(PartialEq, Eq, Hash)] struct Inner { b: NonZeroU64, c: Option<u16> } },
        shape_of! { struct Root { a: HashMap<Inner, u8> } #[derive(PartialEq, Eq, Hash)] enum Inner { A(String), B } },
        shape_of! { struct Root { a: HashMap<Inner, u16> } #[derive(PartialEq, Eq, Hash)] enum Inner { A(String), B } },
        shape_of! { struct Root { a: HashMap<Inner, u16> } #[derive(PartialEq, Eq, Hash)] enum Inner { A(String), B(u8) } },
    ]);
}

#[test]
fn enums_differ() {
    all_different(&[
        shape_of! { enum Root { A, B } },
        shape_of! { enum Root { B, A } },
        shape_of! { enum Root { A, C } },
        shape_of! { enum Root { A, B, C } },
        shape_of! { enum Root { A, B(u8) } },
        shape_of! { enum Root { A, B(u16) } },
        shape_of! { enum Root { A, B(u8, u8) } },
        shape_of! { enum Root { A, B(u8, u16) } },
        shape_of! { enum Root { A, B { a: u8 } } },
        shape_of! { enum Root { A, B { a: u16 } } },
        shape_of! { enum Root { A, B { b: u8 } } },
        shape_of! { enum Root { A, B {} } },
        shape_of! { enum Root { A(Inner), B } enum Inner { C, D } },
        shape_of! { enum Root { A(Inner), B } enum Inner { C, D(bool) } },
        shape_of! { enum Root { A(Inner), B } enum Inner { C, D(()) } },
        shape_of! { #[serde(tag = "t", content = "c")] enum Root { A, B(u8) } },
        shape_of! { #[serde(tag = "u", content = "c")] enum Root { A, B(u8) } },
    ]);
}

#[test]
fn types_that_contain_themselves_have_an_end() {
    all_different(&[
        shape_of! { struct Root { next: Option<Box<Root>>, value: u8 } },
        shape_of! { struct Root { next: Option<Box<Root>>, value: u16 } },
        shape_of! { struct Root { next: Vec<Root>, value: u8 } },
        shape_of! { struct Root { next: Option<Box<Inner>>, value: u8 } struct Inner { next: Option<Box<Root>> } },
        shape_of! { struct Root(Vec<Root>); },
        shape_of! { struct Root(Option<Box<Root>>); },
        shape_of! { struct Root { by_name: HashMap<String, Root> } },
        shape_of! { enum Root { Leaf(u8), Pair(Box<Root>, Box<Root>) } },
        shape_of! { enum Root { Leaf(u8), Pair(Box<Root>, Box<Root>), Named { inner: Box<Root> } } },
        shape_of! { enum Root { Leaf(u16), Pair(Box<Root>, Box<Root>), Named { inner: Box<Root> } } },
        // No value of it can be made up.
        shape_of! { enum Root { Pair(Box<Root>, u8) } },
        shape_of! { struct Root { inner: Box<Root>, other: u8 } },
    ]);
}

/// Two types of the same name, with the same fields: told apart, though each is looked at once only.
#[test]
fn names_alone_do_not_make_a_type() {
    mod a {
        #[derive(serde::Deserialize)]
        pub(super) struct Status {
            pub(super) _code: u8,
        }
    }
    mod b {
        #[derive(serde::Deserialize)]
        pub(super) struct Status {
            pub(super) _code: u16,
        }
    }
    all_different(&[
        shape::<(a::Status, a::Status)>(),
        shape::<(a::Status, b::Status)>(),
        shape::<(b::Status, b::Status)>(),
        shape::<(b::Status, a::Status)>(),
    ]);
}

/// Looks at arrays and large types once, within a moment.
#[test]
fn large_types_have_an_end() {
    type Eight<T> = (T, T, T, T, T, T, T, T);
    type Many<T> = Eight<Eight<Eight<T>>>;
    // The inner tuples are all the same type.
    assert_ne!(shape::<Many<u8>>(), shape::<Many<u16>>());
    assert_ne!(shape::<[Option<u8>; 32]>(), shape::<[Option<u16>; 32]>());

    struct Deep<const N: usize>;
    macro_rules! deep {
        ($($n:literal)*) => {
            $(impl<'de> Deserialize<'de> for Deep<$n> {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    <Box<(Deep<{ ($n + 1) % 100 }>, u8)>>::deserialize(deserializer).map(|_| Self)
                }
            })*
        };
    }
    deep! {
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39
        40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76
        77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99
    }
    shape::<Deep<0>>();
}

/// A type that does not let itself be driven still has a fingerprint.
#[test]
fn stubborn_types_are_recorded_as_far_as_they_go() {
    /// Goes on whatever happens.
    struct Ignorant;
    impl<'de> Deserialize<'de> for Ignorant {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Any;
            impl<'de> Visitor<'de> for Any {
                type Value = Ignorant;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("anything")
                }
                fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Ignorant, A::Error> {
                    for _ in 0..1_000 {
                        drop(seq.next_element::<Vec<Vec<u8>>>());
                    }
                    Ok(Ignorant)
                }
            }
            deserializer.deserialize_tuple(3, Any)
        }
    }
    struct Refuses;
    impl<'de> Deserialize<'de> for Refuses {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(de::Error::custom("never"))
        }
    }
    struct Secretive;
    impl<'de> Deserialize<'de> for Secretive {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            if text == "open sesame" { Ok(Self) } else { Err(de::Error::custom("no")) }
        }
    }
    all_different(&[
        shape::<Ignorant>(),
        shape::<Refuses>(),
        shape::<(Refuses, u8)>(),
        shape::<(u8, Refuses)>(),
        shape::<Secretive>(),
        shape::<(Secretive, u8)>(),
        shape::<Box<(u8, Secretive)>>(),
    ]);
    // What lies behind it is not seen.
    assert_eq!(shape::<(Secretive, u8)>(), shape::<(Secretive, u16)>());
}

/// Documented: serde shows no more of them, so there is `version`.
#[test]
fn what_is_read_as_anything_is_not_told_apart() {
    assert_eq!(
        shape_of! { #[serde(untagged)] enum Root { A(u8) } },
        shape_of! { #[serde(untagged)] enum Root { A(u16), B } },
    );
}

/// Other processes, built by other compilers for other machines, have to come to these numbers. If one of them changes,
/// all that users have stored is forgotten.
#[test]
fn fingerprints_are_the_same_for_ever() {
    let shapes = [
        shape::<u8>(),
        shape::<Vec<(String, Option<f64>)>>(),
        shape::<Result<BTreeMap<u64, bool>, String>>(),
        shape_of! {
            struct Root { next: Option<Box<Root>>, kind: Kind, list: Vec<Kind> }
            enum Kind { A, B(u8), C(u8, IpAddr), D { d: i128 } }
        },
        shape::<Duration>(),
        fingerprint(0, 0),
    ];
    let expected = [
        0xd37a4d7d4ab1dcd7,
        0xb67ba3657cda6cbd,
        0x0b8e5ba1160d87a0,
        0x4c6a8e53cfdd637c,
        0x5dfe86fc0bdcbbf2,
        0xd1db4108bc5ee357,
    ];
    assert_eq!(shapes, expected);
}

#[test]
fn versions_are_mixed_in() {
    all_different(&[
        fingerprint(0, 0),
        fingerprint(0, 1),
        fingerprint(1, 0),
        fingerprint(1, 1),
        fingerprint(2, 0),
    ]);
    assert_eq!(fingerprint(7, 3), fingerprint(7, 3));
}
