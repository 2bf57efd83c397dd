//! itsdangerous: signed, dated, optionally compressed texts. [`Signer`] signs, [`TimedSerializer`] is
//! `URLSafeTimedSerializer` over bytes (what the bytes mean is the caller's business: see [`crate::session`], [`crate::csrf`]).
//!
//! Shape: `payload "." timestamp "." signature`, all URL-safe base64 without padding; `payload` starts with `.` when it is
//! zlib-compressed. Same bytes as itsdangerous 1.1, 2.0, 2.1 and 2.2 (0.24 used another epoch and is not read).
//! Time comes in as an argument. No key ever appears in an error.

pub mod base64;
mod serializer;
mod signer;

pub use serializer::{LoadError, TimedSerializer};
pub(crate) use signer::mac;
pub use signer::{Digest, KeyDerivation, SignatureError, Signer, Unsigned};
