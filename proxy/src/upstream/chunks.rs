//! The chunks of a body (RFC 9112, 7.1), seen from the bytes alone. Requests and answers are held against the same grammar.
//!
//! pingora (httparse 1.10.1) is more tolerant: an empty size is zero for it, and so the end of the body. Pure.

use super::extension::Extension;

/// Longest line of a chunk size with its extensions.
const LONGEST_LINE: usize = 1_024;
/// Most digits of a chunk size; more would not fit in 60 bits.
const MOST_DIGITS: u32 = 15;

/// How far the chunks of a body have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks {
    state: State,
    /// Blanks may stand between a size and what follows it, and anything in an extension.
    padded: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A chunk size and what follows it on its line.
    Size(Size),
    /// The data of a chunk.
    Data(u64),
    /// The line end after it; so many of its bytes have come.
    DataEnd(u8),
    /// Nothing: the line of the last chunk was there. Trailers follow, or an empty line.
    Over,
}

/// How far a line with a chunk size has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Size {
    value: u64,
    digits: u32,
    length: usize,
    /// A blank has come behind the digits.
    blank: bool,
    /// What has come behind the size.
    extension: Option<Extension>,
    /// Only the last byte of the line end is missing.
    ending: bool,
}

/// The next byte is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadChunk;

impl Chunks {
    /// The beginning of a body, every byte of which is held against the grammar.
    pub fn strict() -> Self {
        Self { state: State::Size(Size::default()), padded: false }
    }

    /// The same, from a server that may fill the line of a size up with blanks, as some have always done, and whose
    /// extensions are its own.
    pub(super) fn padded() -> Self {
        Self { padded: true, ..Self::strict() }
    }

    /// Whether the line of the last chunk has come.
    pub fn are_over(&self) -> bool {
        self.state == State::Over
    }

    /// Takes some of the bytes, at least one unless the chunks are over; how many.
    ///
    /// # Errors
    /// When the first of them is not allowed.
    pub fn step(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        match (self.state, bytes.first()) {
            (State::Over, _) | (_, None) => Ok(0),
            (State::Size(size), Some(byte)) => self.size(*byte, size),
            (State::Data(left), _) => {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left - taken as u64;
                self.state = if left == 0 { State::DataEnd(0) } else { State::Data(left) };
                Ok(taken)
            }
            (State::DataEnd(seen), Some(byte)) => self.data_end(*byte, seen),
        }
    }

    fn size(&mut self, byte: u8, mut size: Size) -> Result<usize, BadChunk> {
        size.length += 1;
        let in_digits = !size.blank && size.extension.is_none() && !size.ending;
        let digit = (byte as char).to_digit(16).filter(|_| in_digits);
        match (byte, digit) {
            (b'\n', _) if size.ending => {
                self.state = if size.value == 0 { State::Over } else { State::Data(size.value) };
                return Ok(1);
            }
            _ if size.ending => return Err(BadChunk),
            (_, Some(digit)) => {
                size.value = (size.value << 4) | u64::from(digit);
                size.digits += 1;
            }
            (b'\r', _) if size.digits > 0 && size.extension.is_none_or(Extension::is_complete) => {
                size.ending = true
            }
            (b';', _) if size.digits > 0 && size.extension.is_none() => {
                size.extension = Some(self.extension())
            }
            (b'\t' | b' ', _) if self.padded && size.digits > 0 && size.extension.is_none() => {
                size.blank = true
            }
            _ => {
                size.extension =
                    Some(size.extension.and_then(|extension| extension.after(byte)).ok_or(BadChunk)?)
            }
        }
        if size.digits > MOST_DIGITS || size.length > LONGEST_LINE {
            return Err(BadChunk);
        }
        self.state = State::Size(size);
        Ok(1)
    }

    /// The beginning of one.
    fn extension(&self) -> Extension {
        if self.padded { Extension::Any } else { Extension::Nameless }
    }

    fn data_end(&mut self, byte: u8, seen: u8) -> Result<usize, BadChunk> {
        self.state = match (seen, byte) {
            (0, b'\r') => State::DataEnd(1),
            (1, b'\n') => State::Size(Size::default()),
            _ => return Err(BadChunk),
        };
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much is in order, and whether the chunks are over.
    fn follow(mut chunks: Chunks, bytes: &str) -> (usize, bool) {
        let mut at = 0;
        while let Ok(taken @ 1..) = chunks.step(&bytes.as_bytes()[at..]) {
            at += taken;
        }
        (at, chunks.are_over())
    }

    #[test]
    fn the_line_of_the_last_chunk_ends_them() {
        assert_eq!(follow(Chunks::strict(), "5\r\nhello\r\n0\r\nA: b\r\n\r\n"), (13, true));
        assert_eq!(follow(Chunks::strict(), "5;a=b\r\nhello\r\n000\r\n\r\n"), (19, true));
        assert_eq!(follow(Chunks::strict(), "5\r\nhel"), (6, false));
    }

    #[test]
    fn an_empty_size_ends_nothing() {
        for chunks in [Chunks::strict(), Chunks::padded()] {
            assert_eq!(follow(chunks, "4\r\nhalf\r\n\r\n\r\n4\r\nhalf\r\n0\r\n\r\n"), (9, false));
            assert_eq!(follow(chunks, ";a\r\n"), (0, false));
            assert_eq!(follow(chunks, " 0\r\n"), (0, false));
        }
    }

    #[test]
    fn blanks_behind_a_size_are_for_those_who_pad() {
        assert_eq!(follow(Chunks::strict(), "2 \r\nok\r\n"), (1, false));
        for padded in ["2 \r\nok\r\n0 \t\r\n\r\n", "2  ;a=b\r\nok\r\n0\r\n\r\n"] {
            assert_eq!(follow(Chunks::padded(), padded), (padded.len() - 2, true), "{padded:?}");
        }
        assert_eq!(follow(Chunks::padded(), "2 2\r\nok\r\n"), (2, false));
    }
}
