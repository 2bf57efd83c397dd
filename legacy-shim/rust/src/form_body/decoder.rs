//! Multipart as Werkzeug reads it from 2.3 on: `MultipartDecoder`, fed with pieces of 64 KiB.

use super::headers::Headers;
use super::part::Part;
use super::{FormError, FormLimits, RequestForm, Stop};
use crate::Profile;

/// Bytes that are read at once.
const BUFFER: usize = 64 * 1024;
/// How much of what was searched is searched again: line breaks and marks around a boundary.
const SEARCH_EXTRA: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    Part,
    DataStart,
    Data,
    Epilogue,
}

/// All parts of the body.
pub(super) fn read(
    body: &[u8],
    boundary: &[u8],
    limits: &FormLimits,
    profile: Profile,
) -> Result<RequestForm, Stop> {
    let mark = [b"--", boundary].concat();
    let mut decoder = Decoder {
        mark,
        limits,
        profile,
        buffer: Vec::new(),
        state: State::Preamble,
        search_from: 0,
        parts: 0,
        part: None,
        field_size: 0,
        form: RequestForm::default(),
    };
    let (body, full) = limits.readable(body);
    for piece in body.chunks(BUFFER) {
        decoder.receive(piece)?;
        while decoder.step()? {}
    }
    if full {
        return Err(FormError::TooLarge.into());
    }
    // Nothing more comes: only what follows the last boundary may be left.
    if decoder.state == State::Epilogue { Ok(decoder.form) } else { Err(Stop::Broken) }
}

struct Decoder<'a> {
    /// Two dashes and the boundary.
    mark: Vec<u8>,
    limits: &'a FormLimits,
    profile: Profile,
    buffer: Vec<u8>,
    state: State,
    search_from: usize,
    parts: usize,
    part: Option<Part>,
    field_size: usize,
    form: RequestForm,
}

/// A boundary in the buffer.
struct Boundary {
    start: usize,
    end: usize,
    last: bool,
}

impl Decoder<'_> {
    fn receive(&mut self, piece: &[u8]) -> Result<(), Stop> {
        if self.limits.max_form_memory_size.is_some_and(|most| self.buffer.len() + piece.len() > most) {
            return Err(FormError::TooLarge.into());
        }
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    /// One event; false if more data is needed first.
    fn step(&mut self) -> Result<bool, Stop> {
        match self.state {
            State::Preamble => Ok(self.preamble()),
            State::Part => self.headers(),
            State::DataStart => {
                let start = line_break(&self.buffer).ok_or(Stop::Error(FormError::Unsupported))?;
                let (_, more) = self.data(start)?;
                if more {
                    self.state = State::Data;
                }
                Ok(true)
            }
            State::Data => {
                let (some, more) = self.data(0)?;
                Ok(some || !more)
            }
            State::Epilogue => Ok(false),
        }
    }

    fn preamble(&mut self) -> bool {
        let Some(found) = self.boundary(self.search_from, false) else {
            self.search_from = self.buffer.len().saturating_sub(self.mark.len() - 2 + SEARCH_EXTRA);
            return false;
        };
        self.state = if found.last { State::Epilogue } else { State::Part };
        self.buffer.drain(..found.end);
        self.search_from = 0;
        true
    }

    fn headers(&mut self) -> Result<bool, Stop> {
        let Some((start, end)) = blank_line(&self.buffer, self.search_from) else {
            self.search_from = self.buffer.len().saturating_sub(SEARCH_EXTRA);
            return Ok(false);
        };
        let headers = Headers::parse(&self.buffer[..start], self.profile)?;
        self.buffer.drain(..usize::midpoint(start, end));
        self.part = Some(Part::new(headers, self.profile)?);
        self.field_size = 0;
        self.state = State::DataStart;
        self.search_from = 0;
        self.parts += 1;
        if self.limits.max_form_parts.is_some_and(|most| self.parts > most) {
            return Err(FormError::TooLarge.into());
        }
        Ok(true)
    }

    /// Takes content out of the buffer; says whether there was some, and whether the part goes on.
    fn data(&mut self, start: usize) -> Result<(bool, bool), Stop> {
        let (data_end, delete, more) = if contains(&self.buffer, &self.mark) {
            match self.boundary(0, true) {
                Some(found) => {
                    self.state = if found.last { State::Epilogue } else { State::Part };
                    (found.start, found.end, false)
                }
                None => {
                    let end = start + self.kept_from(&self.buffer[start..], false);
                    (end, end, true)
                }
            }
        } else {
            let end = start + self.kept_from(&self.buffer[start..], true);
            (end, end, true)
        };
        let data: Vec<u8> = self.buffer.get(start..data_end).unwrap_or_default().to_vec();
        self.buffer.drain(..delete);
        self.collect(&data, more)?;
        Ok((!data.is_empty(), more))
    }

    fn collect(&mut self, data: &[u8], more: bool) -> Result<(), Stop> {
        let Some(part) = &mut self.part else { return Err(Stop::Broken) };
        if self.profile >= Profile::Werkzeug30 && !part.is_file() {
            self.field_size += data.len();
            if self.limits.max_form_memory_size.is_some_and(|most| self.field_size > most) {
                return Err(FormError::TooLarge.into());
            }
        }
        part.push(data);
        if !more && let Some(part) = self.part.take() {
            part.finish(&mut self.form, self.profile)?;
        }
        Ok(())
    }

    /// From where on the data may be the beginning of a boundary.
    fn kept_from(&self, data: &[u8], no_mark: bool) -> usize {
        let last = |wanted: u8| data.iter().rposition(|byte| *byte == wanted).unwrap_or(data.len());
        if self.profile == Profile::Werkzeug31 {
            let complete = data.len().checked_sub(self.mark.len() + 2);
            let near =
                |at: usize| if complete.is_some_and(|complete| at < complete) { data.len() } else { at };
            return near(last(b'\n')).min(near(last(b'\r')));
        }
        let end = last(b'\n').min(last(b'\r'));
        if no_mark && data.len() - end > self.mark.len() + 1 { data.len() } else { end }
    }

    /// The first boundary: a line break (not needed in front of the first part), the mark, and `--` or blanks with a line
    /// break behind it.
    fn boundary(&self, from: usize, needs_break: bool) -> Option<Boundary> {
        let buffer = &self.buffer;
        let mut at = from;
        while let Some(mark) = find(buffer, &self.mark, at) {
            at = mark + 1;
            let before = break_before(buffer, from, mark);
            if needs_break && before == 0 {
                continue;
            }
            let Some((end, last)) = boundary_end(buffer, mark + self.mark.len()) else { continue };
            return Some(Boundary { start: mark - before, end, last });
        }
        None
    }
}

/// The length of the line break that ends at `at` and does not begin before `from`.
fn break_before(buffer: &[u8], from: usize, at: usize) -> usize {
    match &buffer[from..at] {
        [.., b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => 0,
    }
}

/// `--`, blanks and perhaps a line break; or blanks and a line break.
fn boundary_end(buffer: &[u8], at: usize) -> Option<(usize, bool)> {
    let blanks = |from: usize| {
        let rest = &buffer[from..];
        from + rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)).unwrap_or(rest.len())
    };
    if buffer[at..].starts_with(b"--") {
        let end = blanks(at + 2);
        return Some((end + line_break(&buffer[end..]).unwrap_or(0), true));
    }
    let end = blanks(at);
    line_break(&buffer[end..]).map(|length| (end + length, false))
}

/// The length of the line break at the start.
fn line_break(data: &[u8]) -> Option<usize> {
    match data {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

/// The first blank line: two line breaks of one kind.
fn blank_line(buffer: &[u8], from: usize) -> Option<(usize, usize)> {
    (from..buffer.len()).find_map(|at| match &buffer[at..] {
        [b'\r', b'\n', b'\r', b'\n', ..] => Some((at, at + 4)),
        [b'\r', b'\r', ..] | [b'\n', b'\n', ..] => Some((at, at + 2)),
        _ => None,
    })
}

fn contains(buffer: &[u8], mark: &[u8]) -> bool {
    find(buffer, mark, 0).is_some()
}

fn find(buffer: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    buffer.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}
