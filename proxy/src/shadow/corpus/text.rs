//! The files of a corpus. A session file is a list of exchanges:
//!
//! ```text
//! ### 2 customers.create
//! # @route customers.create
//! POST /customers/new
//! Content-Type: application/x-www-form-urlencoded
//!
//! csrf_token={{csrf}}
//! name=Gmrtin
//!
//! > 302
//! > Location: /customers/101
//! >
//! > the body, line by line
//! ```
//!
//! `# @served NAME` says which backend gave the recorded answer. A form is written one field a line. `# @expect STATUS` in place of an answer is for files written by hand; `# @as NAME`
//! before the first exchange says who is logged in when the session begins.

use std::fmt::{self, Write};

use super::{Exchange, Recorded, Session};

/// What is wrong, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// From 1.
    pub line: usize,
    /// Why.
    pub message: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

/// Writes a session.
pub fn write(session: &Session) -> String {
    let mut out = String::new();
    if let Some(user) = &session.user {
        let _ = writeln!(out, "# @as {user}\n");
    }
    for exchange in &session.exchanges {
        out.push_str(&written(exchange));
        out.push('\n');
    }
    out
}

fn written(exchange: &Exchange) -> String {
    let mut out = format!("### {}\n", exchange.title);
    if let Some(route) = &exchange.route {
        let _ = writeln!(out, "# @route {route}");
    }
    if let Some(backend) = &exchange.served {
        let _ = writeln!(out, "# @served {backend}");
    }
    if let Some(status) = exchange.expect {
        let _ = writeln!(out, "# @expect {status}");
    }
    let body = body_lines(&exchange.body, exchange.is_form());
    if body.is_none() {
        out.push_str("# @body hex\n");
    }
    let _ = writeln!(out, "{} {}", exchange.method, exchange.target);
    for (name, value) in &exchange.headers {
        let _ = writeln!(out, "{name}: {value}");
    }
    let lines = body.unwrap_or_else(|| hex(&exchange.body));
    if !lines.is_empty() {
        out.push('\n');
    }
    for line in lines {
        // A line of a body must not look like one of ours.
        let guard = if line.starts_with(['#', '>', '\\']) { "\\" } else { "" };
        let _ = writeln!(out, "{guard}{line}");
    }
    if let Some(answer) = &exchange.answer {
        let _ = writeln!(out, "\n> {}", answer.status);
        let body = body_lines(&answer.body, false);
        if body.is_none() {
            out.push_str("> # @body hex\n");
        }
        for (name, value) in &answer.headers {
            let _ = writeln!(out, "> {name}: {value}");
        }
        let lines = body.unwrap_or_else(|| hex(&answer.body));
        if !lines.is_empty() {
            out.push_str(">\n");
        }
        for line in lines {
            let _ = writeln!(out, "> {line}");
        }
    }
    out
}

/// The lines of a text; `None` for other bytes.
fn body_lines(body: &[u8], is_form: bool) -> Option<Vec<String>> {
    let text = std::str::from_utf8(body).ok()?;
    if text.is_empty() {
        return Some(Vec::new());
    }
    if text.contains('\r') || text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return None;
    }
    if is_form && !text.contains('\n') {
        return Some(text.split('&').map(str::to_owned).collect());
    }
    Some(text.split('\n').map(str::to_owned).collect())
}

fn hex(bytes: &[u8]) -> Vec<String> {
    bytes.chunks(40).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
}

fn from_hex(lines: &[String]) -> Option<Vec<u8>> {
    let text = lines.concat();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.trim().as_bytes();
    bytes.chunks(2).map(|pair| Some(digit(pair[0])? * 16 + digit(*pair.get(1)?)?)).collect()
}

/// Reads a session.
///
/// # Errors
/// The first line that makes no sense.
pub fn read(name: &str, text: &str) -> Result<Session, Misread> {
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.starts_with("### "))
        .map(|(index, _)| index)
        .collect();
    let Some(&first) = starts.first() else {
        return Err(Misread {
            line: 1,
            message: "there is no exchange: one begins with `### TITLE`".to_owned(),
        });
    };
    let mut session = Session { name: name.to_owned(), ..Session::default() };
    for (index, line) in lines[..first].iter().enumerate() {
        match key(line) {
            Some(("as", user)) => session.user = Some(user.to_owned()),
            Some((key, _)) => return Err(unknown(index, key, "as")),
            None => {}
        }
    }
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(lines.len());
        session.exchanges.push(exchange(&lines[*start..end], *start)?);
    }
    Ok(session)
}

/// `# @key value`.
fn key(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix("# @")?.split_once(' ')?;
    Some((key, value.trim()))
}

fn unknown(index: usize, key: &str, known: &str) -> Misread {
    Misread { line: index + 1, message: format!("unknown key `@{key}`; known: {known}") }
}

fn exchange(lines: &[&str], start: usize) -> Result<Exchange, Misread> {
    let wrong =
        |index: usize, message: &str| Misread { line: start + index + 1, message: message.to_owned() };
    let title =
        lines.first().and_then(|line| line.strip_prefix("### ")).unwrap_or_default().trim().to_owned();
    let mut exchange = Exchange { title, line: start + 1, ..Exchange::default() };
    let (mut index, mut is_hex) = (1, false);
    while let Some(line) = lines.get(index).filter(|line| line.starts_with('#') || line.trim().is_empty()) {
        match key(line) {
            Some(("route", route)) => exchange.route = Some(route.to_owned()),
            Some(("served", backend)) => exchange.served = Some(backend.to_owned()),
            Some(("expect", status)) => {
                exchange.expect = Some(status.parse().map_err(|_| wrong(index, "`@expect` needs a status"))?);
            }
            Some(("body", "hex")) => is_hex = true,
            Some((key, _)) => return Err(unknown(start + index, key, "route, served, expect, body hex")),
            None => {}
        }
        index += 1;
    }
    let request = lines.get(index).and_then(|line| line.split_once(' '));
    let (method, target) =
        request.ok_or_else(|| wrong(index.min(lines.len() - 1), "here stands `METHOD /path`"))?;
    if !target.starts_with('/') {
        return Err(wrong(index, "a path begins with `/`"));
    }
    (exchange.method, exchange.target) = (method.to_owned(), target.trim().to_owned());
    index += 1;
    while let Some(line) = lines.get(index).filter(|line| !line.trim().is_empty() && !line.starts_with('>')) {
        exchange.headers.push(header(line).ok_or_else(|| wrong(index, "a header is `Name: value`"))?);
        index += 1;
    }
    let answer = lines[index..].iter().position(|line| line.starts_with('>')).map(|offset| index + offset);
    let mut body: Vec<String> = lines[index..answer.unwrap_or(lines.len())]
        .iter()
        .skip(1)
        .map(|line| line.strip_prefix('\\').unwrap_or(line).to_string())
        .collect();
    while body.last().is_some_and(|line| line.trim().is_empty()) {
        body.pop();
    }
    exchange.body = if is_hex {
        from_hex(&body).ok_or_else(|| wrong(index, "this is not hexadecimal"))?
    } else if exchange.is_form() {
        body.iter().filter(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join("&").into_bytes()
    } else {
        body.join("\n").into_bytes()
    };
    if let Some(answer) = answer {
        exchange.answer = Some(recorded(&lines[answer..], start + answer)?);
    }
    Ok(exchange)
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

fn recorded(lines: &[&str], start: usize) -> Result<Recorded, Misread> {
    let wrong =
        |index: usize, message: &str| Misread { line: start + index + 1, message: message.to_owned() };
    let stripped: Vec<&str> = lines
        .iter()
        .map_while(|line| line.strip_prefix('>'))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let status = stripped.first().and_then(|line| line.trim().parse().ok());
    let mut answer = Recorded {
        status: status.ok_or_else(|| wrong(0, "an answer begins with its status"))?,
        ..Recorded::default()
    };
    let (mut index, mut is_hex) = (1, false);
    while let Some(line) = stripped.get(index).filter(|line| !line.is_empty()) {
        match key(line) {
            Some(("body", "hex")) => is_hex = true,
            _ => answer.headers.push(header(line).ok_or_else(|| wrong(index, "a header is `Name: value`"))?),
        }
        index += 1;
    }
    let body: Vec<String> = stripped.iter().skip(index + 1).map(|line| (*line).to_owned()).collect();
    answer.body = if is_hex {
        from_hex(&body).ok_or_else(|| wrong(index, "this is not hexadecimal"))?
    } else {
        body.join("\n").into_bytes()
    };
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(body: &[u8], answer: &[u8], media: &str) -> Exchange {
        let headers = vec![("Content-Type".to_owned(), media.to_owned())];
        Exchange {
            title: "1 things.create".to_owned(),
            line: 3,
            route: Some("things.create".to_owned()),
            served: Some("legacy".to_owned()),
            method: "POST".to_owned(),
            target: "/things?a=1".to_owned(),
            headers: headers.clone(),
            body: body.to_vec(),
            expect: None,
            answer: Some(Recorded { status: 200, headers, body: answer.to_vec() }),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let form = "application/x-www-form-urlencoded";
        for (body, answer, media) in [
            (&b"a=1&b=%23"[..], &b"<p>one\n\n# two\n> three</p>\n"[..], form),
            (b"# a\n> b\n\\c\n\nd", b"", "text/plain"),
            (b"", b"\n", "text/plain"),
            (b"\r\n\0\xff", b"\x80", "application/octet-stream"),
            (b"{\"a\": 1}", b"### no\nheader: value", "application/json"),
        ] {
            let session = Session {
                name: "s".to_owned(),
                user: Some("ana".to_owned()),
                exchanges: vec![exchange(body, answer, media)],
            };
            let text = write(&session);
            assert_eq!(read("s", &text).unwrap(), session, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        for (text, line) in [
            ("GET /\n", 1),
            ("# @who ana\n### a\nGET /\n", 1),
            ("### a\n# @expect soon\nGET /\n", 2),
            ("### a\n# @what 1\nGET /\n", 2),
            ("### a\nGET\n", 2),
            ("### a\nGET x\n", 2),
            ("### a\nGET /\nAccept\n", 3),
            ("### a\nGET /\n\n> soon\n", 4),
            ("### a\nGET /\n\n> 200\n> Vary\n", 5),
            ("### a\n# @body hex\nPOST /\n\nzz\n", 4),
        ] {
            assert_eq!(read("s", text).unwrap_err().line, line, "{text}");
        }
    }
}
