//! Jinja2's source in pieces: text, and tags as tokens. Delimiters are Flask's.

use super::Mistake;

/// A part of a template.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Text, comments, raw blocks: what is not rewritten.
    Kept(&'a str),
    /// `{{ ... }}`.
    Print(Tag<'a>),
    /// `{% ... %}`.
    Block(Tag<'a>),
}

/// The inside of a tag.
#[derive(Debug)]
pub(super) struct Tag<'a> {
    /// `{%`, `{%-`, `{%+` and so on.
    pub(super) open: &'a str,
    /// `%}`, `-%}`, `+%}`.
    pub(super) close: &'a str,
    pub(super) tokens: Vec<Token<'a>>,
    /// The line of its beginning, from 1.
    pub(super) line: usize,
    /// The line breaks inside.
    pub(super) breaks: usize,
}

impl<'a> Tag<'a> {
    /// The first word.
    pub(super) fn word(&self) -> &'a str {
        self.tokens.first().filter(|token| token.kind == Kind::Name).map_or("", |token| token.text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    Text,
    Sign,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

impl Token<'_> {
    pub(super) fn is(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Name && self.text == word
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

/// Cuts a source.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece<'_>>, Mistake> {
    let mut lexer = Lexer { source, at: 0 };
    let mut pieces = Vec::new();
    let mut kept = 0;
    while let Some(start) = lexer.rest().find('{').map(|found| lexer.at + found) {
        lexer.at = start;
        let piece = match lexer.source.as_bytes().get(start + 1) {
            Some(b'#') => {
                lexer.skip_past("#}")?;
                continue;
            }
            Some(b'{') => Piece::Print(lexer.tag("}}")?),
            Some(b'%') => {
                let tag = lexer.tag("%}")?;
                if tag.word() == "raw" && tag.tokens.len() == 1 {
                    lexer.skip_raw()?;
                    continue;
                }
                Piece::Block(tag)
            }
            _ => {
                lexer.at = start + 1;
                continue;
            }
        };
        if kept < start {
            pieces.push(Piece::Kept(&source[kept..start]));
        }
        kept = lexer.at;
        pieces.push(piece);
    }
    if kept < source.len() {
        pieces.push(Piece::Kept(&source[kept..]));
    }
    Ok(pieces)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn mistake(&self, at: usize, message: impl Into<String>) -> Mistake {
        Mistake { line: self.line(at), message: message.into() }
    }

    fn line(&self, at: usize) -> usize {
        self.source[..at].matches('\n').count() + 1
    }

    fn skip_past(&mut self, end: &str) -> Result<(), Mistake> {
        let found = self.rest().find(end).ok_or_else(|| self.mistake(self.at, "a comment is not closed"))?;
        self.at += found + end.len();
        Ok(())
    }

    /// Past `{% endraw %}`.
    fn skip_raw(&mut self) -> Result<(), Mistake> {
        let start = self.at;
        while let Some(found) = self.rest().find("{%") {
            let inside = self.rest()[found + 2..].trim_start_matches(['-', '+']).trim_start();
            let after = inside.strip_prefix("endraw").map(str::trim_start);
            let end = after.map(|after| after.trim_start_matches(['-', '+']));
            match end.and_then(|end| end.strip_prefix("%}")) {
                Some(after) => {
                    self.at = self.source.len() - after.len();
                    return Ok(());
                }
                None => self.at += found + 2,
            }
        }
        Err(self.mistake(start, "a raw block is not closed"))
    }

    fn tag(&mut self, end: &str) -> Result<Tag<'a>, Mistake> {
        let start = self.at;
        let marked = matches!(self.rest().as_bytes().get(2), Some(b'-' | b'+'));
        self.at += if marked { 3 } else { 2 };
        let open = &self.source[start..self.at];
        let (mut tokens, mut depth) = (Vec::new(), 0usize);
        loop {
            self.at = self.source.len() - self.rest().trim_start().len();
            let rest = self.rest();
            if rest.is_empty() {
                return Err(self.mistake(start, format!("`{open}` is not closed")));
            }
            if depth == 0
                && let Some(close) = [end, &format!("-{end}"), &format!("+{end}")]
                    .iter()
                    .find(|close| rest.starts_with(**close))
            {
                let close = &rest[..close.len()];
                self.at += close.len();
                let breaks = self.source[start..self.at].matches('\n').count();
                return Ok(Tag { open, close, tokens, line: self.line(start), breaks });
            }
            let after_dot = tokens.last().is_some_and(|token: &Token<'_>| token.is("."));
            let token = self.token(after_dot)?;
            match token.text {
                "(" | "[" | "{" if token.kind == Kind::Sign => depth += 1,
                ")" | "]" | "}" if token.kind == Kind::Sign => depth = depth.saturating_sub(1),
                _ => {}
            }
            tokens.push(token);
        }
    }

    fn token(&mut self, after_dot: bool) -> Result<Token<'a>, Mistake> {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or_default();
        let (kind, length) = if first.is_alphabetic() || first == '_' {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            (Kind::Name, rest.find(|c| !word(c)).unwrap_or(rest.len()))
        } else if first.is_ascii_digit() {
            (Kind::Number, number(rest, after_dot))
        } else if first == '"' || first == '\'' {
            let length = text(rest).ok_or_else(|| self.mistake(self.at, "a text is not closed"))?;
            (Kind::Text, length)
        } else {
            const SIGNS: [&str; 31] = [
                "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":",
                "|", ",", ";", "(", ")", "[", "]", "{", "}", "!", "&", "@", "?", "^",
            ];
            match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Kind::Sign, sign.len()),
                None => return Err(self.mistake(self.at, format!("unexpected `{first}`"))),
            }
        };
        self.at += length;
        Ok(Token { kind, text: &rest[..length] })
    }
}

/// The length of a number: `1_000`, `0x1f`, `1.5`, `1e-3`; only digits after a dot (`a.0.1`).
fn number(rest: &str, after_dot: bool) -> usize {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
    if !after_dot && bytes[0] == b'0' && matches!(bytes.get(1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B'))
    {
        return 2 + bytes[2..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    }
    let mut end = digits(0);
    if after_dot {
        return end;
    }
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = bytes.get(end + 1 + sign..).map_or(0, |_| digits(end + 1 + sign));
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// The length of a text with its quotes.
fn text(rest: &str) -> Option<usize> {
    let quote = rest.as_bytes()[0];
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            byte if byte == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}
