//! The grammar of rules: static text and `<converter(arguments):variable>`.
//!
//! Source: `_rule_re` and `parse_rule` of werkzeug/routing.py 1.0.1, `_part_re` of werkzeug/routing/rules.py 2.3.8 and 3.1.
//! Both read variables with the same expression and take everything up to the next `<` as static; only the older one
//! refuses a `>` after the last variable. Slashes are split later. What is not readable becomes a `Fault` with a guess at
//! what was meant, and reading goes on behind it, so that one rule may report several faults.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::error::Fault;
use crate::Profile;

static VARIABLE: LazyLock<Result<Regex, regex::Error>> = LazyLock::new(|| {
    Regex::new(
        r"^<(?:(?P<converter>[a-zA-Z_][a-zA-Z0-9_]*)(?:\((?P<arguments>.*?)\))?:)?(?P<variable>[a-zA-Z_][a-zA-Z0-9_]*)>",
    )
});

/// A piece of a rule as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Static(String),
    Variable(VariableToken),
}

/// `<converter(arguments):name>`, with the places of its parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VariableToken {
    pub(super) name: String,
    pub(super) span: Range<usize>,
    pub(super) converter: Option<(String, Range<usize>)>,
    pub(super) arguments: Option<(String, Range<usize>)>,
}

/// Splits a rule, or the rule of a host, into tokens.
pub(super) fn parse(text: &str, profile: Profile) -> (Vec<Token>, Vec<Fault>) {
    let (mut tokens, mut faults) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|found| at + found) {
        push_static(&mut tokens, &text[at..open]);
        at = match read_variable(text, open) {
            Some(variable) => {
                let end = variable.span.end;
                tokens.push(Token::Variable(variable));
                end
            }
            None => {
                let end = end_of_malformed(text, open);
                faults.push(malformed(text, open..end));
                end
            }
        };
    }
    let rest = &text[at..];
    if let Some(stray) = rest.find('>').filter(|_| profile == Profile::Werkzeug10) {
        let span = at + stray..at + stray + 1;
        faults.push(Fault::new(span, format!("malformed rule `{text}`: `>` without `<`")));
    }
    push_static(&mut tokens, rest);
    (tokens, faults)
}

fn push_static(tokens: &mut Vec<Token>, text: &str) {
    if !text.is_empty() {
        tokens.push(Token::Static(text.to_owned()));
    }
}

fn read_variable(text: &str, open: usize) -> Option<VariableToken> {
    let expression = VARIABLE.as_ref().ok()?;
    let captures = expression.captures(&text[open..])?;
    let part = |name: &str| {
        captures.name(name).map(|found| (found.as_str().to_owned(), open + found.start()..open + found.end()))
    };
    let (name, _) = part("variable")?;
    let span = open..open + captures.get(0)?.end();
    Some(VariableToken { name, span, converter: part("converter"), arguments: part("arguments") })
}

/// A malformed variable reaches to its `>`, or to the next slash or `<`, or to the end.
fn end_of_malformed(text: &str, open: usize) -> usize {
    let rest = &text[open + 1..];
    match rest.find(['>', '/', '<']) {
        Some(found) if rest.as_bytes()[found] == b'>' => open + 1 + found + 1,
        Some(found) => open + 1 + found,
        None => text.len(),
    }
}

fn malformed(text: &str, span: Range<usize>) -> Fault {
    let written = &text[span.clone()];
    let fault = Fault::new(span, format!("malformed variable `{written}`"));
    let inner = written.trim_start_matches('<').trim_end_matches('>').trim();
    let (converter, name) = match inner.rsplit_once(':') {
        Some((converter, name)) => (converter.trim(), name.trim()),
        None => {
            inner.split_once(' ').map_or(("", inner), |(converter, name)| (converter.trim(), name.trim()))
        }
    };
    let name = identifier(name);
    if inner.is_empty() || name.is_empty() {
        return fault.hint("a variable is written `<name>` or `<converter:name>`");
    }
    if converter.is_empty() {
        return fault.hint(format!("did you mean `<{name}>`"));
    }
    let (word, arguments) = converter.find('(').map_or((converter, ""), |open| converter.split_at(open));
    let close = if arguments.is_empty() || arguments.ends_with(')') { "" } else { ")" };
    fault.hint(format!("did you mean `<{}{arguments}{close}:{name}>`", identifier(word)))
}

/// The nearest identifier to a text: other characters become underscores.
fn identifier(text: &str) -> String {
    let name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(rule: &str) -> String {
        let (_, faults) = parse(rule, Profile::Werkzeug10);
        faults[0].suggestion.clone().unwrap_or_default()
    }

    #[test]
    fn splits_static_text_and_variables() {
        let (tokens, faults) = parse("/a/<int(min=1):id>.<x>", Profile::Werkzeug10);
        assert!(faults.is_empty());
        assert_eq!(tokens.len(), 4);
        let Token::Variable(id) = &tokens[1] else { panic!("{tokens:?}") };
        assert_eq!((id.name.as_str(), id.span.clone()), ("id", 3..18));
        assert_eq!(id.arguments.as_ref().unwrap().0, "min=1");
    }

    #[test]
    fn guesses_what_was_meant() {
        assert_eq!(hint("/<int id>"), "did you mean `<int:id>`");
        assert_eq!(hint("/<int:my-id>"), "did you mean `<int:my_id>`");
        assert_eq!(hint("/<int:id"), "did you mean `<int:id>`");
        assert_eq!(hint("/<id"), "did you mean `<id>`");
        assert_eq!(hint("/<:id>"), "did you mean `<id>`");
        assert_eq!(hint("/<>"), "a variable is written `<name>` or `<converter:name>`");
    }

    #[test]
    fn reports_every_malformed_variable() {
        assert_eq!(parse("/<a b c>/<1>/<x", Profile::Werkzeug23).1.len(), 3);
        assert_eq!(parse("/a>b", Profile::Werkzeug10).1.len(), 1);
        assert_eq!(parse("/a>b", Profile::Werkzeug23).1.len(), 0);
    }
}
