//! What a service knows of the call that it serves: who calls, and what that side offers.

use rpyc_core::service::PeerInfo;
use rpyc_core::{Any, Config, Context, Exception, args, service};

use crate::serving::run_with;

#[derive(Default)]
struct AskingService;

#[service(module = "asking")]
impl AskingService {
    /// The caller's port, as this side sees it.
    #[exposed]
    fn port(&self, cx: &Context<'_>) -> Option<u16> {
        let (_, peer) = cx.connection().peer().endpoints?;
        Some(peer.port())
    }

    #[exposed]
    fn credentials(&self, cx: &Context<'_>) -> Option<Any> {
        cx.connection().peer().credentials
    }

    #[configure]
    fn everybody_is_alice(&self, _: &mut Config, peer: &mut PeerInfo) {
        peer.credentials = Some(Any::from("alice"));
    }

    /// The names of the caller's own service.
    #[exposed]
    fn names(&self, cx: &Context<'_>) -> Result<(String, Vec<String>), Exception> {
        let root = cx.connection().root()?;
        let name = root.call_method("get_service_name", args![])?.extract()?;
        let aliases = root
            .call_method("get_service_aliases", args![])?
            .extract()?;
        Ok((name, aliases))
    }
}

#[test]
fn a_service_knows_the_address_and_the_credentials_of_each_caller() {
    run_with(
        AskingService,
        Config::new(),
        r#"
        same(root.port(), local_port(conn))
        same(root.credentials(), "alice")
        other = rpyc.connect(HOST, PORT)
        same(other.root.port(), local_port(other))
        same(root.port(), local_port(conn))
        other.close()
        "#,
    );
}

#[test]
fn a_service_asks_its_peer_for_the_names_of_its_service() {
    run_with(
        AskingService,
        Config::default(),
        r#"
        class PagerService(rpyc.Service):
            ALIASES = ["pager", "beeper"]
        mine = rpyc.connect(HOST, PORT, service=PagerService)
        same(mine.root.names(), ("PAGER", ("PAGER", "BEEPER")))
        same(root.names(), ("VOID", ("VOID",)))
        mine.close()
        "#,
    );
}
