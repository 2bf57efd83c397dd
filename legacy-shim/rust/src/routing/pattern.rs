//! The regular expressions that Werkzeug makes of rules, executed directly: literals, slashes and variables with the
//! backtracking order of Python's `re`, without allocation.
//!
//! Why not the `regex` crate: the expressions need a look-behind, `$` before a trailing newline, Unicode 14 digits, and
//! captures without allocation. Python's engine is exponential in the worst case; here, after some thousand steps, failed
//! positions are remembered, which bounds the work by elements x length².

use super::converter::Shape;
use super::number::leading_digit;
use super::spans::Spans;

/// Steps before failed positions are remembered.
const STEPS_WITHOUT_MEMORY: u32 = 2000;

/// One piece of a regular expression.
#[derive(Debug, Clone)]
pub(super) enum Element {
    /// This text.
    Literal(Box<str>),
    /// `/+?`.
    Slashes,
    /// A variable; the number says where its span goes.
    Variable { shape: Shape, number: usize },
    /// `(?<!/)(/*)` with `many`, else `(?<!/)(/?)`. Only before an end.
    Tail { many: bool },
    /// `\Z`.
    End,
    /// `$`: the end, or a newline and the end.
    EndOrNewline,
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    elements: Vec<Element>,
}

impl Pattern {
    pub(super) fn new(elements: Vec<Element>) -> Self {
        Pattern { elements }
    }

    /// Matches `text` from its start. Spans are written from number `base` on, shifted by `offset`. The answer says whether
    /// the tail held a slash.
    pub(super) fn run(&self, text: &str, offset: usize, spans: &mut Spans, base: usize) -> Option<bool> {
        let mut run = Run {
            elements: &self.elements,
            text,
            offset,
            spans,
            base,
            tail: false,
            steps: 0,
            failed: Vec::new(),
        };
        run.step(0, 0).then_some(run.tail)
    }
}

struct Run<'a> {
    elements: &'a [Element],
    text: &'a str,
    offset: usize,
    spans: &'a mut Spans,
    base: usize,
    tail: bool,
    steps: u32,
    failed: Vec<u64>,
}

impl Run<'_> {
    /// Matches the elements from `index` on at position `at`.
    fn step(&mut self, mut index: usize, mut at: usize) -> bool {
        let (elements, bytes) = (self.elements, self.text.as_bytes());
        while let Some(element) = elements.get(index) {
            match element {
                Element::Literal(literal) => {
                    if !bytes[at..].starts_with(literal.as_bytes()) {
                        return false;
                    }
                    at += literal.len();
                }
                Element::Slashes => match slashes(&bytes[at..]) {
                    0 => return false,
                    1 => at += 1,
                    count => return self.remember(index, at, |run| run.lazy_slashes(index, at, count)),
                },
                Element::Variable { .. } => return self.remember(index, at, |run| run.variable(index, at)),
                Element::Tail { many } => {
                    let count = slashes(&bytes[at..]);
                    if (at > 0 && bytes[at - 1] == b'/') || (count > 1 && !many) {
                        return false;
                    }
                    self.tail = count > 0;
                    at += count;
                }
                Element::End if at == bytes.len() => {}
                Element::EndOrNewline if at == bytes.len() || &bytes[at..] == b"\n" => {}
                Element::End | Element::EndOrNewline => return false,
            }
            index += 1;
        }
        true
    }

    /// Runs `attempt` unless it is known to fail here.
    fn remember(&mut self, index: usize, at: usize, attempt: impl FnOnce(&mut Self) -> bool) -> bool {
        self.steps = self.steps.saturating_add(1);
        if self.steps < STEPS_WITHOUT_MEMORY {
            return attempt(self);
        }
        if self.failed.is_empty() {
            self.failed = vec![0; (self.elements.len() * (self.text.len() + 1)).div_ceil(64)];
        }
        let bit = index * (self.text.len() + 1) + at;
        if self.failed[bit / 64] & (1 << (bit % 64)) != 0 {
            return false;
        }
        let matched = attempt(self);
        if !matched {
            self.failed[bit / 64] |= 1 << (bit % 64);
        }
        matched
    }

    fn lazy_slashes(&mut self, index: usize, at: usize, count: usize) -> bool {
        (1..=count).any(|taken| self.step(index + 1, at + taken))
    }

    /// Takes `at..end` as the variable's text and goes on.
    fn take(&mut self, index: usize, at: usize, end: usize) -> bool {
        if !self.step(index + 1, end) {
            return false;
        }
        if let Element::Variable { number, .. } = &self.elements[index] {
            self.spans.set(self.base + number, self.offset + at, self.offset + end);
        }
        true
    }

    /// Tries the ends of a variable in the order of Python's `re`.
    fn variable(&mut self, index: usize, at: usize) -> bool {
        let elements = self.elements;
        let Element::Variable { shape, .. } = &elements[index] else { return false };
        match shape {
            Shape::Segment { min, max, .. } => self.segment(index, at, (*min, *max)),
            Shape::Digits { signed } => self.digits(index, at, self.after_sign(at, *signed)),
            Shape::Decimal { signed } => {
                let whole = skip_digits(self.text, self.after_sign(at, *signed));
                let point =
                    self.text.as_bytes().get(whole) == Some(&b'.') && whole > self.after_sign(at, *signed);
                point && self.digits(index, at, whole + 1)
            }
            Shape::Path => self.path(index, at),
            Shape::OneOf(items) => items.iter().any(|item| {
                self.text[at..].starts_with(item.as_str()) && self.take(index, at, at + item.len())
            }),
            Shape::Uuid => is_uuid(&self.text.as_bytes()[at..]) && self.take(index, at, at + 36),
            Shape::Custom { .. } => self.custom(index, at),
        }
    }

    fn after_sign(&self, at: usize, signed: bool) -> usize {
        if signed && self.text.as_bytes().get(at) == Some(&b'-') { at + 1 } else { at }
    }

    /// True if the next element cannot match in the middle of a run without slashes.
    fn at_boundary(&self, index: usize) -> bool {
        match self.elements.get(index + 1) {
            Some(Element::Literal(literal)) => literal.starts_with('/'),
            Some(Element::Variable { .. }) => false,
            _ => true,
        }
    }

    /// `[^/]{min,max}`: the longest first.
    fn segment(&mut self, index: usize, at: usize, (min, max): (usize, Option<usize>)) -> bool {
        let text = self.text;
        let rest = &text[at..];
        let rest = &rest[..rest.find('/').unwrap_or(rest.len())];
        let end = max.and_then(|max| rest.char_indices().nth(max)).map_or(rest.len(), |(end, _)| end);
        let Some(least) = nth_boundary(rest, min).filter(|&least| least <= end) else { return false };
        if self.take(index, at, at + end) {
            return true;
        }
        if self.at_boundary(index) {
            return false;
        }
        rest[least..end].char_indices().rev().any(|(more, _)| self.take(index, at, at + least + more))
    }

    /// `\d+` from `first` on: the longest first.
    fn digits(&mut self, index: usize, at: usize, first: usize) -> bool {
        let end = skip_digits(self.text, first);
        if end == first {
            return false;
        }
        if self.take(index, at, end) {
            return true;
        }
        if self.at_boundary(index) {
            return false;
        }
        let text = self.text;
        let mut shorter = text[first..end].char_indices().rev().take_while(|&(length, _)| length > 0);
        shorter.any(|(length, _)| self.take(index, at, first + length))
    }

    /// `[^/].*?`: the shortest first; the dot fits no newline.
    fn path(&mut self, index: usize, at: usize) -> bool {
        let Some(first) = self.text[at..].chars().next().filter(|&c| c != '/') else { return false };
        let start = at + first.len_utf8();
        let stop = self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        if matches!(self.elements.get(index + 1), Some(Element::End | Element::EndOrNewline)) {
            return self.take(index, at, stop);
        }
        let text = self.text;
        text[start..stop].char_indices().any(|(end, _)| self.take(index, at, start + end))
            || self.take(index, at, stop)
    }

    /// A foreign expression: its own favourite first, then the others from its favourite side.
    fn custom(&mut self, index: usize, at: usize) -> bool {
        let (elements, text) = (self.elements, self.text);
        let Element::Variable { shape: Shape::Custom { whole, prefix, lazy, .. }, .. } = &elements[index]
        else {
            return false;
        };
        let rest = &text[at..];
        let favourite = prefix.find(rest).map(|found| found.end());
        if favourite.is_some_and(|end| self.take(index, at, at + end)) {
            return true;
        }
        let attempt = |run: &mut Self, end: usize| {
            Some(end) != favourite && whole.is_match(&rest[..end]) && run.take(index, at, at + end)
        };
        if *lazy {
            return rest.char_indices().any(|(end, _)| attempt(self, end)) || attempt(self, rest.len());
        }
        attempt(self, rest.len()) || rest.char_indices().rev().any(|(end, _)| attempt(self, end))
    }
}

fn slashes(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&b| b == b'/').count()
}

/// Position after the digits that start at `at`.
fn skip_digits(text: &str, mut at: usize) -> usize {
    while let Some(length) = leading_digit(&text[at..]) {
        at += length;
    }
    at
}

/// Byte position after `count` characters.
fn nth_boundary(text: &str, count: usize) -> Option<usize> {
    if count == 0 {
        return Some(0);
    }
    text.char_indices().nth(count - 1).map(|(at, c)| at + c.len_utf8())
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() >= 36
        && bytes[..36].iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}
