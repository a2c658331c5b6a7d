//! A Rust service on a port, for a Python script.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rpyc_core::service::IntoService;
use rpyc_core::{Config, Connection, Service};
use rpyc_tests::Script;

/// Runs a script against a service; its `conn` is connected. It must succeed.
#[track_caller]
pub(crate) fn run(service: impl IntoService, code: &str) -> String {
    run_with(service, Config::default(), code)
}

/// The same, with the server's config.
#[track_caller]
pub(crate) fn run_with(service: impl IntoService, config: Config, code: &str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap_or_else(|e| panic!("bind: {e}"));
    let address = listener.local_addr().unwrap_or_else(|e| panic!("{e}"));
    let service = service.into_service();
    thread::spawn(move || {
        // It ends with the process: scripts connect as often as they like.
        for stream in listener.incoming().flatten() {
            let (service, config) = (service.clone(), config.clone());
            thread::spawn(move || serve(stream, service, config));
        }
    });
    let code = format!(
        "conn = rpyc.connect(HOST, PORT, config={{'sync_request_timeout': 20}})\n\
         root = conn.root\n{}",
        dedent(code)
    );
    let outcome = Script::new(&code)
        .variable("PEER_HOST", address.ip().to_string())
        .variable("PEER_PORT", address.port().to_string())
        .outcome();
    outcome.unwrap_or_else(|reason| panic!("{reason}"))
}

fn serve(stream: TcpStream, service: Arc<dyn Service>, config: Config) {
    if let Ok(connection) = Connection::open(stream, service, config) {
        connection.serve_all();
    }
}

/// Takes off what all lines are indented by.
fn dedent(code: &str) -> String {
    let lines = || code.lines().filter(|line| !line.trim().is_empty());
    let margin = lines()
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let mut text = String::new();
    for line in code.lines() {
        text.push_str(line.get(margin..).unwrap_or(""));
        text.push('\n');
    }
    text
}
