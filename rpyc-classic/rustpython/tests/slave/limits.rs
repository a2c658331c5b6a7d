//! What an engine's options allow clients' code.

use std::sync::Arc;
use std::time::Duration;

use rpyc_classic::EvaluatorOptions;
use rpyc_rustpython::RustPython;

use crate::client::Client;

fn engine_with_time_limit(limit: Duration) -> Arc<RustPython> {
    let mut options = EvaluatorOptions::default();
    options.request_time_limit = Some(limit);
    RustPython::start(options).expect("the interpreter starts")
}

#[test]
fn a_request_that_runs_longer_than_it_may_gets_a_timeout_error() {
    // Long enough for the last of them on a busy machine.
    let engine = engine_with_time_limit(Duration::from_secs(1));
    let client = Client::of(&engine);
    for text in [
        "[0 for _ in iter(int, 1)]",
        "__import__('time').sleep(3600)",
        // Also where it is caught, again and again.
        "[__import__('contextlib').suppress(BaseException).__exit__(*[None] * 3) for _ in iter(int, 1)]",
    ] {
        let raised = client.raised(text);
        assert!(
            raised.is("TimeoutError") && raised.message().contains("longer than the server allows"),
            "{text}: {raised}"
        );
    }
    assert_is!(client.eval("1 + 1"), 2);
    client.close();
}

#[test]
fn many_short_requests_may_take_longer_together() {
    let engine = engine_with_time_limit(Duration::from_secs(1));
    let client = Client::of(&engine);
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_millis(2200) {
        assert_is!(client.eval("sum(range(1000))"), 499_500);
    }
    client.close();
}
