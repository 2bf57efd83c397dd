//! Keeps a mistake of ours to the request in which it happens.
//!
//! A panic in one of the phases becomes an error of that request, which gets a 500 page; its connection, and on
//! HTTP/2 its neighbours, go on. It is counted and logged in `observe`, without what it said.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use pingora::{Error, ErrorType, Result};

/// Runs one step of a request. What a panic leaves half done is the request's own state, which ends with it.
pub(super) fn contained<T>(step: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done,
        Err(_) => Error::e_explain(ErrorType::InternalError, "panic"),
    }
}

/// The same for a step that waits.
pub(super) async fn contained_while<T>(step: impl Future<Output = Result<T>>) -> Result<T> {
    let mut step = pin!(step);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| step.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(_) => Poll::Ready(Error::e_explain(ErrorType::InternalError, "panic")),
    })
    .await
}

/// Panics at a path that a variable names: how the tests learn what a mistake costs. Not in release builds.
#[cfg(debug_assertions)]
pub(super) fn rehearse(path: &[u8]) {
    static PATH: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = PATH.get_or_init(|| std::env::var("REHEARSE_A_PANIC_AT").ok());
    assert!(chosen.as_ref().is_none_or(|chosen| chosen.as_bytes() != path), "secret words of a panic");
}

/// Does nothing.
#[cfg(not(debug_assertions))]
pub(super) fn rehearse(_path: &[u8]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_like_any_other() {
        assert!(contained(|| Ok(1)).is_ok_and(|one| one == 1));
        let error = contained::<()>(|| panic!("rehearsed")).unwrap_err();
        assert_eq!(*error.etype(), ErrorType::InternalError);
    }
}
