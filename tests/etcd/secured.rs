//! etcd that wants TLS, a certificate, a name and a password.

use std::fs;
use std::path::Path;
use std::process::Command;

use rpyc_registry::{Directory, EtcdDirectory, Offer};
use rpyc_tests::Server;
use rpyc_tests::certs::Authority;
use rpyc_tests::child;
use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::etcd::Cluster;
use rpyc_tests::server::{Signal, binary};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn services(options: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command
        .args(["services", "--registry-type", "etcd"])
        .args(options);
    let output = child::output(&mut command).expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[track_caller]
fn registered(server: &Server) {
    server.wait_for_log("registered", |lines| {
        let registered = |line: &&String| line.contains("registered port");
        lines.iter().find(registered).map(|_| ())
    });
}

#[test]
fn over_tls_with_a_clients_certificate() {
    let authority = Authority::new("authority");
    let client = authority.client();
    let cluster = Cluster::with_tls(&authority);
    let authority = authority.path();
    let endpoints = cluster.endpoints();
    let place = [
        "--registry-host",
        &endpoints,
        "--etcd-cafile",
        text(&authority),
    ];
    let identity = [
        "--etcd-certfile",
        text(&client.certificate),
        "--etcd-keyfile",
        text(&client.key),
    ];
    let register = ["--register", "--registry-type", "etcd"];
    let mut server = Server::with_options(&[&register[..], &place, &identity].concat());
    registered(&server);
    let (code, told) = services(&[&place[..], &identity].concat());
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&server.address().to_string()), "{told}");
    assert!(told.contains("0 of 1000 clients, version "), "{told}");
    let (code, told) = services(&place);
    assert_ne!(code, Some(0), "no certificate: {told}");
    let (code, told) = services(&["--registry-host", &endpoints]);
    assert_ne!(code, Some(0), "no TLS: {told}");
    server.stop(Signal::TERM, PATIENCE);
    let (_, told) = services(&[&place[..], &identity].concat());
    assert!(!told.contains("SLAVE"), "{told}");
}

/// Has it know a user `server`, who may write below `/lab/`.
fn enable_users(cluster: &Cluster) {
    for command in [
        "user add root:topsecret",
        "user grant-role root root",
        "role add lab",
        "role grant-permission --prefix lab readwrite /lab/",
        "user add server:hunter2",
        "user grant-role server lab",
        "auth enable",
    ] {
        cluster.control(&command.split(' ').collect::<Vec<_>>());
    }
}

#[test]
fn a_change_of_users_ends_tokens_and_nothing_else() {
    let secret = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&secret, "a secret of thirty-two characters").expect("written");
    let jwt = format!(
        "--auth-token jwt,sign-method=HS256,ttl=10m,priv-key={}",
        text(secret.path())
    );
    for tokens in ["--auth-token simple", &jwt] {
        let cluster = Cluster::with_options(tokens);
        enable_users(&cluster);
        let endpoints = cluster.endpoints();
        let builder = EtcdDirectory::builder(endpoints.split(',')).expect("endpoints");
        let directory = builder
            .login("server", "hunter2")
            .prefix("/lab")
            .timeout(PATIENCE)
            .build()
            .expect("a short prefix");
        let change = || {
            for command in [
                "user delete server",
                "user add server:hunter2",
                "user grant-role server lab",
            ] {
                let root = ["--user", "root:topsecret"].into_iter();
                cluster.control(&root.chain(command.split(' ')).collect::<Vec<_>>());
            }
        };
        let offer = Offer::new(["notes"], 1).expect("a good offer");
        let mut watch = directory.watch("notes").expect("a good name");
        assert!(directory.list(None).expect("the first token").is_empty());
        change();
        directory.register(&offer).expect("a new lease");
        change();
        directory.register(&offer).expect("the lease renewed");
        change();
        assert_eq!(directory.discover("notes").expect("found").len(), 1);
        change();
        let told = watch.next(PATIENCE).expect("followed");
        assert_eq!(told.map(|servers| servers.len()), Some(1));
        change();
        directory.unregister(1).expect("the lease revoked");
        directory.discover("notes").expect_err("nobody any more");
    }
}

#[test]
fn with_a_name_and_a_password_below_a_prefix() {
    let cluster = Cluster::start(1);
    enable_users(&cluster);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let (user, password) = (file("user", "server\n"), file("password", "hunter2"));
    let wrong = file("wrong", "hunter3\n");
    let endpoints = cluster.endpoints();
    let place = ["--registry-host", &endpoints, "--etcd-prefix", "/lab"];
    let login = ["--etcd-user-file", &user, "--etcd-password-file", &password];
    let register = ["--register", "--registry-type", "etcd"];
    let server = Server::with_options(&[&register[..], &place, &login].concat());
    registered(&server);
    let (code, told) = services(&[&place[..], &login].concat());
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&server.address().to_string()), "{told}");
    let (code, told) = services(&place);
    assert_ne!(code, Some(0), "{told}");
    let liar = ["--etcd-user-file", &user, "--etcd-password-file", &wrong];
    let (code, told) = services(&[&place[..], &liar].concat());
    assert_ne!(code, Some(0), "{told}");
    assert!(told.contains("authentication failed"), "{told}");
    let elsewhere = ["--registry-host", &endpoints, "--etcd-prefix", "/other"];
    let (code, told) = services(&[&elsewhere[..], &login].concat());
    assert_ne!(code, Some(0), "{told}");
    assert!(told.contains("permission denied"), "{told}");
}
