//! `itsdangerous.URLSafeTimedSerializer` over bytes: compression, time stamp, maximum age.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use thiserror::Error;

use super::{SignatureError, Signer, base64};

/// A cookie holds 4 kB; whatever inflates to more than this was not written by an application in its right mind.
const LARGEST_PAYLOAD: u64 = 4 << 20;

/// Why a signed text gave no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LoadError {
    /// Missing or wrong signature (itsdangerous: `BadSignature`).
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signature is right, but there is no readable time stamp (`BadTimeSignature`).
    #[error("time stamp missing or malformed")]
    TimeStamp,
    /// Older than the maximum age, or from the future (`SignatureExpired`).
    #[error("signature age of {age} s is not within 0 to {max_age} s")]
    Expired {
        /// Seconds since the signing.
        age: i64,
        /// Seconds allowed.
        max_age: i64,
    },
    /// The signature is right, but the payload is not base64 or not zlib (`BadPayload`).
    #[error("payload behind a right signature is not readable")]
    Payload,
}

/// Signs bytes with a time stamp and reads them back.
#[derive(Debug, Clone)]
pub struct TimedSerializer {
    signer: Signer,
    /// Accept time stamps of the future, as itsdangerous 1.1 does (2.0 and later refuse them).
    pub accept_future: bool,
}

impl TimedSerializer {
    /// A serializer over `signer`. `accept_future` is false: a text from the future is refused, as in itsdangerous 2.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        Self { signer, accept_future: false }
    }

    /// `payload "." timestamp "." signature`; compressed if that is shorter by more than one byte.
    #[must_use]
    pub fn dumps(&self, payload: &[u8], now: i64) -> String {
        let text = match deflate(payload) {
            Some(packed) if packed.len() + 1 < payload.len() => format!(".{}", base64::encode(&packed)),
            _ => base64::encode(payload),
        };
        self.signer.sign(&format!("{text}.{}", time_stamp(now)))
    }

    /// Checks signature and age (`None`: any), gives the payload's bytes.
    ///
    /// # Errors
    /// See [`LoadError`]; the order of the checks is that of itsdangerous.
    pub fn loads(&self, signed: &str, max_age: Option<i64>, now: i64) -> Result<Vec<u8>, LoadError> {
        let unsigned = self.signer.unsign(signed)?;
        let (payload, stamp) = unsigned.value.rsplit_once('.').ok_or(LoadError::TimeStamp)?;
        let stamp = read_time_stamp(stamp).ok_or(LoadError::TimeStamp)?;
        if let Some(max_age) = max_age {
            let age = now.saturating_sub(stamp);
            if age > max_age || (age < 0 && !self.accept_future) {
                return Err(LoadError::Expired { age, max_age });
            }
        }
        unpack(payload).ok_or(LoadError::Payload)
    }
}

/// Base64 of the shortest big-endian bytes.
fn time_stamp(now: i64) -> String {
    let bytes = now.max(0).to_be_bytes();
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    base64::encode(&bytes[start..])
}

fn read_time_stamp(text: &str) -> Option<i64> {
    let bytes = base64::decode(text.as_bytes())?;
    let mut eight = [0u8; 8];
    let start = eight.len().checked_sub(bytes.len())?;
    eight[start..].copy_from_slice(&bytes);
    i64::try_from(u64::from_be_bytes(eight)).ok()
}

fn unpack(payload: &str) -> Option<Vec<u8>> {
    match payload.strip_prefix('.') {
        None => base64::decode(payload.as_bytes()),
        Some(packed) => inflate(&base64::decode(packed.as_bytes())?),
    }
}

fn deflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    ZlibDecoder::new(bytes).take(LARGEST_PAYLOAD + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 <= LARGEST_PAYLOAD).then_some(out)
}
