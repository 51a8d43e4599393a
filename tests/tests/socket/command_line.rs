//! What the binary says to bad usage: exit code 2 and a sentence, before any port opens.

use std::process::{Command, Output};

/// The binary beside this test. Cargo builds it for tests of its own package only, so it is built here.
pub(crate) fn tickwire() -> Command {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "tickwire-server", "--bin", "tickwire-server"])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .status()
        .expect("cargo");
    assert!(status.success(), "the server builds");
    let own = std::env::current_exe().expect("this test");
    let directory = own.parent().and_then(|deps| deps.parent()).expect("a target directory");
    let mut command = Command::new(directory.join("tickwire-server"));
    command.env_clear();
    command
}

/// A server that is gone when the test is, however that ends.
pub(crate) struct Server(pub(crate) std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Mostly it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the server ran");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("a code"), text(stdout), text(stderr))
}

/// Arguments, environment, and words that the complaint must have.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn bad_usage() {
    let table: [Case<'_>; 28] = [
        (&["--tick-hz", "0"], &[], &["tick_hz = 0", "1 to 240"]),
        (&["--tick-hz", "fast"], &[], &["'fast'", "--tick-hz"]),
        (&["--no-such-flag"], &[], &["--no-such-flag"]),
        (&["dance"], &[], &["dance"]),
        (&["serve", "--bots", "-1"], &[], &["-1"]),
        (&["serve", "--size-m", "10"], &[], &["arena.size_m = 10", "50 to 4000"]),
        (&["--listen", "nowhere"], &[], &["nowhere", "--listen"]),
        (&["--listen", "0.0.0.0:0"], &[], &["listen = 0.0.0.0:0", "--allow-plaintext"]),
        (&["--admin-listen", "0.0.0.0:0"], &[], &["admin_listen = 0.0.0.0:0", "--allow-public-admin"]),
        (&[], &[("TICKWIRE_ADMIN_LISTEN", "[::]:0")], &["admin_listen = [::]:0", "allow_public_admin"]),
        (&["--config", "/no/such/file.toml"], &[], &["/no/such/file.toml"]),
        (&[], &[("PORT", "8080")], &["listen = 0.0.0.0:8080", "--allow-plaintext"]),
        (&["--listen", "0.0.0.0:0"], &[], &["--tls-cert", "--trusted-proxy"]),
        (&["--tls-cert", "a.pem"], &[], &["tls.cert = a.pem", "--tls-key"]),
        (&["--tls-cert", "/no/a.pem", "--tls-key", "b.pem"], &[], &["tls.cert = /no/a.pem", "No such file"]),
        (&["--trusted-proxy", "everybody"], &[], &["proxy.trusted"]),
        (&["--proxy-protocol", "v2"], &[], &["proxy.protocol = v2", "proxy.trusted"]),
        (&["--listen", "0.0.0.0:0", "--allow-plaintext"], &[], &["auth.mode = auto", "--auth anonymous"]),
        (&["--auth", "jwt"], &[], &["auth.mode = jwt", "--auth-key"]),
        (&["--auth-key", "/no/a.pem"], &[], &["auth.key_file = /no/a.pem", "No such file"]),
        (&["token", "--key", "/no/a.pem"], &[], &["/no/a.pem", "No such file"]),
        (&[], &[("PORT", "many")], &["PORT", "many"]),
        (&[], &[("TICKWIRE_TICK_HZ", "0")], &["tick_hz = 0", "1 to 240"]),
        (&[], &[("TICKWIRE_LIMITS__HELLO_DEADLINE", "soon")], &["hello_deadline", "soon", "15s"]),
        (&[], &[("TICKWIRE_TICKRATE", "30")], &["TICKWIRE_TICKRATE", "did you mean TICKWIRE_TICK_HZ"]),
        (&[], &[("TICKWIRE_LIMIT__HELLO_DEADLINE", "5s")], &["TICKWIRE_LIMITS__HELLO_DEADLINE"]),
        (&["--log-level", "loud"], &[], &["log.level = loud", "info"]),
        (&["--tick-hz", "240"], &[("TICKWIRE_LIMITS__BYTES_PER_S", "8KiB")], &["limits.bytes_per_s", "240"]),
    ];
    for (arguments, environment, words) in table {
        let (code, stdout, stderr) = run(tickwire().args(arguments).envs(environment.iter().copied()));
        assert_eq!(code, 2, "{arguments:?} {environment:?}: {stderr}");
        let lower = stderr.to_lowercase();
        for word in words {
            assert!(lower.contains(&word.to_lowercase()), "{arguments:?} {environment:?}: {word}: {stderr}");
        }
        assert_eq!(stdout, "", "nothing was begun");
    }
}

#[test]
fn layers_of_configuration() {
    let file = std::env::temp_dir().join(format!("tickwire-{}.toml", std::process::id()));
    std::fs::write(&file, "tick_hz = 10\nroom_capacity = 11\nconnections_max = 12\n").expect("a file");
    let (code, stdout, _) = run(tickwire()
        .args(["print-config", "--tick-hz", "13", "--config"])
        .arg(&file)
        .envs([("TICKWIRE_TICK_HZ", "14"), ("TICKWIRE_ROOM_CAPACITY", "15"), ("TICKWIRE_ARENA__BOTS", "3")]));
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(code, 0);
    for line in ["tick_hz = 13", "room_capacity = 15", "connections_max = 12", "bots = 3", "rooms_max = 64"] {
        assert!(stdout.lines().any(|other| other == line), "{line}: {stdout}");
    }
    assert_eq!(run(tickwire().arg("check-config")).0, 0);
}

#[test]
fn a_key_that_is_none_is_refused_with_its_place_and_what_was_meant() {
    let file = std::env::temp_dir().join(format!("tickwire-unknown-{}.toml", std::process::id()));
    std::fs::write(&file, "[limits]\nhelo_deadline = \"3s\"\n").expect("a file");
    let (code, _, stderr) = run(tickwire().args(["check-config", "--config"]).arg(&file));
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(code, 2);
    let place = format!("limits.helo_deadline in {}", file.display());
    for words in [place.as_str(), "did you mean limits.hello_deadline"] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
}

#[test]
fn what_is_printed_is_a_configuration() {
    let (code, printed, _) = run(tickwire().args(["print-config", "--tick-hz", "17"]));
    assert_eq!(code, 0);
    let file = std::env::temp_dir().join(format!("tickwire-printed-{}.toml", std::process::id()));
    std::fs::write(&file, &printed).expect("a file");
    let (code, again, _) = run(tickwire().args(["print-config", "--config"]).arg(&file));
    std::fs::remove_file(&file).expect("removed");
    assert_eq!((code, again), (0, printed));
}

#[test]
fn schemas() {
    let folder = std::env::temp_dir();
    let (code, schema, _) = run(tickwire().args(["schema", "--json"]));
    assert_eq!(code, 0);
    let (old, new) = (
        folder.join(format!("old-{}", std::process::id())),
        folder.join(format!("new-{}", std::process::id())),
    );
    std::fs::write(&old, &schema).expect("a file");
    std::fs::write(&new, schema.replace("\"heading\"", "\"bearing\"")).expect("a file");
    let diff = |one, two| run(tickwire().args(["schema", "diff"]).arg(one).arg(two));
    assert_eq!(diff(&old, &old).0, 0);
    let (code, stdout, _) = diff(&old, &new);
    assert!(code == 1 && stdout.contains("Drone.bearing"), "{stdout}");
    std::fs::remove_file(&new).expect("removed");
    assert_eq!(diff(&old, &new).0, 2);
    std::fs::remove_file(&old).expect("removed");
}

#[test]
fn help_has_an_example_and_a_health_check_fails_without_a_server() {
    for command in ["serve", "check-config", "print-config", "healthcheck", "schema", "token"] {
        let (code, stdout, _) = run(tickwire().args([command, "--help"]));
        assert!(code == 0 && stdout.contains("Example:"), "{command}: {stdout}");
    }
    let (code, _, stderr) = run(tickwire().args(["healthcheck", "--url", "http://127.0.0.1:9/readyz"]));
    assert!(code == 1 && !stderr.is_empty(), "{code} {stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_dangerous_is_said_aloud() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    // This machine's own address in the clothes of IPv6, which nobody takes for one: public to the configuration.
    let address = "[::ffff:127.0.0.1]:0";
    if std::net::TcpListener::bind(address).is_err() {
        return println!("skipped: there is no IPv6 here");
    }
    let server = tickwire()
        .args(["--listen", address, "--admin-listen", address, "--auth", "anonymous"])
        .args(["--allow-plaintext", "--allow-public-admin"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut server = Server(server.expect("the server runs"));
    let lines = BufReader::new(server.0.stderr.take().expect("its log")).lines();
    let mut wanted = vec!["PLAIN TEXT ON A PUBLIC ADDRESS", "THE ADMIN PORT IS ON A PUBLIC ADDRESS"];
    for line in lines.map_while(Result::ok) {
        wanted.retain(|words| !(line.contains(words) && line.contains("WARN")));
        if wanted.is_empty() {
            return;
        }
    }
    panic!("never said: {wanted:?}");
}

#[cfg(unix)]
#[test]
fn one_line_with_the_address_and_a_clean_end_by_a_signal() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let server = tickwire()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut server = Server(server.expect("the server runs"));
    let mut lines = BufReader::new(server.0.stdout.take().expect("its output")).lines();
    let line = lines.next().expect("a line").expect("text");
    let url = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).expect("a URL");
    assert_eq!(run(tickwire().args(["healthcheck", "--url", &format!("{url}readyz")])).0, 0);
    let ended = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().expect("kill");
    assert!(ended.success());
    assert_eq!(server.0.wait().expect("it ended").code(), Some(0));
    assert!(lines.next().is_none(), "one line only");
}
