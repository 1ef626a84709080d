//! How keys and values become bytes: MessagePack, with the names of fields and variants.
//!
//! Bytes from the tier are not trusted. Before a value is decoded, [`check`] walks over its bytes: it does so without
//! recursion, so that nesting cannot overflow the stack, and it sees bytes that are missing or too many.

use std::cell::Cell;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::{self, Serialize, Serializer};

use super::schema;

/// How deep sequences, maps and structs may nest: 2 is a list of lists. The variant of an enum with data is a map.
pub(crate) const DEPTH: usize = 128;

/// How a type becomes bytes: made where the bounds hold, used where nobody knows them. Whoever calls these functions
/// catches the panics of the user's serde code.
pub(crate) struct Encoding<T> {
    pub(crate) encode: fn(&T) -> Result<Vec<u8>, Unencodable>,
    pub(crate) decode: fn(&[u8]) -> Result<T, Undecodable>,
    /// The fingerprint of the type's shape. It runs `Deserialize` many times: ask once.
    pub(crate) shape: fn() -> u64,
}

impl<T> Clone for Encoding<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Encoding<T> {}

impl<T> fmt::Debug for Encoding<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoding").finish_non_exhaustive()
    }
}

impl<T> Encoding<T> {
    pub(crate) const fn of() -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        Self { encode: encode::<T>, decode: decode::<T>, shape: schema::shape::<T> }
    }
}

/// Why a value has no bytes. It never shows the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unencodable {
    TooDeep,
    /// `Some(None)` would be read as `None`.
    NestedOption,
    /// Its `Serialize` has returned an error, or broken the rules of serde.
    Refused,
}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(f, "it nests deeper than {DEPTH} levels"),
            Self::NestedOption => {
                f.write_str("it holds a `Some(None)` or `Some(())`, which would be read as `None`")
            }
            Self::Refused => f.write_str("its `Serialize` has returned an error"),
        }
    }
}

/// Why bytes are no value. It never shows the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecodable {
    TooDeep,
    Truncated,
    /// Bytes follow after the value.
    TooLong,
    /// No MessagePack.
    Malformed,
    /// A value of another type, or one that its `Deserialize` does not accept.
    Refused,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(f, "its bytes nest deeper than {DEPTH} levels"),
            Self::Truncated => f.write_str("its bytes end too early"),
            Self::TooLong => f.write_str("more bytes follow after it"),
            Self::Malformed => f.write_str("its bytes are no MessagePack"),
            Self::Refused => f.write_str("its `Deserialize` has not accepted the bytes"),
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Unencodable> {
    let mut serializer = rmp_serde::Serializer::new(Vec::new()).with_struct_map();
    let failure = Cell::new(None);
    let place = Place { left: DEPTH, within_some: false, failure: &failure };
    let outcome = value.serialize(Bounded { inner: &mut serializer, place });
    // Before the outcome: a `Serialize` may have swallowed the error.
    if let Some(failure) = failure.get() {
        return Err(failure);
    }
    outcome.map_err(|_| Unencodable::Refused)?;
    let bytes = serializer.into_inner();
    // A `Serialize` that announces three elements and brings two has written bytes that are no value.
    if check(&bytes).is_err() { Err(Unencodable::Refused) } else { Ok(bytes) }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Undecodable> {
    check(bytes)?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    T::deserialize(&mut deserializer).map_err(|_| Undecodable::Refused)
}

/// Walks over the bytes of a value: one complete value of [`DEPTH`] levels at most, and nothing after it.
///
/// Markers and lengths are those of the [specification of MessagePack][spec].
///
/// [spec]: https://github.com/msgpack/msgpack/blob/master/spec.md
fn check(bytes: &[u8]) -> Result<(), Undecodable> {
    let mut rest = bytes;
    // How many values are missing on each level that is open.
    let mut missing = [0_u64; DEPTH + 1];
    let mut level = 0;
    missing[0] = 1;
    loop {
        while missing[level] == 0 {
            if level == 0 {
                return if rest.is_empty() { Ok(()) } else { Err(Undecodable::TooLong) };
            }
            level -= 1;
        }
        missing[level] -= 1;
        let (inner, skipped) = match take(&mut rest, 1)? {
            // Integers, nil and booleans within the marker.
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (None, 0),
            marker @ 0x80..=0x8f => (Some(2 * (marker & 0x0f)), 0),
            marker @ 0x90..=0x9f => (Some(marker & 0x0f), 0),
            marker @ 0xa0..=0xbf => (None, marker & 0x1f),
            // Strings, and bytes.
            0xd9 | 0xc4 => (None, take(&mut rest, 1)?),
            0xda | 0xc5 => (None, take(&mut rest, 2)?),
            0xdb | 0xc6 => (None, take(&mut rest, 4)?),
            // Extensions: their type is a byte more.
            0xc7 => (None, take(&mut rest, 1)? + 1),
            0xc8 => (None, take(&mut rest, 2)? + 1),
            0xc9 => (None, take(&mut rest, 4)? + 1),
            marker @ 0xd4..=0xd8 => (None, (1 << (marker - 0xd4)) + 1),
            // Numbers.
            0xcc | 0xd0 => (None, 1),
            0xcd | 0xd1 => (None, 2),
            0xca | 0xce | 0xd2 => (None, 4),
            0xcb | 0xcf | 0xd3 => (None, 8),
            // Sequences and maps.
            0xdc => (Some(take(&mut rest, 2)?), 0),
            0xdd => (Some(take(&mut rest, 4)?), 0),
            0xde => (Some(2 * take(&mut rest, 2)?), 0),
            0xdf => (Some(2 * take(&mut rest, 4)?), 0),
            _ => return Err(Undecodable::Malformed),
        };
        let skipped = usize::try_from(skipped).map_err(|_| Undecodable::Truncated)?;
        rest = rest.get(skipped..).ok_or(Undecodable::Truncated)?;
        if let Some(inner) = inner {
            if level == DEPTH {
                return Err(Undecodable::TooDeep);
            }
            level += 1;
            missing[level] = inner;
        }
    }
}

/// A big-endian number of so many bytes.
fn take(rest: &mut &[u8], bytes: usize) -> Result<u64, Undecodable> {
    let (number, after) = rest.split_at_checked(bytes).ok_or(Undecodable::Truncated)?;
    *rest = after;
    Ok(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A place within a value that is being encoded.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// How many levels may be opened here.
    left: usize,
    /// The value here is that of a `Some`, which has no bytes of its own.
    within_some: bool,
    /// Why the whole value is refused.
    failure: &'a Cell<Option<Unencodable>>,
}

impl Place<'_> {
    fn fail<T, E: ser::Error>(self, why: Unencodable) -> Result<T, E> {
        self.failure.set(Some(why));
        Err(E::custom(why))
    }

    /// The place `levels` below.
    fn below<E: ser::Error>(self, levels: usize) -> Result<Self, E> {
        match self.left.checked_sub(levels) {
            Some(left) => Ok(Self { left, within_some: false, ..self }),
            None => self.fail(Unencodable::TooDeep),
        }
    }

    /// The place of the value of a `Some`. One directly within another costs a level, since no bytes count it.
    fn some<E: ser::Error>(self) -> Result<Self, E> {
        let place = self.below(usize::from(self.within_some))?;
        Ok(Self { within_some: true, ..place })
    }
}

/// A serializer that counts levels, so that a value which nests too deep is an error and not the end of the stack.
struct Bounded<'a, S> {
    inner: S,
    place: Place<'a>,
}

/// A value that is handed to a serializer, which becomes [`Bounded`] there.
struct At<'a, T: ?Sized> {
    value: &'a T,
    place: Place<'a>,
}

impl<T: Serialize + ?Sized> Serialize for At<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Bounded { inner, place: self.place })
    }
}

macro_rules! forward {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        })*
    };
}

impl<'a, S: Serializer> Serializer for Bounded<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Bounded<'a, S::SerializeSeq>;
    type SerializeTuple = Bounded<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Bounded<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Bounded<'a, S::SerializeTupleVariant>;
    type SerializeMap = Bounded<'a, S::SerializeMap>;
    type SerializeStruct = Bounded<'a, S::SerializeStruct>;
    type SerializeStructVariant = Bounded<'a, S::SerializeStructVariant>;

    forward! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64)
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_unit_struct(&'static str)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        if self.place.within_some {
            return self.place.fail(Unencodable::NestedOption);
        }
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&At { value, place: self.place.some()? })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        if self.place.within_some {
            return self.place.fail(Unencodable::NestedOption);
        }
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        at: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, at, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &At { value, place: self.place })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        at: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let place = self.place.below(1)?;
        self.inner.serialize_newtype_variant(name, at, variant, &At { value, place })
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let place = self.place.below(1)?;
        Ok(Bounded { inner: self.inner.serialize_seq(len)?, place })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let place = self.place.below(1)?;
        Ok(Bounded { inner: self.inner.serialize_tuple(len)?, place })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let place = self.place.below(1)?;
        Ok(Bounded { inner: self.inner.serialize_tuple_struct(name, len)?, place })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        at: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let place = self.place.below(2)?;
        Ok(Bounded { inner: self.inner.serialize_tuple_variant(name, at, variant, len)?, place })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let place = self.place.below(1)?;
        Ok(Bounded { inner: self.inner.serialize_map(len)?, place })
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        let place = self.place.below(1)?;
        Ok(Bounded { inner: self.inner.serialize_struct(name, len)?, place })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        at: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let place = self.place.below(2)?;
        Ok(Bounded { inner: self.inner.serialize_struct_variant(name, at, variant, len)?, place })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// What is written one element after the other.
macro_rules! elements {
    ($($compound:ident::$method:ident)*) => {
        $(impl<S: ser::$compound> ser::$compound for Bounded<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.inner.$method(&At { value, place: self.place })
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        })*
    };
}

elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// What is written one named field after the other.
macro_rules! fields {
    ($($compound:ident)*) => {
        $(impl<S: ser::$compound> ser::$compound for Bounded<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), S::Error> {
                self.inner.serialize_field(name, &At { value, place: self.place })
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), S::Error> {
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        })*
    };
}

fields! { SerializeStruct SerializeStructVariant }

impl<S: ser::SerializeMap> ser::SerializeMap for Bounded<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(&At { value: key, place: self.place })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&At { value, place: self.place })
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

#[cfg(test)]
mod tests;
