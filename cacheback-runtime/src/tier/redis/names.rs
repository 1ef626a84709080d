//! The names of keys.
//!
//! With `h` for the hash of the arguments, `cb1:v:{prefix:name:h}` is the envelope of a value, and
//! `cb1:l:{prefix:name:h}` the lease of its key. The braces let both lie in one slot of a cluster. `cb1:t:prefix:name`
//! holds the versions of a function, and `cb1:bp:prefix` is the channel of messages.

use std::borrow::Cow;

use crate::tier::{Scope, Token, WireKey};

/// The names of an entry's keys.
pub(super) struct Names {
    pub(super) value: String,
    pub(super) lease: String,
    pub(super) versions: String,
}

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

    pub(super) fn versions(&self, scope: &Scope) -> String {
        format!("cb1:t:{}:{}", self.0, escaped(&scope.name))
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
