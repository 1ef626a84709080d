//! Argument lists, keys and tuple arguments of up to twelve parts.

use std::hash::Hasher;
use std::marker::PhantomData;

use super::{ArgsOver, Form, KeyOver, KeyPart, KeyShape, Own, Shape, Shapes};

macro_rules! tuples {
    ($($($S:ident $X:ident $i:tt)*;)*) => {$(
        impl<$($S: Shape, $X: Own<$S>),*> ArgsOver<($(&$X,)*)> for ($($S,)*) {
            #[allow(unused_variables, clippy::unused_unit)]
            fn own(view: ($(&$X,)*)) -> Self::Owned {
                ($(view.$i.own(),)*)
            }
        }
        impl<$($S: KeyShape, $X: KeyPart<$S>),*> KeyOver<($(&$X,)*)> for ($($S,)*) {
            #[inline]
            #[allow(unused_variables)]
            fn hash<HH: Hasher>(view: ($(&$X,)*), state: &mut HH) {
                $(view.$i.hash(state);)*
            }
            #[inline]
            #[allow(unused_variables)]
            fn same(view: ($(&$X,)*), owned: &Self::Owned) -> bool {
                true $(&& view.$i.same(&owned.$i))*
            }
        }
        impl<$($S: Form),*> Form for ($($S,)*) {
            type Lease<'o> = ($($S::Lease<'o>,)*);
        }
        impl<$($S: Shape),*> Shape for ($($S,)*) {
            type Owned = ($($S::Owned,)*);
            #[allow(unused_variables, clippy::unused_unit)]
            fn lease(owned: &Self::Owned) -> Self::Lease<'_> {
                ($($S::lease(&owned.$i),)*)
            }
        }
        impl<$($S: KeyShape),*> KeyShape for ($($S,)*) {
            #[allow(unused_variables)]
            fn hash_owned<HH: Hasher>(owned: &Self::Owned, state: &mut HH) {
                $($S::hash_owned(&owned.$i, state);)*
            }
            #[allow(unused_variables)]
            fn equal(a: &Self::Owned, b: &Self::Owned) -> bool {
                true $(&& $S::equal(&a.$i, &b.$i))*
            }
            #[allow(unused_variables, clippy::unused_unit)]
            fn copy(owned: &Self::Owned) -> Self::Owned {
                ($($S::copy(&owned.$i),)*)
            }
        }
        impl<$($S: Shape, $X: Own<$S>),*> Own<($($S,)*)> for ($($X,)*) {
            #[allow(clippy::unused_unit)]
            fn own(&self) -> <($($S,)*) as Shape>::Owned {
                ($(self.$i.own(),)*)
            }
        }
        impl<$($S: KeyShape, $X: KeyPart<$S>),*> KeyPart<($($S,)*)> for ($($X,)*) {
            #[inline]
            #[allow(unused_variables)]
            fn hash<HH: Hasher>(&self, state: &mut HH) {
                $(self.$i.hash(state);)*
            }
            #[inline]
            #[allow(unused_variables)]
            fn same(&self, owned: &<($($S,)*) as Shape>::Owned) -> bool {
                true $(&& self.$i.same(&owned.$i))*
            }
        }
        impl<$($S: Form),*> Shapes for ($(PhantomData<$S>,)*) {
            type Args = ($($S,)*);
        }
    )*};
}

tuples! {
    ;
    A XA 0;
    A XA 0 B XB 1;
    A XA 0 B XB 1 C XC 2;
    A XA 0 B XB 1 C XC 2 D XD 3;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7 I XI 8;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7 I XI 8 J XJ 9;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7 I XI 8 J XJ 9 K XK 10;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7 I XI 8 J XJ 9 K XK 10 L XL 11;
}
