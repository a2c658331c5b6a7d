//! The examples run to their end: an instrument, its client, and a gateway between them. (`modes`
//! is what the tests of the modes start.)

#[path = "../examples/gateway.rs"]
mod gateway;
#[path = "../examples/lab.rs"]
mod lab;
#[path = "../examples/lab_client.rs"]
mod lab_client;

use rpyc_core::{Any, args, connect};
use rpyc_server::Running;

fn address(server: &Running) -> String {
    server.local_addr().expect("it listens on TCP").to_string()
}

#[test]
fn a_client_of_the_lab_meets_every_kind_of_error() {
    let [public, keepers] = lab::serve("127.0.0.1:0", "127.0.0.1:0").expect("two ports");
    let failures = lab_client::run(&address(&public)).expect("it runs to its end");
    let kinds = [
        "our mistake: 99 V are too much for channel 1",
        "no such channel: ",
        "too slow, perhaps later: ",
        "another version of the service? ",
        "the network, while ",
        "connect again: ",
    ];
    assert_eq!(failures.len(), kinds.len(), "{failures:#?}");
    for (failure, kind) in failures.iter().zip(kinds) {
        assert!(failure.starts_with(kind), "{failures:#?}");
    }
    // Both ports show the same instrument.
    let conn = connect(address(&keepers)).expect("the keepers' port");
    let status = || -> rpyc_core::Result<(u32, Option<f64>)> {
        let status = conn.root()?.call_method("status", args![])?;
        let highest = status.get_item("highest")?.extract()?;
        Ok((status.get_item("channels")?.extract()?, highest))
    };
    assert_eq!(status().expect("its status"), (4, Some(6.0)));
    let reset = conn
        .root()
        .and_then(|root| root.call_method("reset", args![]));
    assert!(reset.is_ok_and(|nothing| nothing.is_none()));
    assert_eq!(status().expect("its status"), (0, None));
    for server in [public, keepers] {
        server.stop();
    }
}

#[test]
fn a_gateway_passes_on_calls_callbacks_and_exceptions() -> rpyc_core::Result<()> {
    let [public, keepers] = lab::serve("127.0.0.1:0", "127.0.0.1:0").expect("two ports");
    let gateway = gateway::serve(&address(&public), "127.0.0.1:0").expect("a port");
    let lab = connect(address(&public))?;
    lab.root()?.call_method("set", args![1, 2.5])?;

    let conn = connect(address(&gateway))?;
    let root = conn.root()?;
    assert_eq!(
        root.call_method("measure", args![1, gain = 2.0])?
            .extract::<f64>()?,
        5.0
    );
    let (tell, told) = std::sync::mpsc::channel();
    let progress = args![
        [1, 1],
        progress = move |done: u32, total: u32| { tell.send((done, total)).is_ok() }
    ];
    let swept = root.call_method("sweep", progress)?;
    assert_eq!(swept.get_item(1)?.extract::<f64>()?, 2.5);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(1, 2), (2, 2)]);
    let raised = |outcome: rpyc_core::Result<Any>| outcome.err().map(|error| error.to_string());
    let missing = raised(root.call_method("measure", args![9]));
    assert_eq!(missing.as_deref(), Some("KeyError: 9"));
    let denied = raised(root.call_method("set", args![1, 1.0]));
    assert_eq!(
        denied.as_deref(),
        Some("PermissionError: this way the lab is read only")
    );
    let calls = root.call_method("statistics", args![])?.get_item("calls")?;
    assert_eq!(calls.extract::<u64>()?, 3);
    for server in [gateway, public, keepers] {
        server.stop();
    }
    Ok(())
}

#[test]
fn the_examples_are_short() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).expect("the examples") {
        let path = entry.expect("an example").path();
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.lines().count() < 130, "{} is long", path.display());
    }
}
