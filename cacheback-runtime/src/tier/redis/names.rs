//! The names of keys.
//!
//! With `h` for the hash of the arguments, `cb1:v:{prefix:name:h}` is the envelope of a value, and
//! `cb1:l:{prefix:name:h}` the lease of its key. The braces let both lie in one slot of a cluster. `cb1:t:prefix:name`
//! holds the versions of a function.

use crate::tier::{Scope, WireKey};

/// The names of an entry's keys.
pub(super) struct Names {
    pub(super) value: String,
    pub(super) lease: String,
    pub(super) versions: String,
}

/// The escaped prefix of all keys.
pub(super) struct Prefix(String);

impl Prefix {
    pub(super) fn new(prefix: &str) -> Self {
        // With a colon in it, the prefix of one service could be that of another with the beginning of a name.
        Self(escaped(prefix).replace(':', "%3A"))
    }

    pub(super) fn versions(&self, scope: &Scope) -> String {
        format!("cb1:t:{}:{}", self.0, escaped(&scope.name))
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
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '%' => escaped.push_str("%25"),
            '{' => escaped.push_str("%7B"),
            '}' => escaped.push_str("%7D"),
            char => escaped.push(char),
        }
    }
    escaped
}
