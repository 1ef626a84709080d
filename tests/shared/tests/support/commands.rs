//! Commands as they go over the wire, and the operations of the tier that they are.

use std::collections::HashMap;
use std::time::Instant;

/// An operation of the tier: one command, or one transaction.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// That of a script (`acquire`), or `read`, or the commands themselves.
    pub(crate) name: String,
    pub(crate) at: Instant,
}

/// The scripts, by the ends of their sources.
const SCRIPTS: [(&str, &str); 11] = [
    ("versions", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/versions.lua")),
    ("beat", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/beat.lua")),
    ("read", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/read.lua")),
    ("acquire", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/acquire.lua")),
    ("store", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/store.lua")),
    ("set", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/set.lua")),
    ("invalidate", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/invalidate.lua")),
    ("release", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/release.lua")),
    ("extend", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/extend.lua")),
    ("bump", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/bump.lua")),
    ("enqueue", include_str!("../../../../cacheback-runtime/src/tier/redis/scripts/queue/enqueue.lua")),
];

/// They make a connection, or keep it.
const KEEPING: [&str; 15] = [
    "ASKING",
    "AUTH",
    "CLIENT",
    "CLUSTER",
    "CONFIG",
    "INFO",
    "PUBLISH",
    "SCAN",
    "SCRIPT",
    "SELECT",
    "SUBSCRIBE",
    "TIME",
    "beat",
    "extend",
    "trial",
];

/// The operations of all connections.
#[derive(Default)]
pub(crate) struct Commands {
    /// The names of the scripts that the server was told, by their hashes.
    scripts: HashMap<String, &'static str>,
    operations: Vec<Operation>,
}

/// What has come on one connection, and is no operation yet.
#[derive(Default)]
pub(crate) struct Begun {
    bytes: Vec<u8>,
    /// The commands of a transaction.
    transaction: Option<Vec<String>>,
}

impl Commands {
    /// Notes the operations that are complete with these bytes, and returns their names.
    pub(crate) fn note(&mut self, begun: &mut Begun, bytes: &[u8]) -> Vec<String> {
        begun.bytes.extend_from_slice(bytes);
        let mut names = Vec::new();
        while let Some((command, length)) = parse(&begun.bytes) {
            begun.bytes.drain(..length);
            names.extend(self.name(&mut begun.transaction, &command));
        }
        let at = Instant::now();
        let noted = names.iter().filter(|name| !KEEPING.contains(&&***name));
        self.operations.extend(noted.map(|name| Operation { name: name.clone(), at }));
        names
    }

    /// The name of an operation, once all of it has come.
    fn name(&mut self, transaction: &mut Option<Vec<String>>, command: &[String]) -> Option<String> {
        let name = match &command.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["MULTI"] => {
                *transaction = Some(Vec::new());
                return None;
            }
            ["EXEC"] => match &transaction.take()?.join(" ")[..] {
                "PTTL GET GET" => "read".to_owned(),
                other => other.to_owned(),
            },
            ["SCRIPT", "LOAD", code] => {
                let (name, _) = SCRIPTS.into_iter().find(|(_, end)| code.ends_with(end))?;
                self.scripts.insert(redis::Script::new(code).get_hash().to_owned(), name);
                "SCRIPT".to_owned()
            }
            // It has keys of its own.
            words if words.iter().any(|word| word.contains(":%trial")) => "trial".to_owned(),
            ["EVALSHA", hash, ..] => (*self.scripts.get(*hash)?).to_owned(),
            [name, ..] => (*name).to_owned(),
            [] => return None,
        };
        match transaction {
            Some(transaction) => {
                transaction.push(name);
                None
            }
            None => Some(name),
        }
    }

    /// The operations since the last call.
    pub(crate) fn take(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.operations)
    }
}

/// The first command in the bytes, an array of strings, and its length. `None` if not all of it is there, or if the
/// bytes are none.
fn parse(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let mut rest = bytes;
    let parts = number(&mut rest, b'*')?;
    let mut command = Vec::with_capacity(parts);
    for _ in 0..parts {
        let length = number(&mut rest, b'$')?;
        let part = rest.get(..length)?;
        rest = rest.get(length + 2..)?;
        command.push(String::from_utf8_lossy(part).into_owned());
    }
    Some((command, bytes.len() - rest.len()))
}

/// A line with a number: `*3`.
fn number(rest: &mut &[u8], mark: u8) -> Option<usize> {
    let line = rest.strip_prefix(&[mark])?;
    let end = line.windows(2).position(|end| end == b"\r\n")?;
    *rest = &line[end + 2..];
    std::str::from_utf8(&line[..end]).ok()?.parse().ok()
}
