//! Bytes that are not what they should be: values and keys that cannot be sent, and envelopes that somebody has changed.

mod support;

use support::{Origin, Process, Server, envelope, wait_until};

/// A server and two processes.
fn fleet() -> Option<(Server, Origin, Process, Process)> {
    let server = Server::start_tier()?;
    let origin = Origin::start();
    let [one, other] = [(); 2].map(|()| Process::start(&origin, &server.url(), &["timeout=1000"]));
    Some((server, origin, one, other))
}

/// No clock of a process takes part in a decision.
#[test]
fn a_writer_whose_clock_is_wrong_by_an_hour() {
    let Some((server, origin, mut one, mut other)) = fleet() else { return };
    const HOUR_MS: i64 = 3_600_000;
    for (key, skew) in [("behind", -HOUR_MS), ("ahead", HOUR_MS)] {
        server.run::<()>("FLUSHALL");
        assert_eq!(one.ask(&format!("get long {key}")), "Fetched Fetched 1");
        envelope::change(&server, |bytes| {
            let field = &mut bytes[envelope::CREATED_MS..envelope::CREATED_MS + 8];
            let skewed = i64::from_le_bytes((&*field).try_into().unwrap()) + skew;
            field.copy_from_slice(&skewed.to_le_bytes());
        });
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared 1");
        // Stale and fresh are told apart as ever.
        assert_eq!(other.ask(&format!("invalidate long {key}")), "ok");
        origin.began(key, 2);
        other.ask("settle");
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Local 2");
        assert_eq!(origin.runs(key).len(), 2);
    }
}

/// An envelope of which one bit was changed is a miss, and replaced.
#[test]
fn a_damaged_value_is_fetched_anew() {
    let Some((server, origin, mut one, mut other)) = fleet() else { return };
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    let key = server.only("cb1:v:*");
    let length: usize = server.run(&format!("STRLEN {key}"));
    server.run::<()>(&format!("SETBIT {key} {} 0", length * 8 - 1));
    server.run::<()>(&format!("SETBIT {key} {} 1", length * 8 - 2));
    assert_eq!(other.ask("get long a"), "Fetched Fetched 2");
    assert_eq!(Process::start(&origin, &server.url(), &[]).ask("get long a"), "Fresh Shared 2");
}

/// A process that reads 5,000 lists in one another lives, and fetches.
#[test]
fn a_value_that_nests_too_deep_is_not_read() {
    let Some((server, origin, mut one, mut other)) = fleet() else { return };
    assert_eq!(one.ask("look nested 100"), "Fetched Fetched");
    envelope::change(&server, |bytes| {
        bytes.truncate(envelope::HEADER);
        // A list of one element, 5,000 times, and an empty one.
        bytes.extend_from_slice(&[0x91; 5_000]);
        bytes.push(0x90);
        bytes[envelope::RAW_LEN..envelope::RAW_LEN + 4].copy_from_slice(&5_001_u32.to_le_bytes());
    });
    assert_eq!(other.ask("look nested 100"), "Fetched Fetched");
    assert!(other.logs("cannot be read").contains("its bytes nest deeper than 128 levels"));
    assert_eq!(origin.runs("100").len(), 2);
    // What it has brought is read.
    assert_eq!(Process::start(&origin, &server.url(), &[]).ask("look nested 100"), "Fresh Shared");
}

/// Each stays in its process, which says why, once, and nobody fails.
#[test]
fn values_and_keys_that_cannot_be_sent() {
    let Some((server, _origin, mut one, mut other)) = fleet() else { return };
    for (call, message, why) in [
        ("nested 5000", "a value is not shared", "it nests deeper than 128 levels"),
        ("unsendable fails", "a value is not shared", "its `Serialize` has returned an error"),
        ("by_set 1000", "a key is not shared", "does it hold a `HashSet` or `HashMap`?"),
    ] {
        for process in [&mut one, &mut other] {
            assert_eq!(process.ask(&format!("look {call}")), "Fetched Fetched", "{call}");
            assert_eq!(process.ask(&format!("look {call}")), "Fresh Local", "{call}");
            let lines = process.logged(why);
            assert_eq!(lines.len(), 1, "{call}: {lines:?}");
            assert!(lines[0].contains(message), "{lines:?}");
        }
    }
    assert_eq!(one.ask("look unsendable panics"), "Fetched Fetched");
    // The end of a lease is sent, and not waited for.
    wait_until("a value or a lease is there", || server.run::<Vec<String>>("KEYS cb1:*").is_empty());
    assert_eq!(one.ask("look unsendable other"), "Fetched Fetched");
    assert_eq!(other.ask("look unsendable other"), "Fresh Shared", "it is up all the time");
}
