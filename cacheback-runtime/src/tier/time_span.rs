//! A time as the settings of a tier take it.

use std::time::Duration;

/// A time, for `max_age` of a tier: a [`Duration`], or a string such as `"1d"` or `"1h 30m"`. It is implemented by these
/// alone.
pub trait TimeSpan: sealed::Timed {}

impl TimeSpan for Duration {}
impl TimeSpan for &str {}

pub(super) mod sealed {
    use std::time::Duration;

    pub trait Timed {
        #[doc(hidden)]
        fn timed(self) -> Result<Duration, String>;
    }
}

impl sealed::Timed for Duration {
    fn timed(self) -> Result<Duration, String> {
        Ok(self)
    }
}

impl sealed::Timed for &str {
    fn timed(self) -> Result<Duration, String> {
        humantime::parse_duration(self).map_err(|error| format!("`{self}` is not a time: {error}"))
    }
}

/// The age that a user has set.
#[track_caller]
pub(super) fn max_age(age: impl TimeSpan) -> Duration {
    age.timed().unwrap_or_else(|why| panic!("`max_age`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_those_of_the_attribute() {
        let day = Duration::from_secs(86_400);
        assert_eq!((max_age(day), max_age("1d"), max_age("1h 30m")), (day, day, Duration::from_secs(5_400)));
    }

    #[test]
    #[should_panic = "`max_age`: `soon` is not a time"]
    fn another_word_is_none() {
        max_age("soon");
    }
}
