use cacheback::cacheback;

struct Failure;

#[cacheback(lifetime = 60)]
async fn load(id: u64) -> Result<u64, Failure> {
    Ok(id)
}

fn main() {}
