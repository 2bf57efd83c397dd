//! `truncate` and `wordwrap`.

use minijinja::value::{Kwargs, Rest, StringInput};
use minijinja::{Environment, Error, Value};

use crate::templates::text::{escape_value, python_str};

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("truncate", truncate);
    env.add_filter("wordwrap", wordwrap);
}

/// An argument by place or by name.
fn argument(args: &[Value], kwargs: &Kwargs, at: usize, name: &str) -> Result<Option<Value>, Error> {
    let named: Option<Value> = kwargs.get(name)?;
    Ok(args.get(at).cloned().or(named).filter(|value| !value.is_none()))
}

/// `truncate(length=255, killwords=False, end='...', leeway=5)`.
fn truncate(text: StringInput, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let number = |at, name, default| -> Result<usize, Error> {
        Ok(argument(&args, &kwargs, at, name)?.and_then(|value| value.as_usize()).unwrap_or(default))
    };
    let length = number(0, "length", 255)?;
    let leeway = number(3, "leeway", 5)?;
    let kill = argument(&args, &kwargs, 1, "killwords")?.is_some_and(|value| value.is_true());
    let end = argument(&args, &kwargs, 2, "end")?.unwrap_or_else(|| Value::from("..."));
    let (end, safe_end) = (python_str(&end), escape_value(&end));
    let chars: Vec<char> = text.as_str().chars().collect();
    if chars.len() <= length.saturating_add(leeway) {
        return Ok(text.preserve_safety(text.as_str().to_owned()));
    }
    let mut kept = &chars[..length.saturating_sub(end.chars().count()).min(chars.len())];
    if !kill && let Some(blank) = kept.iter().rposition(|c| *c == ' ') {
        kept = &kept[..blank];
    }
    let cut: String = kept.iter().collect();
    let end = if text.is_safe() { safe_end } else { end };
    Ok(text.preserve_safety(cut + &end))
}

/// `wordwrap(width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True)`: each line on its own. The
/// result is not safe, even of a safe text.
fn wordwrap(text: StringInput, args: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let width = argument(&args, &kwargs, 0, "width")?.and_then(|value| value.as_usize()).unwrap_or(79).max(1);
    let flag = |at, name| -> Result<bool, Error> {
        Ok(argument(&args, &kwargs, at, name)?.is_none_or(|value| value.is_true()))
    };
    let (break_long, hyphens) = (flag(1, "break_long_words")?, flag(3, "break_on_hyphens")?);
    let newline = argument(&args, &kwargs, 2, "wrapstring")?
        .map_or_else(|| "\n".to_owned(), |value| python_str(&value));
    let lines = text.as_str().lines().map(|line| wrap_line(line, width, break_long, hyphens).join(&newline));
    Ok(lines.collect::<Vec<_>>().join(&newline))
}

/// `textwrap.wrap(line, expand_tabs=False, replace_whitespace=False)`.
fn wrap_line(line: &str, width: usize, break_long: bool, hyphens: bool) -> Vec<String> {
    let mut chunks: Vec<String> = chunks(line, hyphens);
    chunks.reverse();
    let length = |text: &str| text.chars().count();
    let mut lines: Vec<String> = Vec::new();
    while !chunks.is_empty() {
        let (mut current, mut used) = (Vec::new(), 0);
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| chunk.trim().is_empty()) {
            chunks.pop();
        }
        while let Some(chunk) = chunks.pop_if(|chunk| used + length(chunk) <= width) {
            used += length(&chunk);
            current.push(chunk);
        }
        if let Some(chunk) = chunks.pop_if(|chunk| length(chunk) > width) {
            if break_long {
                let space = width - used.min(width - 1);
                let space = if used >= width { 1 } else { space };
                let at = chunk.char_indices().nth(space).map_or(chunk.len(), |(at, _)| at);
                current.push(chunk[..at].to_owned());
                chunks.push(chunk[at..].to_owned());
            } else if current.is_empty() {
                current.push(chunk);
            } else {
                chunks.push(chunk);
            }
        }
        if current.last().is_some_and(|chunk| chunk.trim().is_empty()) {
            current.pop();
        }
        if !current.is_empty() {
            lines.push(current.concat());
        } else if chunks.is_empty() {
            break;
        }
    }
    lines
}

/// Words, blanks between them, and words split behind a hyphen between letters.
fn chunks(line: &str, hyphens: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let chars: Vec<char> = line.chars().collect();
    for (index, c) in chars.iter().enumerate() {
        let blank = |c: &char| matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}');
        let letter = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphabetic());
        let after_hyphen = hyphens
            && index >= 3
            && chars[index - 1] == '-'
            && letter(Some(index))
            && letter(index.checked_sub(2))
            && letter(index.checked_sub(3));
        let joins = index > 0 && blank(c) == blank(&chars[index - 1]) && !after_hyphen;
        match out.last_mut().filter(|_| joins) {
            Some(chunk) => chunk.push(*c),
            None => out.push(c.to_string()),
        }
    }
    out
}
