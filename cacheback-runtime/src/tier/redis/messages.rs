//! Messages as bytes: `version 1 | kind 1 | origin 8 | number 8 | name | instance | arguments`, with the length of name and
//! instance, as 4 bytes, before each. An instance of no length is none.
//!
//! The number is written by the server: a script sends the message of the change that it has made. In that of a change of
//! all keys it is the version that has grown, and in an echo that of the connection that it was sent on.

use crate::base::sync::Arc;
use crate::tier::messages::{Content, Message, News};
use crate::tier::{Bump, Scope, WriteId};

/// A message of another version is not understood.
const VERSION: u8 = 1;

const CHANGED: u8 = 1;
const STALE: u8 = 2;
const GONE: u8 = 3;
/// It tells its own sender that messages arrive.
const ECHO: u8 = 4;
/// A key was deleted, as it could not be changed. For the others it is changed.
const DELETED: u8 = 5;

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// With its number.
    Message(Message, u64),
    /// The same of a key that was deleted in place of a change, which its sender has made all the same.
    Deleted(Message, u64),
    /// From this process, on this connection.
    Echo { origin: u64, connection: u64 },
}

/// The message of a change of a key, without its number.
pub(crate) fn changed(origin: u64, scope: &Scope, args: &[u8]) -> Vec<u8> {
    let mut bytes = of_scope(CHANGED, origin, scope);
    bytes.extend_from_slice(args);
    bytes
}

/// The message of a key that was deleted.
pub(crate) fn deleted(origin: u64, scope: &Scope, args: &[u8]) -> Vec<u8> {
    let mut bytes = of_scope(DELETED, origin, scope);
    bytes.extend_from_slice(args);
    bytes
}

/// The same with a number, of a change that no script makes.
pub(crate) fn numbered(mut message: Vec<u8>, number: i64) -> Vec<u8> {
    message[10..18].copy_from_slice(&number.to_le_bytes());
    message
}

/// The message of a change of all keys.
pub(crate) fn bumped(origin: u64, scope: &Scope, change: Bump) -> Vec<u8> {
    let kind = match change {
        Bump::Stale => STALE,
        Bump::Gone => GONE,
    };
    of_scope(kind, origin, scope)
}

pub(crate) fn echo(origin: u64, connection: u64) -> Vec<u8> {
    head(ECHO, origin, connection)
}

fn head(kind: u8, origin: u64, number: u64) -> Vec<u8> {
    let mut bytes = vec![VERSION, kind];
    bytes.extend_from_slice(&origin.to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes
}

fn of_scope(kind: u8, origin: u64, scope: &Scope) -> Vec<u8> {
    let mut bytes = head(kind, origin, 0);
    for part in [&*scope.name, scope.instance.as_deref().unwrap_or_default()] {
        // A name of four gigabytes is none.
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// Reads a message. `None`: it is none, or of another version.
pub(crate) fn read(bytes: &[u8]) -> Option<Received> {
    let (&[VERSION, kind], rest) = bytes.split_first_chunk()? else { return None };
    let (origin, rest) = number(rest)?;
    let (id, rest) = number(rest)?;
    if kind == ECHO {
        return Some(Received::Echo { origin, connection: id });
    }
    let (name, rest) = text(rest)?;
    let (instance, args) = text(rest)?;
    let instance = Some(instance).filter(|instance| !instance.is_empty()).map(Into::into);
    let content = match kind {
        CHANGED | DELETED => Content::Changed(News { args: args.into(), id: WriteId(id) }),
        STALE => Content::Bumped(Bump::Stale),
        GONE => Content::Bumped(Bump::Gone),
        _ => return None,
    };
    let scope = Arc::new(Scope { name: name.into(), instance });
    let message = Message { origin, scope, content };
    Some(if kind == DELETED { Received::Deleted(message, id) } else { Received::Message(message, id) })
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(instance: Option<&str>) -> Arc<Scope> {
        Arc::new(Scope { name: "shop::users".into(), instance: instance.map(Into::into) })
    }

    fn messages() -> Vec<(Vec<u8>, Received)> {
        let of = |scope, content| Received::Message(Message { origin: 7, scope, content }, 0);
        let news = News { args: [1, 2, 3].into(), id: WriteId(0) };
        let instance = scope(Some("u8"));
        vec![
            (changed(7, &scope(None), &[1, 2, 3]), of(scope(None), Content::Changed(news.clone()))),
            (changed(7, &instance, &[1, 2, 3]), of(instance, Content::Changed(news.clone()))),
            (deleted(7, &scope(None), &[1, 2, 3]), {
                let content = Content::Changed(news);
                Received::Deleted(Message { origin: 7, scope: scope(None), content }, 0)
            }),
            (bumped(7, &scope(None), Bump::Stale), of(scope(None), Content::Bumped(Bump::Stale))),
            (bumped(7, &scope(None), Bump::Gone), of(scope(None), Content::Bumped(Bump::Gone))),
            (echo(7, 3), Received::Echo { origin: 7, connection: 3 }),
        ]
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        for (bytes, message) in messages() {
            assert_eq!(read(&bytes), Some(message));
        }
    }

    /// The script writes the number into these bytes.
    #[test]
    fn the_number_is_the_third_field() {
        let mut bytes = changed(7, &scope(None), &[1]);
        bytes[10..18].copy_from_slice(&99_u64.to_le_bytes());
        let Some(Received::Message(Message { content: Content::Changed(news), .. }, 99)) = read(&bytes)
        else {
            panic!("a message")
        };
        assert_eq!(news.id, WriteId(99));
    }

    /// Whoever may publish on the channel may send anything.
    #[test]
    fn no_bytes_do_harm() {
        for (bytes, _) in messages() {
            for length in 0..bytes.len() {
                let _ = read(&bytes[..length]);
            }
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1 << bit;
                    let _ = read(&bytes);
                }
            }
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[2, CHANGED]), None, "another version");
    }
}
