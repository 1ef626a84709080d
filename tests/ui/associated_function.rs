use cacheback::cacheback;

struct Loader;

impl Loader {
    #[cacheback]
    async fn load(id: u64) -> u64 {
        id
    }
}

fn main() {}
