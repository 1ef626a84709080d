//! A fingerprint of a type's shape, so that a value is never decoded as a type of another shape.
//!
//! serde knows no shapes. But a `Deserialize` asks its deserializer for what it expects, and the one in this file
//! writes down what it is asked for. It walks to one place of the type at a time: at each struct on the way it brings the one
//! field that leads there, at each enum the one variant. What it finds there is recorded, and what lies below is walked
//! to later. So it needs no valid value of the type, but for the elements of a tuple or the key of a map that stand
//! before the one it looks for: for those it makes values up, and tries others if they are refused.
//!
//! What it cannot see: the shape of what is read by `deserialize_any` (untagged and internally tagged enums, `flatten`,
//! `serde_json::Value`), what a hand-written `Deserialize` refuses to go on with, and what the same shape means. For
//! those there is the option `version`.

use std::any::type_name;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use twox_hash::XxHash3_64;

/// No more places of a type are looked at. The largest types of generated clients have some hundred.
const MAX_PLACES: usize = 4_096;
/// Places below so many others are not looked at. A type that contains itself is recognised long before.
const MAX_PATH: usize = 64;
/// No more elements of a tuple are looked at: those of an array are all alike.
const MAX_ELEMENTS: usize = 64;
/// How deep a value nests that is made up.
const MAX_MADE_UP: usize = 16;
/// How many values are made up on one walk.
const MAX_VALUES: usize = 1_024;

/// The seed of shapes: with any other, no stored value fits its type.
const SEED: u64 = 0x6361_6368_6562_7368;

/// Texts that are tried one after the other, for types that are read from a text.
const TEXTS: [&str; 10] = [
    "",
    "1",
    "a",
    "127.0.0.1",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00",
    "1970-01-01",
    "00:00:00",
    "00000000-0000-0000-0000-000000000000",
    "http://a/",
];

/// The fingerprint of the shape of `T`: the same in each process, on each platform, with each compiler.
pub(crate) fn shape<T: DeserializeOwned>() -> u64 {
    explore(&mut |walk| drop(T::deserialize(Recorder { walk, made_up: None })))
}

/// The fingerprint of a schema: of a shape, and the option `version`.
pub(crate) fn fingerprint(shape: u64, version: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&shape.to_le_bytes());
    bytes[8..].copy_from_slice(&version.to_le_bytes());
    XxHash3_64::oneshot_with_seed(SEED, &bytes)
}

/// Looks at each place of a type, breadth first.
fn explore(drive: &mut dyn FnMut(&mut Walk)) -> u64 {
    let mut record = Vec::new();
    let mut numbers = BTreeMap::new();
    let mut open = VecDeque::from([Vec::new()]);
    let mut places = 0;
    while let Some(path) = open.pop_front() {
        places += 1;
        if places > MAX_PLACES {
            record.push(Mark::Cut as u8);
            break;
        }
        let Some(place) = look(&path, drive) else {
            record.push(Mark::Unreached as u8);
            continue;
        };
        // A type that was seen before is named by its number, so that one that contains itself has an end.
        let number = numbers.len() as u64;
        let Place { label, children, visitor } = place;
        if children > 0 {
            if let Some(number) = numbers.get(&(visitor, label.clone())) {
                record.push(Mark::Again as u8);
                record.extend_from_slice(&u64::to_le_bytes(*number));
                continue;
            }
        }
        record.push(Mark::Place as u8);
        record.extend_from_slice(&label);
        if children > 0 {
            numbers.insert((visitor, label), number);
        }
        if path.len() == MAX_PATH {
            record.push(Mark::Cut as u8);
            continue;
        }
        open.extend((0..children).map(|child| path.iter().copied().chain([child]).collect()));
    }
    XxHash3_64::oneshot_with_seed(SEED, &record)
}

/// Walks to one place: again with other made-up values, if it was not reached.
fn look(path: &[usize], drive: &mut dyn FnMut(&mut Walk)) -> Option<Place> {
    (0..TEXTS.len()).find_map(|attempt| {
        let mut walk = Walk { path, attempt, values: 0, needed_values: false, found: None };
        drive(&mut walk);
        // Without made-up values, the next attempt would be the same again.
        let is_hopeless = walk.found.is_none() && !walk.needed_values;
        Some(walk.found).filter(|found| found.is_some() || is_hopeless || attempt + 1 == TEXTS.len())
    })?
}

/// Separates the entries of a record.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Mark {
    Place = 1,
    /// The type of an earlier place.
    Again,
    /// The type did not let the recorder get there.
    Unreached,
    /// The type goes on, and the record does not.
    Cut,
}

/// What a type asks for at one place.
struct Place {
    /// All that is recorded of it.
    label: Vec<u8>,
    /// How many places lie directly below.
    children: usize,
    /// The type that asks. Compilers may change these names, so they are compared and not recorded.
    visitor: &'static str,
}

/// A walk to one place of a type.
struct Walk<'p> {
    /// Which child to take at each place on the way that is left.
    path: &'p [usize],
    /// Which values are made up.
    attempt: usize,
    values: usize,
    needed_values: bool,
    found: Option<Place>,
}

impl Walk<'_> {
    /// The child to go to, or nothing if this is the place that was looked for.
    fn step(&mut self, label: &Label, children: usize, visitor: &'static str) -> Option<usize> {
        if let Some((child, rest)) = self.path.split_first() {
            self.path = rest;
            // At the end of a walk nobody may go on, from wherever a visitor that ignores errors comes.
            return if self.found.is_none() { Some(*child) } else { None };
        }
        self.found.get_or_insert_with(|| Place { label: label.0.clone(), children, visitor });
        None
    }
}

/// The record of one place. Texts and lists have their length before them.
struct Label(Vec<u8>);

impl Label {
    fn new(kind: &str) -> Self {
        Self(Vec::new()).text(kind)
    }

    fn text(mut self, text: &str) -> Self {
        self = self.number(text.len());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn texts(self, texts: &[&str]) -> Self {
        texts.iter().fold(self.number(texts.len()), |label, text| label.text(text))
    }

    fn number(mut self, number: usize) -> Self {
        self.0.extend_from_slice(&(number as u64).to_le_bytes());
        self
    }
}

/// Ends a walk, or refuses to make a value up.
#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing but the shape of the type was asked for")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The deserializer that writes down what it is asked for.
struct Recorder<'w, 'p> {
    walk: &'w mut Walk<'p>,
    /// Off the way, where a value is made up: how deep.
    made_up: Option<usize>,
}

impl<'p> Recorder<'_, 'p> {
    fn again(&mut self) -> Recorder<'_, 'p> {
        Recorder { walk: self.walk, made_up: self.made_up }
    }

    /// For a value that has to be made up, because it stands before the one on the way.
    fn making_up(&mut self) -> Result<Recorder<'_, 'p>, Stop> {
        let depth = self.made_up.map_or(0, |depth| depth + 1);
        self.walk.values += 1;
        self.walk.needed_values = true;
        if depth > MAX_MADE_UP || self.walk.values > MAX_VALUES {
            return Err(Stop);
        }
        Ok(Recorder { walk: self.walk, made_up: Some(depth) })
    }

    fn text(&self) -> &'static str {
        TEXTS[self.walk.attempt]
    }

    /// Some types refuse zero, and some refuse one.
    fn is_one(&self) -> bool {
        self.walk.attempt % 2 == 0
    }

    /// Records a place without children. `Ok` if a value is to be made up.
    fn leaf(&mut self, kind: &str) -> Result<(), Stop> {
        self.leaf_of(&Label::new(kind))
    }

    fn leaf_of(&mut self, label: &Label) -> Result<(), Stop> {
        if self.made_up.is_some() {
            return Ok(());
        }
        self.walk.step(label, 0, "");
        Err(Stop)
    }

    /// Records a place with children. `Ok` with the child to go to, or with nothing if a value is to be made up.
    fn branch<V>(&mut self, label: &Label, children: usize) -> Result<Option<usize>, Stop> {
        if self.made_up.is_some() {
            return Ok(None);
        }
        self.walk.step(label, children, type_name::<V>()).map(Some).ok_or(Stop)
    }

    fn elements<'de, V: Visitor<'de>>(
        mut self,
        label: &Label,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let child = self.branch::<V>(label, len.min(MAX_ELEMENTS))?;
        visitor.visit_seq(Elements { recorder: self, child, next: 0, len })
    }

    fn fields<'de, V: Visitor<'de>>(
        mut self,
        label: &Label,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let left = match self.branch::<V>(label, names.len())? {
            Some(child) => names.get(child..=child).ok_or(Stop)?,
            None => names,
        };
        visitor.visit_map(Fields { recorder: self, left })
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:literal)*) => {
        $(fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
            self.leaf($kind)?;
            visitor.$visit(self.is_one().into())
        })*
    };
}

/// What is read from a text, or from bytes.
macro_rules! texts {
    ($($method:ident $kind:literal)*) => {
        $(fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
            self.leaf($kind)?;
            visitor.visit_str(self.text())
        })*
    };
}

impl<'de> Deserializer<'de> for Recorder<'_, '_> {
    type Error = Stop;

    numbers! {
        deserialize_i8 visit_i8 "i8"
        deserialize_i16 visit_i16 "i16"
        deserialize_i32 visit_i32 "i32"
        deserialize_i64 visit_i64 "i64"
        deserialize_i128 visit_i128 "i128"
        deserialize_u8 visit_u8 "u8"
        deserialize_u16 visit_u16 "u16"
        deserialize_u32 visit_u32 "u32"
        deserialize_u64 visit_u64 "u64"
        deserialize_u128 visit_u128 "u128"
        deserialize_f32 visit_f32 "f32"
        deserialize_f64 visit_f64 "f64"
    }

    texts! {
        deserialize_str "text"
        deserialize_string "text"
        deserialize_identifier "identifier"
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.leaf("bool")?;
        visitor.visit_bool(self.is_one())
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.leaf("char")?;
        visitor.visit_char('a')
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.leaf("bytes")?;
        // None, or as many as a UUID, an IPv4 or an IPv6 address have.
        let len = [0, 16, 4, 8, 32][self.walk.attempt % 5];
        visitor.visit_bytes(&[0; 32][..len])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.leaf("any")?;
        match self.walk.attempt % 3 {
            0 => visitor.visit_unit(),
            1 => visitor.visit_u64(1),
            _ => visitor.visit_str(self.text()),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.leaf("ignored")?;
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.leaf("unit")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.leaf_of(&Label::new("unit struct").text(name))?;
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        match self.branch::<V>(&Label::new("option"), 1)? {
            Some(_) => visitor.visit_some(self),
            None => visitor.visit_none(),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.branch::<V>(&Label::new("newtype").text(name), 1)? {
            Some(_) => visitor.visit_newtype_struct(self),
            None => visitor.visit_newtype_struct(self.making_up()?),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let child = self.branch::<V>(&Label::new("sequence"), 1)?;
        let len = usize::from(child.is_some());
        visitor.visit_seq(Elements { recorder: self, child, next: 0, len })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.elements(&Label::new("tuple").number(len), len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.elements(&Label::new("tuple struct").text(name).number(len), len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let child = self.branch::<V>(&Label::new("map"), 2)?;
        visitor.visit_map(Pairs { recorder: self, child })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.fields(&Label::new("struct").text(name).texts(fields), fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let child = self.branch::<V>(&Label::new("enum").text(name).texts(variants), variants.len())?;
        let recorder = if child.is_none() { self.making_up()? } else { self.again() };
        // Made up: the first variant, or another if that is refused.
        let variant = child.unwrap_or(recorder.walk.attempt % variants.len().max(1));
        visitor.visit_enum(Variant { name: variants.get(variant).ok_or(Stop)?, recorder })
    }

    fn is_human_readable(&self) -> bool {
        // As in MessagePack.
        false
    }
}

/// The elements of a sequence or tuple.
struct Elements<'w, 'p> {
    recorder: Recorder<'w, 'p>,
    /// The one on the way.
    child: Option<usize>,
    next: usize,
    len: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'_, '_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        if self.next == self.len {
            return Ok(None);
        }
        let at = self.next;
        self.next += 1;
        if self.child == Some(at) {
            // Whatever comes after it is another walk's.
            self.next = self.len;
            drop(seed.deserialize(self.recorder.again()));
            return Err(Stop);
        }
        seed.deserialize(self.recorder.making_up()?).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

/// The one pair of a map, or none if it is made up.
struct Pairs<'w, 'p> {
    recorder: Recorder<'w, 'p>,
    /// 0 for the key, 1 for the value.
    child: Option<usize>,
}

impl<'de> de::MapAccess<'de> for Pairs<'_, '_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        match self.child {
            None => Ok(None),
            Some(0) => {
                self.child = None;
                drop(seed.deserialize(self.recorder.again()));
                Err(Stop)
            }
            Some(_) => seed.deserialize(self.recorder.making_up()?).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        if self.child.take().is_some() {
            drop(seed.deserialize(self.recorder.again()));
        }
        Err(Stop)
    }
}

/// The fields of a struct: the one on the way, or all if it is made up.
struct Fields<'w, 'p> {
    recorder: Recorder<'w, 'p>,
    left: &'static [&'static str],
}

impl<'de> de::MapAccess<'de> for Fields<'_, '_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        let Some(name) = self.left.first() else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        self.left = self.left.get(1..).ok_or(Stop)?;
        if self.recorder.made_up.is_some() {
            return seed.deserialize(self.recorder.making_up()?);
        }
        self.left = &[];
        drop(seed.deserialize(self.recorder.again()));
        Err(Stop)
    }
}

/// A variant of an enum.
struct Variant<'w, 'p> {
    name: &'static str,
    recorder: Recorder<'w, 'p>,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, '_> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Stop> {
        let name: BorrowedStrDeserializer<'_, Stop> = BorrowedStrDeserializer::new(self.name);
        Ok((seed.deserialize(name.into_deserializer())?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, '_> {
    type Error = Stop;

    fn unit_variant(mut self) -> Result<(), Stop> {
        self.recorder.leaf("unit variant")
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, Stop> {
        match self.recorder.branch::<T>(&Label::new("newtype variant"), 1)? {
            Some(_) => seed.deserialize(self.recorder),
            None => seed.deserialize(self.recorder.making_up()?),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.recorder.elements(&Label::new("tuple variant").number(len), len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.recorder.fields(&Label::new("struct variant").texts(fields), fields, visitor)
    }
}

#[cfg(test)]
mod tests;
