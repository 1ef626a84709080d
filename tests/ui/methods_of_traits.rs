use cacheback::cacheback;

trait Load {
    async fn load(&self, id: u64) -> u64;
}

#[derive(Clone)]
struct Loader;

impl Load for Loader {
    #[cacheback(skip(self))]
    async fn load(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
