//! Follows the answer of an upstream, seen from its bytes alone, where pingora takes more for whole than is safe.
//!
//! An empty chunk size is the end of a body for pingora (httparse 1.10.1): an answer whose chunks are broken there would
//! reach the client shortened and look complete. And of a length beside chunks it drops the length; whoever sends both
//! may mean two different ends (RFC 9112, 6.3). nginx and Envoy refuse both, too. Pure.

use super::chunks::Chunks;

/// As much of a line is needed to know what it says, if it came in pieces.
const LINE: usize = 128;

/// Follows one answer, with those that come before it (1xx).
#[derive(Debug)]
pub(super) struct Answer {
    state: State,
    /// What has come of a line that is not complete.
    line: Vec<u8>,
    /// Nobody asked for a body.
    is_head: bool,
    /// The server has said that it closes the connection.
    closes: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StatusLine,
    Fields {
        status: Status,
        chunked: bool,
        length: bool,
    },
    Chunks(Chunks),
    /// What pingora can be left alone with.
    Free,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Another answer follows.
    Interim,
    NoBody,
    Body,
}

/// Why an answer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the chunks of the answer are not in order (RFC 9112, 7.1)")]
    BadChunk,
    #[error("the answer has a Content-Length beside its Transfer-Encoding (RFC 9112, 6.3)")]
    TwoLengths,
}

impl Answer {
    pub(super) fn new(is_head: bool) -> Self {
        Self { state: State::StatusLine, line: Vec::new(), is_head, closes: false }
    }

    /// Whether the server has said, on any line of a head, that it closes the connection. pingora reads the first
    /// Connection line only (RFC 9112, 9.6).
    pub(super) fn closes(&self) -> bool {
        self.closes
    }

    /// Whether the head of the final answer is complete.
    pub(super) fn has_head(&self) -> bool {
        matches!(self.state, State::Chunks(_) | State::Free)
    }

    /// Follows the next bytes.
    ///
    /// # Errors
    /// When they are not to be handed on.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Refused> {
        while !bytes.is_empty() {
            let taken = match &mut self.state {
                State::Free => break,
                State::Chunks(chunks) if chunks.are_over() => {
                    self.state = State::Free;
                    break;
                }
                State::Chunks(chunks) => chunks.step(bytes).map_err(|_| Refused::BadChunk)?,
                State::StatusLine | State::Fields { .. } => self.head(bytes)?,
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Takes one line of a head, or what there is of it.
    fn head(&mut self, bytes: &[u8]) -> Result<usize, Refused> {
        let Some(at) = memchr::memchr(b'\n', bytes) else {
            self.keep(bytes);
            return Ok(bytes.len());
        };
        if self.line.is_empty() {
            self.state = self.after(&bytes[..at])?;
        } else {
            self.keep(&bytes[..at]);
            let line = std::mem::take(&mut self.line);
            self.state = self.after(&line)?;
        }
        Ok(at + 1)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.line.len()).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
    }

    /// What comes after this line.
    fn after(&mut self, line: &[u8]) -> Result<State, Refused> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let State::Fields { status, chunked, length } = self.state else {
            return Ok(if line.is_empty() { State::StatusLine } else { self.status(line) });
        };
        if line.is_empty() {
            return match (status, chunked) {
                (Status::Interim, _) => Ok(State::StatusLine),
                (Status::Body, true) if length => Err(Refused::TwoLengths),
                (Status::Body, true) => Ok(State::Chunks(Chunks::padded())),
                _ => Ok(State::Free),
            };
        }
        let is = |name: &str| value(line, name);
        self.closes |= is("connection").is_some_and(says_close);
        Ok(State::Fields {
            status,
            chunked: chunked
                || is("transfer-encoding").is_some_and(|said| said.eq_ignore_ascii_case(b"chunked")),
            length: length || is("content-length").is_some(),
        })
    }

    fn status(&self, line: &[u8]) -> State {
        let status = match line.split(|byte| *byte == b' ').nth(1).unwrap_or_default() {
            b"101" => return State::Free,
            [b'1', ..] => Status::Interim,
            b"204" | b"304" => Status::NoBody,
            _ if self.is_head => Status::NoBody,
            _ => Status::Body,
        };
        State::Fields { status, chunked: false, length: false }
    }
}

/// Whether an answer is handed on whose bytes arrive in pieces of this size; for the fuzz target in `proxy/tests/fuzz`.
pub fn is_in_order(bytes: &[u8], piece: usize, is_head: bool) -> bool {
    let mut answer = Answer::new(is_head);
    bytes.chunks(piece.max(1)).all(|piece| answer.follow(piece).is_ok())
}

fn says_close(said: &[u8]) -> bool {
    said.split(|byte| *byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// The value of a line, if it is a header of this name.
fn value<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (said, rest) = line.split_at_checked(name.len())?;
    if !said.eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    // pingora lets blanks pass before the colon of an answer.
    rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// What comes of an answer, in one piece or byte by byte.
    #[track_caller]
    fn follow(answer: &str, is_head: bool) -> Result<(), Refused> {
        let together = Answer::new(is_head).follow(answer.as_bytes());
        let mut single = Answer::new(is_head);
        let single = answer.as_bytes().chunks(1).try_for_each(|byte| single.follow(byte));
        assert_eq!(together, single, "{answer:?}");
        together
    }

    #[test]
    fn chunks_in_order_pass_and_others_do_not() {
        for good in [
            "4\r\nhalf\r\n0\r\n\r\n",
            "4 \r\nhalf\r\n0;a=b\r\nX: trailers are pingora's\r\n\r\n",
            "4\r\nhal",
            "0\r\n\r\nHTTP/1.1 bytes behind the answer",
        ] {
            assert_eq!(follow(&format!("{HEAD}{good}"), false), Ok(()), "{good:?}");
        }
        for bad in ["4\r\nhalf\r\n\r\n\r\n4\r\nhalf\r\n0\r\n\r\n", "\r\n", "zz\r\n", "4\r\nhalfhalf\r\n"] {
            assert_eq!(follow(&format!("{HEAD}{bad}"), false), Err(Refused::BadChunk), "{bad:?}");
        }
    }

    #[test]
    fn where_there_are_no_chunks_nothing_is_followed() {
        assert_eq!(follow(&format!("{HEAD}\r\n"), true), Ok(()), "an answer to HEAD has no body");
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-Transfer-Encoding: chunked\r\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        ] {
            assert_eq!(follow(head, false), Ok(()), "{head:?}");
        }
    }

    #[test]
    fn the_answer_is_found_behind_others_and_however_its_head_is_written() {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        assert_eq!(follow(&format!("{interim}{interim}{HEAD}\r\n"), false), Err(Refused::BadChunk));
        for head in [
            "HTTP/1.0 200\r\ntransfer-encoding:CHUNKED\r\n\r\n",
            "HTTP/1.1 200 OK\nTransfer-Encoding : chunked \n\n",
            "\r\nHTTP/1.1 500 Oops\r\nTRANSFER-ENCODING:\tchunked\r\n\r\n",
        ] {
            assert_eq!(follow(&format!("{head}0\r\n\r\n"), false), Ok(()), "{head:?}");
            assert_eq!(follow(&format!("{head}\r\n"), false), Err(Refused::BadChunk), "{head:?}");
        }
        let long =
            format!("HTTP/1.1 200 OK\r\nX: {}\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "y".repeat(9_000));
        assert_eq!(follow(&long, false), Err(Refused::BadChunk));
    }

    #[test]
    fn whoever_says_close_closes() {
        let closes = |fields: &str| {
            let mut answer = Answer::new(false);
            answer
                .follow(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n").as_bytes())
                .unwrap();
            answer.closes()
        };
        for fields in [
            "connection: Close\r\n",
            "Connection: keep-alive\r\nConnection: close\r\n",
            "Connection: x ,close\r\n",
        ] {
            assert!(closes(fields), "{fields:?}");
        }
        for fields in ["", "Connection: keep-alive\r\n", "Connection: closed\r\n", "X-Connection: close\r\n"]
        {
            assert!(!closes(fields), "{fields:?}");
        }
    }

    #[test]
    fn a_length_beside_chunks_is_refused_in_either_order() {
        let (length, chunked) = ("Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n");
        for fields in [format!("{length}{chunked}"), format!("{chunked}{length}")] {
            let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n2\r\nok\r\n0\r\n\r\n");
            assert_eq!(follow(&answer, false), Err(Refused::TwoLengths), "{answer:?}");
            assert_eq!(follow(&answer, true), Ok(()), "nobody reads a body here");
        }
    }
}
