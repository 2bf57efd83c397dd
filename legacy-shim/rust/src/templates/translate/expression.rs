//! Expressions: Jinja2's grammar read by recursive descent, written again in minijinja's words. Operators are here, what
//! stands between them in `operand`.

use super::Mistake;
use super::lexer::{Kind, Tag, Token};
use super::scope::Scope;

/// How deep expressions may be nested.
const DEPTH: usize = 120;

/// A reader of the tokens of one tag.
pub(super) struct Parser<'a> {
    pub(super) tokens: &'a [Token<'a>],
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) depth: usize,
    pub(super) scope: &'a Scope<'a>,
}

pub(super) type Written = Result<String, Mistake>;

impl<'a> Parser<'a> {
    pub(super) fn new(tag: &'a Tag<'a>, scope: &'a Scope<'a>) -> Self {
        Self { tokens: &tag.tokens, at: 0, line: tag.line, depth: 0, scope }
    }

    pub(super) fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake { line: self.line, message: message.into() }
    }

    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(sign));
        self.at += usize::from(found);
        found
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), Mistake> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn name(&mut self) -> Result<&'a str, Mistake> {
        match self.next() {
            Some(token) if token.kind == Kind::Name => Ok(token.text),
            _ => {
                self.at = self.at.saturating_sub(1);
                Err(self.unexpected())
            }
        }
    }

    pub(super) fn unexpected(&self) -> Mistake {
        match self.peek() {
            Some(token) => self.mistake(format!("unexpected `{}`", token.text)),
            None => self.mistake("an expression is missing"),
        }
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Mistake> {
        if self.at == self.tokens.len() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Everything that is left, as it is.
    pub(super) fn rest(&mut self) -> String {
        let texts: Vec<&str> = self.tokens[self.at..].iter().map(|token| token.text).collect();
        self.at = self.tokens.len();
        texts.join(" ")
    }

    /// An expression, or several with commas: a tuple.
    pub(super) fn tuple(&mut self, with_condition: bool) -> Written {
        let (items, is_tuple) = self.sequence(with_condition)?;
        Ok(if is_tuple { tuple_of(&items) } else { items.concat() })
    }

    /// Expressions with commas, and whether they are a tuple.
    pub(super) fn sequence(&mut self, with_condition: bool) -> Result<(Vec<String>, bool), Mistake> {
        let one = |parser: &mut Self| if with_condition { parser.expression() } else { parser.or() };
        let mut items = vec![one(self)?];
        let mut is_tuple = false;
        while self.sign(",") {
            is_tuple = true;
            let ended = self.peek().is_none_or(|token| {
                token.is(")")
                    || token.is("]")
                    || token.is("=")
                    || token.is_word("in")
                    || token.is_word("recursive")
            });
            if ended {
                break;
            }
            items.push(one(self)?);
        }
        Ok((items, is_tuple))
    }

    /// An expression with its `if`.
    pub(super) fn expression(&mut self) -> Written {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.mistake("an expression is nested too deeply"));
        }
        let mut written = self.or()?;
        while self.word("if") {
            let condition = self.or()?;
            written = if self.word("else") {
                format!("{written} if {condition} else {}", self.expression()?)
            } else {
                format!("{written} if {condition}")
            };
        }
        self.depth -= 1;
        Ok(written)
    }

    fn or(&mut self) -> Written {
        let mut written = self.and()?;
        while self.word("or") {
            written = format!("{written} or {}", self.and()?);
        }
        Ok(written)
    }

    fn and(&mut self) -> Written {
        let mut written = self.not()?;
        while self.word("and") {
            written = format!("{written} and {}", self.not()?);
        }
        Ok(written)
    }

    fn not(&mut self) -> Written {
        let mut count = 0;
        while self.word("not") {
            count += 1;
        }
        Ok("not ".repeat(count) + &self.compare()?)
    }

    fn compare(&mut self) -> Written {
        let mut written = self.sum()?;
        while let Some(token) = self.peek() {
            let operator = match (token.kind, token.text) {
                (Kind::Sign, "==" | "!=" | "<" | "<=" | ">" | ">=") | (Kind::Name, "in") => token.text,
                (Kind::Name, "not")
                    if self.tokens.get(self.at + 1).is_some_and(|next| next.is_word("in")) =>
                {
                    self.at += 1;
                    "not in"
                }
                _ => break,
            };
            self.at += 1;
            written = format!("{written} {operator} {}", self.sum()?);
        }
        Ok(written)
    }

    fn sum(&mut self) -> Written {
        let start = self.at;
        let mut written = self.tilde()?;
        let mut plain = self.is_number(start);
        loop {
            if self.sign("+") {
                let start = self.at;
                let right = self.tilde()?;
                // A number beside it: nothing but numbers can be added to that.
                if plain || self.is_number(start) {
                    written = format!("{written} + {right}");
                } else {
                    written = format!("__add({written}, {right})");
                }
            } else if self.sign("-") {
                written = format!("{written} - {}", self.tilde()?);
            } else {
                return Ok(written);
            }
            plain = false;
        }
    }

    /// Whether the tokens since `start` are one number.
    fn is_number(&self, start: usize) -> bool {
        self.at == start + 1 && self.tokens[start].kind == Kind::Number
    }

    fn tilde(&mut self) -> Written {
        let first = self.product()?;
        let mut parts = vec![first];
        while self.sign("~") {
            parts.push(self.product()?);
        }
        if parts.len() == 1 { Ok(parts.remove(0)) } else { Ok(format!("__tilde({})", parts.join(", "))) }
    }

    fn product(&mut self) -> Written {
        let start = self.at;
        let mut written = self.power()?;
        let mut plain = self.is_number(start);
        loop {
            let Some(token) = self.peek().filter(|token| token.kind == Kind::Sign) else {
                return Ok(written);
            };
            match token.text {
                "*" | "/" | "//" => {
                    self.at += 1;
                    written = format!("{written} {} {}", token.text, self.power()?);
                }
                "%" => {
                    self.at += 1;
                    let right = self.power()?;
                    written = if plain {
                        format!("{written} % {right}")
                    } else {
                        format!("__mod({written}, {right})")
                    };
                }
                _ => return Ok(written),
            }
            plain = false;
        }
    }

    fn power(&mut self) -> Written {
        let mut written = self.unary(true)?;
        while self.sign("**") {
            written = format!("{written} ** {}", self.unary(true)?);
        }
        Ok(written)
    }

    fn unary(&mut self, with_filters: bool) -> Written {
        let written = if self.sign("-") {
            format!("-{}", self.unary(false)?)
        } else if self.sign("+") {
            format!("__pos({})", self.unary(false)?)
        } else {
            let primary = self.primary()?;
            self.postfix(primary)?
        };
        if with_filters { self.filters(written) } else { Ok(written) }
    }
}

pub(super) fn tuple_of(items: &[String]) -> String {
    if items.len() == 1 { format!("({},)", items[0]) } else { format!("({})", items.join(", ")) }
}
