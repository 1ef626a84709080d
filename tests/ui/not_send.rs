use std::rc::Rc;

use cacheback::cacheback;

#[cacheback(lifetime = 60)]
async fn load(id: u64) -> u64 {
    let held = Rc::new(id);
    tokio::task::yield_now().await;
    *held
}

fn main() {}
