use std::fmt::Display;
use std::hash::Hash;

use cacheback::cacheback;

#[cacheback(fetch_on_miss)]
async fn load<T: Default>(id: u64) -> T {
    let _ = id;
    T::default()
}

#[cacheback]
async fn skipless(text: impl AsRef<str>) -> usize {
    text.as_ref().len()
}

#[cacheback(skip(made))]
async fn named<T: Display + Clone, U>(made: T, key: &U) -> Result<Vec<T>, String>
where
    U: Hash + Eq,
{
    let _ = key;
    Err(made.to_string())
}

// What another trait brings along is for the compiler to say.
trait Model: Default {}

#[cacheback(fetch_on_miss)]
async fn model<T: Model>(id: u64) -> T {
    let _ = id;
    T::default()
}

fn main() {}
