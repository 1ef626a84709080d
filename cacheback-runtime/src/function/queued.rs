//! A function whose refreshes workers run: how its arguments come into a job, and out of it again.
//!
//! An argument is [`Carried`] as bytes, or, if it is skipped, [`Provided`] by the worker, by its type. Only [`carried`]
//! asks for bounds, with the spans of the user's tokens: a type that lacks them is told once.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::panics::catch;
use crate::key::Shape;
use crate::tier::codec::Encoding;

/// A type whose values can be sent to a worker.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to a worker",
    label = "the arguments of a queued function are sent as bytes: it must be `Serialize + DeserializeOwned`",
    note = "derive them (`#[derive(serde::Serialize, serde::Deserialize)]`), `skip` this argument, so that the worker provides it, or leave `queue` out"
)]
pub trait QueuedArgument: Serialize + DeserializeOwned {}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> QueuedArgument for T {}

/// An argument that a job carries.
pub struct Carried<S: Shape> {
    name: &'static str,
    encoding: Encoding<S::Owned>,
}

/// The argument of this name, if a job can carry it.
#[must_use]
pub fn carried<S: Shape>(_: PhantomData<S>, name: &'static str) -> Carried<S>
where
    S::Owned: QueuedArgument,
{
    Carried { name, encoding: Encoding::of() }
}

/// The question about an argument that is a part of the key. Whether it has bytes is told there, and not a second time.
#[derive(Debug)]
pub struct CarriedPart<S>(PhantomData<fn() -> S>, &'static str);

/// The question about the argument of this name.
#[must_use]
pub fn carried_part<S>(_: PhantomData<S>, name: &'static str) -> CarriedPart<S> {
    CarriedPart(PhantomData, name)
}

/// First choice: it has bytes.
pub trait CarriesPart {
    /// The shape of the argument.
    type Shape: Shape;
    /// The argument.
    fn __cacheback_carried(&self) -> Carried<Self::Shape>;
}
impl<S: Shape> CarriesPart for CarriedPart<S>
where
    S::Owned: Serialize + DeserializeOwned,
{
    type Shape = S;
    fn __cacheback_carried(&self) -> Carried<S> {
        Carried { name: self.1, encoding: Encoding::of() }
    }
}

/// Last choice: it has none.
pub trait RefusesPart {
    /// The shape of the argument.
    type Shape: Shape;
    /// Never called.
    fn __cacheback_carried(&self) -> Carried<Self::Shape>;
}
impl<S: Shape> RefusesPart for &CarriedPart<S> {
    type Shape = S;
    fn __cacheback_carried(&self) -> Carried<S> {
        unreachable!("`shared_part` does not compile")
    }
}

/// An argument that the worker has.
pub struct Provided<S: Shape> {
    name: &'static str,
    shape: PhantomData<fn() -> S>,
}

/// The argument of this name, which is skipped.
#[must_use]
pub fn provided<S: Shape>(_: PhantomData<S>, name: &'static str) -> Provided<S> {
    Provided { name, shape: PhantomData }
}

/// The things that a worker provides, by their types.
#[derive(Default)]
pub struct Provisions(HashMap<TypeId, Box<dyn Provision>>);

/// A value of which each job gets a clone.
trait Provision: Send + Sync {
    fn copy(&self) -> Box<dyn Any>;
}

impl<T: Clone + Send + Sync + 'static> Provision for T {
    fn copy(&self) -> Box<dyn Any> {
        Box::new(self.clone())
    }
}

impl Provisions {
    /// Adds a thing, in the place of an earlier one of its type.
    pub(crate) fn add<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(value));
    }

    fn has<T: 'static>(&self) -> bool {
        self.0.contains_key(&TypeId::of::<T>())
    }

    /// Runs the `Clone` of the thing.
    fn get<T: 'static>(&self) -> Option<T> {
        let copy = (**self.0.get(&TypeId::of::<T>())?).copy();
        copy.downcast().ok().map(|copy| *copy)
    }
}

impl fmt::Debug for Provisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provisions").field("things", &self.0.len()).finish_non_exhaustive()
    }
}

/// An argument that nobody provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    pub(crate) argument: &'static str,
    pub(crate) type_name: &'static str,
}

/// The encoded arguments of a job that are still to be read.
#[derive(Debug)]
pub struct Rest(std::vec::IntoIter<Vec<u8>>);

/// One argument on its way to a worker.
pub trait Carrier: Send + Sync + 'static {
    /// The shape of the argument.
    type Shape: Shape;
    /// Encodes the argument. Runs user code.
    ///
    /// # Errors
    ///
    /// If it has no bytes. The error names it.
    fn __cacheback_encode(
        &self,
        owned: &<Self::Shape as Shape>::Owned,
        args: &mut Vec<Vec<u8>>,
    ) -> Result<(), String>;
    /// The argument that the worker lacks.
    fn __cacheback_missing(&self, provisions: &Provisions) -> Option<Missing>;
    /// The argument. Runs user code.
    ///
    /// # Errors
    ///
    /// If it is missing, or its bytes are none of its type.
    fn __cacheback_decode(
        &self,
        rest: &mut Rest,
        provisions: &Provisions,
    ) -> Result<<Self::Shape as Shape>::Owned, String>;
}

impl<S: Shape> Carrier for Carried<S> {
    type Shape = S;
    fn __cacheback_encode(&self, owned: &S::Owned, args: &mut Vec<Vec<u8>>) -> Result<(), String> {
        let Self { name, encoding } = self;
        let encoded = (encoding.encode)(owned).map_err(|why| format!("its argument `{name}`: {why}"))?;
        args.push(encoded);
        Ok(())
    }
    fn __cacheback_missing(&self, _: &Provisions) -> Option<Missing> {
        None
    }
    fn __cacheback_decode(&self, rest: &mut Rest, _: &Provisions) -> Result<S::Owned, String> {
        let Self { name, encoding } = self;
        let Some(bytes) = rest.0.next() else { return Err(format!("its argument `{name}` is missing")) };
        (encoding.decode)(&bytes).map_err(|why| format!("its argument `{name}` does not decode: {why}"))
    }
}

impl<S: Shape> Carrier for Provided<S> {
    type Shape = S;
    fn __cacheback_encode(&self, _: &S::Owned, _: &mut Vec<Vec<u8>>) -> Result<(), String> {
        Ok(())
    }
    fn __cacheback_missing(&self, provisions: &Provisions) -> Option<Missing> {
        let missing = Missing { argument: self.name, type_name: type_name::<S::Owned>() };
        (!provisions.has::<S::Owned>()).then_some(missing)
    }
    fn __cacheback_decode(&self, _: &mut Rest, provisions: &Provisions) -> Result<S::Owned, String> {
        provisions.get().ok_or_else(|| format!("its argument `{}` is not provided", self.name))
    }
}

impl<S: Shape> fmt::Debug for Carried<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<S: Shape> fmt::Debug for Provided<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provided").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All arguments on their way to a worker.
pub trait Carriers: Send + Sync + 'static {
    /// The shapes of the arguments.
    type Args: Shape;
    /// Encodes those that are carried. Runs user code.
    ///
    /// # Errors
    ///
    /// If one has no bytes. The error names it.
    fn __cacheback_encode(&self, owned: &<Self::Args as Shape>::Owned) -> Result<Vec<Vec<u8>>, String>;
    /// Those that the worker lacks.
    fn __cacheback_missing(&self, provisions: &Provisions) -> Vec<Missing>;
    /// All of them. Runs user code.
    ///
    /// # Errors
    ///
    /// If one is missing, or too many, or the bytes of one are none of its type.
    fn __cacheback_decode(
        &self,
        args: Vec<Vec<u8>>,
        provisions: &Provisions,
    ) -> Result<<Self::Args as Shape>::Owned, String>;
}

macro_rules! carriers {
    ($($($C:ident $i:tt)*;)*) => {$(
        impl<$($C: Carrier),*> Carriers for ($($C,)*) {
            type Args = ($($C::Shape,)*);
            #[allow(unused_variables, unused_mut)]
            fn __cacheback_encode(&self, owned: &<Self::Args as Shape>::Owned) -> Result<Vec<Vec<u8>>, String> {
                let mut args = Vec::new();
                $(self.$i.__cacheback_encode(&owned.$i, &mut args)?;)*
                Ok(args)
            }
            #[allow(unused_variables)]
            fn __cacheback_missing(&self, provisions: &Provisions) -> Vec<Missing> {
                let missing: &[Option<Missing>] = &[$(self.$i.__cacheback_missing(provisions)),*];
                missing.iter().copied().flatten().collect()
            }
            #[allow(unused_variables, unused_mut, clippy::unused_unit)]
            fn __cacheback_decode(
                &self,
                args: Vec<Vec<u8>>,
                provisions: &Provisions,
            ) -> Result<<Self::Args as Shape>::Owned, String> {
                let mut rest = Rest(args.into_iter());
                let owned = ($(self.$i.__cacheback_decode(&mut rest, provisions)?,)*);
                match rest.0.next() {
                    None => Ok(owned),
                    Some(_) => Err("it has more arguments than the function".to_owned()),
                }
            }
        }
    )*};
}

carriers! {
    ;
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
}

/// The owned arguments of a call, without their type.
pub type AnyArgs = dyn Any + Send + Sync;

/// Encodes the arguments of a call. Runs user code.
///
/// # Errors
///
/// If one of them has no bytes. The error names it and shows nothing of it.
pub fn carry<C: Carriers>(carriers: &C, owned: &AnyArgs) -> Result<Vec<Vec<u8>>, String> {
    let Some(owned) = owned.downcast_ref() else { unreachable!("they are those of the function") };
    catch(|| carriers.__cacheback_encode(owned)).unwrap_or_else(|panic| Err(panic.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Ref, Slice, Val};

    #[derive(Clone, Debug, PartialEq)]
    struct Db(u8);

    type Report = (Provided<Ref<Db>>, Carried<Ref<str>>, Carried<Slice<Ref<str>>>);

    fn report() -> Report {
        (provided(PhantomData, "db"), carried(PhantomData, "region"), carried(PhantomData, "columns"))
    }

    fn owned() -> (Db, String, Vec<String>) {
        (Db(1), "north".to_owned(), vec!["sum".to_owned()])
    }

    #[test]
    fn arguments_come_out_as_they_went_in_and_skipped_ones_are_the_workers() {
        let args = carry(&report(), &owned()).unwrap();
        assert_eq!(args.len(), 2);
        let mut provisions = Provisions::default();
        let missing = Missing { argument: "db", type_name: type_name::<Db>() };
        assert_eq!(report().__cacheback_missing(&provisions), [missing]);
        provisions.add(Db(1));
        provisions.add(Db(2));
        assert_eq!(report().__cacheback_missing(&provisions), []);
        let (_, region, columns) = owned();
        assert_eq!(report().__cacheback_decode(args, &provisions), Ok((Db(2), region, columns)));
        assert_eq!(().__cacheback_decode(vec![], &provisions), Ok(()));
    }

    /// Each has its sentence, and shows nothing of what was sent.
    #[test]
    fn arguments_that_do_not_fit_are_told() {
        let mut provisions = Provisions::default();
        let args = carry(&report(), &owned()).unwrap();
        let told = |args, provisions: &Provisions| report().__cacheback_decode(args, provisions).unwrap_err();
        assert_eq!(told(args.clone(), &provisions), "its argument `db` is not provided");
        provisions.add(Db(1));
        let undecodable =
            "its argument `columns` does not decode: its `Deserialize` has not accepted the bytes";
        assert_eq!(told(vec![args[0].clone(), args[0].clone()], &provisions), undecodable);
        assert_eq!(told(vec![args[0].clone()], &provisions), "its argument `columns` is missing");
        let more = [args.clone(), args].concat();
        assert_eq!(told(more, &provisions), "it has more arguments than the function");
        let nested = (carried(PhantomData::<Val<Option<Option<u8>>>>, "id"),);
        let told = carry(&nested, &(Some(None::<u8>),)).unwrap_err();
        assert!(told.starts_with("its argument `id`: "), "{told}");
    }
}
