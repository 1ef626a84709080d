use cacheback::cacheback;

struct Repo;

impl Repo {
    #[cacheback]
    async fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
