//! The names of keys.
//!
//! With `h` for the hash of the arguments, `cb1:v:{prefix:name:h}` is the envelope of a value, and
//! `cb1:l:{prefix:name:h}` the lease of its key. The braces let both lie in one slot of a cluster. `cb1:t:prefix:name`
//! holds the versions of a function, `cb1:bp:prefix` is the channel of messages, and `cb1:bp:prefix:origin` that of the
//! echoes of a process. `cb1:q:{prefix:line}` begins the keys
//! of a line of jobs: see `queue`. `cb1:m:prefix:{prefix:name:h}` is written for replicas to confirm: see `link::replicas`.

use std::borrow::Cow;

use crate::tier::{Scope, Token, WireKey};

/// The names of an entry's keys.
pub(super) struct Names {
    pub(super) value: String,
    pub(super) lease: String,
    pub(super) versions: String,
}

/// So many names are tried to find one in a slot of some server.
const MOST_NAMES: usize = 4_096;

/// The escaped prefix of all keys.
#[derive(Clone)]
pub(super) struct Prefix(String);

impl Prefix {
    pub(super) fn new(prefix: &str) -> Self {
        // With a colon in it, the prefix of one service could be that of another with the beginning of a name.
        Self(escaped(prefix).replace(':', "%3A"))
    }

    /// The channel of all messages.
    pub(super) fn channel(&self) -> String {
        format!("cb1:bp:{}", self.0)
    }

    /// The channel on which a process sends messages to itself.
    pub(super) fn own_channel(&self, origin: u64) -> String {
        format!("cb1:bp:{}:{origin:016x}", self.0)
    }

    pub(super) fn versions(&self, scope: &Scope) -> String {
        format!("cb1:t:{}:{}", self.0, escaped(&scope.name))
    }

    /// Something of a line of jobs. The braces let all of it lie in one slot of a cluster.
    pub(super) fn line(
        &self,
        queue: &str,
        function: &str,
        instance: Option<&str>,
        version: u64,
        what: char,
    ) -> String {
        let (queue, function) = (escaped(queue).replace(':', "%3A"), escaped(function));
        // In a name, a `%` has digits after it.
        let instance = instance.map_or_else(String::new, |instance| format!("%i{}", escaped(instance)));
        format!("cb1:q:{{{}:{version}:{queue}:{function}{instance}}}:{what}", self.0)
    }

    /// The set of all lines.
    pub(super) fn lines(&self) -> String {
        format!("cb1:q:{}:%lines", self.0)
    }

    /// A key in the slot of this one, which is written for its replicas to confirm.
    pub(super) fn mark(&self, key: &str) -> String {
        let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(key, |(tag, _)| tag);
        format!("cb1:m:{}:{{{tag}}}", self.0)
    }

    /// Names that no function has: in theirs a `%` has digits after it.
    pub(super) fn trial(&self, token: Token) -> Names {
        let (prefix, Token(token)) = (&self.0, token);
        Names {
            value: format!("cb1:v:{{{prefix}:%trial:{token:016x}}}"),
            lease: format!("cb1:l:{{{prefix}:%trial:{token:016x}}}"),
            versions: format!("cb1:t:{prefix}:%trial"),
        }
    }

    /// The same for a server of a cluster, in slots that it owns. `None` if it has none, or next to none. The versions,
    /// which have no time to live, have one of few names.
    pub(super) fn trial_in(&self, owns: impl Fn(&str) -> bool) -> Option<Names> {
        let Names { value, lease, .. } = std::iter::repeat_with(|| self.trial(Token::random()))
            .take(MOST_NAMES)
            .find(|names| owns(&names.value))?;
        let mut versions = (0..MOST_NAMES).map(|number| format!("cb1:t:{}:%trial:{number}", self.0));
        Some(Names { value, lease, versions: versions.find(|name| owns(name))? })
    }

    /// Whether a key begins as one with this prefix does, of whatever kind.
    pub(super) fn is_of(&self, key: &[u8]) -> bool {
        let Some(kind_and_rest) = key.strip_prefix(b"cb1:") else { return false };
        let mut parts = kind_and_rest.splitn(3, |byte| *byte == b':');
        let prefix = parts.nth(1).map(|prefix| prefix.strip_prefix(b"{").unwrap_or(prefix));
        prefix == Some(self.0.as_bytes()) && parts.next().is_some()
    }

    pub(super) fn names(&self, key: &WireKey) -> Names {
        let name = escaped(&key.scope.name);
        let hash = key.hex();
        Names {
            value: format!("cb1:v:{{{}:{name}:{hash}}}", self.0),
            lease: format!("cb1:l:{{{}:{name}:{hash}}}", self.0),
            versions: self.versions(&key.scope),
        }
    }
}

/// A name without braces of its own, which have a meaning in keys.
fn escaped(name: &str) -> Cow<'_, str> {
    if !name.contains(['%', '{', '}']) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '%' => escaped.push_str("%25"),
            '{' => escaped.push_str("%7B"),
            '}' => escaped.push_str("%7D"),
            char => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::super::cluster::Slot;
    use super::*;
    use crate::base::sync::Arc;

    #[test]
    fn braces_are_escaped_and_no_two_names_become_one() {
        assert_eq!(escaped("shop::price<u8>"), "shop::price<u8>");
        assert_eq!(escaped("a{b}c%7B"), "a%7Bb%7Dc%257B");
        let names = ["a{", "a%7B", "a%257B"].map(escaped);
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    }

    #[test]
    fn the_trial_of_a_server_is_in_its_slots() {
        let prefix = Prefix::new("shop");
        let names = prefix.trial_in(|name| name.ends_with("7}") || name.ends_with(":10")).unwrap();
        assert!(names.value.ends_with("7}") && names.value[6..] == names.lease[6..], "{}", names.value);
        assert_eq!(names.versions, "cb1:t:shop:%trial:10");
        assert!(prefix.trial_in(|_| false).is_none());
    }

    #[test]
    fn a_mark_lies_in_the_slot_of_its_key() {
        let prefix = Prefix::new("a{b}");
        let scope = Arc::new(Scope { name: "f<{}>".into(), instance: None });
        let key = WireKey { scope, hash: [0; 16], fingerprint: 0, args: [].into() };
        let Names { value, versions, .. } = prefix.names(&key);
        for key in [value, versions] {
            let mark = prefix.mark(&key);
            assert!(Slot::of(&mark) == Slot::of(&key) && prefix.is_of(mark.as_bytes()), "{mark}");
        }
    }

    #[test]
    fn no_two_lines_have_one_name() {
        let prefix = Prefix::new("shop");
        let names = [
            prefix.line("a:b", "c", None, 0, 's'),
            prefix.line("a", "b:c", None, 0, 's'),
            prefix.line("a", "b", Some("c"), 0, 's'),
            prefix.line("a", "b%ic", None, 0, 's'),
            prefix.line("a", "b", None, 1, 's'),
            prefix.line("a", "b", None, 0, 'w'),
            prefix.lines(),
        ];
        for (at, name) in names.iter().enumerate() {
            assert!(prefix.is_of(name.as_bytes()), "{name}");
            assert_eq!(names.iter().position(|other| other == name), Some(at));
        }
        assert_eq!(names[0], "cb1:q:{shop:0:a%3Ab:c}:s");
    }

    #[test]
    fn a_key_is_told_from_those_of_another_prefix() {
        let (own, other) = (Prefix::new("a:{b}"), Prefix::new("a"));
        let scope = Arc::new(Scope { name: "b:c".into(), instance: None });
        let key = WireKey { scope, hash: [0; 16], fingerprint: 0, args: [].into() };
        for prefix in [&own, &other] {
            for Names { value, lease, versions } in [prefix.names(&key), prefix.trial(Token(1))] {
                for name in [value, lease, versions] {
                    assert!(prefix.is_of(name.as_bytes()), "{name}");
                    assert_eq!(
                        [&own, &other].iter().filter(|prefix| prefix.is_of(name.as_bytes())).count(),
                        1
                    );
                }
            }
        }
        for foreign in ["", "a", "cb1:", "cb1:v", "cb1:v:{a", "cb1:v:a", "cb2:v:{a:b:00}", "cb1:v:{ab:c:00}"]
        {
            assert!(!other.is_of(foreign.as_bytes()), "{foreign}");
        }
    }
}
