use cacheback::cacheback;

// What `#[tokio::main]` leaves has no `async` any more.
#[tokio::main]
#[cacheback]
async fn main() {}

#[tokio::main]
#[cacheback]
async fn run_to_its_end() -> u64 {
    7
}

#[tokio::test]
#[cacheback]
async fn a_test() {}

#[cacheback]
fn blocking(path: String) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

#[cacheback]
const fn constant(id: u64) -> u64 {
    id
}

#[cacheback]
extern "C" fn foreign(id: u64) -> u64 {
    id
}

#[cacheback]
unsafe fn unchecked(id: u64) -> u64 {
    id
}
