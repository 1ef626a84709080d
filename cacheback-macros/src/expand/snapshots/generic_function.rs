pub async fn parse<'a, T, const N: usize>(
    text: &'a str,
    first: impl Into<T> + Clone,
) -> Vec<T>
where
    T: FromStr + Clone + Send + Sync + 'static,
{
    split::<N>(text).map(parse).collect()
}
#[doc(hidden)]
#[allow(non_camel_case_types, dead_code)]
pub enum parse {}
#[allow(dead_code)]
impl parse {
    #[allow(unused_variables)]
    pub fn entry<'a, T, const N: usize>(
        text: &'a str,
        first: impl Into<T> + Clone,
    ) -> ::cacheback::Entry<Vec<T>>
    where
        T: FromStr + Clone + Send + Sync + 'static,
    {
        ::core::unimplemented!()
    }
    pub fn cache() -> ::cacheback::CacheRef {
        ::core::unimplemented!()
    }
}
::core::compile_error! {
    "`impl Into<T> + Clone` is not known to be `Eq`, `std::hash::Hash`, `Send`, `Sync` and `'static`: a fetch owns its arguments, and they tell entries apart\nwrite `impl Into<T> + Clone + Eq + std::hash::Hash + Send + Sync + 'static`, or take `T`, or leave `first` out of the key with `skip(first)`"
}
