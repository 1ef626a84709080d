//! The weight of a value, as `weigh` gives it.

/// The weight of a value in bytes. The value is a parameter so that the type of the closure's parameter is inferred.
pub fn weighed<V, N: Weight>(value: &V, weigh: impl Fn(&V) -> N) -> u64 {
    weigh(value).bytes()
}

/// A type that `weigh` may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no weight of a cached value",
    label = "`weigh` returns how many bytes a value counts, as an unsigned integer",
    note = "return for example `value.len()`, or `64_u64`: a bare number is an `i32`"
)]
pub trait Weight {
    /// The number of bytes.
    fn bytes(self) -> u64;
}

macro_rules! weights {
    ($($from:ty),*) => {
        $(impl Weight for $from {
            fn bytes(self) -> u64 {
                u64::from(self)
            }
        })*
    };
}
weights!(u8, u16, u32, u64);

impl Weight for usize {
    fn bytes(self) -> u64 {
        u64::try_from(self).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_any_unsigned_integer() {
        let text = "four".to_owned();
        assert_eq!(weighed(&text, |text| text.len() + 1), 5);
        assert_eq!(weighed(&text, String::len), 4);
        assert_eq!(weighed(&text, |text| text.as_bytes()[0]), 102);
        assert_eq!(weighed(&text, |_| u16::MAX), 65_535);
        assert_eq!(weighed(&text, |_| u32::MAX), 4_294_967_295);
        assert_eq!(weighed(&text, |_| u64::MAX), u64::MAX);
        assert_eq!(weighed(&text, |_| usize::MAX), u64::try_from(usize::MAX).unwrap_or(u64::MAX));
    }
}
