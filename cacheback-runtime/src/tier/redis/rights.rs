//! The rights of the user at the server, tried out with each connection.
//!
//! Each command that is needed is tried by itself, so that a refusal names it, and then each script, which is what
//! counts. All this happens on keys of its own. A user who lacks a right has no tier, and is told which one it is.

use std::time::Duration;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind};

use super::names::Names;
use super::scripts::{Scripts, lateness, sent, stamp_bytes, text};
use super::values;
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::tier::{Ages, Packed, Payload, Scope, Stamp, Token, WireKey};

/// The rights that a user needs, as `ACL SETUSER` takes them. The guide has the same line.
const NEEDED: &str = "~cb1:* &cb1:* +@read +@write +@scripting +time +publish +subscribe";

/// What the users of a cluster need besides.
const NEEDED_BY_CLUSTER: &str = "+cluster|slots +asking";

/// What it takes for a URL that names a database other than 0.
const NEEDED_FOR_A_DATABASE: &str = "+select";

/// What it takes to wait for replicas.
const NEEDED_FOR_REPLICAS: &str = "+wait";

/// The milliseconds that a key of the trial lasts if it is not deleted.
const LASTS: u64 = 1_000;

/// The commands of the trial. The scripts are known to the server when it begins.
///
/// `are_together`: on a server of a cluster they are not, and the scripts go without the versions.
pub(super) fn trial(scripts: &Scripts, names: &Names, are_together: bool) -> Vec<Cmd> {
    let token = Token::random();
    let Names { value, lease, versions } = names;
    let command = |name: &str, args: &[&str]| {
        let mut command = redis::cmd(name);
        command.arg(args);
        command
    };
    let lasts = LASTS.to_string();
    // The versions have no time to live, and their key is the same for all processes.
    let delete = || [command("DEL", &[value, lease]), command("DEL", &[versions])];
    let mut trial = Vec::from(delete());
    trial.extend([
        command("SET", &[value, "", "PX", &lasts]),
        command("SETRANGE", &[value, "0", "trial"]),
        command("PEXPIRE", &[value, &lasts]),
        command("PTTL", &[value]),
        command("GETRANGE", &[value, "0", "4"]),
        command("GET", &[value]),
    ]);
    trial.extend(delete());
    // A channel that nobody listens to. Without the right to publish, the scripts do all that they have to.
    let nobody = || value.clone().into_bytes();
    let message = || vec![0; 18];
    let names = if are_together { vec![value, lease, versions] } else { vec![value, lease] };
    let read = if are_together { vec![value, versions] } else { vec![value] };
    let (holder, stamp) = (token.0.to_le_bytes().to_vec(), Stamp::default());
    let (envelope, _) = values::envelope(&key(), payload(), stamp);
    let on_one_key = |args: &[Vec<u8>]| {
        let mut all = vec![text(i64::MAX), stamp_bytes(stamp), nobody()];
        all.extend_from_slice(args);
        all
    };
    let acquire = |ahead: Vec<u8>| {
        let (job, patience) = (Vec::new(), text(LASTS));
        let args = [holder.clone(), text(0), text(1), text(LASTS), b"r".to_vec(), ahead, job, patience];
        scripts.acquire.call(&names, &on_one_key(&args))
    };
    let fence = [holder.clone(), text(0), text(0), text(0)];
    let stored = [text(LASTS), envelope.clone(), message(), text(0)];
    let age = sent(Duration::ZERO, i64::MAX);
    let store = [&fence[..], &stored, &age].concat();
    let set = [text(0), text(0), text(LASTS), envelope.clone(), Vec::new(), message()];
    let now = lateness(None, Duration::ZERO);
    let with_lateness = |args: &[Vec<u8>]| [args, &now[..], &age].concat();
    trial.extend([
        scripts.read.call(&read, &[text(0)]),
        acquire(Vec::new()),
        scripts.extend.call(&[lease], &[text(LASTS), holder.clone()]),
        scripts.store.call(&names, &on_one_key(&store)),
        // The value is there: it is returned.
        acquire(text(0)),
        scripts.invalidate.call(&names, &on_one_key(&with_lateness(&[text(LASTS), envelope, message()]))),
        scripts.set.call(&names, &on_one_key(&with_lateness(&set))),
        scripts.release.call(&names, &on_one_key(&[holder.clone(), text(LASTS), text(1)])),
        scripts.bump.call(
            &[versions],
            &[text(i64::MAX), stamp_bytes(stamp), nobody(), b"stale".to_vec(), message(), text(0)],
        ),
        scripts.versions.call(&[versions], &[stamp_bytes(Stamp { stale: 1, gone: 1 })]),
        scripts.beat.call(&[""; 0], &[]),
    ]);
    trial.extend(delete());
    if !are_together {
        // Of no effect on what comes next, which has no keys.
        trial.push(redis::cmd("ASKING"));
    }
    trial
}

/// A key that no function has.
fn key() -> WireKey {
    let scope = Arc::new(Scope { name: "".into(), instance: None });
    WireKey { scope, hash: [0; 16], fingerprint: 0, args: [].into() }
}

/// A value without any bytes.
fn payload() -> Payload {
    let lasts = Duration::from_millis(LASTS);
    Payload {
        packed: Packed { compression: 0, raw_len: 0, bytes: Arc::default() },
        schema: 0,
        ages: Ages { age: Duration::ZERO, lifetime: lasts, retention: lasts },
        at: Moment::PAST,
        took: Duration::ZERO,
    }
}

/// The right that the user lacks, as a sentence, if an error says so. The server's own message may name the user.
pub(super) fn missing(error: &RedisError) -> Option<String> {
    let said = error.detail().unwrap_or_default();
    let others = [
        // In a script, of Redis 7.0 and of later servers.
        "The user executing the script can't",
        "ACL failure in script",
        // In a transaction.
        "because of: NOPERM",
        // In what the client sends of itself, whose error is one of its own.
        "has no permissions to run the 'select'",
    ];
    let is_told_so = others.iter().any(|other| said.contains(other));
    if error.kind() != ErrorKind::Server(ServerErrorKind::NoPerm) && !is_told_so {
        return None;
    }
    let quoted = said.split("run the '").nth(1).and_then(|rest| rest.split('\'').next());
    let lacks = match quoted {
        Some(command) => format!("run `{}`", command.replace('|', " ").to_uppercase()),
        None if said.contains("key") => "use the keys `cb1:*`".to_owned(),
        None => "run a command of the scripts".to_owned(),
    };
    let needed = match quoted {
        Some("cluster" | "cluster|slots" | "asking") => format!("{NEEDED} {NEEDED_BY_CLUSTER}"),
        Some("select") => format!("{NEEDED} {NEEDED_FOR_A_DATABASE}"),
        Some("wait") => format!("{NEEDED} {NEEDED_FOR_REPLICAS}"),
        _ => NEEDED.to_owned(),
    };
    Some(format!("its user may not {lacks}: grant it `{needed}`"))
}

#[cfg(test)]
mod tests {
    use super::super::names::Prefix;
    use super::*;

    /// As Redis 7.0 and newer servers say it.
    #[test]
    fn a_missing_right_is_named_and_the_user_is_not() {
        for (message, lacks) in [
            ("NOPERM this user has no permissions to run the 'evalsha' command", Some("run `EVALSHA`")),
            (
                "NOPERM User alice has no permissions to run the 'script|load' command",
                Some("run `SCRIPT LOAD`"),
            ),
            (
                "NOPERM this user has no permissions to access one of the keys used as arguments",
                Some("use the keys `cb1:*`"),
            ),
            ("NOPERM No permissions to access a key", Some("use the keys `cb1:*`")),
            (
                "ERR The user executing the script can't run this command or subcommand script: 43, on @user_script:1.",
                Some("run a command of the scripts"),
            ),
            (
                "ERR ACL failure in script: User alice has no permissions to run the 'pttl' command script: 43, on @user_script:1.",
                Some("run `PTTL`"),
            ),
            (
                "ERR ACL failure in script: No permissions to access a key script: 3b, on @user_script:1.",
                Some("use the keys `cb1:*`"),
            ),
            (
                "EXECABORT Transaction discarded because of: NOPERM this user has no permissions to run the 'exec' command",
                Some("run `EXEC`"),
            ),
            ("EXECABORT Transaction discarded because of previous errors.", None),
            ("ERR unknown command 'PTTL'", None),
            ("OOM command not allowed when used memory > 'maxmemory'.", None),
            ("NOSCRIPT No matching script.", None),
        ] {
            let answer = redis::parse_redis_value(format!("-{message}\r\n").as_bytes()).unwrap();
            let error = answer.extract_error().unwrap_err();
            let expected = lacks.map(|lacks| format!("its user may not {lacks}: grant it `{NEEDED}`"));
            assert_eq!(missing(&error), expected, "{message}");
        }
    }

    #[test]
    fn a_cluster_needs_more() {
        let answer = redis::parse_redis_value(
            b"-NOPERM this user has no permissions to run the 'cluster|slots' command\r\n",
        );
        let said = missing(&answer.unwrap().extract_error().unwrap_err()).unwrap();
        assert!(said.starts_with("its user may not run `CLUSTER SLOTS`: grant it `~cb1:*"), "{said}");
        assert!(said.ends_with(" +subscribe +cluster|slots +asking`"), "{said}");
    }

    /// Each script has its turn, and every key of the trial is one that the user may have rights for.
    #[test]
    fn every_script_is_tried() {
        let scripts = Scripts::new();
        let names = Prefix::new("shop").trial(Token(1));
        let trial = trial(&scripts, &names, true);
        let packed: Vec<_> = trial
            .iter()
            .map(|command| String::from_utf8_lossy(&command.get_packed_command()).into_owned())
            .collect();
        for hash in scripts.hashes() {
            assert!(packed.iter().any(|command| command.contains(hash)), "{hash}");
        }
        for command in packed {
            assert!(!command.contains("cb1:") || command.contains("shop:%trial"), "{command}");
        }
    }
}
