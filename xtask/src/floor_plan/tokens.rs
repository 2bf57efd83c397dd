//! Rust source text as words and signs, without comments and texts: as much of a lexer as the floor plan needs.

/// A word or `::` or a single sign, with its line.
pub(super) type Token = (usize, String);

/// Splits source text into words and signs; comments and texts are left out.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest).unwrap_or_else(|| {
            let word =
                rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
            let length = if rest.starts_with("::") { 2 } else { word.max(first.len_utf8()) };
            let token = rest.get(..length).unwrap_or_default();
            if !first.is_whitespace() {
                tokens.push((line, token.to_owned()));
            }
            length
        });
        let (eaten, left) = rest.split_at(length);
        line += eaten.matches('\n').count();
        rest = left;
    }
    tokens
}

/// The length of a comment, text or letter literal that the text begins with.
fn skipped(text: &str) -> Option<usize> {
    let until = |from: usize, end: &str| {
        let found = text.get(from..)?.find(end)?;
        Some(from + found + end.len())
    };
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(until(2, "*/").unwrap_or(text.len()));
    }
    if let Some(hashes) = raw_text(text) {
        return Some(until(hashes + 2, &format!("\"{}", "#".repeat(hashes))).unwrap_or(text.len()));
    }
    if text.starts_with('"') {
        return Some(quoted(text));
    }
    // A letter, not a lifetime: 'x' or '\n'.
    let mut letters = text.strip_prefix('\'')?.chars();
    let first = letters.next()?;
    match first {
        '\\' => until(3, "'"),
        other if letters.next() == Some('\'') => Some(other.len_utf8() + 2),
        _ => None,
    }
}

/// `r#"` -> one hash.
fn raw_text(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after.get(hashes..)?.starts_with('"').then_some(hashes)
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return at + 1,
            _ => escaped = letter == '\\' && !escaped,
        }
    }
    text.len()
}
