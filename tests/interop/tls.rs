//! The scenarios over TLS.

use std::process::Command;

use rpyc_tests::Server;
use rpyc_tests::child;
use rpyc_tests::server::is_stock;

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
