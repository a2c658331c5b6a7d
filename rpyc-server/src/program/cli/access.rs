//! Who gets in: TLS, a secret, networks, or everybody.

use std::path::PathBuf;

use ipnet::IpNet;

use super::arg::network;
use super::options::Effect::Listening;
use super::options::{many, options, path, switch};

options! {
    /// Who gets in.
    #[derive(Default)]
    AccessOptions in "Access" {
        ssl_keyfile: Option<PathBuf> = path("ssl-keyfile", "FILE",
            "Speak TLS with this key (PEM); SIGHUP reads the files anew")
            .in_short("Speak TLS with this key (PEM)").counts(Listening);
        ssl_certfile: Option<PathBuf> = path("ssl-certfile", "FILE",
            "The certificate of the key (PEM), with those between it and its authority behind it")
            .in_short("The key's certificate (PEM)").counts(Listening);
        ssl_cafile: Option<PathBuf> = path("ssl-cafile", "FILE",
            "Let in only clients that have a certificate of these authorities (PEM)")
            .in_short("Let in only clients with a certificate of these authorities")
            .counts(Listening);
        secret_file: Option<PathBuf> = path("secret-file", "FILE",
            "Let in only clients that know the secret in this file")
            .in_short("Let in only clients that know the secret in this file").counts(Listening)
            .protects();
        allow: Vec<IpNet> = many("allow", "NETWORK", network,
            "Let in only clients of this network (10.0.0.0/8); can be given several times")
            .with(|arg| arg.value_delimiter(','))
            .in_short("Let in only clients of this network (10.0.0.0/8)").counts(Listening)
            .protects();
        insecure: bool = switch("insecure",
            "Let in everybody, also from other machines, though classic mode lets every client run \
             any code as this user").counts(Listening);
    }
}
