//! `GET /_ficus/about`: which program answers here, and which database schemas it was written for.
//!
//! Ficus asks on the handlers' private socket, and counts evidence for one build only. Whatever came from a client carries
//! its address in a header and is handed back to Flask like any other path.

use std::fs::File;
use std::io::{Read, Result};
use std::sync::{Arc, Once, OnceLock};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Where.
pub(super) const PATH: &str = "/_ficus/about";

/// What a proxy adds for a client.
const OF_CLIENTS: [&str; 5] = ["x-forwarded-for", "x-forwarded-host", "forwarded", "via", "x-real-ip"];

/// The hash of this program; inside: `None` if it cannot be read.
static BUILD: OnceLock<Option<String>> = OnceLock::new();

/// Begins to read this program, in the background: it may be large.
pub(super) fn begin() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let begun = std::thread::Builder::new()
            .name("about".to_owned())
            .spawn(|| BUILD.set(std::env::current_exe().and_then(File::open).and_then(hash).ok()));
        if begun.is_err() {
            let _ = BUILD.set(None);
        }
    });
}

fn hash(mut file: File) -> Result<String> {
    let (mut hash, mut part) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut part)? {
            0 => break,
            read => hash.update(&part[..read]),
        }
    }
    Ok(hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether this is the question, from somebody who speaks for himself.
pub(super) fn is_asked(request: &Request) -> bool {
    request.method() == Method::GET && request.uri().path() == PATH && !is_forwarded(request.headers())
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    OF_CLIENTS.iter().any(|name| headers.contains_key(*name))
}

/// The answer; as long as the program is still being read: later.
pub(super) fn answer(heads: &Arc<[String]>) -> Response {
    let Some(build) = BUILD.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]).into_response();
    };
    let document = json!({ "schema": 1, "build": build, "heads": **heads });
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (headers, document.to_string()).into_response()
}
