//! The marks of write parity: what the proxy writes beside a request so that the handlers only rehearse it, and so that
//! Flask's row changes can be found again.
//!
//! A mark is signed with a key that is derived from Flask's secret key, which the proxy, Flask and the handlers know and
//! a client does not: whoever reaches a socket that is not meant for him can still not make a handler believe one. The
//! proxy also removes every header of this name from what clients send.
//!
//! `v1.ID.MILLISECONDS.METHOD.SIGNATURE`: the id of the request in lower-case hexadecimal digits, how long the dry run may
//! take, the request's method, and 32 hexadecimal digits of HMAC-SHA256. The request line of a dry run has the method
//! [`METHOD`] instead: handlers that know nothing of dry runs find no endpoint for it, and never write.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The request header that makes a dry run of a request.
pub const DRY_RUN: &str = "x-ficus-dry-run";
/// The method of a dry run on the wire.
pub const METHOD: &str = "DRY-RUN";
/// The request header that has the row changes of a request captured.
pub const CAPTURE: &str = "x-ficus-capture";
/// The header of the answer to a dry run: what became of it, a word of [`Outcome`].
pub const OUTCOME: &str = "x-ficus-dry-run-outcome";
/// The header of the answer to a dry run: how many bytes at the end of the body are the captured row changes, as JSON.
pub const ROWS: &str = "x-ficus-dry-run-rows";
/// The setting of PostgreSQL that turns the triggers on for one transaction.
pub const SETTING: &str = "ficus.request";

/// What a mark is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Everything is rolled back.
    DryRun,
    /// Row changes are captured.
    Capture,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Capture => "capture",
        }
    }
}

/// What became of a dry run, in words on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Something was written and is rolled back.
    RolledBack,
    /// The handler opened no transaction.
    Untouched,
    /// The handler is not made for dry runs and was not run, or wrote past its transaction and was refused.
    NotCovered,
    /// It took too long; everything is rolled back.
    TimedOut,
    /// Something was written and is rolled back, but the database has no triggers that would tell what.
    NotCaptured,
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::NotCaptured, "not-captured"),
    (Outcome::RolledBack, "rolled-back"),
    (Outcome::Untouched, "untouched"),
    (Outcome::NotCovered, "not-covered"),
    (Outcome::TimedOut, "timed-out"),
];

impl Outcome {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        OUTCOMES.iter().find(|(outcome, _)| *outcome == self).map_or("not-covered", |(_, word)| word)
    }

    /// The outcome with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        OUTCOMES.iter().find(|(_, known)| *known == word).map(|(outcome, _)| *outcome)
    }
}

/// A request whose writes are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The id of the request, for its rows.
    pub id: String,
    /// How long the dry run may take.
    pub budget: Duration,
    /// The request's method.
    pub method: String,
}

const DIGITS: usize = 32;
const LONGEST_BUDGET: u64 = 60_000;

impl Mark {
    /// The mark of a request with this number.
    #[must_use]
    pub fn new(number: u128, budget: Duration, method: &str) -> Self {
        Self { id: format!("{number:032x}"), budget, method: method.to_owned() }
    }

    /// The header's value.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, secret_key: &str) -> String {
        let content = format!("{}.{}.{}", self.id, self.milliseconds(), self.method);
        let signature = signature(purpose, &content, secret_key);
        format!("v1.{content}.{signature}")
    }

    /// Reads a header's value; `None`: it is not one of ours.
    #[must_use]
    pub fn verify(header: &str, purpose: Purpose, secret_key: &str) -> Option<Self> {
        let (content, given) = header.strip_prefix("v1.")?.rsplit_once('.')?;
        let mut parts = content.split('.');
        let (id, budget, method) = (parts.next()?, parts.next()?, parts.next()?);
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if parts.next().is_some() || id.len() != DIGITS || !id.bytes().all(hex) || !is_method(method) {
            return None;
        }
        let milliseconds: u64 = budget.parse().ok().filter(|budget| (1..=LONGEST_BUDGET).contains(budget))?;
        let right: bool = signature(purpose, content, secret_key).as_bytes().ct_eq(given.as_bytes()).into();
        let budget = Duration::from_millis(milliseconds);
        right.then(|| Self { id: id.to_owned(), budget, method: method.to_owned() })
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.budget.as_millis()).unwrap_or(LONGEST_BUDGET).clamp(1, LONGEST_BUDGET)
    }
}

/// Whether a request with this method can have a mark: the point is what separates its parts.
#[must_use]
pub fn is_method(method: &str) -> bool {
    !method.is_empty()
        && method != METHOD
        && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

fn signature(purpose: Purpose, content: &str, secret_key: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes()) else { return String::new() };
    mac.update(format!("ficus {} {content}", purpose.word()).as_bytes());
    let digest = mac.finalize().into_bytes();
    digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark::new(0xabc, Duration::from_millis(500), "POST")
    }

    #[test]
    fn only_what_was_signed_for_it_is_believed() {
        let header = mark().sign(Purpose::DryRun, "key");
        assert_eq!(Mark::verify(&header, Purpose::DryRun, "key"), Some(mark()));
        assert_eq!(Mark::verify(&header, Purpose::Capture, "key"), None, "another purpose");
        assert_eq!(Mark::verify(&header, Purpose::DryRun, "other"), None, "another key");
        for wrong in [
            header.replace(".500.", ".900."),
            header.replace("POST", "PUT"),
            format!("{header}.x"),
            String::new(),
        ] {
            assert_eq!(Mark::verify(&wrong, Purpose::DryRun, "key"), None, "{wrong}");
        }
        let endless = Mark { budget: Duration::from_secs(3_600), ..mark() };
        let read = Mark::verify(&endless.sign(Purpose::DryRun, "key"), Purpose::DryRun, "key");
        assert_eq!(read.map(|mark| mark.budget), Some(Duration::from_secs(60)));
    }

    #[test]
    fn the_signature_is_the_one_that_the_shim_checks() {
        // legacy-shim/python/tests/test_capture.py has the same text.
        let header = mark().sign(Purpose::Capture, "key");
        assert_eq!(header, "v1.00000000000000000000000000000abc.500.POST.5be2d8a6a74315b2cb412a1549fe967e");
    }

    #[test]
    fn outcomes_have_words() {
        for (outcome, word) in OUTCOMES {
            assert_eq!((Outcome::from_word(word), outcome.word()), (Some(outcome), word));
        }
    }
}
