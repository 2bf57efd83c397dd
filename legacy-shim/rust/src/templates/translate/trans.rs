//! `{% trans %}` of Jinja2's i18n extension: one call of the application's `gettext` or `ngettext`.

use super::Mistake;
use super::expression::Parser;
use super::lexer::{Kind, Piece, Tag};
use super::scope::Scope;
use super::statement::push;

/// A block read.
#[derive(Default)]
struct Block {
    /// `name=expression`.
    values: Vec<(String, String)>,
    /// The variable that counts.
    count: Option<String>,
    trimmed: bool,
    singular: String,
    plural: Option<String>,
}

/// Writes the block that begins at `place`; the place of its end.
pub(super) fn rewrite(
    out: &mut String,
    pieces: &[Piece<'_>],
    place: usize,
    scope: &Scope<'_>,
) -> Result<usize, Mistake> {
    let Some(Piece::Block(tag)) = pieces.get(place) else {
        return Err(Mistake { line: 1, message: "a translation has no beginning".to_owned() });
    };
    let mut block = Block::default();
    head(tag, scope, &mut block)?;
    let (end, end_tag, breaks) = body(pieces, place, scope, &mut block)?;
    let written = call(&block, scope);
    let whole = Tag {
        open: if tag.open.ends_with('-') { "{{-" } else { "{{" },
        close: if end_tag.close.starts_with('-') { "-}}" } else { "}}" },
        tokens: Vec::new(),
        line: tag.line,
        breaks: tag.breaks + breaks,
    };
    push(out, &whole, &written.into());
    Ok(end)
}

fn head(tag: &Tag<'_>, scope: &Scope<'_>, block: &mut Block) -> Result<(), Mistake> {
    let mut parser = Parser::new(tag, scope);
    parser.next();
    while let Some(token) = parser.peek() {
        if token.kind == Kind::Text {
            return Err(parser.mistake("a translation with a context of its own is not supported"));
        }
        if parser.sign(",") {
            continue;
        }
        let name = parser.name()?.to_owned();
        if parser.sign("=") {
            let value = parser.expression()?;
            block.values.push((name, value));
        } else if name == "trimmed" {
            block.trimmed = true;
        } else if name != "notrimmed" {
            block.values.push((name.clone(), variable(&name, scope)));
        }
    }
    // What comes first counts, unless `pluralize` names another.
    block.count = block.values.first().map(|(name, _)| name.clone());
    parser.end()
}

fn variable(name: &str, scope: &Scope<'_>) -> String {
    if scope.is_global(name) { format!("__global(\"{name}\")") } else { name.to_owned() }
}

/// Reads up to `{% endtrans %}`.
fn body<'p, 'a>(
    pieces: &'p [Piece<'a>],
    start: usize,
    scope: &Scope<'_>,
    block: &mut Block,
) -> Result<(usize, &'p Tag<'a>, usize), Mistake> {
    let mut text = String::new();
    let mut breaks = 0;
    let mut line = 1;
    for (place, piece) in pieces.iter().enumerate().skip(start + 1) {
        match piece {
            Piece::Kept(kept) if kept.contains("{#") => {
                return Err(Mistake { line, message: "a comment within a translation".to_owned() });
            }
            Piece::Kept(kept) => {
                breaks += kept.matches('\n').count();
                text.push_str(&kept.replace('%', "%%"));
            }
            Piece::Print(tag) => {
                let mut parser = Parser::new(tag, scope);
                let name = parser.name()?;
                parser.end()?;
                breaks += tag.breaks;
                text.push_str(&format!("%({name})s"));
                if block.values.iter().all(|(known, _)| known != name) {
                    block.values.push((name.to_owned(), variable(name, scope)));
                }
            }
            Piece::Block(tag) if tag.word() == "pluralize" && block.plural.is_none() => {
                breaks += tag.breaks;
                line = tag.line;
                if let Some(name) = tag.tokens.get(1) {
                    block.count = Some(name.text.to_owned());
                }
                block.count =
                    block.count.take().or_else(|| block.values.first().map(|(name, _)| name.clone()));
                if block.count.is_none() {
                    return Err(Mistake {
                        line,
                        message: "`pluralize` without anything that counts".to_owned(),
                    });
                }
                block.singular = std::mem::take(&mut text);
                block.plural = Some(String::new());
            }
            Piece::Block(tag) if tag.word() == "endtrans" => {
                breaks += tag.breaks;
                match &mut block.plural {
                    Some(plural) => *plural = text,
                    None => block.singular = text,
                }
                return Ok((place, tag, breaks));
            }
            Piece::Block(tag) => {
                let message = format!("`{}` within a translation", tag.word());
                return Err(Mistake { line: tag.line, message });
            }
        }
    }
    Err(Mistake { line, message: "a translation is not closed".to_owned() })
}

fn call(block: &Block, scope: &Scope<'_>) -> String {
    let quoted = |text: &str| {
        let lines: Vec<&str> = text.split('\n').map(str::trim).collect();
        let text = if block.trimmed { lines.join(" ").trim().to_owned() } else { text.to_owned() };
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    };
    let value =
        |wanted: &String| block.values.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let named = block.values.iter().map(|(name, value)| format!(", {name}={value}"));
    let named: String = named.collect();
    match (&block.plural, block.count.as_ref().and_then(value)) {
        (Some(plural), Some(count)) => {
            let function = variable("ngettext", scope);
            format!("{function}({}, {}, {count}{named})", quoted(&block.singular), quoted(plural))
        }
        _ => format!("{}({}{named})", variable("gettext", scope), quoted(&block.singular)),
    }
}
