use cacheback::cacheback;

trait Load: Clone + Send + Sync + 'static {
    async fn load(&self, id: u64) -> u64;

    #[cacheback(skip(self))]
    async fn provided(&self, id: u64) -> u64 {
        self.load(id).await
    }
}

#[derive(Clone)]
struct Loader;

impl Load for Loader {
    #[cacheback(skip(self))]
    async fn load(&self, id: u64) -> u64 {
        id
    }
}

#[derive(Clone)]
struct Other;

// Out of a macro nothing is known of the place.
macro_rules! impl_load {
    ($ty:ident) => {
        impl Load for $ty {
            #[cacheback(skip(self))]
            async fn load(&self, id: u64) -> u64 {
                id
            }
        }
    };
}
impl_load!(Other);

fn main() {}
