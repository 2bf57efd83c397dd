//! What is kept of a request while it is served: references to bytes that are there anyway, up to a limit.

use bytes::{Bytes, BytesMut};

/// Why a request is not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Too many copies wait already.
    QueueFull,
    /// A body is larger than what is kept.
    BodyTooLarge,
    /// An answer without end.
    Streaming,
    /// A method that may change something.
    UnsafeMethod,
    /// A tunnel.
    Upgrade,
    /// The client left, or the answer broke off.
    Incomplete,
    /// Ficus itself answered.
    OwnAnswer,
    /// The candidate was asked and the fallback had to answer: asking again would prove nothing.
    FellBack,
    /// The other side is not among the backends of this node.
    NoBackend,
    /// A target or a header that cannot be sent again as it was.
    Unsendable,
    /// Dry runs: the settings do not say where rows are captured, or there is no secret key.
    NotSetUp,
    /// Dry runs: too many at a time.
    Busy,
    /// Dry runs: the candidate did not answer lately.
    Resting,
    /// Dry runs: the candidate serves.
    CandidateServes,
    /// Dry runs: the client does not say how long its body is, or waits for a word before it sends it.
    UnknownLength,
    /// Dry runs: the handler is not made for them.
    NotCovered,
    /// Dry runs: a side does not capture its rows.
    NotCaptured,
    /// Recordings: it ended while the request was answered.
    Ended,
}

impl Dropped {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::BodyTooLarge => "body_too_large",
            Self::Streaming => "streaming",
            Self::UnsafeMethod => "unsafe_method",
            Self::Upgrade => "upgrade",
            Self::Incomplete => "incomplete",
            Self::OwnAnswer => "own_answer",
            Self::FellBack => "fell_back",
            Self::NoBackend => "no_backend",
            Self::Unsendable => "unsendable",
            Self::NotSetUp => "not_set_up",
            Self::Busy => "busy",
            Self::Resting => "resting",
            Self::CandidateServes => "candidate_serves",
            Self::UnknownLength => "unknown_length",
            Self::NotCovered => "not_covered",
            Self::NotCaptured => "not_captured",
            Self::Ended => "ended",
        }
    }
}

/// The bodies of one exchange.
#[derive(Debug)]
pub struct Capture {
    request: Kept,
    answer: Kept,
    /// The head of the answer came from a backend.
    answered: bool,
    /// The answer came to its end.
    ended: bool,
    streaming: bool,
    /// The copy is worth more than others.
    rare: bool,
}

impl Capture {
    /// Nothing yet; each body may have as many bytes.
    pub(super) fn new(limit: usize) -> Box<Self> {
        let kept = || Kept { limit, ..Kept::default() };
        Box::new(Self {
            request: kept(),
            answer: kept(),
            answered: false,
            ended: false,
            streaming: false,
            rare: false,
        })
    }

    /// The request is given to another upstream: its body comes again.
    pub fn restart(&mut self) {
        self.request.clear();
        self.answer.clear();
        self.answered = false;
    }

    /// A part of the request's body.
    pub fn request_body(&mut self, body: &Bytes) {
        self.request.push(body);
    }

    /// The head of the answer has come.
    pub(super) fn answer_head(&mut self, streaming: bool, rare: bool) {
        self.answered = true;
        self.streaming = streaming;
        self.rare = rare;
        if streaming {
            self.answer.limit = 0;
        }
    }

    /// A part of the answer's body, and whether it was the last one.
    pub fn answer_body(&mut self, body: Option<&Bytes>, end: bool) {
        if let Some(body) = body {
            self.answer.push(body);
        }
        self.ended |= end;
    }

    /// Whether its status is rare on its route.
    pub fn is_rare(&self) -> bool {
        self.rare
    }

    /// Both bodies, or why the exchange cannot be copied. `bodiless`: the answer has no body whose end could come.
    ///
    /// # Errors
    /// When something is missing.
    pub fn bodies(self, bodiless: bool) -> Result<(Bytes, Bytes), Dropped> {
        if !self.answered {
            Err(Dropped::OwnAnswer)
        } else if self.streaming {
            Err(Dropped::Streaming)
        } else if self.request.over || self.answer.over {
            Err(Dropped::BodyTooLarge)
        } else if !self.ended && !bodiless {
            Err(Dropped::Incomplete)
        } else {
            Ok((self.request.whole(), self.answer.whole()))
        }
    }
}

/// The parts of a body.
#[derive(Debug, Default)]
struct Kept {
    parts: Vec<Bytes>,
    length: usize,
    limit: usize,
    over: bool,
}

impl Kept {
    fn push(&mut self, part: &Bytes) {
        if self.over || part.is_empty() {
            return;
        }
        self.length += part.len();
        if self.length > self.limit {
            self.over = true;
            self.parts = Vec::new();
        } else {
            self.parts.push(part.clone());
        }
    }

    fn clear(&mut self) {
        *self = Self { limit: self.limit, ..Self::default() };
    }

    fn whole(mut self) -> Bytes {
        if self.parts.len() == 1 {
            return self.parts.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.length);
        self.parts.iter().for_each(|part| whole.extend_from_slice(part));
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(limit: usize) -> Box<Capture> {
        let mut capture = Capture::new(limit);
        capture.answer_head(false, false);
        capture
    }

    #[test]
    fn bodies_are_put_together() {
        let mut capture = capture(10);
        capture.request_body(&Bytes::from("q"));
        capture.answer_body(Some(&Bytes::from("one")), false);
        capture.answer_body(Some(&Bytes::from("two")), true);
        assert_eq!(capture.bodies(false), Ok((Bytes::from("q"), Bytes::from("onetwo"))));
    }

    #[test]
    fn what_is_missing_has_a_reason() {
        assert_eq!(Capture::new(1).bodies(false), Err(Dropped::OwnAnswer));
        assert_eq!(capture(1).bodies(false), Err(Dropped::Incomplete));
        assert!(capture(1).bodies(true).is_ok());
        let mut large = capture(5);
        large.answer_body(Some(&Bytes::from("123456")), true);
        assert!(large.answer.parts.is_empty(), "what is too large is not kept");
        assert_eq!(large.bodies(false), Err(Dropped::BodyTooLarge));
        let mut streaming = Capture::new(5);
        streaming.answer_head(true, false);
        assert_eq!(streaming.bodies(false), Err(Dropped::Streaming));
    }

    #[test]
    fn a_second_attempt_starts_anew() {
        let mut capture = capture(5);
        capture.request_body(&Bytes::from("1234"));
        capture.restart();
        capture.request_body(&Bytes::from("1234"));
        capture.answer_head(false, false);
        capture.answer_body(None, true);
        assert_eq!(capture.bodies(false), Ok((Bytes::from("1234"), Bytes::new())));
    }
}
