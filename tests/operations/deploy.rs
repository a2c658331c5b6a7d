//! The files in docs/deploy: what they start is understood, and serves.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rpyc_tests::certs::Authority;
use rpyc_tests::child;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::python;
use rpyc_tests::server::{Signal, binary};
use rpyc_tests::{Server, better_than_stock};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy");
    fs::read_to_string(path.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What stands in quotes in the line that begins so.
fn quoted(text: &str, beginning: &str) -> Vec<String> {
    let mut lines = text.lines().map(str::trim_start);
    let line = lines.find(|line| line.starts_with(beginning));
    let parts = line.expect("a line").split('"').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// The same of every such line.
fn all_quoted(text: &str, beginning: &str) -> Vec<Vec<String>> {
    let lines = text.lines().map(str::trim_start);
    let lines = lines.filter(|line| line.starts_with(beginning));
    lines.map(|line| quoted(line, beginning)).collect()
}

/// Whether the program understands the arguments, and what it says.
fn checked(arguments: &[String], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--check");
    command.envs(variables.iter().copied());
    let checked = child::output(&mut command).expect("it runs");
    let text = String::from_utf8_lossy(&checked.stderr).into_owned();
    (checked.status.code(), text)
}

/// The command of a unit, less the program.
fn exec_start(unit: &str) -> Vec<String> {
    let (_, command) = unit.split_once("ExecStart=").expect("a command");
    let command = command.replace("\\\n", " ");
    let words = command.lines().next().unwrap_or_default();
    words
        .split_whitespace()
        .skip(1)
        .map(str::to_owned)
        .collect()
}

/// The same with files that are there.
fn with_files(arguments: &[String], authority: &Authority) -> Vec<String> {
    let identity = authority.server();
    let mut arguments = arguments.to_vec();
    for (flag, path) in [
        ("--ssl-keyfile", &identity.key),
        ("--ssl-certfile", &identity.certificate),
        ("--ssl-cafile", &authority.path()),
    ] {
        set(&mut arguments, flag, &path.to_string_lossy());
    }
    arguments
}

fn set(arguments: &mut [String], flag: &str, value: &str) {
    let at = arguments.iter().position(|argument| argument == flag);
    arguments[at.expect("the flag") + 1] = value.to_owned();
}

/// Takes out a flag that the server of a test has anyway, of so many words.
fn take_out(arguments: &mut Vec<String>, flag: &str, words: usize) {
    let at = arguments.iter().position(|argument| argument == flag);
    let at = at.expect("the flag");
    arguments.drain(at..at + words);
}

#[test]
fn what_they_start_is_understood() {
    let docker_python = read("Dockerfile.python");
    let (docker, kubernetes) = (read("Dockerfile"), read("kubernetes.yaml"));
    let unit = read("rpyc-server.service");
    let authority = Authority::new("authority");
    for (name, arguments) in [
        ("Dockerfile", quoted(&docker, "CMD ")),
        ("Dockerfile.python", quoted(&docker_python, "CMD ")),
        ("kubernetes.yaml", quoted(&kubernetes, "args: ")),
        (
            "kubernetes-fleet.yaml",
            quoted(&read("kubernetes-fleet.yaml"), "args: "),
        ),
        ("rpyc-server.service", exec_start(&unit)),
    ] {
        assert!(arguments.len() > 8, "{name}: {arguments:?}");
        let mut arguments = with_files(&arguments, &authority);
        if name == "kubernetes-fleet.yaml" {
            // A name that is known in its cluster.
            set(&mut arguments, "--registry-host", "127.0.0.1:1");
        }
        let (code, text) = checked(&arguments, &[]);
        assert_eq!(code, Some(0), "{name}: {text}");
    }
    // The ports that they open are those that are listened on.
    for docker in [&docker, &docker_python] {
        assert!(docker.contains("EXPOSE 18821 9112"), "{docker}");
    }
    for port in ["containerPort: 18821", "containerPort: 9112", "port: 18821"] {
        assert!(kubernetes.contains(port), "no {port}");
    }
    assert!(read("rpyc-server.socket").contains("ListenStream=18821"));
    // The files of the secret are those that the page makes it of.
    let page = read("../operations.md");
    for file in ["tls.key", "tls.crt", "ca.crt"] {
        assert!(kubernetes.contains(&format!("\"/tls/{file}\"")), "{file}");
        assert!(page.contains(&format!("--from-file={file}=")), "{file}");
    }
    // Who reads the page has them under the names that the image expects.
    for file in ["server.key", "server.pem", "ca.pem"] {
        assert!(docker.contains(&format!("\"/tls/{file}\"")), "{file}");
        assert!(
            page.contains(&format!("-out {file}")) || page.contains(&format!("-keyout {file}")),
            "{file}"
        );
    }
}

#[test]
fn the_registries_that_they_start_are_understood_and_are_where_the_servers_look() {
    let fleet = read("kubernetes-fleet.yaml");
    let [server, registry] = &all_quoted(&fleet, "args: ")[..] else {
        panic!("a server and a registry: {fleet}");
    };
    let unit = exec_start(&read("rpyc-registry.service"));
    for arguments in [registry, &unit] {
        assert_eq!(arguments[0], "registry");
        let mut arguments = arguments.clone();
        // A port that is free, and names that are known.
        set(&mut arguments, "--port", "0");
        set(&mut arguments, "--etcd-host", "127.0.0.1:1");
        let (code, text) = checked(&arguments, &[]);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
    }
    let value = |arguments: &[String], flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag);
        arguments[at.expect("the flag") + 1].clone()
    };
    assert_eq!(value(server, "--registry-type"), "etcd");
    let etcd = value(server, "--registry-host");
    assert_eq!(value(registry, "--etcd-host"), etcd);
    let drop_in = read("fleet.conf");
    let of_unit = format!(
        "RPYC_SERVER_REGISTRY_HOST={}\n",
        value(&unit, "--etcd-host")
    );
    assert!(drop_in.contains(&of_unit), "{drop_in}");
    assert!(fleet.contains("clusterIP: None"), "{fleet}");
}

#[test]
fn a_unit_with_the_drop_in_registers() {
    let authority = Authority::new("authority");
    let arguments = with_files(&exec_start(&read("rpyc-server.service")), &authority);
    let drop_in = read("fleet.conf");
    let lines = drop_in.lines();
    let variables = lines.filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let mut variables: Vec<(&str, &str)> = variables.collect();
    assert_eq!(variables.len(), 3, "{drop_in}");
    // A name that is known there.
    assert_eq!(variables[2].0, "RPYC_SERVER_REGISTRY_HOST");
    variables[2].1 = "127.0.0.1:1";
    let (code, text) = checked(&arguments, &variables);
    assert_eq!(code, Some(0), "{text}");
    // They are read.
    for at in 0..2 {
        let mut wrong = variables.clone();
        wrong[at].1 = "nonsense";
        let (code, text) = checked(&arguments, &wrong);
        assert!(code == Some(2) && text.contains("nonsense"), "{text}");
    }
}

#[test]
fn a_pod_of_a_fleet_is_ready_while_it_answers_pings() {
    if better_than_stock("it has no such options") {
        return;
    }
    let fleet = read("kubernetes-fleet.yaml");
    let authority = Authority::new("authority");
    let mut arguments = with_files(&quoted(&fleet, "args: "), &authority);
    // Ports that are free, and an etcd that isn't there; the rest as it stands there.
    set(&mut arguments, "--metrics", "127.0.0.1:0");
    set(&mut arguments, "--registry-host", "127.0.0.1:1");
    take_out(&mut arguments, "--port", 2);
    take_out(&mut arguments, "--classic", 1);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::with_options(&arguments);
    let mut probe = with_files(&quoted(&fleet, "command: "), &authority);
    assert_eq!(probe.remove(0), "rpyc-server");
    let port = server.address().port();
    set(&mut probe, "--connect", &format!("tls:127.0.0.1:{port}"));
    let probed = || {
        let mut command = Command::new(binary());
        let probed = child::output(command.args(&probe)).expect("it runs");
        let text = String::from_utf8_lossy(&probed.stderr).into_owned();
        (probed.status.code(), text)
    };
    let (code, text) = probed();
    assert_eq!(code, Some(0), "{text}");
    server.signal(Signal::STOP);
    let (code, text) = probed();
    server.signal(Signal::CONT);
    assert_eq!(code, Some(255), "{text}");
    let (code, text) = probed();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn the_image_has_the_libraries_that_the_program_needs() {
    let listed = Command::new("ldd").arg(binary()).output();
    let Ok(listed) = listed else {
        return python::progress("no ldd here: the program's libraries aren't known");
    };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = listed
        .split_whitespace()
        .filter(|word| word.starts_with("lib"));
    let names: Vec<&str> = names
        .filter_map(|name| Some(name.split_once(".so")?.0))
        .collect();
    assert!(names.contains(&"libc"), "{listed}");
    let docker = read("Dockerfile");
    let (_, image) = docker.rsplit_once("\nFROM ").expect("two stages");
    for name in names {
        // What any image of that system has.
        let anyway = ["libc", "libdl", "libgcc_s", "libm", "libpthread", "librt"];
        assert!(
            anyway.contains(&name) || image.contains(name),
            "{name}: {image}"
        );
    }
}

#[test]
fn a_pod_answers_its_probe_and_serves_who_has_a_certificate() {
    if better_than_stock("it has no such options") {
        return;
    }
    let authority = Authority::new("authority");
    let mut arguments = with_files(&quoted(&read("kubernetes.yaml"), "args: "), &authority);
    // Ports that are free; the rest as it stands there.
    set(&mut arguments, "--metrics", "127.0.0.1:0");
    take_out(&mut arguments, "--port", 2);
    take_out(&mut arguments, "--classic", 1);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::with_options(&arguments);
    let probed = server.wait_for_log("where the metrics are", |lines| {
        let place = |line: &String| {
            let (_, place) = line.split_once("metrics at http://")?;
            Some(place.split('/').next()?.to_owned())
        };
        lines.iter().find_map(place)
    });
    let mut probe = TcpStream::connect(&probed).expect("it listens");
    probe.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    write!(
        probe,
        "GET /metrics HTTP/1.1\r\nHost: {probed}\r\nConnection: close\r\n\r\n"
    )
    .expect("asked");
    let mut answer = String::new();
    probe.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let client = authority.client();
    let script = server
        .program(
            "
            conn = rpyc.classic.ssl_connect('127.0.0.1', PORT, ca_certs=os.environ['CA'],
                keyfile=os.environ['KEY'], certfile=os.environ['CERTIFICATE'])
            same(conn.eval('6 * 7'), 42)
            ",
        )
        .variable("CA", authority.path().to_string_lossy())
        .variable("KEY", client.key.to_string_lossy())
        .variable("CERTIFICATE", client.certificate.to_string_lossy());
    server.succeed(script.outcome());
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let names = [
        "rpyc-server.service",
        "rpyc-server.socket",
        "rpyc-registry.service",
    ];
    let paths = names.map(|name| {
        let path = folder.path().join(name);
        let unit = read(name).replace("/usr/local/bin/rpyc-server", &binary().to_string_lossy());
        fs::write(&path, unit).expect("written");
        path
    });
    let mut verify = Command::new("systemd-analyze");
    match verify.arg("verify").args(paths).output() {
        Ok(verified) => {
            let text = String::from_utf8_lossy(&verified.stderr).into_owned();
            let ours: Vec<&str> = text
                .lines()
                .filter(|line| names.iter().any(|name| line.contains(name)))
                .collect();
            assert!(verified.status.success() && ours.is_empty(), "{text}");
        }
        Err(_) => python::progress("no systemd-analyze here: the units aren't verified"),
    }
}
