//! Fernet, the encryption of columns: what `cryptography.fernet.Fernet` and `MultiFernet` write and read.
//!
//! Shape: URL-safe base64 (with padding) of `0x80`, 8 bytes of unix time, 16 bytes IV, AES-128-CBC of the padded text, and
//! HMAC-SHA256 over all before. A key is 32 bytes in base64: 16 sign, 16 encrypt. The HMAC is checked first and in
//! constant time. Time and randomness come in as arguments.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::signing::base64::decode_standard;
use crate::signing::{Digest, mac};

const VERSION: u8 = 0x80;
/// Version, time, IV.
const HEADER: usize = 1 + 8 + 16;
const TAG: usize = 32;
const MAX_CLOCK_SKEW: i64 = 60;

/// A key that is not 32 bytes of base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("fernet key is not 32 url-safe base64-encoded bytes")]
pub struct BadKey;

/// `InvalidToken`: forged, damaged, of another key, or too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("fernet token is not valid")]
pub struct InvalidToken;

/// One key.
#[derive(Clone)]
pub struct Fernet {
    signing: [u8; 16],
    encryption: [u8; 16],
}

impl std::fmt::Debug for Fernet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fernet(..)")
    }
}

impl Fernet {
    /// From the key's text.
    ///
    /// # Errors
    /// It is not 32 bytes of base64.
    pub fn new(key: &str) -> Result<Self, BadKey> {
        let bytes = decode_standard(key.trim().as_bytes()).ok_or(BadKey)?;
        let (signing, encryption) = bytes.split_at_checked(16).ok_or(BadKey)?;
        Ok(Self {
            signing: signing.try_into().map_err(|_| BadKey)?,
            encryption: encryption.try_into().map_err(|_| BadKey)?,
        })
    }

    /// `encrypt(data)`, with the initialization vector and the time given.
    #[must_use]
    pub fn encrypt(&self, data: &[u8], iv: [u8; 16], now: i64) -> String {
        let mut token = Vec::with_capacity(HEADER + data.len() + 16 + TAG);
        token.push(VERSION);
        token.extend_from_slice(&now.max(0).to_be_bytes());
        token.extend_from_slice(&iv);
        let cipher = cbc::Encryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        token.extend_from_slice(&cipher.encrypt_padded_vec::<Pkcs7>(data));
        let tag = mac(Digest::Sha256, &self.signing, &token);
        token.extend_from_slice(&tag);
        URL_SAFE.encode(token)
    }

    /// `decrypt(token)`.
    ///
    /// # Errors
    /// The token is not one of this key.
    pub fn decrypt(&self, token: &str) -> Result<Vec<u8>, InvalidToken> {
        self.open(token).map(|(data, _)| data)
    }

    /// `decrypt(token, ttl)`: not older than `ttl` seconds, not more than a minute from the future.
    ///
    /// # Errors
    /// The token is not one of this key, or not of this time.
    pub fn decrypt_within(&self, token: &str, ttl: i64, now: i64) -> Result<Vec<u8>, InvalidToken> {
        let (data, time) = self.open(token)?;
        if time.saturating_add(ttl) < now || now.saturating_add(MAX_CLOCK_SKEW) < time {
            return Err(InvalidToken);
        }
        Ok(data)
    }

    /// `extract_timestamp(token)`: when it was made, in unix seconds.
    ///
    /// # Errors
    /// The token is not one of this key.
    pub fn extract_timestamp(&self, token: &str) -> Result<i64, InvalidToken> {
        self.open(token).map(|(_, time)| time)
    }

    fn open(&self, token: &str) -> Result<(Vec<u8>, i64), InvalidToken> {
        let bytes = decode_standard(token.as_bytes()).ok_or(InvalidToken)?;
        if bytes.len() < HEADER + TAG || bytes[0] != VERSION {
            return Err(InvalidToken);
        }
        let (signed, tag) = bytes.split_at(bytes.len() - TAG);
        if !bool::from(mac(Digest::Sha256, &self.signing, signed).ct_eq(tag)) {
            return Err(InvalidToken);
        }
        let time: [u8; 8] = signed[1..9].try_into().map_err(|_| InvalidToken)?;
        let iv: [u8; 16] = signed[9..HEADER].try_into().map_err(|_| InvalidToken)?;
        let cipher = cbc::Decryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        let data = cipher.decrypt_padded_vec::<Pkcs7>(&signed[HEADER..]).map_err(|_| InvalidToken)?;
        Ok((data, i64::from_be_bytes(time)))
    }
}

/// Several keys: the first encrypts, all decrypt.
#[derive(Debug, Clone)]
pub struct MultiFernet {
    keys: Vec<Fernet>,
}

impl MultiFernet {
    /// From the keys' texts, newest first.
    ///
    /// # Errors
    /// No key at all, or one that is not 32 bytes of base64.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, BadKey> {
        let keys: Vec<Fernet> = keys.into_iter().map(Fernet::new).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(BadKey) } else { Ok(Self { keys }) }
    }

    /// Encrypts with the first key.
    #[must_use]
    pub fn encrypt(&self, data: &[u8], iv: [u8; 16], now: i64) -> String {
        self.keys.first().map(|key| key.encrypt(data, iv, now)).unwrap_or_default()
    }

    /// Decrypts with the first key that fits.
    ///
    /// # Errors
    /// No key fits.
    pub fn decrypt(&self, token: &str) -> Result<Vec<u8>, InvalidToken> {
        self.keys.iter().find_map(|key| key.decrypt(token).ok()).ok_or(InvalidToken)
    }

    /// `decrypt(token, ttl)`: with the first key that fits, as [`Fernet::decrypt_within`].
    ///
    /// # Errors
    /// No key fits, or the token is not of this time.
    pub fn decrypt_within(&self, token: &str, ttl: i64, now: i64) -> Result<Vec<u8>, InvalidToken> {
        self.keys.iter().find_map(|key| key.decrypt_within(token, ttl, now).ok()).ok_or(InvalidToken)
    }

    /// `rotate(token)`: the same content and time under the first key.
    ///
    /// # Errors
    /// No key fits.
    pub fn rotate(&self, token: &str, iv: [u8; 16]) -> Result<String, InvalidToken> {
        let (data, time) = self.keys.iter().find_map(|key| key.open(token).ok()).ok_or(InvalidToken)?;
        Ok(self.encrypt(&data, iv, time))
    }
}
