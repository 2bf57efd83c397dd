//! What stands between operators: names, literals, brackets, calls, filters and tests.

use super::Mistake;
use super::expression::{Parser, Written, tuple_of};
use super::lexer::Kind;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Written {
        let Some(token) = self.next() else { return Err(self.unexpected()) };
        Ok(match (token.kind, token.text) {
            (Kind::Name, "true" | "True" | "false" | "False" | "none" | "None") | (Kind::Number, _) => {
                token.text.to_owned()
            }
            (Kind::Name, "dict") if self.scope.changes => "__dict".to_owned(),
            (Kind::Name, name) if self.scope.is_global(name) => format!("__global(\"{name}\")"),
            (Kind::Name, name) => name.to_owned(),
            (Kind::Text, text) => {
                let mut texts = text.to_owned();
                while let Some(more) = self.peek().filter(|token| token.kind == Kind::Text) {
                    self.at += 1;
                    texts = format!("{texts} {}", more.text);
                }
                texts
            }
            (Kind::Sign, "(") => self.parenthesis()?,
            (Kind::Sign, "[") => self.list()?,
            (Kind::Sign, "{") => self.dictionary()?,
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        })
    }

    fn parenthesis(&mut self) -> Written {
        if self.sign(")") {
            return Ok("()".to_owned());
        }
        let (items, is_tuple) = self.sequence(true)?;
        self.expect(")")?;
        Ok(if is_tuple { tuple_of(&items) } else { format!("({})", items.concat()) })
    }

    fn list(&mut self) -> Written {
        let items = self.items("]")?;
        Ok(if self.scope.changes {
            format!("__list({})", items.join(", "))
        } else {
            format!("[{}]", items.join(", "))
        })
    }

    /// Expressions with commas up to a closing sign.
    fn items(&mut self, close: &str) -> Result<Vec<String>, Mistake> {
        let mut items = Vec::new();
        while !self.sign(close) {
            if !items.is_empty() {
                self.expect(",")?;
                if self.sign(close) {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        Ok(items)
    }

    fn dictionary(&mut self) -> Written {
        let mut items = Vec::new();
        while !self.sign("}") {
            if !items.is_empty() {
                self.expect(",")?;
                if self.sign("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect(":")?;
            items.push(format!("{key}: {}", self.expression()?));
        }
        let written = format!("{{{}}}", items.join(", "));
        Ok(if self.scope.changes { format!("__dict({written})") } else { written })
    }

    /// `.name`, `[...]`, `(...)`.
    pub(super) fn postfix(&mut self, mut written: String) -> Written {
        loop {
            if self.sign(".") {
                match self.next() {
                    Some(token) if matches!(token.kind, Kind::Name | Kind::Number) => {
                        written = format!("{written}.{}", token.text);
                    }
                    _ => return Err(self.mistake("a name is missing behind a dot")),
                }
            } else if self.sign("[") {
                written = self.subscript(&written)?;
            } else if self.sign("(") {
                written = format!("{written}({})", self.arguments()?.join(", "));
            } else {
                return Ok(written);
            }
        }
    }

    fn subscript(&mut self, of: &str) -> Written {
        let mut parts: Vec<Option<String>> = vec![None];
        loop {
            if self.sign("]") {
                break;
            }
            if self.sign(":") {
                parts.push(None);
            } else if let Some(part @ None) = parts.last_mut() {
                *part = Some(self.tuple(true)?);
            } else {
                return Err(self.unexpected());
            }
        }
        let mut parts = parts.into_iter();
        match (parts.next().flatten(), parts.len()) {
            (Some(index), 0) => Ok(format!("{of}[{index}]")),
            (start, 1 | 2) => {
                let none = || "none".to_owned();
                let (stop, step) = (parts.next().flatten(), parts.next().flatten());
                let [start, stop, step] = [start, stop, step].map(|part| part.unwrap_or_else(none));
                Ok(format!("__slice({of}, {start}, {stop}, {step})"))
            }
            _ => Err(self.mistake("a subscript is empty")),
        }
    }

    /// The arguments of a call, behind its `(`.
    pub(super) fn arguments(&mut self) -> Result<Vec<String>, Mistake> {
        let mut arguments = Vec::new();
        while !self.sign(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
                if self.sign(")") {
                    break;
                }
            }
            let named = self.peek().is_some_and(|token| token.kind == Kind::Name)
                && self.tokens.get(self.at + 1).is_some_and(|token| token.is("="));
            let prefix = if self.sign("**") {
                "**".to_owned()
            } else if self.sign("*") {
                "*".to_owned()
            } else if named {
                let name = self.name()?;
                self.expect("=")?;
                format!("{name}=")
            } else {
                String::new()
            };
            arguments.push(prefix + &self.expression()?);
        }
        Ok(arguments)
    }

    /// `|filter(...)` and `is test`.
    pub(super) fn filters(&mut self, mut written: String) -> Written {
        loop {
            if self.sign("|") {
                written = format!("{written}|{}", self.filter()?);
            } else if self.word("is") {
                let not = if self.word("not") { "not " } else { "" };
                written = format!("{written} is {not}{}", self.test()?);
            } else {
                return Ok(written);
            }
        }
    }

    /// The name of a filter or a test, with dots.
    fn dotted(&mut self) -> Result<String, Mistake> {
        let mut name = self.name()?.to_owned();
        while self.sign(".") {
            name = format!("{name}.{}", self.name()?);
        }
        Ok(name)
    }

    pub(super) fn filter(&mut self) -> Written {
        let name = self.dotted()?;
        let name = if name == "list" && self.scope.changes { "__list".to_owned() } else { name };
        Ok(if self.sign("(") { format!("{name}({})", self.arguments()?.join(", ")) } else { name })
    }

    fn test(&mut self) -> Written {
        let name = self.dotted()?;
        if self.sign("(") {
            return Ok(format!("{name}({})", self.arguments()?.join(", ")));
        }
        let has_argument = self.peek().is_some_and(|token| match token.kind {
            Kind::Name => {
                !matches!(token.text, "else" | "or" | "and" | "is" | "if" | "not" | "in" | "recursive")
            }
            Kind::Number | Kind::Text => true,
            Kind::Sign => matches!(token.text, "(" | "[" | "{"),
        });
        if !has_argument {
            return Ok(name);
        }
        let argument = self.primary()?;
        Ok(format!("{name}({})", self.postfix(argument)?))
    }
}
