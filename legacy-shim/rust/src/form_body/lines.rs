//! Multipart as Werkzeug 1.0 reads it: line by line, a boundary being a line of its own.

use super::headers::Headers;
use super::part::Part;
use super::{FormError, FormLimits, RequestForm, Stop};
use crate::Profile;
use crate::python::strip;

/// Bytes that are read at once; a longer line comes in pieces of this size.
const BUFFER: usize = 64 * 1024;
const PROFILE: Profile = Profile::Werkzeug10;

/// All parts of the body.
pub(super) fn read(body: &[u8], boundary: &[u8], limits: &FormLimits) -> Result<RequestForm, Stop> {
    let next_part = [b"--", boundary].concat();
    let last_part = [&next_part, b"--".as_slice()].concat();
    let lines = lines(body);
    let mut lines = lines.iter().map(Vec::as_slice);
    let mut form = RequestForm::default();
    let mut in_memory = 0;
    let mut ends = first_line(&mut lines);
    if ends != last_part && ends != next_part {
        return Err(Stop::Broken);
    }
    while ends != last_part {
        let headers = headers(&mut lines)?;
        let mut part = Part::new(headers, PROFILE)?;
        if part.headers().get("content-transfer-encoding").is_some_and(is_encoding) {
            return Err(FormError::Unsupported.into());
        }
        let mut counted = Counted { limits, in_memory: &mut in_memory, part: &mut part };
        ends = content(&mut lines, (&next_part, &last_part), &mut counted)?;
        part.finish(&mut form, PROFILE)?;
    }
    Ok(form)
}

fn is_encoding(name: &str) -> bool {
    matches!(name, "base64" | "quoted-printable")
}

/// Blank lines in front of the first boundary are skipped.
fn first_line<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> &'a [u8] {
    lines.map(strip_bytes).find(|line| !line.is_empty()).unwrap_or_default()
}

/// The headers of a part, up to its blank line.
fn headers<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Result<Headers, Stop> {
    let mut headers = Headers::default();
    loop {
        let line = std::str::from_utf8(lines.next().unwrap_or_default()).map_err(|_| Stop::Broken)?;
        let text = line.strip_suffix("\r\n").or_else(|| line.strip_suffix(['\r', '\n']));
        let text = text.ok_or(Stop::Broken)?;
        if text.is_empty() {
            return Ok(headers);
        }
        if text.starts_with([' ', '\t']) && headers.continue_last(&text[1..]) {
            continue;
        }
        if let Some((name, value)) = text.split_once(':') {
            headers.push(strip(name), strip(value));
        }
    }
}

/// A part that is being collected; text counts against the memory of the request.
struct Counted<'a> {
    limits: &'a FormLimits,
    in_memory: &'a mut usize,
    part: &'a mut Part,
}

impl Counted<'_> {
    fn push(&mut self, data: &[u8]) -> Result<(), Stop> {
        self.part.push(data);
        if let Some(most) = self.limits.max_form_memory_size.filter(|_| !self.part.is_file()) {
            *self.in_memory += data.len();
            if *self.in_memory > most {
                return Err(FormError::TooLarge.into());
            }
        }
        Ok(())
    }
}

/// The content of a part; gives the boundary behind it. The last line break belongs to the boundary.
fn content<'a>(
    lines: &mut impl Iterator<Item = &'a [u8]>,
    (next_part, last_part): (&[u8], &[u8]),
    into: &mut Counted<'_>,
) -> Result<&'a [u8], Stop> {
    let mut held: &[u8] = &[];
    let ends = loop {
        let line = lines.next().filter(|line| !line.is_empty()).ok_or(Stop::Broken)?;
        if line.starts_with(b"--") {
            let ends = strip_end(line);
            if ends == next_part || ends == last_part {
                break ends;
            }
        }
        if !held.is_empty() {
            into.push(held)?;
        }
        let cut = if line.ends_with(b"\r\n") { 2 } else { 1 };
        let (data, after) = line.split_at(line.len() - cut);
        held = after;
        into.push(data)?;
    };
    if !matches!(held, b"" | b"\r" | b"\n" | b"\r\n") {
        into.push(held)?;
    }
    Ok(ends)
}

/// `bytes.strip()`.
fn strip_bytes(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| !is_space(*byte)).unwrap_or(line.len());
    strip_end(&line[start..])
}

/// `bytes.rstrip()`.
fn strip_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    &line[..end]
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// `make_line_iter`: lines with their ends, `\r\n` put together again where a piece ended between.
fn lines(body: &[u8]) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    let mut previous: Vec<u8> = Vec::new();
    for line in basic_lines(body) {
        if line == b"\n" && previous.last() == Some(&b'\r') {
            previous.push(b'\n');
            out.push(std::mem::take(&mut previous));
            continue;
        }
        if !previous.is_empty() {
            out.push(std::mem::take(&mut previous));
        }
        previous = line;
    }
    if !previous.is_empty() {
        out.push(previous);
    }
    out
}

/// Lines of pieces of the body; what has no end yet waits for the next piece, a line too long is cut.
fn basic_lines(body: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut waiting: Vec<Vec<u8>> = Vec::new();
    for piece in body.chunks(BUFFER) {
        let mut line: Vec<Vec<u8>> = Vec::new();
        let mut size = 0;
        let items = std::mem::take(&mut waiting).into_iter().chain(split_lines(piece));
        for item in items {
            size += item.len();
            let ended = matches!(item.last(), Some(b'\r' | b'\n'));
            line.push(item);
            if ended {
                out.push(line.concat());
                line.clear();
            } else if size >= BUFFER {
                let mut long = line.concat();
                while long.len() >= BUFFER {
                    let rest = long.split_off(BUFFER);
                    out.push(std::mem::replace(&mut long, rest));
                }
                line = vec![long];
            }
        }
        waiting = line;
    }
    if !waiting.is_empty() {
        out.push(waiting.concat());
    }
    out
}

/// `bytes.splitlines(True)`.
fn split_lines(piece: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = piece;
    while !rest.is_empty() {
        let end = match rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            None => rest.len(),
            Some(at) if rest[at..].starts_with(b"\r\n") => at + 2,
            Some(at) => at + 1,
        };
        let (line, after) = rest.split_at(end);
        out.push(line.to_vec());
        rest = after;
    }
    out
}
