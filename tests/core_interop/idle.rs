//! A client that doesn't serve, and one that calls into it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rpyc_core::{Any, Args, Config, Context, Exception, Exposed, service};

use crate::serving::run_with;

/// Keeps a function of one client, for all of them.
#[derive(Default)]
struct BellService {
    kept: Mutex<Option<Any>>,
}

#[service(module = "bell")]
impl BellService {
    /// Keeps the function; says how the connection is called here.
    #[exposed]
    fn keep(&self, cx: &Context<'_>, function: Any) -> String {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(function);
        cx.connection().connid().to_owned()
    }

    #[exposed]
    fn ring(&self, cx: &Context<'_>) -> Result<Any, Exception> {
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        kept.unwrap_or(Any::NONE).call_in(cx, Args::new())
    }
}

#[test]
fn a_call_into_an_idle_client_ends_with_its_name_and_holds_up_nobody_else() {
    let config = Config::new().sync_request_timeout(Duration::from_secs(2));
    run_with(
        Exposed::new(BellService::default()),
        config,
        r#"
        idle, caller, third = conn, rpyc.connect(HOST, PORT), rpyc.connect(HOST, PORT)
        connid = idle.root.keep(lambda: None)
        ringing = rpyc.async_(caller.root.ring)()
        answered = 0
        while not ringing.ready:
            third.ping()
            answered += 1
        with raises(TimeoutError, f"({connid}: ") as raised:
            ringing.value
        assert "wasn't answered within 2s" in str(raised.value), raised.value
        # One, at most, if it had waited as long.
        assert answered > 10, answered
        caller.ping()
        third.close()
        caller.close()
        "#,
    );
}
