//! The smallest HTTP/1.1 client that can ask whether a service is ready and play a user of the demo: one request,
//! one connection, loopback or Unix socket.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Where a service listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Port(u16),
    Socket(PathBuf),
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) form: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// A GET without headers.
    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self { method: "GET", target: target.into(), ..Self::default() }
    }

    /// A POST of a form.
    pub(crate) fn post(target: impl Into<String>, form: Vec<(&'static str, String)>) -> Self {
        Self { method: "POST", target: target.into(), form, ..Self::default() }
    }

    /// Sends it and reads the whole answer.
    pub(crate) fn send(&self, address: &Address, limit: Duration) -> io::Result<Answer> {
        let bytes = match address {
            Address::Port(port) => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
                stream.set_read_timeout(Some(limit))?;
                self.exchange(stream)?
            }
            Address::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(limit))?;
                self.exchange(stream)?
            }
        };
        Answer::parse(&bytes).ok_or_else(|| io::Error::other("the answer is not HTTP"))
    }

    fn exchange(&self, mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
        let body: Vec<String> =
            self.form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let body = body.join("&");
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.method == "POST" {
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers: Vec<(String, String)> = lines.filter_map(header).collect();
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let raw = bytes.get(end + 4..)?;
        let body = if chunked { unchunk(raw) } else { raw.to_vec() };
        Some(Self { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The first header of this name, given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Joins chunks; a truncated body gives what there is.
fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|two| two == b"\r\n") {
        let digits = String::from_utf8_lossy(&raw[..end]).into_owned();
        let size = usize::from_str_radix(digits.split(';').next().unwrap_or("").trim(), 16).unwrap_or(0);
        let Some(chunk) = raw.get(end + 2..end + 2 + size).filter(|_| size > 0) else { break };
        body.extend_from_slice(chunk);
        raw = raw.get(end + 2 + size + 2..).unwrap_or_default();
    }
    body
}

/// Encodes a form value.
pub(crate) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_chunks() {
        let raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n4\r\nWiki\r\n6;x=y\r\npedia \r\n0\r\n\r\n";
        let answer = Answer::parse(raw).unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str(), answer.header("x-a")),
            (200, "Wikipedia ", Some("b"))
        );
    }

    #[test]
    fn encodes_what_a_form_would_break_on() {
        assert_eq!(encode("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
