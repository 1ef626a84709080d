//! What is wrong with an attribute is said once, and not at each use of what stands beside the function.

use cacheback::cacheback;

#[derive(Clone)]
pub struct Repo;

impl Repo {
    #[cacheback(skip(self), lifetme = 60)]
    pub async fn user<T: Clone + Default + Send + Sync + 'static>(&self, id: u64, name: &str) -> Option<T> {
        let _ = (id, name);
        None
    }
}

#[cacheback(ttl = 60)]
pub async fn user(id: u64, (a, _): (u8, u8)) -> Result<u64, String> {
    Ok(id + u64::from(a))
}

#[cacheback(handel = other)]
async fn renamed(id: u64) -> u64 {
    id
}

mod renamed {}

pub async fn uses(repo: &Repo) -> Result<(), cacheback::Error> {
    let entry = repo.user_entry::<u64>(1, "a");
    entry.set(Some(1)).await?;
    entry.invalidate().await?;
    let _: Option<u64> = repo.user_entry(1, "a").refresh().await;
    Repo::user_cache().clear().await?;
    user::entry(1, (2, 3)).set(5).await?;
    let _ = user::cache().stats();
    let _ = renamed(1).await;
    Ok(())
}

fn main() {}
