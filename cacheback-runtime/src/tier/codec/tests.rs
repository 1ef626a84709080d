use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u64,
    name: String,
    scores: Vec<f64>,
    by_name: BTreeMap<String, Option<Shape>>,
    unit: (),
    pair: (i8, char),
    wide: (i128, u128),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    A,
    Circle(f32),
    Line(i64, i64),
    Named { text: String, inner: Box<Shape> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    One { a: u8 },
    Two { b: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Texts(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    own: u16,
    #[serde(flatten)]
    rest: HashMap<String, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Vec<Unit>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

/// A chain of variants, each of which holds the next.
#[derive(Serialize, Deserialize)]
enum Chain {
    End,
    Link(Box<Chain>),
}

/// The same as a struct.
#[derive(Serialize, Deserialize)]
struct Node {
    next: Option<Box<Node>>,
}

/// The same without any bytes of its own.
#[derive(Serialize, Deserialize)]
struct Bare(Option<Box<Bare>>);

/// Anything, nested as deep as it comes.
#[derive(Serialize, Deserialize)]
struct List(Vec<List>);

fn round_trip<T>(value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let encoding = Encoding::<T>::of();
    let bytes = (encoding.encode)(value).unwrap();
    assert_eq!(&(encoding.decode)(&bytes).unwrap(), value);

    let mut longer = bytes.clone();
    longer.push(0xc0);
    assert_eq!((encoding.decode)(&longer), Err(Undecodable::TooLong));
    for end in 0..bytes.len().min(1_000) {
        assert_eq!((encoding.decode)(&bytes[..end]), Err(Undecodable::Truncated), "the first {end} bytes");
    }
}

#[test]
fn values_come_back() {
    let inner = Box::new(Shape::Named { text: String::new(), inner: Box::new(Shape::A) });
    let shapes = [
        Shape::A,
        Shape::Circle(1.5),
        Shape::Line(i64::MIN, i64::MAX),
        Shape::Named { text: "ä".to_owned(), inner },
    ];
    let mut by_name: BTreeMap<_, _> =
        shapes.iter().map(|shape| (format!("{shape:?}"), Some(shape.clone()))).collect();
    by_name.insert("none".to_owned(), None);
    round_trip(&Record {
        id: u64::MAX,
        name: "x".repeat(70_000),
        scores: vec![f64::INFINITY, -0.0, 1e-300],
        by_name,
        unit: (),
        pair: (-128, 'ß'),
        wide: (i128::MIN, u128::MAX),
    });
    shapes.iter().for_each(round_trip);
    round_trip(&Tagged::One { a: 255 });
    round_trip(&Tagged::Two { b: "two".to_owned() });
    round_trip(&Untagged::Number(-7));
    round_trip(&Untagged::Texts(vec!["text".to_owned()]));
    round_trip(&Flat { own: 300, rest: HashMap::from([("b".to_owned(), 70_000)]), left_out: None });
    round_trip(&Newtype(vec![Unit, Unit]));
    round_trip(&Ok::<Vec<u8>, String>(vec![0, 127, 128, 255]));
    round_trip(&Err::<Vec<u8>, String>("failed".to_owned()));
    round_trip(&(0..70_000_u32).collect::<Vec<_>>());
    round_trip(&(0..70_000_u32).map(|number| (number, number)).collect::<BTreeMap<_, _>>());
    round_trip(&Some(Some(5)));
    round_trip(&[None, Some(Unit)]);
    round_trip(&std::net::IpAddr::from([127, 0, 0, 1]));
    round_trip(&std::time::Duration::from_millis(1_500));
}

#[test]
fn fields_may_come_in_another_order() {
    #[derive(Serialize)]
    struct Other {
        b: u8,
        a: u8,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Own {
        a: u8,
        b: u8,
    }
    let bytes = encode(&Other { b: 2, a: 1 }).unwrap();
    assert_eq!(decode(&bytes), Ok(Own { a: 1, b: 2 }));
}

/// MessagePack writes both as nothing but `nil`.
#[test]
fn an_option_that_would_change_is_refused() {
    assert_eq!(encode(&Some(None::<u8>)), Err(Unencodable::NestedOption));
    assert_eq!(encode(&vec![Some(Some(None::<u8>))]), Err(Unencodable::NestedOption));
    assert_eq!(encode(&Some(())), Err(Unencodable::NestedOption));
    assert_eq!(encode(&Bare(Some(Box::new(Bare(None))))), Err(Unencodable::NestedOption));
    round_trip(&None::<Option<u8>>);
    round_trip(&Some(vec![None::<u8>]));
}

fn chain(links: usize) -> Chain {
    (0..links).fold(Chain::End, |end, _| Chain::Link(Box::new(end)))
}

fn nodes(count: usize) -> Node {
    (1..count).fold(Node { next: None }, |next, _| Node { next: Some(Box::new(next)) })
}

fn lists(count: usize) -> List {
    (1..count).fold(List(Vec::new()), |inner, _| List(vec![inner]))
}

#[test]
fn the_deepest_value_that_is_written_can_be_read() {
    fn deepest<T: Serialize + DeserializeOwned>(make: fn(usize) -> T) {
        let bytes = encode(&make(DEPTH)).unwrap();
        assert!(decode::<T>(&bytes).is_ok());
        assert_eq!(encode(&make(DEPTH + 1)), Err(Unencodable::TooDeep));
        // And not at the end of the stack.
        assert_eq!(encode(&make(5_000)), Err(Unencodable::TooDeep));
    }
    deepest(chain);
    deepest(nodes);
    deepest(lists);

    let tuples = |links: usize| {
        #[derive(Serialize, Deserialize)]
        enum Wide {
            End,
            Tuple(u8, Box<Wide>),
            Fields { inner: Box<Wide> },
        }
        let value = (0..links).fold(Wide::End, |end, at| {
            if at % 2 == 0 { Wide::Tuple(0, Box::new(end)) } else { Wide::Fields { inner: Box::new(end) } }
        });
        encode(&value).map(|bytes| decode::<Wide>(&bytes).is_ok())
    };
    // Each link is a map and what is in it.
    assert_eq!(tuples(DEPTH / 2), Ok(true));
    assert_eq!(tuples(DEPTH / 2 + 1), Err(Unencodable::TooDeep));

    // A thousand options around nothing.
    let bare = (0..1_000).fold(Bare(None), |bare, _| Bare(Some(Box::new(bare))));
    assert!(encode(&bare).is_err());
}

#[test]
fn bytes_that_nest_too_deep_are_an_error() {
    for levels in [DEPTH + 1, 5_000, 1_000_000] {
        let lists = [vec![0x91; levels], vec![0x90]].concat();
        assert_eq!(decode::<List>(&lists).map(drop), Err(Undecodable::TooDeep));
        assert_eq!(decode::<serde::de::IgnoredAny>(&lists).map(drop), Err(Undecodable::TooDeep));
        // {"Link": {"Link": ..
        let chain = [b"\x81\xa4Link".repeat(levels), b"\xa3End".to_vec()].concat();
        assert_eq!(decode::<Chain>(&chain).map(drop), Err(Undecodable::TooDeep));
        // Maps within keys of maps, and levels that claim more than there is.
        assert_eq!(decode::<List>(&vec![0x81; levels]).map(drop), Err(Undecodable::TooDeep));
        let claims = b"\xdd\xff\xff\xff\xff".repeat(levels);
        assert_eq!(decode::<List>(&claims).map(drop), Err(Undecodable::TooDeep));
    }
}

/// The walk over the bytes and the decoder agree about every marker.
#[test]
fn each_marker_is_skipped_as_it_is_read() {
    for marker in 0..=0xff_u8 {
        let mut bytes = vec![marker];
        // Enough of anything: lengths are 0, so what follows is the value's own.
        let len = (0..=64).find(|len| {
            bytes.resize(1 + len, 0);
            check(&bytes) == Ok(())
        });
        let mut rest = &bytes[..];
        let mut decoder = rmp_serde::Deserializer::new(&mut rest);
        let decoded = serde::de::IgnoredAny::deserialize(&mut decoder);
        assert_eq!(decoded.is_ok(), len.is_some(), "marker {marker:#x}");
        assert_eq!(len.is_none(), marker == 0xc1, "marker {marker:#x}");
        if decoded.is_ok() {
            assert_eq!(rest, [0_u8; 0], "marker {marker:#x}");
        }
    }
}

#[test]
fn any_bytes_are_a_value_or_an_error() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random.usize(0..60)).map(|_| random.u8(..)).collect();
        // What is no value for the walk is none for anybody, and types only make it stricter.
        let is_value = check(&bytes).is_ok();
        assert!(is_value || decode::<serde::de::IgnoredAny>(&bytes).is_err());
        drop(decode::<Record>(&bytes));
        drop(decode::<Vec<Untagged>>(&bytes));
    }
}

struct Liar;

impl Serialize for Liar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use ser::SerializeTuple;
        let mut tuple = serializer.serialize_tuple(3)?;
        tuple.serialize_element(&1)?;
        tuple.end()
    }
}

struct Swallows;

impl Serialize for Swallows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use ser::SerializeSeq;
        let mut seq = serializer.serialize_seq(Some(1))?;
        drop(seq.serialize_element(&Some(None::<u8>)));
        seq.serialize_element(&1)?;
        seq.end()
    }
}

#[test]
fn errors_are_sentences_without_the_value() {
    struct Secret;
    impl Serialize for Secret {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(ser::Error::custom("hunter2"))
        }
    }
    let error = encode(&Secret).unwrap_err();
    assert_eq!(error.to_string(), "its `Serialize` has returned an error");
    assert_eq!(encode(&Liar), Err(Unencodable::Refused));
    assert_eq!(encode(&Swallows), Err(Unencodable::NestedOption));

    let error = decode::<u8>(&encode(&"hunter2").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "its `Deserialize` has not accepted the bytes");
    assert_eq!(decode::<Shape>(&encode(&"hunter2").unwrap()), Err(Undecodable::Refused));
    assert_eq!(decode::<u8>(&encode(&256).unwrap()), Err(Undecodable::Refused));
    assert_eq!(decode::<u8>(&[0xc1]), Err(Undecodable::Malformed));
    assert_eq!(decode::<u8>(&[]), Err(Undecodable::Truncated));
}
