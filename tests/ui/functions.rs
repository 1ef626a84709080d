use cacheback::cacheback;

#[cacheback]
fn not_async(id: u64) -> u64 {
    id
}

#[cacheback]
async fn borrowed(name: &str) -> &str {
    name
}

#[cacheback]
async fn mutable(list: &mut Vec<u64>) -> u64 {
    list.len() as u64
}

#[cacheback]
async fn float(at: f64) -> u64 {
    at as u64
}

#[cacheback]
struct NotAFunction;

#[cacheback]
#[tokio::test]
async fn a_test() {}

// What `#[async_trait]` leaves.
#[cacheback]
fn boxed(id: u64) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { id })
}

fn main() {}
