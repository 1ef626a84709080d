//! Ways to a server: TLS, a socket of the file system, users and databases; and those that lead nowhere.

mod support;

use std::net::TcpListener;
use std::time::Duration;

use support::tls::Authority;
use support::{Origin, Process, Proxy, Server, wait_until};

/// Two processes that trust the CA share their values; the user's password is sent over TLS.
#[test]
fn a_server_with_a_certificate_of_a_private_ca() {
    let authority = Authority::new("a CA");
    let Some((server, port)) = authority.server("127.0.0.1") else { return };
    server.add_user("shop", "secret");
    server.run::<()>("ACL SETUSER default off");
    let origin = Origin::start();
    let file = authority.file().display().to_string();
    let url = format!("rediss://shop:secret@127.0.0.1:{port}/");
    let start = || Process::start_in(&[("SSL_CERT_FILE", &*file)], &origin, &url, &["timeout=2000"]);
    let [mut one, mut other] = [(); 2].map(|()| start());
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(other.ask("get long a"), "Fresh Shared 1");
    assert_eq!(one.ask("set long a b"), "ok");
    assert_eq!(start().ask("get long a"), "Fresh Shared b");
    for process in [&one, &other] {
        assert_eq!(process.logged("WARN"), [""; 0]);
        assert_eq!(process.logged("second tier connected").len(), 1);
        assert_eq!(process.logged("secret"), [""; 0]);
    }
}

/// The tier is down, which is said once and in a sentence, and nobody waits for it.
#[test]
fn a_server_whose_certificate_is_not_trusted() {
    let authority = Authority::new("a CA");
    let (another, namesake) = (Authority::new("another CA"), Authority::new("a CA"));
    let Some((server, port)) = authority.server("localhost") else { return };
    for (trusted, why) in [
        (another.file(), "invalid peer certificate: UnknownIssuer"),
        (namesake.file(), "invalid peer certificate: BadSignature"),
        // The CA is the right one, and the server is another.
        (authority.file(), "certificate not valid for name"),
    ] {
        let (origin, proxy) = (Origin::start(), Proxy::before(port));
        let file = trusted.display().to_string();
        let url = format!("rediss://user:secret@127.0.0.1:{}/", proxy.port);
        let mut one = Process::start_in(&[("SSL_CERT_FILE", &*file)], &origin, &url, &["timeout=2000"]);
        let line = one.logs("second tier lost");
        assert!(line.contains(why), "{line}");
        for call in 0..10 {
            let answer = one.send(&format!("get long {call}")).answer();
            assert_eq!(answer.words, "Fetched Fetched 1");
            assert!(answer.took < Duration::from_millis(1_000), "{:?}", answer.took);
        }
        assert!(one.ask("set long a b").starts_with("Unreachable "));
        wait_until("it tries again", || proxy.connections() >= 2);
        assert_eq!(one.logged("second tier lost").len(), 1, "{:?}", one.logged(""));
        // And once that the write waits. Nothing else.
        assert_eq!(one.logged("was not told of changes").len(), 1, "{:?}", one.logged(""));
        assert_eq!(one.logged("").len(), 2, "{:?}", one.logged(""));
        assert!(!line.contains("secret"));
    }
    assert_eq!(server.run::<Vec<String>>("KEYS *"), [""; 0]);
}

/// User, password and database stand in the URL, whatever leads to the server.
#[test]
fn sockets_users_and_databases() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock").display().to_string();
    let Some(server) = Server::start(&["--unixsocket", &socket]) else { return };
    server.add_user("shop", "se@cret");
    let origin = Origin::start();
    for (database, url) in [
        (0, format!("redis+unix://{socket}")),
        (3, format!("redis+unix://{socket}?db=3&user=shop&pass=se%40cret")),
        (4, format!("redis://shop:se%40cret@127.0.0.1:{}/4", server.port)),
    ] {
        let [mut one, mut other] = [(); 2].map(|()| Process::start(&origin, &url, &["timeout=2000"]));
        let key = format!("a{database}");
        assert_eq!(one.ask(&format!("get long {key}")), "Fetched Fetched 1", "{url}");
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared 1", "{url}");
        let keyspace: String = server.run("INFO keyspace");
        assert!(keyspace.contains(&format!("db{database}:keys=")), "{url}: {keyspace}");
        assert_eq!(one.logged("cret"), [""; 0]);
    }
}

/// Each mistake is a sentence: at the start if the URL shows it, and in the log if the server does.
#[test]
fn ways_that_lead_nowhere() {
    let Some(server) = Server::start(&["--requirepass", "right"]) else { return };
    let origin = Origin::start();
    for url in
        ["127.0.0.1:6379", "http://127.0.0.1/", "redis://user:secret@127.0.0.1:port/", "redis+unix://", ""]
    {
        let refusal = Process::refusal(&origin, url);
        assert!(refusal.starts_with("the URL of a Redis server: "), "{url}: {refusal}");
        assert!(!refusal.contains("secret"), "{refusal}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = server.port;
    for (url, why) in [
        (format!("redis://127.0.0.1:{nobody}/"), "Connection refused"),
        (format!("redis://:secret@127.0.0.1:{port}/"), "Password authentication failed"),
        (format!("redis://shop:secret@127.0.0.1:{port}/"), "Password authentication failed"),
        (format!("redis://127.0.0.1:{port}/"), "NOAUTH"),
        (format!("redis://:right@127.0.0.1:{port}/99"), "DB index is out of range"),
        // A server without TLS waits for the rest of a line.
        (format!("rediss://:right@127.0.0.1:{port}/"), "no answer in time"),
        ("redis+unix:///nowhere/redis.sock".to_owned(), "No such file"),
    ] {
        let mut one = Process::start(&origin, &url, &["timeout=500"]);
        let answer = one.send("get long a").answer();
        assert!(answer.words.starts_with("Fetched Fetched "), "{}", answer.words);
        // No more than one operation waits.
        assert!(answer.took < Duration::from_millis(900), "{url}: {:?}", answer.took);
        let line = one.logs("second tier lost");
        assert!(!line.contains("secret"), "{line}");
        assert!(line.contains(why), "{url}: {line}");
        let write = one.ask("set long a b");
        assert!(write.starts_with("Unreachable "), "{write}");
        assert_eq!(one.logged("second tier lost").len(), 1, "{:?}", one.logged(""));
        // And once that the write waits. Nothing else.
        assert_eq!(one.logged("was not told of changes").len(), 1, "{:?}", one.logged(""));
        assert_eq!(one.logged("").len(), 2, "{:?}", one.logged(""));
    }
}
