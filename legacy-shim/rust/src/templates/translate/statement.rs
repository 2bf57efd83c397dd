//! Tags: each keyword's own grammar around its expressions.

use super::Mistake;
use super::expression::Parser;
use super::lexer::{Kind, Piece, Tag};
use super::scope::Scope;
use super::{macros, trans};

/// A tag in new words: what stands behind it is put into the same line.
pub(super) struct Rewritten {
    pub(super) inside: String,
    /// Further tags behind it.
    pub(super) after: Vec<String>,
}

impl From<String> for Rewritten {
    fn from(inside: String) -> Self {
        Self { inside, after: Vec::new() }
    }
}

/// The whole template.
pub(super) fn rewrite(source: &str, pieces: &[Piece<'_>], scope: &Scope<'_>) -> Result<String, Mistake> {
    let mut out = String::with_capacity(source.len() + source.len() / 8);
    let mut open_macros = Vec::new();
    let mut place = 0;
    while let Some(piece) = pieces.get(place) {
        match piece {
            Piece::Kept(text) => out.push_str(text),
            Piece::Print(tag) => {
                let mut parser = Parser::new(tag, scope);
                let inside = parser.tuple(true)?;
                parser.end()?;
                push(&mut out, tag, &inside.into());
            }
            Piece::Block(tag) if tag.word() == "trans" => {
                place = trans::rewrite(&mut out, pieces, place, scope)?;
            }
            Piece::Block(tag) => {
                let rewritten = match tag.word() {
                    "macro" => {
                        let (rewritten, wrapped) = macros::begin(tag, place, scope)?;
                        open_macros.push(wrapped);
                        rewritten
                    }
                    "endmacro" => macros::end(open_macros.pop().flatten()),
                    // What is set in an included template stays there.
                    "include" => Rewritten {
                        inside: "with".to_owned(),
                        after: vec![block(tag, scope)?, "endwith".to_owned()],
                    },
                    _ => block(tag, scope)?.into(),
                };
                push(&mut out, tag, &rewritten);
            }
        }
        place += 1;
    }
    Ok(out)
}

/// Writes a tag with as many lines as it had. What its end says of blanks is said by the last tag.
pub(super) fn push(out: &mut String, tag: &Tag<'_>, rewritten: &Rewritten) {
    let breaks = tag.breaks.saturating_sub(rewritten.inside.matches('\n').count());
    let plain = &tag.close[tag.close.len() - 2..];
    let close = |last: bool| if last { tag.close } else { plain };
    out.push_str(tag.open);
    out.push(' ');
    out.push_str(&rewritten.inside);
    out.push(' ');
    out.push_str(&"\n".repeat(breaks));
    out.push_str(close(rewritten.after.is_empty()));
    for (number, after) in rewritten.after.iter().enumerate() {
        out.push_str("{% ");
        out.push_str(after);
        out.push(' ');
        out.push_str(close(number + 1 == rewritten.after.len()));
    }
}

fn block(tag: &Tag<'_>, scope: &Scope<'_>) -> Result<String, Mistake> {
    let mut parser = Parser::new(tag, scope);
    let word = tag.word();
    if parser.next().is_none() {
        return Err(parser.mistake("a tag is empty"));
    }
    let written = match word {
        "if" | "elif" => format!("{word} {}", parser.tuple(false)?),
        "for" => for_loop(&mut parser)?,
        "set" => set(&mut parser)?,
        "with" => with(&mut parser)?,
        "do" => format!("do {}", parser.tuple(true)?),
        "autoescape" | "extends" => {
            let value = parser.expression()?;
            // A template that stands alone extends one that does.
            let alone = word == "extends" && scope.stands_alone();
            if alone { format!("extends __alone({value})") } else { format!("{word} {value}") }
        }
        "filter" => format!("filter {}", filter_chain(&mut parser)?),
        "call" => call(&mut parser)?,
        "include" => include(&mut parser)?,
        "import" => import(&mut parser)?,
        "from" => from(&mut parser)?,
        // `else`, `endfor`, `block name scoped`, `break`, ...: words only; unknown ones are minijinja's to refuse.
        _ => format!("{word} {}", parser.rest()).trim_end().to_owned(),
    };
    parser.end()?;
    Ok(written)
}

/// The names that a tag binds: `a, (b, c)`, `ns.a`.
fn target(parser: &mut Parser<'_>, ends: &dyn Fn(&Parser<'_>) -> bool) -> Result<String, Mistake> {
    let mut written = String::new();
    while !ends(parser) {
        let Some(token) = parser.next() else { break };
        if token.kind == Kind::Name || matches!(token.text, "(" | ")" | "." | ",") {
            written.push_str(token.text);
            if token.is(",") && parser.peek().is_some_and(|next| !next.is(")")) && !ends(parser) {
                written.push(' ');
            }
        } else {
            return Err(parser.mistake(format!("unexpected `{}`", token.text)));
        }
    }
    Ok(written)
}

fn for_loop(parser: &mut Parser<'_>) -> Result<String, Mistake> {
    let target = target(parser, &|parser| parser.peek().is_some_and(|token| token.is_word("in")))?;
    if !parser.word("in") {
        return Err(parser.mistake("`in` is missing"));
    }
    let mut written = format!("for {target} in {}", parser.tuple(false)?);
    if parser.word("if") {
        written = format!("{written} if {}", parser.expression()?);
    }
    if parser.word("recursive") {
        written.push_str(" recursive");
    }
    Ok(written)
}

fn set(parser: &mut Parser<'_>) -> Result<String, Mistake> {
    let target = target(parser, &|parser| parser.peek().is_some_and(|token| token.is("=") || token.is("|")))?;
    if parser.sign("=") {
        return Ok(format!("set {target} = {}", parser.tuple(true)?));
    }
    if parser.sign("|") {
        return Ok(format!("set {target} | {}", filter_chain(parser)?));
    }
    Ok(format!("set {target}"))
}

fn filter_chain(parser: &mut Parser<'_>) -> Result<String, Mistake> {
    let mut written = parser.filter()?;
    while parser.sign("|") {
        written = format!("{written}|{}", parser.filter()?);
    }
    Ok(written)
}

fn with(parser: &mut Parser<'_>) -> Result<String, Mistake> {
    let mut parts = Vec::new();
    while parser.peek().is_some() {
        if !parts.is_empty() {
            parser.expect(",")?;
        }
        let target = parser.name()?;
        parser.expect("=")?;
        parts.push(format!("{target} = {}", parser.expression()?));
    }
    Ok(format!("with {}", parts.join(", ")).trim_end().to_owned())
}

/// `call(a, b=1) m(2)`.
fn call(parser: &mut Parser<'_>) -> Result<String, Mistake> {
    let parameters =
        if parser.sign("(") { format!("({})", parser.arguments()?.join(", ")) } else { String::new() };
    Ok(format!("call{parameters} {}", parser.expression()?))
}

/// `with context` or `without context`; the first is what includes do by themselves, the second what imports do.
fn sees_context(parser: &mut Parser<'_>, by_itself: bool) -> Result<bool, Mistake> {
    let (with, without) = (parser.word("with"), parser.word("without"));
    if !(with || without) {
        return Ok(by_itself);
    }
    if parser.word("context") { Ok(with) } else { Err(parser.mistake("`context` is missing")) }
}

fn named(name: &str, sees: bool, parser: &Parser<'_>) -> String {
    match (sees, parser.scope.stands_alone()) {
        (true, false) => name.to_owned(),
        (true, true) => format!("__alone({name}, \"{}\")", parser.scope.bound()),
        (false, _) => format!("__alone({name})"),
    }
}

fn include(parser: &mut Parser<'_>) -> Result<String, Mistake> {
    let name = parser.expression()?;
    let ignoring = parser.word("ignore");
    if ignoring && !parser.word("missing") {
        return Err(parser.mistake("`missing` is missing"));
    }
    let sees = sees_context(parser, true)?;
    let missing = if ignoring { " ignore missing" } else { "" };
    Ok(format!("include {}{missing}", named(&name, sees, parser)))
}

fn import(parser: &mut Parser<'_>) -> Result<String, Mistake> {
    let name = parser.expression()?;
    if !parser.word("as") {
        return Err(parser.mistake("`as` is missing"));
    }
    let target = parser.name()?;
    let sees = sees_context(parser, false)?;
    Ok(format!("import {} as {target}", named(&name, sees, parser)))
}

fn from(parser: &mut Parser<'_>) -> Result<String, Mistake> {
    let name = parser.expression()?;
    if !parser.word("import") {
        return Err(parser.mistake("`import` is missing"));
    }
    let mut names = Vec::new();
    while let Some(token) = parser.peek() {
        if token.is_word("with") || token.is_word("without") {
            break;
        }
        let name = parser.name()?;
        names.push(if parser.word("as") { format!("{name} as {}", parser.name()?) } else { name.to_owned() });
        if !parser.sign(",") {
            break;
        }
    }
    let sees = sees_context(parser, false)?;
    Ok(format!("from {} import {}", named(&name, sees, parser), names.join(", ")))
}
