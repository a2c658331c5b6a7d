//! `--connect`: each way to a server.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rpyc_tests::certs::{Authority, Validity};
use rpyc_tests::{Script, Server, python};

use crate::tool::{Ran, command, run};

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[track_caller]
fn is_42(ran: &Ran) {
    let seen = (ran.code, ran.out.as_str(), ran.err.as_str());
    assert_eq!(seen, (Some(0), "42\n", ""));
}

#[test]
fn over_a_unix_socket_all_tools_work() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let socket = folder.path().join("socket");
    let server = Server::with_options(&["--unix", text(&socket)]);
    let way = format!("unix:{}", socket.display());
    let tool = |arguments: &[&str], input: &str| {
        let arguments = [arguments, &["--connect", &way]].concat();
        run(command(&arguments), input)
    };
    is_42(&tool(&["eval", "6 * 7"], ""));
    is_42(&tool(&["exec", "-"], "print(6 * 7)"));
    is_42(&tool(&["shell"], "print(6 * 7)"));
    let ran = tool(&["ping", "-q", "-c", "2", "-i", "0"], "");
    assert!(ran.out.contains("2 pings, 2 answers"), "{ran:?}");
    let [here, there, back] = ["here", "there", "back"].map(|name| folder.path().join(name));
    fs::write(&here, "some bytes").expect("written");
    for arguments in [
        ["upload", text(&here), text(&there)],
        ["download", text(&there), text(&back)],
    ] {
        let ran = tool(&arguments, "");
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(fs::read_to_string(&back).expect("it is back"), "some bytes");
    drop(server);
    let gone = tool(&["eval", "1"], "");
    assert!(
        gone.code == Some(255) && gone.err.contains(&way),
        "{gone:?}"
    );
}

#[test]
fn over_tls_the_server_is_who_it_says_and_so_is_the_client() {
    let authority = Authority::new("authority");
    let ca = authority.path();
    let serve = |name: &str| {
        let identity = authority.sign("server", &[name], Validity::Now);
        Server::with_options(&[
            "--ssl-keyfile",
            text(&identity.key),
            "--ssl-certfile",
            text(&identity.certificate),
            "--ssl-cafile",
            text(&ca),
        ])
    };
    let server = serve("127.0.0.1");
    let client = authority.client();
    let files = [
        ["--ssl-cafile", text(&ca)],
        ["--ssl-certfile", text(&client.certificate)],
        ["--ssl-keyfile", text(&client.key)],
    ]
    .concat();
    let eval = |server: &Server, options: &[&str]| {
        let mut command = command(&[&["eval", "6 * 7"], options].concat());
        command.env("RPYC_CONNECT", format!("tls:{}", server.address()));
        run(command, "")
    };
    is_42(&eval(&server, &files));
    let strange = eval(&server, &[]);
    assert!(
        strange.code == Some(255) && strange.err.contains("--ssl-cafile names the authority"),
        "{strange:?}"
    );
    let nobody = eval(&server, &["--ssl-cafile", text(&ca)]);
    assert!(
        nobody.code == Some(255) && nobody.err.contains("certificate"),
        "{nobody:?}"
    );
    let half = eval(&server, &["--ssl-certfile", text(&client.certificate)]);
    assert!(
        half.code == Some(2) && half.err.contains("--ssl-keyfile"),
        "{half:?}"
    );
    let elsewhere = serve("elsewhere.example");
    let renamed = eval(&elsewhere, &files);
    assert!(
        renamed.code == Some(255) && renamed.err.contains("--ssl-any-name"),
        "{renamed:?}"
    );
    is_42(&eval(
        &elsewhere,
        &[&files[..], &["--ssl-any-name"]].concat(),
    ));
}

#[test]
fn tools_close_their_connections_in_order() {
    for server in [Server::start(), Server::with_tls(&[])] {
        let folder = tempfile::TempDir::new().expect("a folder");
        let [here, there, back] = ["here", "there", "back"].map(|name| folder.path().join(name));
        fs::write(&here, "some bytes").expect("written");
        let ca = server.authority().map(Authority::path);
        let scheme = if ca.is_some() { "tls:" } else { "" };
        let tools = [
            &["eval", "[1, 2]"][..],
            &["eval", "1 / 0"],
            &["exec", "-"],
            &["shell"],
            &["ping", "-q", "-c", "2", "-i", "0"],
            &["upload", text(&here), text(&there)],
            &["download", text(&there), text(&back)],
            &["download", "/no/such/file", text(&back)],
        ];
        for tool in tools {
            let mut command = command(tool);
            command.env("RPYC_CONNECT", format!("{scheme}{}", server.address()));
            if let Some(ca) = &ca {
                command.env("RPYC_CLIENT_SSL_CAFILE", ca);
            }
            let ran = run(command, "print([1, 2])");
            assert!(matches!(ran.code, Some(0 | 1)), "{tool:?}: {ran:?}");
        }
        let ends = server.wait_for_log("the ends", |lines| {
            let ends = lines.iter().filter(|line| line.contains(": ended: "));
            let ends: Vec<String> = ends.cloned().collect();
            (ends.len() == tools.len()).then_some(ends)
        });
        let closed = |line: &String| line.contains("closed by the peer");
        assert!(ends.iter().all(closed), "{ends:#?}");
    }
}

/// What our server asks its clients for, of a server of Python's.
const ASKS: &str = "
import hmac
from rpyc.core import SlaveService
from rpyc.utils.authenticators import AuthenticationError
from rpyc.utils.server import ThreadedServer
SECRET = open(sys.argv[1], 'rb').read().strip()
def ask(sock):
    question = os.urandom(32)
    sock.sendall(question)
    answer = b''
    while len(answer) < 32:
        part = sock.recv(32 - len(answer))
        if not part:
            raise AuthenticationError('it left')
        answer += part
    if not hmac.compare_digest(answer, hmac.digest(SECRET, question, 'sha256')):
        raise AuthenticationError('wrong')
    return sock, None
server = ThreadedServer(SlaveService, hostname='127.0.0.1', port=0, authenticator=ask)
server._listen()
say('port %d' % server.port)
server.start()
";

#[test]
fn who_knows_the_secret_gets_in_over_every_stream() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let [ours, wrong] = ["ours", "wrong"].map(|name| {
        let path = folder.path().join(name);
        fs::write(&path, format!("{name}: correct horse battery")).expect("written");
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&path, private).expect("private");
        path
    });
    let socket = folder.path().join("socket");
    let authority = Authority::new("authority");
    let (identity, ca) = (authority.server(), authority.path());
    let asked = ["--secret-file", text(&ours)];
    let plain = Server::with_options(&asked);
    plain.wait_for_log("how to connect", |lines| {
        let hint = |line: &&String| line.contains("asked for the secret");
        lines.iter().find(hint).map(|_| ())
    });
    let local = Server::with_options(&[&asked[..], &["--unix", text(&socket)]].concat());
    let over_tls = Server::with_options(
        &[
            &asked[..],
            &["--ssl-keyfile", text(&identity.key)],
            &["--ssl-certfile", text(&identity.certificate)],
        ]
        .concat(),
    );
    let python = Script::new(ASKS).argument(text(&ours)).serving().spawn();
    let ways = [
        plain.address().to_string(),
        format!("unix:{}", socket.display()),
        format!("tls:{}", over_tls.address()),
        format!("127.0.0.1:{}", python.told("port ")),
    ];
    let eval = |way: &str, secret: Option<&Path>, options: &[&str]| {
        let mut command = command(&[&["eval", "6 * 7", "--connect", way], options].concat());
        command.env("RPYC_CLIENT_SSL_CAFILE", &ca);
        if let Some(secret) = secret {
            command.env("RPYC_CLIENT_SECRET_FILE", secret);
        }
        run(command, "")
    };
    for way in &ways {
        is_42(&eval(way, None, &asked));
        is_42(&eval(way, Some(&ours), &[]));
        let refused = eval(way, Some(&wrong), &[]);
        assert!(
            refused.code == Some(255) && refused.err.contains("--secret-file"),
            "{refused:?}"
        );
        let silent = eval(way, None, &["--timeout", "1"]);
        assert!(
            silent.code == Some(255) && !silent.err.is_empty(),
            "{silent:?}"
        );
    }
    // Nobody asks.
    let open = Server::start();
    let unasked = eval(
        &open.address().to_string(),
        Some(&ours),
        &["--timeout", "2"],
    );
    assert!(
        unasked.code == Some(255) && unasked.err.contains("doesn't ask for a secret"),
        "{unasked:?}"
    );
    let missing = eval(&ways[0], Some(Path::new("/no/such/file")), &[]);
    assert!(
        missing.code == Some(1) && missing.err.contains("--secret-file /no/such/file"),
        "{missing:?}"
    );
    drop(local);
}

/// What `ssh -W` does, on this machine.
const SSH: &str = r#"
import os, socket, sys, threading
options, (target, end, host) = sys.argv[1:5], sys.argv[5:]
assert options == ['-T', '-o', 'BatchMode=yes', '-W'] and end == '--', sys.argv
if host != 'somebody@somewhere':
    sys.exit(f'ssh: Could not resolve hostname {host}')
address, port = target.rsplit(':', 1)
with socket.create_connection((address, int(port))) as sock:
    def there():
        while data := os.read(0, 65536):
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    threading.Thread(target=there, daemon=True).start()
    try:
        while data := sock.recv(65536):
            os.write(1, data)
    except BrokenPipeError:
        pass  # The client has all that it wanted, and has gone.
"#;

#[test]
fn through_ssh_the_tunnel_is_the_ssh_of_the_path() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let ssh = folder.path().join("ssh");
    let script = format!("#!{}\n{SSH}", python::interpreter().display());
    fs::write(&ssh, script).expect("a script");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("executable");
    let path = env::var_os("PATH").unwrap_or_default();
    let path = [folder.path().to_owned()]
        .into_iter()
        .chain(env::split_paths(&path));
    let path = env::join_paths(path).expect("a path");
    let with_ssh = |arguments: &[&str]| -> Command {
        let mut command = command(arguments);
        command.env("PATH", &path);
        command
    };
    let server = Server::start();
    let port = server.address().port();
    let way = format!("ssh:somebody@somewhere:{port}");
    is_42(&run(with_ssh(&["eval", "6 * 7", "--connect", &way]), ""));
    let long = "print('x' * 1_000_000)";
    let ran = run(with_ssh(&["exec", "-", "--connect", &way]), long);
    assert_eq!(
        (ran.code, ran.out.len()),
        (Some(0), 1_000_001),
        "{}",
        ran.err
    );
    let ran = run(with_ssh(&["eval", "1", "--connect", "ssh:nowhere"]), "");
    assert_eq!(ran.code, Some(255), "{ran:?}");
    // ssh says itself what it has to say.
    assert!(
        ran.err.contains("ssh: Could not resolve hostname nowhere")
            && ran.err.contains("--connect ssh:nowhere:18812"),
        "{ran:?}"
    );
}
