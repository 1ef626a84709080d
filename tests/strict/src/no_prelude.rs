//! Without the prelude, and with other things under its names: generated code names nothing that the user could mean.
#![no_implicit_prelude]
#![allow(dead_code, non_snake_case, non_camel_case_types)]

struct Result;
struct Option;
struct String;
struct Vec;
struct Box;
trait Clone {}
trait Send {}
trait Sync {}
trait Default {}
trait Into {}
trait Future {}
fn Some() {}
fn None() {}
fn Ok() {}
fn Err() {}
mod std {}
mod core {}
mod cacheback {}

#[::cacheback::cacheback(lifetime = 60, fetch_on_miss, wait = "1s", empty = ::std::string::String::new(), skip(_skipped))]
async fn text(_id: u64, name: &str, _skipped: ::core::option::Option<u8>) -> ::std::string::String {
    ::std::borrow::ToOwned::to_owned(name)
}

#[::cacheback::cacheback(
    key = id + 1,
    lifetime_for = |value: &u64| ::core::time::Duration::from_secs(*value),
    retention_for = |value: &u64| ::core::time::Duration::from_secs(*value)
)]
async fn fallible(id: u64) -> ::core::result::Result<u64, ::std::string::String> {
    ::core::result::Result::Ok(id)
}

#[derive(::core::clone::Clone, Debug, PartialEq, Eq, Hash)]
struct Repo {
    tenant: u64,
}

impl Repo {
    #[::cacheback::cacheback(key = (self.tenant, id))]
    async fn row(&self, id: u64) -> u64 {
        self.tenant + id
    }

    #[::cacheback::cacheback(skip(self), handle = false)]
    async fn alone(&self, id: u64) -> u64 {
        self.tenant + id
    }
}

#[::cacheback::cacheback]
async fn generic<
    T: ::core::default::Default + ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static,
>(
    id: u64,
) -> (T, u64) {
    (::core::default::Default::default(), id)
}

pub(super) fn run() {
    let _ = (text(1, "a", ::core::option::Option::None), fallible(1), generic::<u8>(1));
    let _ = (text::entry(1, "a", ::core::option::Option::None), fallible::cache(), generic::entry::<u8>(1));
    let repo = Repo { tenant: 1 };
    let _ = (repo.row(1), repo.alone(1), repo.row_entry(1), Repo::row_cache());
}
