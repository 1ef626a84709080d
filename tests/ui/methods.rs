use std::sync::Arc;

use cacheback::cacheback;

#[derive(Clone, Debug)]
struct Repo {
    tenant: u64,
}

impl Repo {
    #[cacheback]
    async fn undecided(&self, id: u64, name: &str) -> u64 {
        id + self.tenant + name.len() as u64
    }

    #[cacheback(key = id)]
    async fn not_in_the_key(self: &Arc<Self>, id: u64) -> u64 {
        id
    }

    #[cacheback(skip(self))]
    async fn mutable(&mut self) -> u64 {
        self.tenant
    }

    #[cacheback(skip(self), capacity = Self::LIMIT)]
    async fn limited(&self) -> u64 {
        self.tenant
    }

    #[cacheback(skip(self), handle = false)]
    async fn captured(&self) -> String {
        format!("{self:?}")
    }

    #[cacheback(skip(self), empty = format!("{self:?}"))]
    async fn captured_by_an_option(&self) -> String {
        String::new()
    }

    #[cacheback(skip(self))]
    async fn associated(id: u64, other: &Self) -> u64 {
        id + other.tenant
    }
}

#[cacheback]
async fn constant<const N: Size>(id: u64) -> u64 {
    id
}

#[cacheback]
async fn nested(names: &[impl AsRef<str>]) -> usize {
    names.len()
}

#[cacheback]
fn iterator(id: u64) -> impl Iterator<Item = u64> {
    0..id
}

fn main() {}
