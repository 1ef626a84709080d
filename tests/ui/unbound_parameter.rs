use cacheback::cacheback;

#[cacheback(fetch_on_miss)]
async fn load<T: Default>(id: u64) -> T {
    let _ = id;
    T::default()
}

#[cacheback]
async fn skipless(text: impl AsRef<str>) -> usize {
    text.as_ref().len()
}

fn main() {}
