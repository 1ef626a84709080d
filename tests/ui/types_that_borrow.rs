use cacheback::cacheback;

#[derive(Clone)]
struct Service<'a>(&'a str);

impl Service<'_> {
    #[cacheback(skip(self))]
    async fn load(&self, id: u64) -> usize {
        self.0.len() + id as usize
    }

    #[cacheback(in_impl)]
    async fn associated(id: u64) -> u64 {
        id
    }
}

impl<'a> Service<'a> {
    #[cacheback(skip(self))]
    async fn again(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
