use expect_test::{Expect, expect};

use super::*;
use crate::tests::{errors, plan};

const FUNCTION: &str = "async fn f(user: &str, limit: u32, (a, b): (u8, u8), rate: f64) {}";

/// The key in one line.
fn shown(args: &str, item: &str) -> String {
    let plan = plan(args, item);
    let part = |part: &Part| match part {
        Part::Argument(index) => format!("#{index}"),
        Part::Computed(expr) => readable(expr),
    };
    let parts: Vec<String> = plan.key.parts.iter().map(part).collect();
    format!("{}{}", parts.join(", "), if plan.key_is_arguments { " = all" } else { "" })
}

#[test]
fn the_key_is_every_argument_unless_told_otherwise() {
    let two = "async fn f(user: &str, limit: u32) {}";
    let cases = [
        ("", "async fn f() {}", " = all"),
        ("", two, "#0, #1 = all"),
        ("skip(user)", two, "#1"),
        ("skip(user, limit)", two, ""),
        ("key = ()", two, ""),
        ("key = user", two, "#0"),
        ("key = (user, limit)", two, "#0, #1 = all"),
        ("key = (limit, user)", two, "#1, #0"),
        ("key = ((user), limit)", two, "#0, #1 = all"),
        ("key = (user, limit / 10)", two, "#0, limit / 10"),
        ("key = user.to_lowercase()", two, "user.to_lowercase()"),
        ("key = (user,), skip(limit)", two, "#0"),
        ("key = TENANT.get()", two, "TENANT.get()"),
        ("key = r#limit", two, "#1"),
        ("key = (user, rate as u64), skip(rate)", FUNCTION, "#0, rate as u64"),
    ];
    for (args, item, expected) in cases {
        assert_eq!(shown(args, item), expected, "{args}");
    }
}

#[track_caller]
fn refused(args: &[&str], item: &str, expected: &Expect) {
    let listed = |args: &&str| format!("{args}\n{}", errors(args, item));
    expected.assert_eq(&args.iter().map(listed).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_cannot_be_skipped_or_be_the_key() {
    let cases = [
        "skip(rate, usr)",
        "skip(rate, nobody)",
        "skip(rate, self)",
        "skip(rate, a)",
        "skip(rate, rate)",
        "skip(rate), key = (user, rate)",
        "key = (user, a)",
        "key = format!(\"{b}\", b)",
        "key = rate",
    ];
    refused(
        &cases,
        FUNCTION,
        &expect![[r#"
            skip(rate, usr)
            [usr] there is no argument `usr` / did you mean `user`?

            skip(rate, nobody)
            [nobody] there is no argument `nobody` / the arguments are `user`, `limit`, `rate`

            skip(rate, self)
            [self] the function has no receiver: there is no `self` to skip / remove it

            skip(rate, a)
            [a] `a` is bound inside of a pattern / give the argument a name

            skip(rate, rate)
            [rate] `rate` is skipped twice / remove one of them

            skip(rate), key = (user, rate)
            [rate] `rate` is skipped and in the key / take it out of `skip` or out of `key`

            key = (user, a)
            [a] `a` is bound inside of a pattern, which only the function's body sees / give the argument a name: `name: (u8, u8)`, and take it apart in the body

            key = format!("{b}", b)
            [b] `b` is bound inside of a pattern, which only the function's body sees / give the argument a name: `name: (u8, u8)`, and take it apart in the body

            key = rate
            [f64] `f64` cannot be part of a cache key: it is neither `Hash` nor `Eq` / write `key = (.., rate.to_bits())`, or `skip(rate)`
        "#]],
    );
}

#[test]
fn a_receiver_is_in_the_key_or_skipped_in_so_many_words() {
    let item = "async fn f(&self, id: u64, db: &Db) {}";
    let cases = [
        ("skip(self)", "#1, #2"),
        ("skip(self, db)", "#1"),
        ("key = (self, id)", "#0, #1"),
        ("key = self.tenant", "self.tenant"),
        ("key = (self.tenant, id), skip(self)", "self.tenant, #1"),
        ("key = format!(\"{self}\")", "format!(\"{self}\")"),
    ];
    for (args, expected) in &cases {
        assert_eq!(shown(args, item), *expected, "{args}");
    }
    assert_eq!(shown("key = (self, id)", "async fn f(self, id: u64) {}"), "#0, #1 = all");
    refused(
        &["", "skip(db)", "key = id", "key = ()"],
        item,
        &expect![[r#"

        [self] `self` is neither skipped nor in the key: two values of this type must not share entries by accident / write `skip(self)` where all of them do, or `key = ..` with what tells them apart, as in `key = (self.tenant, id, db)`

        skip(db)
        [self] `self` is neither skipped nor in the key: two values of this type must not share entries by accident / write `skip(self)` where all of them do, or `key = ..` with what tells them apart, as in `key = (self.tenant, id)`

        key = id
        [self] `self` is neither skipped nor in the key: two values of this type must not share entries by accident / write `skip(self)` where all of them do, or `key = ..` with what tells them apart, as in `key = (self.tenant, id, db)`

        key = ()
        [self] `self` is neither skipped nor in the key: two values of this type must not share entries by accident / write `skip(self)` where all of them do, or `key = ..` with what tells them apart, as in `key = (self.tenant, id, db)`
    "#]],
    );
    refused(
        &["", "skip(self), key = self"],
        "async fn f(&self) {}",
        &expect![[r#"

        [self] `self` is neither skipped nor in the key: two values of this type must not share entries by accident / write `skip(self)` where all of them do, or `key = ..` with what tells them apart, as in `key = self.tenant`

        skip(self), key = self
        [self] `self` is skipped and in the key / take it out of `skip` or out of `key`
    "#]],
    );
    refused(
        &["skip(self)"],
        "async fn f(id: u64) {}",
        &expect![[r#"
        skip(self)
        [self] the function has no receiver: there is no `self` to skip / remove it
    "#]],
    );
}

#[test]
fn floats_are_no_keys() {
    let item = "async fn f(a: f64, b: &f32, c: Option<f64>, d: &[f64], e: (u8, f32), g: [f64; 2], _: f64, h: Vec<f64>, \
                i: OrderedFloat<f64>, j: fn(f64) -> f64) {}";
    refused(
        &[""],
        item,
        &expect![[r#"

        [f64] `f64` cannot be part of a cache key: it is neither `Hash` nor `Eq` / write `key = (.., a.to_bits())`, or `skip(a)`
        [f32] `f32` cannot be part of a cache key: it is neither `Hash` nor `Eq` / write `key = ..` with what tells entries apart, or `skip(b)`
        [f64] `f64` cannot be part of a cache key: it is neither `Hash` nor `Eq` / write `key = ..` with what tells entries apart, or `skip(c)`
        [f64] `f64` cannot be part of a cache key: it is neither `Hash` nor `Eq` / write `key = ..` with what tells entries apart, or `skip(d)`
        [f32] `f32` cannot be part of a cache key: it is neither `Hash` nor `Eq` / write `key = ..` with what tells entries apart, or `skip(e)`
        [f64] `f64` cannot be part of a cache key: it is neither `Hash` nor `Eq` / write `key = ..` with what tells entries apart, or `skip(g)`
        [f64] `f64` cannot be part of a cache key: it is neither `Hash` nor `Eq` / give the argument a name and `skip` it, or write `key = ..`
        [f64] `f64` cannot be part of a cache key: it is neither `Hash` nor `Eq` / write `key = ..` with what tells entries apart, or `skip(h)`
    "#]],
    );
}
