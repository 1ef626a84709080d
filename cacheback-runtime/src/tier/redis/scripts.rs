//! The scripts, by which the server changes a key in one step. `scripts/prelude.lua` is the beginning of all that
//! concern one key, and `scripts/remembered.lua` that of all which give a lease its time.

use std::time::Duration;

use redis::{Cmd, Script as Hashed, ToRedisArgs};

use crate::tier::late::Lateness;
use crate::tier::{Stamp, WriteId};

/// A script, which the server knows by its hash.
pub(super) struct Script {
    code: &'static str,
    hash: String,
}

/// All scripts.
pub(super) struct Scripts {
    pub(super) read: Script,
    pub(super) acquire: Script,
    pub(super) store: Script,
    pub(super) set: Script,
    pub(super) invalidate: Script,
    pub(super) release: Script,
    pub(super) extend: Script,
    pub(super) bump: Script,
    pub(super) versions: Script,
    pub(super) beat: Script,
}

macro_rules! on_one_key {
    ($file:literal) => {
        Script::new(concat!(
            include_str!("scripts/remembered.lua"),
            include_str!("scripts/prelude.lua"),
            include_str!($file)
        ))
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            read: Script::new(include_str!("scripts/read.lua")),
            acquire: on_one_key!("scripts/acquire.lua"),
            store: on_one_key!("scripts/store.lua"),
            set: on_one_key!("scripts/set.lua"),
            invalidate: on_one_key!("scripts/invalidate.lua"),
            release: on_one_key!("scripts/release.lua"),
            extend: Script::new(concat!(
                include_str!("scripts/remembered.lua"),
                include_str!("scripts/extend.lua")
            )),
            bump: Script::new(include_str!("scripts/bump.lua")),
            versions: Script::new(include_str!("scripts/versions.lua")),
            beat: Script::new(include_str!("scripts/beat.lua")),
        }
    }
}

impl Scripts {
    fn all(&self) -> [&Script; 10] {
        let Self { read, acquire, store, set, invalidate, release, extend, bump, versions, beat } = self;
        [read, acquire, store, set, invalidate, release, extend, bump, versions, beat]
    }

    #[cfg(test)]
    pub(super) fn hashes(&self) -> [&str; 10] {
        self.all().map(|script| &*script.hash)
    }

    /// The commands that make them known to the server.
    pub(super) fn load(&self) -> Vec<Cmd> {
        self.all().map(Script::load).into()
    }
}

impl Script {
    pub(super) fn new(code: &'static str) -> Self {
        Self { code, hash: Hashed::new(code).get_hash().to_owned() }
    }

    /// The command that makes it known to the server.
    pub(super) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(self.code);
        command
    }

    /// A call of the script.
    pub(super) fn call(&self, keys: &[impl ToRedisArgs], args: &[Vec<u8>]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hash).arg(keys.len());
        keys.iter().for_each(|key| {
            command.arg(key);
        });
        args.iter().for_each(|arg| {
            command.arg(&arg[..]);
        });
        command
    }
}

/// A number as an argument.
pub(super) fn text(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// When a change was made, as the last arguments of a script: how long ago, how long it may have been on its way, and
/// the two numbers that [`Lateness`] has. Of a change that is made now the first is empty.
pub(super) fn lateness(late: Option<Lateness>, doubt: Duration) -> [Vec<u8>; 4] {
    let Some(Lateness { age, known, over }) = late else { return Default::default() };
    let number = |id: Option<WriteId>| id.map_or_else(Vec::new, |WriteId(id)| text(id));
    [text(age.as_micros()), text(doubt.as_micros()), number(known), number(over)]
}

/// How old a value is as it is sent, and the server's time then: arguments of `left_of`.
pub(super) fn sent(age: Duration, at: i64) -> [Vec<u8>; 2] {
    [text(age.as_micros()), text(at)]
}

/// The versions of a scope as an argument.
pub(super) fn stamp_bytes(stamp: Stamp) -> Vec<u8> {
    [stamp.stale.to_le_bytes(), stamp.gone.to_le_bytes()].concat()
}
