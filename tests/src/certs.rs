//! Certificates for TLS tests, made for each test and gone with it.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// A folder with an authority's certificate and those that it has signed.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub enum Validity {
    /// Now.
    Now,
    /// It has been.
    Past,
    /// It will be.
    Future,
}

impl Authority {
    /// An authority of this name; its certificate is at [`path`](Authority::path).
    ///
    /// # Panics
    /// When a file can't be written.
    #[must_use]
    pub fn new(name: &str) -> Authority {
        let folder = TempDir::new().unwrap_or_else(|e| panic!("no temporary folder: {e}"));
        let mut params = params(name, &[], Validity::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let issuer = CertifiedIssuer::self_signed(params, generate_key());
        let issuer = issuer.unwrap_or_else(|e| panic!("no authority: {e}"));
        write(&folder.path().join("ca.pem"), &issuer.pem());
        Authority { folder, issuer }
    }

    /// Its own certificate.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for these hosts, which may be none, signed by this authority.
    ///
    /// # Panics
    /// When a file can't be written.
    #[must_use]
    pub fn sign(&self, name: &str, hosts: &[&str], validity: Validity) -> Identity {
        let key = generate_key();
        let signed = params(name, hosts, validity).signed_by(&key, &self.issuer);
        let signed = signed.unwrap_or_else(|e| panic!("no certificate: {e}"));
        self.write(name, &signed.pem(), &key)
    }

    /// A certificate for this machine, signed by this authority.
    #[must_use]
    pub fn server(&self) -> Identity {
        self.sign("server", &["localhost", "127.0.0.1"], Validity::Now)
    }

    /// A certificate of a client, signed by this authority.
    #[must_use]
    pub fn client(&self) -> Identity {
        self.sign("client", &["client.example.org"], Validity::Now)
    }

    /// A certificate that has signed itself, as `openssl req -x509` makes them.
    ///
    /// # Panics
    /// When a file can't be written.
    #[must_use]
    pub fn self_signed(&self, name: &str, validity: Validity) -> Identity {
        let key = generate_key();
        let mut params = params(name, &["localhost", "127.0.0.1"], validity);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let signed = params.self_signed(&key);
        let signed = signed.unwrap_or_else(|e| panic!("no certificate: {e}"));
        self.write(name, &signed.pem(), &key)
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) -> Identity {
        let identity = Identity {
            certificate: self.folder.path().join(format!("{name}.pem")),
            key: self.folder.path().join(format!("{name}.key")),
        };
        write(&identity.certificate, certificate);
        write(&identity.key, &key.serialize_pem());
        identity
    }
}

fn params(name: &str, hosts: &[&str], validity: Validity) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let params = CertificateParams::new(hosts);
    let mut params = params.unwrap_or_else(|e| panic!("no certificate for {name}: {e}"));
    // Pythons from 3.13 on want to know who has signed.
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    let organization = "Tests";
    let kind = DnType::OrganizationName;
    params.distinguished_name.push(kind, organization);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let (from, to) = match validity {
        Validity::Now => (2020, 2100),
        Validity::Past => (2000, 2001),
        Validity::Future => (2100, 2101),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

fn generate_key() -> KeyPair {
    KeyPair::generate().unwrap_or_else(|e| panic!("no key: {e}"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
