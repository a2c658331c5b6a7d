//! The program's options of access, metrics and log, and the scenarios over TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use rpyc_tests::Server;
use rpyc_tests::certs::Authority;
use rpyc_tests::child;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::server::{Signal, is_stock};

#[test]
fn an_unmodified_client_runs_the_scenarios_over_tls() {
    runs_over_tls("threaded", SCENARIOS);
}

#[test]
fn an_unmodified_client_of_a_pool_runs_the_scenarios_over_tls() {
    runs_over_tls("pool", SCENARIOS);
}

#[test]
fn an_unmodified_client_with_a_process_of_its_own_runs_scenarios_over_tls() {
    runs_over_tls("process", &["callbacks::"]);
}

const SCENARIOS: &[&str] = &[
    "calls::",
    "callbacks::",
    "values::",
    "exceptions::",
    "references::",
];

#[track_caller]
fn runs_over_tls(mode: &str, scenarios: &[&str]) {
    if is_stock() {
        return;
    }
    let this = std::env::current_exe().expect("this test");
    let mut command = Command::new(this);
    command
        .args(scenarios)
        .env("RPYC_TEST_TLS", "1")
        .env("RPYC_TEST_MODE", mode);
    let output = child::output(&mut command).expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("running 0 tests"), "{text}");
}

#[test]
fn clients_of_a_small_pool_over_tls_are_served_beside_idle_ones() {
    if is_stock() {
        return;
    }
    let server = Server::with_tls(&["--mode", "pool", "--workers", "2"]);
    server.check_program(
        "
        idle = [connect() for _ in range(20)]
        errors = []
        def one(number):
            try:
                with connect() as c:
                    for n in range(20):
                        same(c.eval(f'{number} * {n}'), number * n)
            except Exception as error:
                errors.append(repr(error))
        threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
        for t in threads: t.start()
        for t in threads: t.join(PATIENCE)
        same(errors, [])
        for c in idle:
            same(c.eval('6 * 7'), 42)
            c.close()
        ",
    );
}

#[test]
fn certificates_are_asked_for_and_read_again_at_sighup() {
    if is_stock() {
        return;
    }
    let (clients, next) = (Authority::new("clients"), Authority::new("next"));
    let ca = clients.path();
    let mut server = Server::with_tls(&["--ssl-cafile", ca.to_str().expect("a path")]);
    let client = clients.client();
    let with_certificate = |code: &str| {
        server
            .program(code)
            .variable("CERT", client.certificate.to_string_lossy())
            .variable("KEY", client.key.to_string_lossy())
            .outcome()
    };
    let connect = "rpyc.classic.ssl_connect(HOST, PORT, ca_certs=os.environ['PEER_CA'], certfile=os.environ['CERT'], keyfile=os.environ['KEY'])";
    let outcome = with_certificate(&format!("assert {connect}.eval('6 * 7') == 42"));
    server.succeed(outcome);
    server.check_program(
        "
        import ssl
        try:
            connect().eval('1')
        except (EOFError, ssl.SSLError, ConnectionError):
            pass
        else:
            raise AssertionError('a client without a certificate was let in')
        ",
    );
    server.wait_for_log("why", |lines| {
        lines
            .iter()
            .find(|line| line.contains("showed no certificate"))
            .cloned()
    });
    // Another authority's certificate, in the same files.
    let renewed = next.server();
    let own = server.authority().expect("over TLS").path();
    fs::copy(&renewed.certificate, own.with_file_name("server.pem")).expect("a file");
    fs::copy(&renewed.key, own.with_file_name("server.key")).expect("a file");
    server.signal(Signal::HUP);
    server.wait_for_log("SIGHUP", |lines| {
        lines
            .iter()
            .find(|line| line.contains("are read anew"))
            .cloned()
    });
    fs::copy(next.path(), own).expect("a file");
    let outcome = with_certificate(&format!("assert {connect}.eval('6 * 7') == 42"));
    server.succeed(outcome);
    let status = server.stop(Signal::TERM, PATIENCE);
    assert!(status.success());
}

#[test]
fn an_address_that_others_reach_is_fine_for_allowed_networks() {
    if is_stock() {
        return;
    }
    let server = Server::with_options(&["--host", "0.0.0.0", "--allow", "127.0.0.0/8"]);
    server.check("assert conn.eval('6 * 7') == 42");
    assert!(
        !server.log().contains("whoever reaches"),
        "{}",
        server.log()
    );
}

#[test]
fn metrics_and_a_log_of_json_are_there_when_they_are_asked_for() {
    if is_stock() {
        return;
    }
    let server = Server::with_options(&["--metrics", "0", "--log-format", "text"]);
    server.check("assert conn.eval('6 * 7') == 42");
    let address = server.wait_for_log("the endpoint", |lines| {
        let line = lines
            .iter()
            .find_map(|line| line.split_once("metrics at http://"));
        line.and_then(|(_, rest)| rest.strip_suffix("/metrics").map(str::to_owned))
    });
    let counted = [
        "rpyc_requests_total{handler=\"GETROOT\"",
        "rpyc_connections_total 1\n",
    ];
    let began = Instant::now();
    loop {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\n\r\n")
            .expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        if counted.iter().all(|number| text.contains(number)) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{text}");
    }

    let logged = Server::with_options(&["--log-format", "json"]);
    assert!(
        logged.log().lines().all(|line| line.starts_with("{\"")),
        "{}",
        logged.log()
    );
}
