//! The type system finds the answers that a reader of the code would give.

use super::sharing::Unshared;
use super::*;
use crate::base::sync::Arc;
use crate::outcome::error::FetchError;

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
    let probe = &&&Probe::<Alias<&str>>::NEW;
    assert_eq!(probe.__cacheback_describe().text(&"shown"), "shown");
    assert_eq!(probe.__cacheback_describe().logged("shown"), "shown");
    let probe = &&&Probe::<Alias<Bare>>::NEW;
    assert_eq!(probe.__cacheback_describe().text(&Bare), "Bare");
    assert!(probe.__cacheback_describe().logged("Bare").ends_with("tests::Bare"), "its type");
    let probe = &&&Probe::<Alias<Wrapped>>::NEW;
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

/// An error with a cause, which may have a cause too.
#[derive(Debug)]
struct Layer(&'static str, Option<Box<Layer>>);
impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}
impl std::error::Error for Layer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_ref().map(|cause| &**cause as _)
    }
}

fn layers() -> Layer {
    let refused = Layer("connection refused", None);
    Layer("loading the user", Some(Box::new(Layer("asking the database", Some(Box::new(refused))))))
}

/// The text of an error, as the probes describe it.
macro_rules! text_of {
    ($error:ty: $value:expr) => {{
        let probe = &Probe::<Alias<$error>>::NEW;
        Describes::<Fallible<u8, $error>>::describe((&&probe).__cacheback_describe()).text(&$value)
    }};
}

#[test]
fn all_causes_are_told_however_an_error_is_held() {
    type Boxed = Box<dyn std::error::Error + Send + Sync>;
    let all = "loading the user: asking the database: connection refused";
    assert_eq!(text_of!(Layer: layers()), all);
    assert_eq!(text_of!(Arc<Layer>: Arc::new(layers())), all);
    assert_eq!(text_of!(Boxed: Boxed::from(layers())), all);
    assert_eq!(text_of!(Arc<Boxed>: Arc::new(Boxed::from(layers()))), all);
    assert_eq!(text_of!(&'static str: "alone"), "alone");
    assert_eq!(text_of!(Bare: Bare), "Bare");
    let text = text_of!(Cloned: Cloned);
    assert!(text.ends_with("::Cloned"), "{text}");
}

#[test]
fn a_cause_is_not_told_twice_and_an_endless_chain_is_cut() {
    let told = Layer("loading: no route", Some(Box::new(Layer("no route", None))));
    assert_eq!(text_of!(Layer: told), "loading: no route");

    #[derive(Debug)]
    struct Endless(std::sync::atomic::AtomicU64);
    impl std::fmt::Display for Endless {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}", self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        }
    }
    impl std::error::Error for Endless {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(self)
        }
    }
    let text = text_of!(Endless: Endless(0.into()));
    assert!(text.starts_with("0: 1: 2") && text.len() < 200, "{text}");
}
