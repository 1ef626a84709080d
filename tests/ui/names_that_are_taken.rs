use cacheback::cacheback;

mod user {
    pub(super) async fn load(id: u64) -> u64 {
        id
    }
}

#[cacheback(lifetime = 60)]
async fn user(id: u64) -> u64 {
    user::load(id).await
}

mod inside {
    use cacheback::cacheback;

    #[cacheback]
    pub(super) async fn page() -> String {
        page::render()
    }

    mod page {
        pub(super) fn render() -> String {
            String::new()
        }
    }
}

async fn uses() {
    inside::page().await;
    user(1).await;
}

fn main() {
    drop(uses());
}
