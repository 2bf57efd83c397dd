//! Small facts about bytes on an HTTP/1 connection.

/// Length of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) const DATE_LENGTH: usize = 29;

/// The answer to bytes that are no request.
pub(super) fn refusal(status: u16) -> String {
    let text = match status {
        405 => "405 Method Not Allowed: no tunnels are opened here",
        408 => "408 Request Timeout: the request took too long to arrive",
        414 => "414 URI Too Long: the address is longer than this server accepts",
        431 => "431 Request Header Fields Too Large: the headers are larger than this server accepts",
        501 => "501 Not Implemented: the transfer coding is not supported",
        505 => "505 HTTP Version Not Supported: this server speaks HTTP/1.1",
        _ => "400 Bad Request: malformed HTTP request",
    };
    let line = text.split(':').next().unwrap_or(text);
    let length = text.len();
    format!(
        "HTTP/1.1 {line}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\n\r\n{text}"
    )
}

/// Whether the bytes begin a final answer, not an interim one.
pub(super) fn is_final_head(bytes: &[u8]) -> bool {
    bytes.len() > 12 && bytes.starts_with(b"HTTP/1.") && bytes[8] == b' ' && bytes[9] != b'1'
}

/// Puts another date into the Date header of a head, if it has one of the usual length.
pub(super) fn replace_date(head: &mut [u8], date: &[u8; DATE_LENGTH]) {
    const NAME: &[u8] = b"date: ";
    let is_date = |at: usize| {
        let line = head.get(at + 1..at + 1 + NAME.len());
        head[..at].ends_with(b"\r") && line.is_some_and(|line| line.eq_ignore_ascii_case(NAME))
    };
    let Some(at) = memchr::memchr_iter(b'\n', head).find(|at| is_date(*at)) else { return };
    let start = at + 1 + NAME.len();
    if head.get(start + DATE_LENGTH..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
        head[start..start + DATE_LENGTH].copy_from_slice(date);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_as_long_as_it_says() {
        for status in [400, 405, 408, 414, 431, 501, 505] {
            let text = refusal(status);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        }
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
    fn interim_heads_and_bodies_are_no_final_heads() {
        assert!(is_final_head(b"HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!is_final_head(b"HTTP/1.1 100 Continue\r\n\r\n"));
        assert!(!is_final_head(b"<html>"));
    }
}
