//! The session's `_id`: SHA-512 over Python's `repr` of address and user agent.

use sha2::{Digest as _, Sha512};

use crate::python::bytes_repr;

/// `_create_identifier()`. `address` from [`client_address`], `user_agent` as the header's bytes; `None` if absent.
#[must_use]
pub fn identifier(address: Option<&[u8]>, user_agent: Option<&[u8]>) -> String {
    let shown = |bytes: Option<Vec<u8>>| bytes.map_or_else(|| "None".to_owned(), |bytes| bytes_repr(&bytes));
    let base = format!("{}|{}", shown(address.map(<[u8]>::to_vec)), shown(user_agent.map(reencode)));
    hex(&Sha512::digest(base.as_bytes()))
}

/// The address Flask-Login goes by: the first of X-Forwarded-For if that header is there, else the peer's.
#[must_use]
pub fn client_address(forwarded_for: Option<&[u8]>, peer: Option<&str>) -> Option<Vec<u8>> {
    match forwarded_for {
        Some(header) => {
            let header = reencode(header);
            let first = header.split(|byte| *byte == b',').next().unwrap_or_default();
            Some(first.trim_ascii().to_vec())
        }
        None => peer.map(|peer| peer.as_bytes().to_vec()),
    }
}

/// WSGI shows header bytes as latin-1 text; Flask-Login encodes that text as UTF-8.
fn reencode(header: &[u8]) -> Vec<u8> {
    header.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
