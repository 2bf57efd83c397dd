//! Who asked a moment ago: a browser fetches a page with everything on it, and the cookie is the same each time.
//!
//! Checking a signed cookie costs more than everything else that Ficus does to a request. What is remembered here is the
//! result for exactly this text, for a few seconds, in a fixed number of places; a text that meets a taken place takes it.

use std::hash::Hasher;
use std::sync::{Mutex, PoisonError};

use siphasher::sip::SipHasher13;

/// Seconds for which a result is believed. An identity only chooses a bucket: a session that ends meanwhile opens nothing.
const BELIEVED: i64 = 5;
/// How many cookies are remembered; with the 4 KiB that a browser keeps of one, at most some 4 MiB.
const PLACES: usize = 1_024;
/// Longer ones are checked each time.
const LONGEST: usize = 4_096;

/// The users of the cookies that were seen last.
pub(super) struct Recent<T> {
    places: Box<[Mutex<Option<Seen<T>>>]>,
}

struct Seen<T> {
    cookies: Vec<u8>,
    user: Option<T>,
    at: i64,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| Mutex::new(None)).collect() }
    }
}

impl<T: Clone> Recent<T> {
    /// The user of these cookies, as found a moment ago or by `check`; `now` is in unix seconds.
    pub(super) fn user(&self, cookies: &[u8], now: i64, check: impl FnOnce() -> Option<T>) -> Option<T> {
        if cookies.len() > LONGEST {
            return check();
        }
        let mut hasher = SipHasher13::new();
        hasher.write(cookies);
        let place = &self.places[hasher.finish() as usize % PLACES];
        let lock = || place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = &*lock()
            && (0..=BELIEVED).contains(&(now - seen.at))
            && seen.cookies == cookies
        {
            return seen.user.clone();
        }
        let user = check();
        *lock() = Some(Seen { cookies: cookies.to_owned(), user: user.clone(), at: now });
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(user: &str) -> Option<String> {
        Some(user.to_owned())
    }

    #[test]
    fn a_result_is_believed_for_a_moment() {
        let recent = Recent::default();
        assert_eq!(recent.user(b"a", 100, || found("7")), found("7"));
        assert_eq!(recent.user(b"a", 105, || panic!("asked again")), found("7"));
        assert_eq!(recent.user(b"a", 106, || None), None, "no longer");
        assert_eq!(recent.user(b"a", 50, || found("8")), found("8"), "the clock went back");
    }

    #[test]
    fn another_text_is_another_matter() {
        let recent = Recent::default();
        recent.user(b"a", 100, || found("7"));
        for n in 0..2 * PLACES {
            let user = n.to_string();
            assert_eq!(recent.user(format!("cookie {n}").as_bytes(), 100, || found(&user)), found(&user));
        }
        let long = vec![0; LONGEST + 1];
        recent.user(&long, 100, || found("7"));
        assert_eq!(recent.user(&long, 100, || None), None);
    }
}
