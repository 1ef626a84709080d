use cacheback::cacheback;

#[derive(Clone)]
struct User;

#[cacheback(lifetime = 60)]
async fn user(id: u64) -> User {
    let _ = id;
    User
}

fn main() {}
