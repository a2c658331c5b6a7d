//! What a client's certificate says, as Python's `getpeercert()` says it.

use std::net::{Ipv4Addr, Ipv6Addr};

use rpyc_core::object::{Any, Dict, IntoAny};
use rpyc_core::transport::TlsStream;
use x509_parser::der_parser::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::time::ASN1Time;

use super::super::authenticator::Rejection;

/// The credentials of a client; none if it showed no certificate.
pub(super) fn credentials(stream: &TlsStream) -> Result<Option<Any>, Rejection> {
    let certificates = stream.peer_certificates();
    let Some(der) = certificates.first() else {
        return Ok(None);
    };
    let parsed = X509Certificate::from_der(der);
    let (_, certificate) =
        parsed.map_err(|error| Rejection::caused("its certificate can't be read", error))?;
    let dict = describe(&certificate).and_then(IntoAny::into_any);
    dict.map(Some)
        .map_err(|error| Rejection::caused("its certificate can't be described", error))
}

fn describe(certificate: &X509Certificate<'_>) -> Result<Dict, rpyc_core::Exception> {
    let dict = Dict::new();
    let serial: String = certificate
        .raw_serial()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    // One of the bytes is there for the sign alone.
    let serial = match serial.strip_prefix("00") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => serial,
    };
    let validity = certificate.validity();
    dict.insert("subject", name(certificate.subject()))?;
    dict.insert("issuer", name(certificate.issuer()))?;
    dict.insert("version", i64::from(certificate.version().0) + 1)?;
    dict.insert("serialNumber", serial)?;
    dict.insert("notBefore", time(validity.not_before))?;
    dict.insert("notAfter", time(validity.not_after))?;
    if let Ok(Some(names)) = certificate.subject_alternative_name() {
        let names = names.value.general_names.iter().filter_map(alternative);
        dict.insert("subjectAltName", Any::tuple(names))?;
    }
    Ok(dict)
}

fn pair(name: &str, value: &str) -> Any {
    Any::tuple([Any::from(name), Any::from(value)])
}

/// A tuple for each part of the name, of pairs: `((('commonName', 'x'),),)`.
fn name(name: &X509Name<'_>) -> Any {
    let parts = name.iter_rdn().map(|part| {
        Any::tuple(part.iter().map(|attribute| {
            let value = match attribute.as_str() {
                Ok(text) => text.to_owned(),
                Err(_) => String::from_utf8_lossy(attribute.as_slice()).into_owned(),
            };
            pair(&attribute_name(attribute.attr_type()), &value)
        }))
    });
    Any::tuple(parts)
}

/// The name that OpenSSL has for it.
fn attribute_name(oid: &Oid<'_>) -> String {
    let oid = oid.to_id_string();
    let name = NAMES.iter().find(|(known, _)| *known == oid);
    name.map_or(oid.clone(), |(_, name)| (*name).to_owned())
}

fn alternative(name: &GeneralName<'_>) -> Option<Any> {
    match name {
        GeneralName::DNSName(name) => Some(pair("DNS", name)),
        GeneralName::RFC822Name(name) => Some(pair("email", name)),
        GeneralName::URI(uri) => Some(pair("URI", uri)),
        GeneralName::IPAddress(bytes) => {
            let address = if let Ok(bytes) = <[u8; 4]>::try_from(*bytes) {
                Ipv4Addr::from(bytes).to_string()
            } else {
                let bytes = <[u8; 16]>::try_from(*bytes).ok()?;
                // As OpenSSL writes it: nothing is left out.
                let groups = Ipv6Addr::from(bytes).segments();
                groups.map(|group| format!("{group:X}")).join(":")
            };
            Some(pair("IP Address", &address))
        }
        _ => None,
    }
}

/// `Jan  1 00:00:00 2030 GMT`
fn time(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let month = MONTHS.get(usize::from(u8::from(time.month())).saturating_sub(1));
    format!(
        "{} {:2} {:02}:{:02}:{:02} {} GMT",
        month.unwrap_or(&"?"),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.year()
    )
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "commonName"),
    ("2.5.4.4", "surname"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "countryName"),
    ("2.5.4.7", "localityName"),
    ("2.5.4.8", "stateOrProvinceName"),
    ("2.5.4.9", "streetAddress"),
    ("2.5.4.10", "organizationName"),
    ("2.5.4.11", "organizationalUnitName"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "givenName"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "userId"),
    ("0.9.2342.19200300.100.1.25", "domainComponent"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];
