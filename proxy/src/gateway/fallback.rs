//! What to do when a backend fails: the fallback answers, or nobody.
//!
//! Step 6 of a request (fall back). Pure; the table of tests at the foot is the policy. A request is given to
//! another backend at most once, only while the client has got nothing, and only if repeating it is harmless: its
//! method is safe, nothing was sent, nobody has read it, or the handler said that it has changed nothing.

use http::Method;

/// What went wrong with a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No upstream could be connected to; nothing was sent.
    Unreachable,
    /// All its places are taken; nothing was sent.
    Busy,
    /// The connection broke before the head of the answer.
    Broken,
    /// No head in time.
    Timeout,
    /// An answer that is no HTTP.
    Garbage,
    /// A status of 500 or more.
    Status,
    /// The handler handed the request back before it changed anything.
    Deferred,
}

impl Trouble {
    /// A stable word for metrics and logs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::Broken => "broken",
            Self::Timeout => "timeout",
            Self::Garbage => "garbage",
            Self::Status => "status",
            Self::Deferred => "deferred",
        }
    }

    /// What the client gets if nobody else answers.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Busy => 503,
            Self::Timeout => 504,
            Self::Unreachable | Self::Broken | Self::Garbage | Self::Status | Self::Deferred => 502,
        }
    }

    /// Whether the backend cannot have begun to work on the request, or said that it has changed nothing.
    fn is_harmless(self) -> bool {
        matches!(self, Self::Unreachable | Self::Busy | Self::Deferred)
    }
}

/// How far a request has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// The method promises to change nothing.
    pub(super) safe: bool,
    /// The client has got the head of an answer.
    pub(super) answered: bool,
    /// What was read of the body is still there.
    pub(super) replayable: bool,
    /// There is another backend that was not asked yet.
    pub(super) fallback: bool,
    /// The connection had been used before and may have been closed by the other end at the same moment.
    pub(super) stale: bool,
    /// It broke, and it is certain that the other end has not read the request.
    pub(super) unread: bool,
    /// The backend was not yet asked a second time.
    pub(super) again: bool,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The fallback is asked.
    Fallback,
    /// The same backend is asked again, on a fresh connection, another upstream of it if there is one.
    Again,
    /// The client gets an error, although a fallback is there: the request must not be repeated.
    Unrepeatable,
    /// The client gets an error.
    Fail,
}

/// GET, HEAD and OPTIONS promise to change nothing.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The policy.
pub(super) fn next(trouble: Trouble, progress: Progress) -> Next {
    let harmless = trouble.is_harmless() || (progress.unread && trouble == Trouble::Broken);
    let repeatable = progress.replayable && (progress.safe || harmless);
    match progress {
        Progress { answered: true, .. } => Next::Fail,
        Progress { stale: true, .. } if repeatable && trouble == Trouble::Broken => Next::Again,
        Progress { fallback: true, .. } if repeatable => Next::Fallback,
        Progress { fallback: true, .. } => Next::Unrepeatable,
        // The process behind the connection may have been replaced: whoever is there now can answer.
        Progress { again: true, .. } if repeatable && trouble == Trouble::Broken => Next::Again,
        _ => Next::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Progress = Progress {
        safe: true,
        answered: false,
        replayable: true,
        fallback: true,
        stale: false,
        unread: false,
        again: true,
    };
    const ALL: [Trouble; 7] = [
        Trouble::Unreachable,
        Trouble::Busy,
        Trouble::Broken,
        Trouble::Timeout,
        Trouble::Garbage,
        Trouble::Status,
        Trouble::Deferred,
    ];

    #[test]
    fn a_safe_request_always_gets_the_fallbacks_answer() {
        assert!(ALL.into_iter().all(|trouble| next(trouble, FRESH) == Next::Fallback));
    }

    #[test]
    fn an_unsafe_request_is_repeated_only_if_nothing_happened() {
        let post = Progress { safe: false, ..FRESH };
        for trouble in ALL {
            let expected = match trouble {
                Trouble::Unreachable | Trouble::Busy | Trouble::Deferred => Next::Fallback,
                _ => Next::Unrepeatable,
            };
            assert_eq!(next(trouble, post), expected, "{trouble:?}");
        }
    }

    #[test]
    fn a_body_that_is_gone_cannot_be_sent_again() {
        let progress = Progress { replayable: false, ..FRESH };
        assert!(ALL.into_iter().all(|trouble| next(trouble, progress) == Next::Unrepeatable));
    }

    #[test]
    fn nothing_is_repeated_once_the_client_has_got_something() {
        let progress = Progress { answered: true, ..FRESH };
        assert!(ALL.into_iter().all(|trouble| next(trouble, progress) == Next::Fail));
    }

    #[test]
    fn without_another_backend_nobody_is_asked_again() {
        let progress = Progress { fallback: false, again: false, ..FRESH };
        assert!(ALL.into_iter().all(|trouble| next(trouble, progress) == Next::Fail));
    }

    #[test]
    fn a_safe_request_that_broke_off_is_sent_once_more_if_nobody_else_is_there() {
        let alone = Progress { fallback: false, ..FRESH };
        for trouble in ALL {
            let expected = if trouble == Trouble::Broken { Next::Again } else { Next::Fail };
            assert_eq!(next(trouble, alone), expected, "{trouble:?}");
            assert_eq!(next(trouble, Progress { safe: false, ..alone }), Next::Fail, "{trouble:?}");
        }
    }

    #[test]
    fn what_nobody_has_read_may_be_sent_again() {
        let unread = Progress { safe: false, unread: true, ..FRESH };
        assert_eq!(next(Trouble::Broken, unread), Next::Fallback);
        assert_eq!(next(Trouble::Broken, Progress { stale: true, ..unread }), Next::Again);
        assert_eq!(next(Trouble::Broken, Progress { fallback: false, ..unread }), Next::Again);
        let spent = Progress { fallback: false, again: false, ..unread };
        assert_eq!(next(Trouble::Broken, spent), Next::Fail);
        assert_eq!(next(Trouble::Broken, Progress { replayable: false, ..unread }), Next::Unrepeatable);
        for trouble in [Trouble::Timeout, Trouble::Garbage, Trouble::Status] {
            assert_eq!(next(trouble, unread), Next::Unrepeatable, "{trouble:?}");
        }
    }

    #[test]
    fn a_connection_that_died_in_the_pool_says_nothing_about_the_backend() {
        let stale = Progress { stale: true, ..FRESH };
        assert_eq!(next(Trouble::Broken, stale), Next::Again);
        assert_eq!(next(Trouble::Broken, Progress { fallback: false, ..stale }), Next::Again);
        assert_eq!(next(Trouble::Timeout, stale), Next::Fallback);
        assert_eq!(next(Trouble::Broken, Progress { safe: false, ..stale }), Next::Unrepeatable);
    }
}
