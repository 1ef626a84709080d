//! What is wrong with a part of a `Result` is shown at that part.

use std::rc::Rc;

use cacheback::cacheback;

#[derive(Clone)]
struct NoDefault;
#[derive(Default)]
struct NoClone;
struct Failure;

#[cacheback]
async fn value_that_is_not_send(id: u64) -> Result<Rc<u64>, String> {
    Ok(Rc::new(id))
}

#[cacheback]
async fn value_without_clone(_: u64) -> Result<NoClone, String> {
    Ok(NoClone)
}

#[cacheback]
async fn value_without_default(_: u64) -> std::result::Result<NoDefault, String> {
    Ok(NoDefault)
}

#[cacheback]
async fn error_that_cannot_be_shared(id: u64) -> Result<u64, Failure> {
    Ok(id)
}

#[cacheback]
async fn error_of_another_crate(id: u64) -> std::io::Result<u64> {
    Ok(id)
}

fn main() {}
