#![deny(dead_code)]

use cacheback::cacheback;

#[derive(Clone)]
struct Repo;

impl Repo {
    #[cacheback(skip(self))]
    async fn used(&self, id: u64) -> u64 {
        id
    }

    #[cacheback(skip(self))]
    async fn never_called(&self, id: u64) -> u64 {
        id
    }

    #[cacheback(skip(self))]
    async fn entry_alone(&self, id: u64) -> u64 {
        id
    }

    fn beside_them(&self) {}

    #[cacheback(skip(self))]
    #[allow(dead_code)]
    async fn allowed(&self, #[allow(unused)] id: u64) -> u64 {
        0
    }
}

struct AllUsed;

impl AllUsed {
    #[cacheback(in_impl)]
    async fn used(id: u64) -> u64 {
        id
    }

    fn beside_it() {}
}

#[cacheback]
async fn function(id: u64) -> u64 {
    id
}

fn main() {
    let _ = (Repo.used(1), Repo.entry_alone_entry(1), AllUsed::used(1));
}
