//! Any bytes into a registry's commands and answers: what is read can be written, and is read
//! back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rpyc_registry::message::{
    Command, MAX_DATAGRAM, decode_done, decode_names, decode_servers, encode_servers,
};

fuzz_target!(|data: &[u8]| {
    let _ = decode_done(data);
    let _ = decode_names(data);
    if let Ok(servers) = decode_servers(data) {
        let servers = servers.iter().map(|server| (&*server.host, server.port));
        let answer = encode_servers(servers.clone(), MAX_DATAGRAM);
        assert!(answer.len() <= MAX_DATAGRAM);
        let again = decode_servers(&answer).expect("our own bytes");
        let again = again.iter().map(|server| (&*server.host, server.port));
        assert!(again.clone().eq(servers.take(again.count())));
    }
    let incomplete = Command::is_incomplete(data);
    match Command::decode(data) {
        Ok(command) => {
            assert!(!incomplete);
            // Capitals can be longer than the letters that they are of.
            let written = command.encode();
            if written.len() <= MAX_DATAGRAM {
                assert_eq!(Command::decode(&written), Ok(command));
            }
        }
        Err(error) => {
            let _ = error.to_string();
        }
    }
});
