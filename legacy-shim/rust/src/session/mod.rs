//! Flask's session cookie: [`SessionCodec::load`] opens it, [`Session`] is the dictionary a view works with,
//! [`SessionCodec::save`] decides whether to send it again and writes it.
//!
//! Shape: itsdangerous text (see [`crate::signing`]) over Flask's *tagged JSON*: plain JSON plus one-key objects for what
//! JSON lacks: `{" t": [..]}` tuple, `" b"` bytes, `" m"` markup, `" u"` UUID, `" d"` date, `" di"` an object that would
//! look like a tag. Keys, tags and numbers that Rust does not understand survive a rewrite untouched.
//!
//! Errors: a missing, forged or expired cookie is an empty session, as in Flask. A cookie with a *right* signature that
//! still cannot be read (NaN, lone surrogates, another serializer) is [`UnreadableSession`]: leave that request to Flask.
//!
//! Source: Flask 1.1.2, 2.3.3 and 3.1.3 `flask/sessions.py`, `flask/json/tag.py`.

mod codec;
mod config;
mod read;
mod store;
mod value;
mod write;

pub use codec::{SessionCodec, UnreadableSession};
pub use config::SessionConfig;
pub use read::read_tagged_json;
pub use store::Session;
pub use value::{Map, Value};
pub use write::write_tagged_json;

/// Keys of the tags that Flask registers itself.
const TAGS: [&str; 6] = [" di", " t", " b", " m", " u", " d"];
