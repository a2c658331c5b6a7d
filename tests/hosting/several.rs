//! Several services in one program, by the config file.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rpyc_tests::server::{self, Server, Signal};
use rpyc_tests::{Script, child, python};
use tempfile::NamedTempFile;

use crate::{folder, pythons};

/// The program with that config file.
fn command(python: Option<&Path>, text: &str) -> (Command, NamedTempFile) {
    let file = NamedTempFile::new().expect("a temporary file");
    let path = format!("path = [{:?}]\n{text}", folder().display().to_string());
    std::fs::write(file.path(), path).expect("it is writable");
    let mut command = Command::new(server::binary());
    command.arg("--config").arg(file.path());
    if let Some(python) = python {
        command.arg("--python").arg(python);
    }
    (command, file)
}

/// The ports that the log has told, in the order of the servers.
fn ports(server: &Server, count: usize) -> Vec<String> {
    server.wait_for_log("the addresses", |lines| {
        let told = lines
            .iter()
            .filter_map(|line| line.split_once(" listening on "));
        let ports = told.filter_map(|(_, address)| address.rsplit_once(':'));
        let ports: Vec<String> = ports.map(|(_, port)| port.to_owned()).collect();
        (ports.len() == count).then_some(ports)
    })
}

/// What a client of all of them writes.
fn client(ports: &[String], code: &str) -> String {
    let beginning = r#"
import sys, rpyc
def connect(index):
    return rpyc.connect("127.0.0.1", int(sys.argv[1 + index]))
"#;
    let code = format!("{beginning}\n{}", python::dedent(code));
    let script = ports
        .iter()
        .fold(Script::new(&code), |script, port| script.argument(port));
    script
        .outcome()
        .unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn each_server_of_a_config_file_has_a_port_and_options_of_its_own_and_all_end_together() {
    let text = r#"
        port = 0
        [[server]]
        service = "lab:MagnetService"
        protocol-config = ["allow_public_attrs=true"]
        [[server]]
        service = "lab:MagnetService"
        mode = "pool"
        max-clients = 1
        [[server]]
        service = "lab:Counter"
        shared = true
        [[server]]
        service = "lab:Counter"
        mode = "process"
        [[server]]
        classic = true
    "#;
    for python in pythons() {
        let (command, _file) = command(python.as_deref(), text);
        let mut server = Server::by(command);
        let ports = ports(&server, 5);
        let written = client(
            &ports,
            r#"
            first, pooled, shared, apart, classic = [connect(index) for index in range(5)]
            print(first.root.secret(), pooled.root.add(1, 2))
            try: pooled.root.secret
            except AttributeError: print("refused")
            try: connect(1).ping()
            except EOFError: print("full")
            print(shared.root.next(), connect(2).root.next(), apart.root.next(), connect(3).root.next())
            # One process and one Python, but for the server whose clients have their own.
            lab = classic.root.getmodule("lab")
            print(lab.MagnetService.told.count("connected"))
            "#,
        );
        assert_eq!(
            written, "not for clients 3\nrefused\nfull\n1 2 1 1\n2",
            "{python:?}"
        );
        let waiting = client(
            &ports,
            "print([connect(index).root.get_service_name() for index in (0, 2, 3)])",
        );
        assert_eq!(waiting, "['MAGNET', 'COUNTER', 'COUNTER']");
        let status = server.stop(Signal::TERM, Duration::from_secs(30));
        assert_eq!(status.code(), Some(0), "{server:?}");
        let refused = client(
            &ports,
            r#"
            for index in range(5):
                try: connect(index)
                except ConnectionRefusedError: print(index)
            "#,
        );
        assert_eq!(refused.split_whitespace().collect::<String>(), "01234");
    }
}

#[test]
fn a_check_tells_of_all_servers_and_what_is_wrong_with_one_is_told_with_its_name() {
    let two = |first: &str, second: &str| {
        format!(
            "[[server]]\nservice = \"lab:MagnetService\"\n{first}\n[[server]]\nservice = \"lab:Counter\"\n{second}\n"
        )
    };
    for python in pythons() {
        let said = |text: &str| {
            let (mut command, file) = command(python.as_deref(), text);
            let output = child::output(command.arg("--check")).expect("the program runs");
            let text = |bytes: &[u8]| {
                let path = file.path().display().to_string();
                String::from_utf8_lossy(bytes).replace(&path, "FILE")
            };
            (
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr),
            )
        };
        let (code, stdout, stderr) = said(&two("port = 18861", "port = 18862\nmode = \"process\""));
        assert_eq!((code, &*stderr), (Some(0), ""));
        let expected = "lab:MagnetService at 127.0.0.1:18861\nservice names: MAGNET, COIL\n\
                        lab:Counter at 127.0.0.1:18862\nservice names: COUNTER\n";
        assert!(stdout.starts_with("configuration OK\n"), "{stdout}");
        assert!(stdout.ends_with(expected), "{stdout}");
        for (text, expected) in [
            (
                two("", ""),
                "lab:Counter and lab:MagnetService want 127.0.0.1:18861\n  Give each server a port",
            ),
            (
                two("", "port = 0\nmode = \"oneshot\""),
                "lab:Counter: --mode oneshot is for one server alone",
            ),
            (
                two("", "port = 0\nhost = \"0.0.0.0\""),
                "lab:Counter: --host 0.0.0.0 is reached from other machines",
            ),
            (
                two("", "port = 0\nprotocol-config = \"allow_everything=1\""),
                "lab:Counter: --protocol-config: there is no option allow_everything",
            ),
            (
                two("port = 0", "classic = true"),
                "lab:Counter: --classic and --service: a port serves one of them",
            ),
            (
                two("port = 0", "[[server]]\nport = 0"),
                "classic mode: nothing to serve",
            ),
        ] {
            let (code, stdout, stderr) = said(&text);
            assert_eq!((code, &*stdout), (Some(2), ""), "{text}: {stderr}");
            assert!(stderr.contains(expected), "{text}: {stderr}");
        }
    }
}

#[test]
fn a_port_of_one_that_cant_be_had_is_told_with_its_server_and_none_of_them_serves() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let text = format!(
        "[[server]]\nservice = \"lab:Counter\"\nport = 0\n[[server]]\nservice = \"lab:Plain\"\nport = {port}\n"
    );
    let (mut command, _file) = command(None, &text);
    let output = child::output(&mut command).expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("lab:Plain: --port {port} can't be had")),
        "{said}"
    );
    assert!(!said.contains("listening on"), "{said}");
}
