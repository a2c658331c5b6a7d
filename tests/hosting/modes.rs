//! A service in each mode, over TLS, and in a registry.

use rpyc_tests::Script;
use rpyc_tests::certs::Authority;
use rpyc_tests::registry::Registry;
use rpyc_tests::server;

use crate::{client, command, folder, hosted, pythons};

const USES_IT: &str = r#"
    conn = connect()
    root = conn.root
    print(root.add(1, 2), root.calls(lambda x: x + 1, 4), root.root(), len(root.Coil(3)))
    tried("secret", getattr, root, "secret")
    conn.close()
"#;
const WRITTEN: &str = "3 5 answer 3\nsecret is refused";

#[test]
fn a_service_works_in_each_mode_with_clients_of_several_threads() {
    for python in pythons() {
        for mode in ["threaded", "pool", "process"] {
            let server = hosted(python.as_deref(), "MagnetService", &["--mode", mode]);
            assert_eq!(client(&server, USES_IT), WRITTEN, "{mode}");
            let written = client(
                &server,
                r#"
                import threading
                def work(number):
                    root = connect().root
                    results.append(sum(root.calls(lambda x: root.add(x, 1), i) for i in range(20)))
                results = []
                threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                print(results)
                "#,
            );
            assert_eq!(written, "[210, 210, 210, 210]", "{mode}");
        }
        let server = hosted(python.as_deref(), "MagnetService", &["--mode", "oneshot"]);
        assert_eq!(client(&server, USES_IT), WRITTEN);
    }
}

#[test]
fn a_service_is_served_over_the_standard_streams() {
    for python in pythons() {
        let mut arguments = vec![
            server::binary().display().to_string(),
            "--service=lab:MagnetService".to_owned(),
            "--mode=stdio".to_owned(),
            format!("--path={}", folder().display()),
        ];
        if let Some(python) = python {
            arguments.push(format!("--python={}", python.display()));
        }
        let script = Script::new(&format!(
            r#"
            import rpyc
            conn = rpyc.utils.factory.connect_subproc({arguments:?})
            print(conn.root.add(1, 2), conn.root.calls(lambda x: x + 1, 4))
            conn.close()
            "#
        ));
        assert_eq!(script.outcome().as_deref(), Ok("3 5"));
    }
}

#[test]
fn a_service_is_served_over_tls() {
    let authority = Authority::new("authority");
    let identity = authority.server();
    let files = [&identity.certificate, &identity.key].map(|path| path.display().to_string());
    for python in pythons() {
        let tls = ["--ssl-certfile", &files[0], "--ssl-keyfile", &files[1]];
        let server = hosted(python.as_deref(), "MagnetService", &tls);
        let written = client(
            &server,
            &format!(
                "conn = rpyc.ssl_connect('127.0.0.1', PORT, ca_certs={:?})\nprint(conn.root.add(1, 2))",
                authority.path()
            ),
        );
        assert_eq!(written, "3");
    }
}

#[test]
fn a_service_registers_under_its_aliases_in_each_mode() {
    for python in pythons() {
        for mode in ["threaded", "process"] {
            let registry = Registry::start(&["--host", "127.0.0.1", "--listing"]);
            let port = registry.address().port().to_string();
            let place = ["--registry-host", "127.0.0.1", "--registry-port", &port];
            let options = [&["--register", "--mode", mode], &place[..]].concat();
            let server = hosted(python.as_deref(), "MagnetService", &options);
            server.wait_for_log("the registration", |lines| {
                let is_told = |line: &String| line.contains("as MAGNET, COIL");
                lines.iter().any(is_told).then_some(())
            });
            let names = ["--service-name", "OTHER"];
            let server = hosted(
                python.as_deref(),
                "MagnetService",
                &[&options[..], &names].concat(),
            );
            server.wait_for_log("the registration", |lines| {
                let is_told = |line: &String| line.ends_with("as OTHER");
                lines.iter().any(is_told).then_some(())
            });
        }
    }
}

#[test]
fn a_check_names_the_service_and_starts_nothing() {
    for python in pythons() {
        let mut command = command(python.as_deref(), "lab:MagnetService", &["--check"]);
        let output = rpyc_tests::child::output(&mut command).expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with("configuration OK\n"), "{output:?}");
        assert!(
            said.ends_with("service names: MAGNET, COIL\n"),
            "{output:?}"
        );
    }
}
