//! The PROXY protocol: a load balancer's word, before the first byte of TLS or HTTP, for whom it connects.
//!
//! Below step 1 of a request (accept), for peers of `listen.proxy_protocol` only. Versions 1 and 2 are told apart by
//! their first bytes. From such a peer a connection without it is refused: it would carry the balancer's address, and
//! whoever can leave the preamble out could hide behind it. The parsers are pure.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// How a preamble of version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The shortest of all preambles: `PROXY UNKNOWN` and a line end. No more may be read before it is known which it is.
const SHORTEST: usize = 15;
/// The longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// Addresses and additions of version 2; proxies that are seen in the wild send a few hundred bytes.
const LONGEST_BODY: usize = 4_096;

/// Reads the preamble and not a byte more; the address that it names, if it names one.
///
/// # Errors
/// When there is no preamble, when it is malformed, or when the connection ends.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut begin = [0; SHORTEST + 1];
    stream.read_exact(&mut begin[..SHORTEST]).await?;
    if begin.starts_with(SIGNATURE) {
        stream.read_exact(&mut begin[SHORTEST..]).await?;
        let length = usize::from(u16::from_be_bytes([begin[14], begin[15]]));
        if length > LONGEST_BODY {
            return Err(malformed());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        return version_2([begin[12], begin[13]], &body).ok_or_else(malformed);
    }
    if !begin.starts_with(b"PROXY ") {
        return Err(malformed());
    }
    let line = read_line(stream, &begin[..SHORTEST]).await?;
    version_1(&line).ok_or_else(malformed)
}

/// A complete preamble; for those who have all of it, such as the fuzz target. `None`: malformed.
pub fn parse(preamble: &[u8]) -> Option<Option<SocketAddr>> {
    let Some(rest) = preamble.strip_prefix(SIGNATURE) else { return version_1(preamble) };
    let [command, family, high, low, body @ ..] = rest else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    (body.len() == length).then(|| version_2([*command, *family], body))?
}

/// The rest of a line that has begun. Looks before it reads: what follows the line belongs to somebody else.
async fn read_line(stream: &mut TcpStream, begin: &[u8]) -> io::Result<Vec<u8>> {
    let mut line = begin.to_vec();
    let mut seen = [0; LONGEST_LINE];
    while !line.ends_with(b"\n") {
        let room = LONGEST_LINE - line.len();
        if room == 0 {
            return Err(malformed());
        }
        let there = stream.peek(&mut seen[..room]).await?;
        let end = seen[..there].iter().position(|byte| *byte == b'\n').map_or(there, |at| at + 1);
        if there == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        stream.read_exact(&mut seen[..end]).await?;
        line.extend_from_slice(&seen[..end]);
    }
    Ok(line)
}

fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443` and its line end: the first address. `None`: malformed.
fn version_1(line: &[u8]) -> Option<Option<SocketAddr>> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = text.split(' ');
    if words.next()? != "PROXY" {
        return None;
    }
    let family = words.next()?;
    if family == "UNKNOWN" {
        // Whatever it says then is to be ignored.
        return Some(None);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let (port, destination_port) = (port(words.next()?)?, port(words.next()?)?);
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, _, _) = (address(source)?, address(destination)?, destination_port);
    words.next().is_none().then(|| Some(SocketAddr::new(source.to_canonical(), port)))
}

fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// Version, command and family, then the addresses and additions that nobody needs here. `None`: malformed.
fn version_2([command, family]: [u8; 2], body: &[u8]) -> Option<Option<SocketAddr>> {
    let be = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
    match (command, family) {
        // The proxy speaks for itself: a health check.
        (0x20, _) => Some(None),
        (0x21, 0x11) => {
            let source: [u8; 4] = body.get(..12)?[..4].try_into().ok()?;
            Some(Some(SocketAddr::new(Ipv4Addr::from(source).into(), be(8)?)))
        }
        (0x21, 0x21) => {
            let source: [u8; 16] = body.get(..36)?[..16].try_into().ok()?;
            Some(Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(source)).to_canonical(), be(32)?)))
        }
        // Other families have no address that means anything here: unspecified, datagrams, Unix sockets.
        (0x21, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<Option<String>> {
        version_1(text.as_bytes()).map(|source| source.map(|source| source.to_string()))
    }

    #[test]
    fn lines_name_the_client() {
        let named = |text: &str| line(text).unwrap().unwrap();
        assert_eq!(named("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"), "192.0.2.1:56324");
        assert_eq!(named("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), "[2001:db8::1]:1");
        assert_eq!(named("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1:1");
        assert_eq!(line("PROXY UNKNOWN\r\n"), Some(None));
        assert_eq!(line("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), Some(None));
    }

    #[test]
    fn other_lines_are_malformed() {
        for text in [
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
            "PROXY TCP4 192.0.2.1  198.51.100.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +1 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY\r\n",
            "GET / HTTP/1.1\r\n",
            "",
        ] {
            assert_eq!(line(text), None, "{text:?}");
        }
    }

    #[test]
    fn binary_preambles_name_the_client() {
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb, 0x04, 0, 1, 9];
        let named = Some(Some("192.0.2.1:56324".parse().unwrap()));
        assert_eq!(version_2([0x21, 0x11], &four), named);
        assert_eq!(version_2([0x21, 0x11], &four[..12]), named);
        assert_eq!(version_2([0x21, 0x11], &four[..11]), None);
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        (six[15], six[33]) = (1, 80);
        assert_eq!(version_2([0x21, 0x21], &six), Some(Some("[2001:db8::1]:80".parse().unwrap())));
        assert_eq!(version_2([0x21, 0x21], &six[..35]), None);
        assert_eq!(version_2([0x20, 0x00], &[]), Some(None));
        assert_eq!(version_2([0x21, 0x00], &[]), Some(None));
        for other in [[0x22, 0x11], [0x11, 0x11], [0x21, 0x13], [0x21, 0x41], [0x00, 0x00]] {
            assert_eq!(version_2(other, &four), None, "{other:?}");
        }
    }
}
