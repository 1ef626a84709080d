use cacheback::cacheback;

struct Loader;

impl Loader {
    #[cacheback]
    async fn load(id: u64) -> u64 {
        id
    }
}

trait Load {
    fn count(id: u64) -> impl Future<Output = u64> + Send;
}

impl Load for Loader {
    #[cacheback(lifetime = 60)]
    async fn count(id: u64) -> u64 {
        id
    }
}

// Out of a macro nothing is known of the place.
macro_rules! with_a_method {
    ($ty:ident) => {
        impl $ty {
            #[cacheback]
            async fn out_of_a_macro(id: u64) -> u64 {
                id
            }
        }
    };
}
with_a_method!(Loader);

fn main() {}
