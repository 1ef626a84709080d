use cacheback::cacheback;

const LIFETIME: u64 = 60;

#[cacheback(lifetime = LIFETIME, empty = "nothing", lifetime_for = |n: &u64| *n)]
async fn load(id: u64) -> u64 {
    id
}

#[cacheback(lifetime = 60 * 60, max_stale = if id > 3 { 5 } else { 7 }, wait = LIFETIME * 2, retention = minutes(5))]
async fn arithmetic(id: u64) -> u64 {
    id
}

fn minutes(minutes: u64) -> u64 {
    60 * minutes
}

#[cacheback(max_bytes = 100, weigh = |text| text.len() as f64)]
async fn weighed(id: u64) -> String {
    id.to_string()
}

#[cacheback(max_bytes = 100, weigh = |_| 1)]
async fn signed(id: u64) -> String {
    id.to_string()
}

#[cacheback(max_bytes = 100, weigh = |text: &Vec<u8>| text.len())]
async fn of_another(id: u64) -> String {
    id.to_string()
}

#[cacheback(max_bytes = 100, weigh = |text| text.size())]
async fn unknown_method(id: u64) -> Result<String, String> {
    Ok(id.to_string())
}

#[cacheback(max_bytes = 100, weigh = |text| text.len() + id)]
async fn of_an_argument(id: usize) -> String {
    id.to_string()
}

#[cacheback(retention_for = |n: &u64| *n)]
async fn kept(id: u64) -> u64 {
    id
}

fn main() {}
