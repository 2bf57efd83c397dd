//! Where the variables of a match lie in the text: up to eight without allocation.

/// How many spans fit without allocation.
const INLINE: usize = 8;

/// Byte ranges, by number of the variable.
#[derive(Debug, Clone, Default)]
pub(super) struct Spans {
    inline: [(u32, u32); INLINE],
    more: Vec<(u32, u32)>,
}

impl Spans {
    pub(super) fn set(&mut self, number: usize, start: usize, end: usize) {
        let span = (u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX));
        if let Some(slot) = self.inline.get_mut(number) {
            *slot = span;
            return;
        }
        let number = number - INLINE;
        if self.more.len() <= number {
            self.more.resize(number + 1, (0, 0));
        }
        self.more[number] = span;
    }

    /// The piece of `text` that belongs to the variable.
    pub(super) fn text<'t>(&self, number: usize, text: &'t str) -> &'t str {
        let span = self.inline.get(number).or_else(|| self.more.get(number.wrapping_sub(INLINE)));
        span.and_then(|&(start, end)| text.get(start as usize..end as usize)).unwrap_or("")
    }
}
