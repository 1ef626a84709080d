use cacheback::cacheback;

struct Repo;

impl Repo {
    #[cacheback(skip(self))]
    async fn borrowed(&self, id: u64) -> u64 {
        id
    }
}

struct Other;

impl Other {
    #[cacheback(skip(self))]
    async fn by_value(self, id: u64) -> u64 {
        id
    }
}

fn main() {}
