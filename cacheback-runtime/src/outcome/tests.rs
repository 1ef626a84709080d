//! The type system finds the same answers as a reader would.

use super::sharing::Unshared;
use super::*;
use crate::error::FetchError;
use crate::sync::Arc;

#[derive(Debug)]
struct Bare;
#[derive(Clone)]
struct Cloned;
struct ByArc(#[allow(dead_code)] Arc<ByArc>);
impl From<Arc<Self>> for ByArc {
    fn from(shared: Arc<Self>) -> Self {
        Self(shared)
    }
}
struct Wrapped;
impl From<FetchError> for Wrapped {
    fn from(_: FetchError) -> Self {
        Self
    }
}
type Alias<E> = Result<u8, E>;

#[test]
fn the_first_way_to_share_is_found() {
    let probe = &&Probe::<Alias<Cloned>>::NEW;
    assert!(matches!(probe.__cacheback_share(), Sharing::Copied(_)));
    let probe = &&Probe::<Alias<ByArc>>::NEW;
    assert!(matches!(probe.__cacheback_share(), Sharing::Shared(_)));
    let probe = &&Probe::<Alias<Wrapped>>::NEW;
    assert!(matches!(probe.__cacheback_share(), Sharing::Wrapped(_)));
    let probe = &&Probe::<Alias<Bare>>::NEW;
    let _: Unshared<Alias<Bare>> = probe.__cacheback_share();
    let probe = &&Probe::<Vec<u8>>::NEW;
    let _: Unshared<Vec<u8>> = probe.__cacheback_share();
}

#[test]
fn the_best_description_is_found() {
    let probe = &Probe::<Alias<&str>>::NEW;
    assert_eq!(probe.__cacheback_describe().text(&"shown"), "shown");
    assert_eq!(probe.__cacheback_describe().logged("shown"), "shown");
    let probe = &Probe::<Alias<Bare>>::NEW;
    assert_eq!(probe.__cacheback_describe().text(&Bare), "Bare");
    assert!(probe.__cacheback_describe().logged("Bare").ends_with("tests::Bare"), "its type");
    let probe = &Probe::<Alias<Wrapped>>::NEW;
    let describe = Describes::<Fallible<u8, Wrapped>>::describe(probe.__cacheback_describe());
    assert!(describe.text(&Wrapped).ends_with("Wrapped"));
}

#[test]
fn results_split_and_join_and_the_rest_is_a_value() {
    fn split<O: Outcome>(_: O, returned: O::Return) -> Result<O::Value, O::Error> {
        O::split(returned)
    }
    assert_eq!(split(Probe::<Alias<u16>>::NEW.__cacheback_outcome(), Err(7)), Err(7));
    assert_eq!(split(Probe::<Option<u8>>::NEW.__cacheback_outcome(), None), Ok(None));
    assert_eq!(<Plain<u8> as Outcome>::join(Ok(3)), 3);
    assert_eq!(<Fallible<u8, u16> as Outcome>::join(Ok(3)), Ok(3));
}
