//! Says once in the log which of the server's settings are not good for a second tier, and what to do.
//!
//! A user needs no right for it. What the server does not tell is not talked about.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Pipeline, Value, from_redis_value};
use tokio::time::timeout;

use super::names::Prefix;
use crate::events::{self, TierAdvice};

/// About so many keys are looked at, to see whether there are some of others.
const KEYS: usize = 1_000;

/// Looks at a server.
pub(super) struct Advisor {
    /// The prefix, if none was given.
    unchosen: Option<Prefix>,
}

/// What is known of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    /// The names and values of its settings.
    settings: HashMap<String, String>,
    /// No prefix was given, and there are keys of others.
    has_strangers: bool,
}

impl Advisor {
    pub(super) fn new(unchosen: Option<Prefix>) -> Self {
        Self { unchosen }
    }

    /// Asks the server of this address, and logs what it finds. Gives up after this time.
    pub(super) async fn advise(
        self,
        address: String,
        mut connection: MultiplexedConnection,
        limit: Duration,
    ) {
        let mut questions = Pipeline::new();
        questions.cmd("CONFIG").arg("GET").arg(&["maxmemory", "maxmemory-policy", "save", "appendonly"]);
        // Shows less, and is permitted to more users.
        questions.cmd("INFO").arg("memory");
        questions.cmd("SCAN").arg(0).arg("COUNT").arg(KEYS);
        let asked = connection.send_packed_commands(&questions, 0, 3);
        let facts = match timeout(limit, asked).await {
            Ok(Ok(answers)) => self.facts(answers),
            Ok(Err(_)) | Err(_) => Facts::default(),
        };
        for advice in advice(&facts) {
            events::tier_advice(&address, advice);
        }
        events::tier_examined(&address, !facts.settings.is_empty());
    }

    fn facts(&self, answers: Vec<Value>) -> Facts {
        let [settings, memory, keys] = <[Value; 3]>::try_from(answers).unwrap_or([const { Value::Nil }; 3]);
        let mut known = of_info(&told::<String>(memory));
        known.extend(told::<HashMap<String, String>>(settings));
        let (_, keys): (u64, Vec<Vec<u8>>) = told(keys);
        let is_strange = |key: &Vec<u8>| self.unchosen.as_ref().is_some_and(|own| !own.is_of(key));
        Facts { settings: known, has_strangers: keys.iter().any(is_strange) }
    }
}

/// An answer, or nothing.
fn told<T: FromRedisValue + Default>(answer: Value) -> T {
    from_redis_value(answer).unwrap_or_default()
}

/// The settings in an answer to `INFO`, by the names that they have in `CONFIG`.
fn of_info(info: &str) -> HashMap<String, String> {
    let lines = info.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.replace('_', "-"), value.trim().to_owned())).collect()
}

/// What is to be said of a server.
fn advice(facts: &Facts) -> Vec<TierAdvice> {
    let setting = |name: &str| facts.settings.get(name).map(String::as_str);
    let mut advice = Vec::new();
    if facts.has_strangers {
        advice.push(TierAdvice::NoPrefix);
    }
    let has_limit = setting("maxmemory").is_some_and(|bytes| bytes != "0");
    match setting("maxmemory-policy") {
        Some(policy) if has_limit && policy.starts_with("allkeys-") => {
            advice.push(TierAdvice::EvictsAll(policy.to_owned()));
        }
        Some(policy) if has_limit && policy.starts_with("volatile-") => {
            advice.push(TierAdvice::EvictsLeases(policy.to_owned()));
        }
        _ => {}
    }
    if setting("save").is_some_and(|save| !save.is_empty()) && setting("appendonly") == Some("no") {
        advice.push(TierAdvice::SnapshotsAlone);
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(settings: &[(&str, &str)], has_strangers: bool) -> Vec<TierAdvice> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        advice(&Facts { settings: settings.collect(), has_strangers })
    }

    #[test]
    fn suspicious_settings() {
        use TierAdvice::{EvictsAll, EvictsLeases, NoPrefix, SnapshotsAlone};

        assert_eq!(said(&[], false), []);
        assert_eq!(said(&[], true), [NoPrefix]);
        let with_limit = |policy| said(&[("maxmemory", "1000"), ("maxmemory-policy", policy)], false);
        assert_eq!(with_limit("noeviction"), []);
        assert_eq!(with_limit("allkeys-lru"), [EvictsAll("allkeys-lru".to_owned())]);
        assert_eq!(with_limit("volatile-ttl"), [EvictsLeases("volatile-ttl".to_owned())]);
        assert_eq!(with_limit("volatile-lfu"), [EvictsLeases("volatile-lfu".to_owned())]);
        let without_limit = [("maxmemory", "0"), ("maxmemory-policy", "allkeys-lru")];
        assert_eq!(said(&without_limit, false), [], "nothing is evicted");
        assert_eq!(said(&[("maxmemory-policy", "allkeys-lru")], false), [], "it is not known");
        for (save, appendonly, expected) in [
            ("3600 1 300 100", "no", vec![SnapshotsAlone]),
            ("3600 1", "yes", vec![]),
            ("", "yes", vec![]),
            ("", "no", vec![]),
        ] {
            assert_eq!(
                said(&[("save", save), ("appendonly", appendonly)], false),
                expected,
                "{save} {appendonly}"
            );
        }
        assert_eq!(said(&[("save", "3600 1")], false), [], "the other half is not known");
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    /// The answers of a server that shows all, one that shows less, and one that refuses.
    #[test]
    fn facts_are_what_the_server_tells() {
        let refused = || redis::parse_redis_value(b"-NOPERM no\r\n").unwrap();
        let own = Prefix::new("cacheback");
        let keys = |keys: &[&str]| {
            Value::Array(vec![text("0"), Value::Array(keys.iter().copied().map(text).collect())])
        };
        let some = || keys(&["cb1:v:{cacheback:a:00}", "cb1:t:cacheback:a", "session:1"]);
        let facts =
            |unchosen: Option<&Prefix>, answers: Vec<Value>| Advisor::new(unchosen.cloned()).facts(answers);
        let config = Value::Array(["maxmemory", "0", "save", ""].map(text).into());
        let info = text("# Memory\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n");
        let shown = facts(Some(&own), vec![config, info.clone(), some()]);
        assert!(shown.has_strangers);
        assert_eq!(shown.settings["maxmemory"], "0");
        assert_eq!(shown.settings["save"], "");
        let less = facts(None, vec![refused(), info, some()]);
        assert!(!less.has_strangers, "a prefix was given");
        assert_eq!(less.settings["maxmemory-policy"], "allkeys-lru");
        assert!(!less.settings.contains_key("save"));
        let ours = keys(&["cb1:v:{cacheback:a:00}", "cb1:l:{cacheback:a:00}", "cb1:t:cacheback:a"]);
        assert!(!facts(Some(&own), vec![refused(), refused(), ours]).has_strangers);
        let other = keys(&["cb1:v:{cacheback2:a:00}"]);
        assert!(facts(Some(&own), vec![refused(), refused(), other]).has_strangers);
        assert_eq!(facts(Some(&own), vec![refused(), refused(), refused()]), Facts::default());
        assert_eq!(facts(Some(&own), Vec::new()), Facts::default());
    }
}
