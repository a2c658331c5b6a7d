//! Where options come from, and what they do.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Instant;

use rpyc_core::{Connector, connect};
use rpyc_tests::child;
use rpyc_tests::server::Signal;
use tempfile::TempDir;

use super::program::{DEADLINE, Program, command, output};

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    super::run(arguments)
}

#[test]
fn the_environment_and_a_config_file_give_options_and_flags_win() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(
        &file,
        "classic = true\nport = 1\nhost = \"::1\"\nquiet = true\n",
    )
    .unwrap();
    let mut program = Program::spawn(
        command()
            .env("RPYC_SERVER_CONFIG", &file)
            .env("RPYC_SERVER_PORT", "2")
            .env("RPYC_SERVER_QUIET", "false")
            .args(["--port", "0", "--no-quiet"]),
    );
    let address = program.address();
    assert!(address.is_ipv6() && address.port() > 2, "{address}");
    program.signal(Signal::TERM);
    assert_eq!(program.end().0.code(), Some(0));
}

#[test]
fn a_wrong_variable_and_a_wrong_config_file_are_usage_errors_that_say_where() {
    let mut command = command();
    command.env("RPYC_SERVER_PORT", "soon").arg("--classic");
    let output = child::output(&mut command).unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("--port") && text.contains("soon"), "{text}");

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(&file, "classic = true\n\nmax-cliens = 3\n").unwrap();
    let (code, _, text) = run(&["--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(text.contains("server.toml, line 3: max-cliens"), "{text}");
    assert!(text.contains("Did you mean max-clients?"), "{text}");
    let (code, _, text) = run(&["--config", "/no/such/file"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("--config /no/such/file"), "{text}");
}

#[test]
fn an_option_without_effect_is_told_of_whatever_its_source() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(&file, "workers = 7\nregister = false\n").unwrap();
    let base = ["--classic", "--check"];
    let checked = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = command();
        command.args(base).args(arguments);
        let output = child::output(command.envs(variables.iter().copied())).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let shown = text(&output.stdout);
        (output.status.code(), shown, text(&output.stderr))
    };
    for (code, _, told) in [
        checked(&["--workers", "7"], &[]),
        checked(&[], &[("RPYC_SERVER_WORKERS", "7")]),
        checked(&["--config", file.to_str().unwrap()], &[]),
    ] {
        assert_eq!(code, Some(0), "{told}");
        let expected = "rpyc-server: --workers has no effect with --mode threaded: the other \
                        modes have no workers. Say --mode pool, too.\n";
        assert_eq!(told, expected);
    }
    // What protects must not be missing.
    for (code, _, told) in [
        checked(&["--max-memory", "1GiB"], &[]),
        checked(&[], &[("RPYC_SERVER_MAX_MEMORY", "1GiB")]),
    ] {
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("Say --mode process, too"), "{told}");
    }
}

#[test]
fn a_switch_of_pythons_server_without_effect_is_a_warning_and_the_server_serves() {
    let arguments = [
        "--classic",
        "--mode",
        "stdio",
        "--host",
        "127.0.0.1",
        "-p",
        "0",
    ];
    // Its standard input is at its end: the client has left.
    let (code, stdout, stderr) = run(&[&arguments[..], &["--register", "-6"]].concat());
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    for name in ["host", "port", "register", "ipv6"] {
        let warning = format!("WARN  --{name} has no effect with --mode stdio");
        assert!(stderr.contains(&warning), "{name}: {stderr}");
    }
}

#[test]
fn called_by_a_pythons_name_it_is_one() {
    use std::os::unix::process::CommandExt;
    for name in ["python3", "/somewhere/rpyc-python"] {
        let mut command = command();
        let command = command.arg0(name).args(["-c", "print(6 * 7)"]);
        let output = child::output(command).unwrap();
        assert_eq!(output.stdout, b"42\n", "{name}");
    }
}

#[test]
fn check_says_whether_it_would_work_and_starts_nothing() {
    let (code, stdout, stderr) = run(&["--classic", "--check", "--port", "18812"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout, "configuration OK\n");
    let (code, _, _) = run(&["registry", "--check", "--host", "127.0.0.1"]);
    assert_eq!(code, Some(0));
    // A server that runs with them doesn't make them wrong.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, stderr) = run(&["--classic", "--check", "--port", &port]);
    assert_eq!(code, Some(0), "{stderr}");
    for (arguments, expected, text) in [
        (&["--check"][..], 2, "--classic"),
        (
            &["--classic", "--check", "--mode", "stdio", "--allow", "::1"],
            2,
            "--allow has no effect with --mode stdio",
        ),
        (
            &["--classic", "--check", "-m", "treaded"],
            2,
            "'treaded' for '--mode <MODE>'",
        ),
        (&["-m", "http.server"], 2, "'http.server' for '--mode"),
        (&["-c", "print(6 * 7)"], 2, "unexpected argument '-c'"),
        (&["./stray.py"], 2, "'./stray.py'"),
        (&["-"], 2, "'-'"),
        (
            &["--classic", "--check", "--init", "/no/such/script.py"],
            2,
            "--init /no/such/script.py: can't be read",
        ),
        (
            &["--classic", "--check", "--path", "/no/such/folder"],
            2,
            "--path /no/such/folder: no such directory",
        ),
        (
            &["--classic", "--check", "--unix", "/no/such/folder/socket"],
            1,
            "--unix /no/such/folder/socket can't be had: there is no folder",
        ),
        (
            &["--classic", "--check", "--unix", "/etc/passwd"],
            1,
            "--unix /etc/passwd can't be had: there is a file that isn't a socket",
        ),
        (
            // Kept for examples: nobody's.
            &["--classic", "--check", "--insecure", "--host", "192.0.2.1"],
            1,
            "--host, --port: 192.0.2.1:18812 can't be had",
        ),
        (
            &["--classic", "--check", "--metrics", "192.0.2.1:9112"],
            1,
            "--metrics: 192.0.2.1:9112 can't be had",
        ),
        (
            &["registry", "--check", "--host", "192.0.2.1"],
            1,
            "--host, --port: 192.0.2.1:18811 can't be had",
        ),
        (
            &["--classic", "--check", "--secret-file", "/no/such/secret"],
            1,
            "--secret-file /no/such/secret",
        ),
        (
            &["--classic", "--check", "--ssl-keyfile", "/no/such/key"],
            2,
            "--ssl-keyfile needs --ssl-certfile",
        ),
        (
            &["--classic", "--check", "--max-memory", "1GiB"],
            2,
            "Say --mode process, too",
        ),
        (
            &["--classic", "--check", "--host", "0.0.0.0"],
            2,
            "--insecure",
        ),
        (
            &["--classic", "--check", "--host", "::", "--allow", "::/0"],
            2,
            "--insecure",
        ),
        (
            &["--classic", "--check", "--host", "no.such.host.invalid"],
            1,
            "--host",
        ),
        (
            &["--classic", "--check", "--logfile", "/no/such/folder/log"],
            1,
            "--logfile",
        ),
        (
            &["--classic", "--check", "--logfile", "/"],
            1,
            "--logfile /: can't be written",
        ),
        (
            &["--classic", "--check", "--ipv6", "--host", "127.0.0.1"],
            2,
            "--ipv6",
        ),
        (
            &["--classic", "--check", "--register"],
            2,
            "--registry-host",
        ),
        (
            &[
                "--classic",
                "--check",
                "--register",
                "--registry-type",
                "tcp",
            ],
            2,
            "--registry-type TCP needs --registry-host",
        ),
        (
            &[
                "--classic",
                "--check",
                "--register",
                "--unix",
                "/tmp/no-such-socket",
            ],
            2,
            "TCP ports only",
        ),
        (
            &[
                "--classic",
                "--check",
                "--mode",
                "oneshot",
                "--unix",
                "/tmp/no-such-socket",
            ],
            2,
            "--port",
        ),
        (
            &["registry", "--check", "--host", "no.such.host.invalid"],
            1,
            "--host",
        ),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!(
            (code, stdout.as_str()),
            (Some(expected), ""),
            "{arguments:?}: {stderr}"
        );
        assert!(stderr.contains(text), "{arguments:?}: {stderr}");
    }
}

#[test]
fn completions_and_man_pages_are_printed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, stdout, _) = run(&["completions", shell]);
        assert!(code == Some(0) && stdout.contains("rpyc-server"), "{shell}");
    }
    let (code, stdout, _) = run(&["man"]);
    assert!(
        code == Some(0) && stdout.contains(".TH rpyc-server"),
        "{stdout}"
    );
    let (code, stdout, _) = run(&["man", "registry"]);
    assert!(code == Some(0) && stdout.contains("listing"), "{stdout}");
    assert_eq!(run(&["man", "nothing"]).0, Some(2));
}

#[test]
fn bash_takes_the_completions_and_completes_with_them() {
    let script = r#"
        eval "$("$0" completions bash)"
        [[ $(complete -p rpyc-server) =~ -F\ ([^ ]+) ]]
        function=${BASH_REMATCH[1]}
        COMP_WORDS=(rpyc-server --max-cl) COMP_CWORD=1
        $function rpyc-server --max-cl rpyc-server
        echo "${COMPREPLY[@]}"
        COMP_WORDS=(rpyc-server dow) COMP_CWORD=1
        $function rpyc-server dow rpyc-server
        echo "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["-c", script, env!("CARGO_BIN_EXE_rpyc-server")]);
    let bash = child::output(&mut bash).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bash.stdout),
        "--max-clients --max-clients-per-address\ndownload\n",
        "{bash:?}"
    );
}

#[test]
fn log_lines_may_be_json_and_metrics_are_this_machines_own() {
    let mut program = Program::start(&[
        "--classic",
        "--port",
        "0",
        "--log-format",
        "json",
        "--metrics",
        "0",
    ]);
    // A port alone is one of this machine's own.
    let metrics = program.line_with("metrics at ");
    assert!(metrics.contains("http://127.0.0.1:"), "{metrics}");
    program.line_with("listening on ");
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0));
    for line in &log {
        let object: serde_json::Value = serde_json::from_str(line).expect(line);
        for name in ["time", "level", "target", "message"] {
            assert!(object[name].is_string(), "no {name} in {line}");
        }
    }
    assert!(log.len() >= 4, "{log:#?}");
}

#[test]
fn who_doesnt_know_the_secret_is_counted_wherever_it_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "correct horse battery staple").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let secret = secret.to_str().unwrap();
    for mode in ["threaded", "pool", "process"] {
        let options = ["--classic", "--port", "0", "--mode", mode, "--metrics", "0"];
        let mut program = Program::start(&[&options[..], &["--secret-file", secret]].concat());
        let metrics = program.line_with("metrics at http://");
        let (_, metrics) = metrics.rsplit_once("//").unwrap();
        let metrics = metrics.strip_suffix("/metrics").unwrap();
        let mut stranger = TcpStream::connect(program.address()).unwrap();
        stranger.write_all(&[0; 32]).unwrap();
        let refusal = program.line_with(" refused: ");
        assert!(refusal.contains("it doesn't know the secret"), "{refusal}");
        let begun = Instant::now();
        loop {
            let mut scraper = TcpStream::connect(metrics).unwrap();
            scraper.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
            let mut numbers = String::new();
            scraper.read_to_string(&mut numbers).unwrap();
            if numbers.contains("\nrpyc_refused_total{reason=\"authentication\"} 1\n") {
                break;
            }
            assert!(begun.elapsed() < DEADLINE, "{mode}: {numbers}");
        }
        program.signal(Signal::TERM);
        let (status, log) = program.end();
        assert_eq!(status.code(), Some(0), "{mode}: {log:#?}");
    }
}

#[test]
fn a_unix_socket_has_its_permissions_serves_and_goes_with_the_server() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let mut program = Program::start(&[
        "--classic",
        "--unix",
        path.to_str().unwrap(),
        "--unix-mode",
        "660",
    ]);
    program.line_with("listening on ");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let conn = Connector::new().connect_unix(&path).unwrap();
    conn.ping().unwrap();
    conn.close().unwrap();
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0));
    assert!(
        !log.iter().any(|line| line.contains("rpyc.classic.connect")),
        "{log:?}"
    );
    assert!(!path.exists());
}

#[test]
fn all_ipv6_addresses_take_ipv4_clients_and_the_log_has_the_real_address() {
    let mut program = Program::start(&["--classic", "--insecure", "--host", "::", "--port", "0"]);
    let address = program.address();
    assert!(address.ip().is_unspecified() && address.is_ipv6() && address.port() != 0);
    for host in ["127.0.0.1", "::1"] {
        connect((host, address.port())).unwrap().close().unwrap();
    }
    assert!(
        output(&["--classic", "--port", "0", "--host", "::"])
            .status
            .code()
            == Some(2)
    );
}
