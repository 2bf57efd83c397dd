//! `itsdangerous.Signer`: key derivation, HMAC, several keys. The time stamp is added by the serializer.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::base64;

/// How the key is made of secret and salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDerivation {
    /// HMAC(secret, salt): Flask's session.
    Hmac,
    /// H(salt + "signer" + secret): the default of itsdangerous, used by Flask-WTF.
    DjangoConcat,
    /// H(salt + secret).
    Concat,
    /// The secret as it is.
    None,
}

/// The hash of derivation and signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1, the default everywhere.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Why a text was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// There is no `.` in the text.
    #[error("no signature found")]
    Missing,
    /// No key gives this signature.
    #[error("signature does not match")]
    Mismatch,
}

/// A text whose signature was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsigned<'a> {
    /// The text before the signature.
    pub value: &'a str,
    /// Which key fitted: 0 is the current one.
    pub key_index: usize,
}

/// Signs with the first key, accepts the signatures of all.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<Vec<u8>>,
    digest: Digest,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("keys", &self.keys.len()).field("digest", &self.digest).finish()
    }
}

impl Signer {
    /// Derives the keys once. The first secret signs, the others (`SECRET_KEY_FALLBACKS`, newest first) only verify.
    pub fn new<S: AsRef<[u8]>>(secrets: &[S], salt: &str, derivation: KeyDerivation, digest: Digest) -> Self {
        let keys = secrets
            .iter()
            .map(|secret| derive(secret.as_ref(), salt.as_bytes(), derivation, digest))
            .collect();
        Self { keys, digest }
    }

    /// `value "." signature`; just `value "."` if there is no key at all.
    #[must_use]
    pub fn sign(&self, value: &str) -> String {
        let signature =
            self.keys.first().map(|key| mac(self.digest, key, value.as_bytes())).unwrap_or_default();
        format!("{value}.{}", base64::encode(&signature))
    }

    /// Splits at the last `.` and checks the signature against every key, in constant time.
    ///
    /// # Errors
    /// No separator, or no key that fits.
    pub fn unsign<'a>(&self, signed: &'a str) -> Result<Unsigned<'a>, SignatureError> {
        let (value, signature) = signed.rsplit_once('.').ok_or(SignatureError::Missing)?;
        let signature = base64::decode(signature.as_bytes()).ok_or(SignatureError::Mismatch)?;
        for (key_index, key) in self.keys.iter().enumerate() {
            if bool::from(mac(self.digest, key, value.as_bytes()).ct_eq(&signature)) {
                return Ok(Unsigned { value, key_index });
            }
        }
        Err(SignatureError::Mismatch)
    }
}

fn derive(secret: &[u8], salt: &[u8], derivation: KeyDerivation, digest: Digest) -> Vec<u8> {
    match derivation {
        KeyDerivation::Hmac => mac(digest, secret, salt),
        KeyDerivation::DjangoConcat => hash(digest, &[salt, b"signer", secret]),
        KeyDerivation::Concat => hash(digest, &[salt, secret]),
        KeyDerivation::None => secret.to_vec(),
    }
}

fn hash(digest: Digest, parts: &[&[u8]]) -> Vec<u8> {
    fn run<D: sha1::Digest>(parts: &[&[u8]]) -> Vec<u8> {
        let mut hasher = D::new();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().to_vec()
    }
    match digest {
        Digest::Sha1 => run::<Sha1>(parts),
        Digest::Sha224 => run::<Sha224>(parts),
        Digest::Sha256 => run::<Sha256>(parts),
        Digest::Sha384 => run::<Sha384>(parts),
        Digest::Sha512 => run::<Sha512>(parts),
    }
}

/// HMAC of `message`. Public to the crate: Flask-Login and Fernet need it bare.
pub(crate) fn mac(digest: Digest, key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of every length, so the error arm is never reached.
    macro_rules! run {
        ($hash:ty) => {
            Hmac::<$hash>::new_from_slice(key)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        };
    }
    match digest {
        Digest::Sha1 => run!(Sha1),
        Digest::Sha224 => run!(Sha224),
        Digest::Sha256 => run!(Sha256),
        Digest::Sha384 => run!(Sha384),
        Digest::Sha512 => run!(Sha512),
    }
}
