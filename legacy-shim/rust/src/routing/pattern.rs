//! The regular expressions that Werkzeug makes of rules, executed directly: literals, slashes and variables with the
//! backtracking order of Python's `re`, without allocation.
//!
//! Why not the `regex` crate: the expressions need a look-behind, `$` before a trailing newline, Unicode 14 digits, and
//! captures without allocation. Python's engine is exponential in the worst case; here, after some thousand steps, failed
//! positions are remembered, which bounds the work: linear in the length for variables of any length.

use super::converter::Shape;
use super::foreign::Foreign;
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
        self.run_from(text, (offset, base), spans, 0)
    }

    /// `run` with so many steps counted already.
    fn run_from(
        &self,
        text: &str,
        (offset, base): (usize, usize),
        spans: &mut Spans,
        steps: u32,
    ) -> Option<bool> {
        let (failed, dead) = (Vec::new(), Vec::new());
        let mut run =
            Run { elements: &self.elements, text, offset, spans, base, tail: false, steps, failed, dead };
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
    /// A bit for each element and position that failed.
    failed: Vec<u64>,
    /// For each element, a run of text in which it fails.
    dead: Vec<Dead>,
}

/// A variable of any length that started at `start` and could reach `stop` failed with all ends from `lowest` on.
#[derive(Debug, Clone, Copy, Default)]
struct Dead {
    start: usize,
    stop: usize,
    lowest: usize,
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

    /// True once the search has taken so many steps that failures are worth remembering.
    fn remembers(&mut self) -> bool {
        if self.steps < STEPS_WITHOUT_MEMORY {
            return false;
        }
        if self.failed.is_empty() {
            self.failed = vec![0; (self.elements.len() * (self.text.len() + 1)).div_ceil(64)];
            self.dead = vec![Dead::default(); self.elements.len()];
        }
        true
    }

    /// Runs `attempt` unless it is known to fail here.
    fn remember(&mut self, index: usize, at: usize, attempt: impl FnOnce(&mut Self) -> bool) -> bool {
        let bit = index * (self.text.len() + 1) + at;
        if self.remembers() {
            // A later start has no ends that the earlier one did not have.
            let Dead { start, stop, .. } = self.dead[index];
            if (start..stop).contains(&at) || self.failed[bit / 64] & (1 << (bit % 64)) != 0 {
                return false;
            }
        }
        let matched = attempt(self);
        if !matched && self.remembers() {
            self.failed[bit / 64] |= 1 << (bit % 64);
        }
        matched
    }

    /// Notes that a variable failed with every end from `lowest` to `stop`.
    fn give_up(&mut self, index: usize, start: usize, (lowest, stop): (usize, usize)) -> bool {
        if self.remembers() {
            self.dead[index] = Dead { start, stop, lowest };
        }
        false
    }

    /// The ends from this one on are known to fail; beyond `stop` if none is known.
    fn known(&self, index: usize, stop: usize) -> usize {
        self.dead
            .get(index)
            .filter(|dead| dead.stop == stop && dead.start < stop)
            .map_or(stop + 1, |dead| dead.lowest)
    }

    fn lazy_slashes(&mut self, index: usize, at: usize, count: usize) -> bool {
        (1..=count).any(|taken| self.step(index + 1, at + taken))
    }

    /// Takes `at..end` as the variable's text and goes on.
    fn take(&mut self, index: usize, at: usize, end: usize) -> bool {
        self.steps = self.steps.saturating_add(1);
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
            Shape::Digits { signed } => self.digits(index, at, (self.after_sign(at, *signed), true)),
            Shape::Decimal { signed } => {
                let whole = skip_digits(self.text, self.after_sign(at, *signed));
                let point =
                    self.text.as_bytes().get(whole) == Some(&b'.') && whole > self.after_sign(at, *signed);
                point && self.digits(index, at, (whole + 1, false))
            }
            Shape::Path => self.path(index, at),
            Shape::OneOf(items) if items.is_empty() => self.take(index, at, at),
            Shape::OneOf(items) => items.iter().any(|item| {
                self.text[at..].starts_with(item.as_str()) && self.take(index, at, at + item.len())
            }),
            Shape::Uuid => is_uuid(&self.text.as_bytes()[at..]) && self.take(index, at, at + 36),
            Shape::Custom(foreign) => self.foreign(index, at, foreign),
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
        let known = if max.is_none() { self.known(index, at + end) } else { text.len() + 1 };
        if known > at + end && self.take(index, at, at + end) {
            return true;
        }
        if self.at_boundary(index) {
            return false;
        }
        // All of a rest that is empty may be known to fail from before its start on.
        let upper = end.min(known.saturating_sub(at)).max(least);
        let matched =
            rest[least..upper].char_indices().rev().any(|(more, _)| self.take(index, at, at + least + more));
        matched || (max.is_none() && self.give_up(index, at, (at + least, at + end)))
    }

    /// `\d+` from `first` on: the longest first. `whole` if these digits are all there is to the variable.
    fn digits(&mut self, index: usize, at: usize, (first, whole): (usize, bool)) -> bool {
        let end = skip_digits(self.text, first);
        if end == first {
            return false;
        }
        let known = if whole { self.known(index, end) } else { end + 1 };
        if known > end && self.take(index, at, end) {
            return true;
        }
        if self.at_boundary(index) {
            return false;
        }
        let text = self.text;
        let lowest = first + leading_digit(&text[first..]).unwrap_or(1);
        let mut shorter = text[lowest..end.min(known).max(lowest)].char_indices().rev();
        shorter.any(|(length, _)| self.take(index, at, lowest + length))
            || (whole && self.give_up(index, first, (lowest, end)))
    }

    /// `[^/].*?`: the shortest first; the dot fits no newline.
    fn path(&mut self, index: usize, at: usize) -> bool {
        let Some(first) = self.text[at..].chars().next().filter(|&c| c != '/') else { return false };
        let start = at + first.len_utf8();
        let stop = self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        if matches!(self.elements.get(index + 1), Some(Element::End | Element::EndOrNewline)) {
            return self.take(index, at, stop);
        }
        let (text, known) = (self.text, self.known(index, stop));
        text[start..stop.min(known).max(start)]
            .char_indices()
            .any(|(end, _)| self.take(index, at, start + end))
            || (known > stop && self.take(index, at, stop))
            || self.give_up(index, at, (start, stop))
    }

    /// A foreign expression: its own favourite first, then the others from its favourite side.
    fn foreign(&mut self, index: usize, at: usize, foreign: &Foreign) -> bool {
        let Some(favourite) = foreign.favourite(self.text, at) else { return false };
        if self.take(index, at, favourite) {
            return true;
        }
        let mut ends = foreign.ends(self.text, at);
        if !foreign.is_lazy() {
            ends.reverse();
        }
        ends.into_iter().any(|end| end != favourite && self.take(index, at, end))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Element {
        Element::Literal(text.into())
    }

    /// Variables of these shapes with a literal between them.
    fn pattern(shapes: &[Shape], between: &str) -> Pattern {
        let mut elements = Vec::new();
        for (number, shape) in shapes.iter().enumerate() {
            elements.push(Element::Variable { shape: shape.clone(), number });
            elements.push(literal(between));
        }
        elements.push(Element::Tail { many: true });
        elements.push(Element::EndOrNewline);
        Pattern::new(elements)
    }

    /// All texts of up to six of these characters.
    fn texts() -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut from = 0;
        for _ in 0..6 {
            let longer: Vec<String> = texts[from..]
                .iter()
                .flat_map(|text| ["1", "-", "/", ".", "\n"].map(|c| format!("{text}{c}")))
                .collect();
            from = texts.len();
            texts.extend(longer);
        }
        texts
    }

    #[test]
    fn remembering_failures_changes_no_answer() {
        let any = Shape::Segment { min: 1, max: None, exact: false };
        let short = Shape::Segment { min: 0, max: Some(2), exact: false };
        let (number, float) = (Shape::Digits { signed: true }, Shape::Decimal { signed: true });
        let empty = Shape::Segment { min: 0, max: None, exact: false };
        let lists = [
            vec![number.clone(), Shape::Path, empty.clone()],
            vec![empty.clone(), any.clone(), empty],
            vec![any.clone(), any.clone()],
            vec![Shape::Path, any.clone(), Shape::Path],
            vec![number.clone(), any.clone(), number],
            vec![float.clone(), float, Shape::Path],
            vec![short.clone(), any, short],
        ];
        let patterns: Vec<Pattern> =
            lists.iter().flat_map(|shapes| ["", "-", "/"].map(|between| pattern(shapes, between))).collect();
        for text in texts() {
            for pattern in &patterns {
                let (mut plain, mut remembering) = (Spans::default(), Spans::default());
                let expected = pattern.run_from(&text, (0, 0), &mut plain, 0);
                let answer = pattern.run_from(&text, (0, 0), &mut remembering, STEPS_WITHOUT_MEMORY);
                assert_eq!(answer, expected, "{text:?} {pattern:?}");
                for number in 0..3 {
                    assert_eq!(
                        remembering.text(number, &text),
                        plain.text(number, &text),
                        "{text:?} {pattern:?}"
                    );
                }
            }
        }
    }
}
