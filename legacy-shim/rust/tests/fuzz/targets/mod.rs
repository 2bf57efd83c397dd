//! What is fuzzed: each target takes any bytes and panics when flask-compat breaks its promise for them.
//!
//! `tests/fuzz/main.rs` runs the targets over the corpus in `cargo test`, `legacy-shim/rust/fuzz` under libFuzzer. The
//! promises: no panic, no hang, and whatever is accepted as signed is a text that somebody with the key has signed. Python
//! reads base64 leniently, so a few texts with another *spelling* of a right signature are right as well: padding, `+/`
//! for `-_`, unused low bits, skipped characters. `tamper::signature_bytes` says which, independently of the library.

pub(crate) mod cookies;
pub(crate) mod forms;
pub(crate) mod known;
pub(crate) mod routes;
pub(crate) mod secrets;
pub(crate) mod signed;
pub(crate) mod tamper;

use flask_compat::Profile;

/// A target.
pub(crate) type Target = fn(&[u8]);

/// All targets by name; the corpus of a target lies in the folder of that name.
pub(crate) const TARGETS: [(&str, Target); 12] = [
    ("cookie", cookies::cookie),
    ("set_cookie", cookies::set_cookie),
    ("session", signed::session),
    ("session_life", signed::session_life),
    ("itsdangerous", signed::itsdangerous),
    ("csrf", secrets::csrf),
    ("remember", secrets::remember),
    ("fernet", secrets::fernet),
    ("password", secrets::password),
    ("rule", routes::rule),
    ("form", forms::form),
    ("multipart", forms::multipart),
];

/// When everything in the vectors was signed.
pub(crate) const NOW: i64 = 1_600_000_000;

pub(crate) const PROFILES: [Profile; 4] = Profile::ALL;
