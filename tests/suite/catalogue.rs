//! The catalogue: which test shows which rule of the contract. The names of the tests say it, so nobody writes it down;
//! this prints it (`cargo test --test suite catalogue -- --nocapture`) and fails if a rule or a promise has no test.

use std::fs;
use std::path::{Path, PathBuf};

/// The rules of a fetch, in short.
const RULES: [&str; 12] = [
    "one live fetch a key at a time, however many callers; a caller who needs it joins it",
    "a fetch is a task of its own: a caller who goes away cancels nothing",
    "a fetch claims its key for `refresh_timeout`; no key is ever stuck, whatever becomes of the fetch",
    "a write supersedes the fetch that runs: it answers those who joined before, and stores nothing",
    "the age of a value counts from the start of its fetch",
    "a failed fetch replaces and renews nothing; the key backs off, and the breaker spares a dead origin",
    "all who wait for a fetch share one error, whose form does not depend on how many they are",
    "an `Err` is not cached, everything else is",
    "an empty answer is no cached value; a value that was fetched or set is visible to the next read",
    "a panic in the body is a failed fetch, and reaches callers who have nothing else to get",
    "a bounded number of refreshes run and wait, the rest is refused; functions share the places fairly",
    "no answer starves its thread; a blocked thread is answered, time asleep counts, a forked child works",
];

/// Promises about all of the library, in short.
const PROMISES: [&str; 6] = [
    "a hit allocates nothing, and the future of a call is small",
    "a hit costs less than that of any cache with stale values",
    "ten thousand callers of one missing key are one fetch",
    "nothing is lost, stuck or overwritten, under panics, aborts, dropped runtimes and races",
    "memory is bounded",
    "no input makes the macro panic, and every misuse has a message that says what to write",
];

/// This promise has no test: `benches` compares the costs, and writes `benches/RESULTS.md`.
const COMPARED_PROMISE: usize = 2;

/// A test whose name begins with a rule or a promise, or whose docs tell of a mistake elsewhere.
struct Test {
    file: String,
    name: String,
    /// The mistakes of other caches that it looks for.
    elsewhere: Vec<String>,
}

impl Test {
    /// Numbers of rules, or of promises: those that its name begins with.
    fn numbers(&self, of: &str) -> Vec<usize> {
        let (mut rest, mut numbers) = (&*self.name, Vec::new());
        while let Some((kind, number, after)) = tag(rest) {
            if kind == of {
                numbers.push(number);
            }
            rest = after;
        }
        numbers
    }

    fn shown(&self) -> String {
        format!("    {}: {}", self.file, self.name)
    }
}

/// Splits `rule_4_` or `promise_4_` off a name.
fn tag(name: &str) -> Option<(&'static str, usize, &str)> {
    let (kind, rest) = ["rule", "promise"]
        .iter()
        .find_map(|kind| Some((*kind, name.strip_prefix(kind)?.strip_prefix('_')?)))?;
    let (number, rest) = rest.split_once('_')?;
    Some((kind, number.parse().ok()?, rest))
}

/// Reads the tests of all sources below `folder`.
fn read(folder: &Path, tests: &mut Vec<Test>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(root()).unwrap().display().to_string();
            tests_of(&file, &fs::read_to_string(&path).unwrap(), tests);
        }
    }
}

/// The tests of one source: functions below an attribute that makes them tests, and arms of a macro that makes them.
fn tests_of(file: &str, source: &str, tests: &mut Vec<Test>) {
    let makes_tests = source.contains("fn $");
    let (mut is_test, mut elsewhere) = (false, Vec::new());
    for line in source.lines().map(str::trim_start) {
        if let Some(mistake) = line.strip_prefix("/// Elsewhere: ") {
            elsewhere.push(mistake.to_owned());
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
            let name = match function {
                Some(function) if is_test => function.split_once('('),
                _ if makes_tests => line.split_once(": ").filter(|(name, _)| tag(name).is_some()),
                _ => None,
            };
            if let Some((name, _)) = name {
                let elsewhere = std::mem::take(&mut elsewhere);
                tests.push(Test { file: file.to_owned(), name: name.to_owned(), elsewhere });
            }
            assert!(elsewhere.is_empty(), "{file}: `Elsewhere: {}` is above no test", elsewhere[0]);
            is_test = false;
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_rule_and_promise_of_the_contract_has_tests_named_after_it() {
    let mut tests = Vec::new();
    for folder in ["tests", "cacheback-runtime/src", "cacheback-macros/src"] {
        read(&root().join(folder), &mut tests);
    }
    for (kind, all) in [("rule", &RULES[..]), ("promise", &PROMISES[..])] {
        for (number, text) in (1..).zip(all) {
            println!("{kind} {number}: {text}");
            let mut shows = tests.iter().filter(|test| test.numbers(kind).contains(&number)).peekable();
            let is_compared = kind == "promise" && number == COMPARED_PROMISE;
            assert!(is_compared || shows.peek().is_some(), "no test is named `{kind}_{number}_..`");
            shows.for_each(|test| println!("{}", test.shown()));
        }
        for test in &tests {
            let unknown = test.numbers(kind).into_iter().find(|number| !(1..=all.len()).contains(number));
            assert_eq!(unknown, None, "there is no such {kind}:{}", test.shown());
        }
    }
    assert!(root().join("benches/src/goals.rs").exists(), "it compares hits with those of other caches");

    println!("mistakes of other caches, and the tests that look for them");
    let mut mistakes = 0;
    for test in &tests {
        for mistake in &test.elsewhere {
            println!("  {mistake}\n{}", test.shown());
            mistakes += 1;
        }
    }
    assert!(mistakes >= 18, "{mistakes} mistakes of other caches");
}
