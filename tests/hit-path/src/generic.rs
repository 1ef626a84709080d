//! Methods and generic functions. They are counted in a program of their own, so that they move no other count.

use std::hint::black_box;
use std::sync::Arc;

use cacheback::cacheback;

use crate::{Outcome, plain_number, repeat};

pub(crate) const KINDS: [&str; 4] =
    ["method", "generic, 1st of 10", "generic, 2nd of 10", "generic, 10th of 10"];

/// The program that is counted.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn hit(kind: &str) -> Outcome<()> {
    let repo = Arc::new(Repo);
    repo.method_entry(7).set([7; 16]).await?;
    // The instantiations, in this order.
    macro_rules! instantiate {
        ($($n:literal)*) => { $(numbered::entry::<$n>(7).set([7; 16]).await?;)* };
    }
    instantiate!(0 1 2 3 4 5 6 7 8 9);
    match kind {
        "method" => repeat!(repo.method(black_box(7))),
        "generic, 1st of 10" => repeat!(numbered::<0>(black_box(7))),
        "generic, 2nd of 10" => repeat!(numbered::<1>(black_box(7))),
        "generic, 10th of 10" => repeat!(numbered::<9>(black_box(7))),
        _ => return Err(format!("no kind `{kind}`").into()),
    }
    for cache in [Repo::method_cache(), numbered::cache()] {
        assert_eq!(cache.stats().fetches, 0, "each call was a hit");
    }
    Ok(())
}

struct Repo;

impl Repo {
    #[cacheback(lifetime = "1h", capacity = 200_000, skip(self))]
    async fn method(self: &Arc<Self>, id: u64) -> [u8; 16] {
        plain_number(id).await
    }
}

#[cacheback(lifetime = "1h", capacity = 200_000)]
async fn numbered<const N: usize>(id: u64) -> [u8; 16] {
    plain_number(id + N as u64).await
}
