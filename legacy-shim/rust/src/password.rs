//! Werkzeug's password hashes: `method$salt$hex`.
//!
//! Shapes: `pbkdf2:sha256:150000$salt$hex`, `scrypt:32768:8:1$salt$hex`, and old `sha256$salt$hex` (HMAC), read only.
//! Hashes without iterations mean the default of the Werkzeug that checks them. Comparison takes constant time.
//! While a Flask on Werkzeug 1.0 is alive, write pbkdf2:sha256 only: it raises on scrypt.
//! Source: Werkzeug 1.0.1, 2.3.8 and 3.1.9 `security.py`.

use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::Profile;
use crate::login::hex;

/// More work than any installation asks for; a bound on what a stored hash may cost.
const MOST_ITERATIONS: u32 = 20_000_000;
const MOST_SCRYPT_MEMORY: u64 = 256 << 20;
const SALT_CHARS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A stored hash that cannot be checked. Werkzeug raises `ValueError` for it, Flask answers 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// Method unknown, or unknown to this profile's Werkzeug.
    #[error("method of the password hash is not supported")]
    Method,
    /// Arguments missing, malformed or beyond any sense.
    #[error("arguments of the password hash are not usable")]
    Arguments,
}

/// How to hash a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `pbkdf2:sha256:iterations`.
    Pbkdf2Sha256 {
        /// Rounds.
        iterations: u32,
    },
    /// `scrypt:2^log_n:r:p`.
    Scrypt {
        /// Logarithm of the cost.
        log_n: u8,
        /// Block size.
        r: u32,
        /// Parallelism.
        p: u32,
    },
}

impl Method {
    /// What `generate_password_hash(password)` of the profile's Werkzeug uses.
    #[must_use]
    pub fn default_of(profile: Profile) -> Self {
        match profile {
            Profile::Werkzeug10 | Profile::Werkzeug23 => {
                Method::Pbkdf2Sha256 { iterations: default_iterations(profile) }
            }
            Profile::Werkzeug30 | Profile::Werkzeug31 => Method::Scrypt { log_n: 15, r: 8, p: 1 },
        }
    }
}

/// `check_password_hash(stored, password)`. This is slow by design: run it off the async threads.
///
/// # Errors
/// The stored hash is one that this Werkzeug refuses. A text that is no hash at all is `Ok(false)`, as in Werkzeug.
pub fn check_password_hash(stored: &str, password: &str, profile: Profile) -> Result<bool, PasswordError> {
    let mut parts = stored.splitn(3, '$');
    let (Some(method), Some(salt), Some(expected)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(false);
    };
    let found = hash(method, salt, password, profile)?;
    Ok(found.as_bytes().ct_eq(expected.as_bytes()).into())
}

/// `generate_password_hash(password, method)`. `random` makes the salt: 8 characters with Werkzeug 1.0, else 16.
///
/// # Errors
/// Parameters of scrypt that make no sense.
pub fn generate_password_hash(
    password: &str,
    method: Method,
    random: &[u8; 32],
    profile: Profile,
) -> Result<String, PasswordError> {
    let length = if profile == Profile::Werkzeug10 { 8 } else { 16 };
    let salt: String = random
        .chunks_exact(2)
        .take(length)
        .map(|pair| {
            char::from(SALT_CHARS[usize::from(u16::from_be_bytes([pair[0], pair[1]])) % SALT_CHARS.len()])
        })
        .collect();
    let name = match method {
        Method::Pbkdf2Sha256 { iterations } => format!("pbkdf2:sha256:{iterations}"),
        Method::Scrypt { log_n, r, p } => {
            format!("scrypt:{}:{r}:{p}", 1u64.checked_shl(log_n.into()).ok_or(PasswordError::Arguments)?)
        }
    };
    // Every Werkzeug up to 3 can be asked for these two names; 1.0 alone refuses scrypt.
    let hex = match method {
        Method::Scrypt { log_n, r, p } => scrypt_hex(password, &salt, log_n, r, p)?,
        Method::Pbkdf2Sha256 { .. } => hash(&name, &salt, password, profile)?,
    };
    Ok(format!("{name}${salt}${hex}"))
}

fn hash(method: &str, salt: &str, password: &str, profile: Profile) -> Result<String, PasswordError> {
    let mut args = method.split(':');
    let name = args.next().unwrap_or_default();
    let args: Vec<&str> = args.collect();
    match (name, profile) {
        ("pbkdf2", Profile::Werkzeug10) if args.is_empty() => Err(PasswordError::Method),
        ("pbkdf2", _) => pbkdf2_of(&args, salt, password, profile),
        ("scrypt", Profile::Werkzeug23 | Profile::Werkzeug30 | Profile::Werkzeug31) => {
            let (log_n, r, p) = scrypt_arguments(&args)?;
            scrypt_hex(password, salt, log_n, r, p)
        }
        ("plain", Profile::Werkzeug10 | Profile::Werkzeug23) => Ok(password.to_owned()),
        (_, Profile::Werkzeug30 | Profile::Werkzeug31) => Err(PasswordError::Method),
        (_, Profile::Werkzeug10) if salt.is_empty() => Err(PasswordError::Method),
        _ => plain_hmac(method, salt, password),
    }
}

fn default_iterations(profile: Profile) -> u32 {
    match profile {
        Profile::Werkzeug10 => 150_000,
        Profile::Werkzeug23 | Profile::Werkzeug30 => 600_000,
        Profile::Werkzeug31 => 1_000_000,
    }
}

fn pbkdf2_of(args: &[&str], salt: &str, password: &str, profile: Profile) -> Result<String, PasswordError> {
    if args.len() > 2 || (profile == Profile::Werkzeug10 && salt.is_empty()) {
        return Err(PasswordError::Arguments);
    }
    let given = match args.get(1) {
        None => 0,
        Some(text) if text.is_empty() && profile == Profile::Werkzeug10 => 0,
        Some(text) => text.parse().map_err(|_| PasswordError::Arguments)?,
    };
    let iterations = match given {
        0 if args.len() < 2 || profile == Profile::Werkzeug10 => default_iterations(profile),
        1..=MOST_ITERATIONS => given,
        _ => return Err(PasswordError::Arguments),
    };
    let (password, salt) = (password.as_bytes(), salt.as_bytes());
    macro_rules! run {
        ($hash:ty, $size:literal) => {{
            let mut out = [0u8; $size];
            pbkdf2_hmac::<$hash>(password, salt, iterations, &mut out);
            Ok(hex(&out))
        }};
    }
    match args.first().copied().unwrap_or("sha256") {
        "sha1" => run!(Sha1, 20),
        "sha224" => run!(Sha224, 28),
        "sha256" => run!(Sha256, 32),
        "sha384" => run!(Sha384, 48),
        "sha512" => run!(Sha512, 64),
        _ => Err(PasswordError::Method),
    }
}

fn scrypt_arguments(args: &[&str]) -> Result<(u8, u32, u32), PasswordError> {
    let [n, r, p] = args else {
        return if args.is_empty() { Ok((15, 8, 1)) } else { Err(PasswordError::Arguments) };
    };
    let n: u64 = n.parse().map_err(|_| PasswordError::Arguments)?;
    if !n.is_power_of_two() || n < 2 {
        return Err(PasswordError::Arguments);
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| PasswordError::Arguments)?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| PasswordError::Arguments);
    Ok((log_n, number(r)?, number(p)?))
}

fn scrypt_hex(password: &str, salt: &str, log_n: u8, r: u32, p: u32) -> Result<String, PasswordError> {
    let blocks = 1u64.checked_shl(log_n.into()).ok_or(PasswordError::Arguments)?;
    let memory = blocks.checked_mul(128).and_then(|size| size.checked_mul(r.into()));
    if p > 64 || memory.is_none_or(|memory| memory > MOST_SCRYPT_MEMORY) {
        return Err(PasswordError::Arguments);
    }
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| PasswordError::Arguments)?;
    let mut out = [0u8; 64];
    scrypt::scrypt(password.as_bytes(), salt.as_bytes(), &params, &mut out)
        .map_err(|_| PasswordError::Arguments)?;
    Ok(hex(&out))
}

/// `sha256$salt$hex` of old applications: HMAC keyed with the salt.
fn plain_hmac(method: &str, salt: &str, password: &str) -> Result<String, PasswordError> {
    macro_rules! run {
        ($hash:ty) => {
            Hmac::<$hash>::new_from_slice(salt.as_bytes())
                .map(|mac| hex(&mac.chain_update(password.as_bytes()).finalize().into_bytes()))
                .map_err(|_| PasswordError::Arguments)
        };
    }
    match method {
        "sha1" => run!(Sha1),
        "sha224" => run!(Sha224),
        "sha256" => run!(Sha256),
        "sha384" => run!(Sha384),
        "sha512" => run!(Sha512),
        _ => Err(PasswordError::Method),
    }
}
