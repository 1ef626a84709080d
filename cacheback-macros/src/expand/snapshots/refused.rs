fn refused(a: &mut u8) {}
::core::compile_error! {
    "`ttl` is not an option of `cacheback`\nwrite `lifetime = ..`"
}
::core::compile_error! {
    "only an `async fn`, or one that returns `impl Future<Output = ..>`, can be cached\nwrite `async fn refused`"
}
::core::compile_error! {
    "a cached function cannot change its arguments: most calls do not run it\ntake `&T` or an owned value, and return what is new"
}
