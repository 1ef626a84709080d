fn refused(a: &mut u8) {}
::core::compile_error! {
    "`ttl` is not an option of `cacheback`\nwrite `lifetime = 5, retention = 5, fetch_on_miss` for the same behaviour\n(`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)"
}
::core::compile_error! {
    "only an `async fn`, or one that returns `impl Future<Output = ..>`, can be cached\nwrite `async fn refused`, with `tokio::task::spawn_blocking` in it around what blocks its thread"
}
::core::compile_error! {
    "a cached function cannot change its arguments: most calls do not run it\ntake `&T` or an owned value, and return what is new"
}
