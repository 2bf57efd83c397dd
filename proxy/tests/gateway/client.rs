//! A client that sends exact bytes and looks closely at what comes back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::backend::{patient, read_chunks};
use crate::ficus::PATIENCE;

/// A connection.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    last_was_head: bool,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Status line and headers, as they came, without the empty line.
    pub(crate) head: String,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// The body ended as its framing says; false: it was cut off.
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        patient(&stream, PATIENCE);
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// On a connection that is already there.
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { reader: BufReader::new(stream), last_was_head: false }
    }

    /// The connection, without anything that was kept for reading.
    pub(crate) fn stream(self) -> TcpStream {
        self.reader.into_inner()
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.last_was_head = bytes.as_ref().starts_with(b"HEAD ");
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends bytes as long as the other end takes them.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Sends a request without a body and reads the answer.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, "", "")
    }

    /// Sends a request with further header lines and a body, and reads the answer.
    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: crm.example\r\n{length}{headers}\r\n{body}"));
        self.answer()
    }

    /// The status of an answer, if one comes.
    pub(crate) fn status(&mut self) -> Option<u16> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        line.split(' ').nth(1)?.parse().ok()
    }

    /// As [`Self::get`], for a client that may be turned away.
    pub(crate) fn status_of(&mut self, path: &str) -> Option<u16> {
        self.try_send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).ok()?;
        self.status()
    }

    /// Reads a head.
    pub(crate) fn head(&mut self) -> Answer {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            let read = self.reader.read_line(&mut line).expect("a head");
            assert!(read > 0, "the connection was closed after {head:?}");
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { head, status, body: Vec::new(), complete: false }
    }

    /// Reads exactly this text.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        self.reader.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }

    /// Reads a final answer; interim ones are skipped.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        while matches!(answer.status, 100..=199) && answer.status != 101 {
            answer = self.head();
        }
        self.body(answer)
    }

    fn body(&mut self, mut answer: Answer) -> Answer {
        let bodiless = self.last_was_head || matches!(answer.status, 101 | 204 | 304);
        if bodiless {
            answer.complete = true;
        } else if answer.header("transfer-encoding") == Some("chunked") {
            let body = read_chunks(&mut self.reader);
            answer.complete = body.is_some();
            answer.body = body.unwrap_or_default();
        } else if let Some(length) =
            answer.header("content-length").map(|value| value.parse::<usize>().unwrap())
        {
            let _ = (&mut self.reader).take(length as u64).read_to_end(&mut answer.body);
            answer.complete = answer.body.len() == length;
        } else {
            answer.complete = self.reader.read_to_end(&mut answer.body).is_ok();
        }
        answer
    }

    /// Whether bytes of an answer are there; does not wait.
    pub(crate) fn has_answer(&mut self) -> bool {
        let stream = self.reader.get_ref();
        stream.set_nonblocking(true).unwrap();
        let there = stream.peek(&mut [0]).is_ok_and(|read| read > 0);
        stream.set_nonblocking(false).unwrap();
        there
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        self.reader.get_mut().shutdown(Shutdown::Write).unwrap();
    }

    /// Whether the other end has closed the connection without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.reader.fill_buf(), Ok([]) | Err(_))
    }
}
