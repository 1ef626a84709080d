//! In every shape a view and its owned form are the same key, and different arguments are different keys.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use super::*;

fn hash_of<A: KeyOver<W>, W: Copy>(state: &RandomState, view: W) -> u64 {
    let mut hasher = state.build_hasher();
    A::hash(view, &mut hasher);
    hasher.finish()
}

/// Checks that `this` and its owned form are the same key, and that `other` is a different one.
fn check<A: KeyOver<W>, W: Copy>(this: W, other: W) {
    let state = RandomState::new();
    let owned = A::own(this);
    assert!(A::same(this, &owned));
    assert!(!A::same(other, &owned));
    assert!(A::equal(&owned, &A::own(this)));
    assert!(!A::equal(&owned, &A::own(other)));
    assert_eq!(hash_of::<A, W>(&state, this), hash_of::<A, W>(&state, this));
    assert_ne!(hash_of::<A, W>(&state, this), hash_of::<A, W>(&state, other));
    let mut hasher = state.build_hasher();
    A::hash_owned(&owned, &mut hasher);
    assert_eq!(hasher.finish(), hash_of::<A, W>(&state, this), "the owned form");
}

#[test]
fn values_and_borrows() {
    check::<(Val<u32>,), _>((&1_u32,), (&2,));
    check::<(Ref<str>, Val<u8>), _>((&"a", &1_u8), (&"a", &2));
    check::<(Ref<[u8]>,), _>((&&[1_u8, 2][..],), (&&[1][..],));
    check::<(Ref<Path>,), _>((&Path::new("a/b"),), (&Path::new("a"),));
    check::<(CowOf<str>,), _>((&Cow::Borrowed("a"),), (&Cow::Owned("b".to_owned()),));
}

#[test]
fn nested_borrows() {
    check::<(Option<Ref<str>>,), _>((&Some("a"),), (&None,));
    check::<(Slice<Ref<str>>,), _>((&&["a", "b"][..],), (&&["ab"][..],));
    check::<((Ref<str>, Val<u8>),), _>((&("a", 1_u8),), (&("a", 2),));
    check::<(Nested<Ref<str>>,), _>((&&"a",), (&&"b",));
    check::<(Nested<Option<Ref<str>>>,), _>((&&Some("a"),), (&&None,));
}

#[test]
fn neighbouring_parts_are_kept_apart() {
    check::<(Ref<str>, Ref<str>), _>((&"ab", &"c"), (&"a", &"bc"));
    check::<(Slice<Ref<str>>, Ref<str>), _>((&&["a", "b"][..], &"c"), (&&["a"][..], &"bc"));
    check::<(Option<Val<u8>>, Option<Val<u8>>), _>((&Some(1), &None), (&None, &Some(1)));
}

#[test]
fn a_lease_lends_the_owned_form() {
    let names = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(<Slice<Ref<str>> as Shape>::lease(&names), ["a", "b"]);
    assert_eq!(<Option<Ref<str>> as Shape>::lease(&Some("x".to_owned())), Some("x"));
    assert_eq!(<(Ref<str>, Val<u8>) as Shape>::lease(&("x".to_owned(), 3)), ("x", 3));
    assert_eq!(<CowOf<str> as Shape>::lease(&"x".to_owned()), Cow::Borrowed("x"));
    assert_eq!(*<Nested<Ref<str>> as Shape>::lease(&"x".to_owned()), *"x");
}

#[test]
fn an_empty_argument_list_is_one_key() {
    assert!(<() as KeyShape>::equal(&(), &()));
    let state = RandomState::new();
    assert_eq!(hash_of::<(), ()>(&state, ()), hash_of::<(), ()>(&state, ()));
}
