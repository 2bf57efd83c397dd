//! Small facts about bytes on an HTTP/1 connection.

/// Length of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) const DATE_LENGTH: usize = 29;

/// The answer to bytes that are no HTTP.
pub(super) const MALFORMED: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
Connection: close\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
Content-Length: 39\r\n\
\r\n\
400 Bad Request: malformed HTTP request";

/// Watches a request line as it arrives: pingora would escape what does not belong there, and forward it.
#[derive(Debug, Default)]
pub(super) struct RequestLine {
    begun: bool,
    spaces: u32,
    ended: bool,
    bad: bool,
}

impl RequestLine {
    /// Takes the next bytes; false once the line has control bytes, a third word too many, or characters that no
    /// target has.
    pub(super) fn is_good_with(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            match byte {
                _ if self.ended => break,
                // Empty lines before a request are harmless.
                b'\r' | b'\n' if !self.begun => {}
                b'\n' => self.ended = true,
                b'\r' => {}
                b' ' => self.spaces += 1,
                0..=0x1f | 0x7f | b'<' | b'>' | b'"' => self.bad = true,
                _ => self.begun = true,
            }
        }
        !self.bad && self.spaces <= 2
    }
}

/// Whether the bytes begin a final answer, not an interim one.
pub(super) fn is_final_head(bytes: &[u8]) -> bool {
    bytes.len() > 12 && bytes.starts_with(b"HTTP/1.") && bytes[8] == b' ' && bytes[9] != b'1'
}

/// Puts another date into the Date header of a head, if it has one of the usual length.
pub(super) fn replace_date(head: &mut [u8], date: &[u8; DATE_LENGTH]) {
    const NAME: &[u8] = b"\r\ndate: ";
    let Some(at) = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME)) else {
        return;
    };
    let start = at + NAME.len();
    if head.get(start + DATE_LENGTH..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
        head[start..start + DATE_LENGTH].copy_from_slice(date);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(MALFORMED).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.len(), 39);
    }

    #[test]
    fn only_the_date_changes() {
        let mut head =
            *b"HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Date: never\r\n\r\n";
        replace_date(&mut head, b"Mon, 07 Nov 1994 08:49:37 GMT");
        assert_eq!(
            std::str::from_utf8(&head).unwrap(),
            "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\nX-Date: never\r\n\r\n"
        );
    }

    #[test]
    fn a_request_line_has_three_words_without_control_bytes() {
        let is_good = |pieces: &[&str]| {
            let mut line = RequestLine::default();
            pieces.iter().map(|piece| line.is_good_with(piece.as_bytes())).last().unwrap()
        };
        assert!(is_good(&["GET / HTTP/1.1\r\nHost: a b c\r\n\x01"]));
        assert!(is_good(&["\r\nGET /", "%00 HTTP/1.1\r", "\n"]));
        assert!(!is_good(&["GET /a b HTTP/1.1\r\n"]));
        assert!(!is_good(&["GET /a", "\tb HTTP/1.1\r\n"]));
        assert!(!is_good(&["GET /a\0 HTTP/1.1\r\n"]));
        assert!(!is_good(&["GET /<b> HTTP/1.1\r\n", "Host: a"]));
    }

    #[test]
    fn interim_heads_and_bodies_are_no_final_heads() {
        assert!(is_final_head(b"HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!is_final_head(b"HTTP/1.1 100 Continue\r\n\r\n"));
        assert!(!is_final_head(b"<html>"));
    }
}
