//! Where two texts differ, and which line of a template that probably comes from.

use serde::Serialize;

/// Lines that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The line of Jinja2's text, from 1.
    pub line: usize,
    /// Jinja2's lines.
    pub flask: Vec<String>,
    /// Ours.
    pub ficus: Vec<String>,
    /// The template and its line whose fixed text is nearest; a guess.
    pub near: Option<(String, usize)>,
}

/// How far lines are looked ahead for the next that both have.
const AHEAD: usize = 200;

/// The differences of two texts; `sources` are the templates, by name, that may have made them.
#[must_use]
pub(super) fn differences(flask: &str, ficus: &str, sources: &[(String, String)]) -> Vec<Difference> {
    let (theirs, ours): (Vec<&str>, Vec<&str>) = (flask.split('\n').collect(), ficus.split('\n').collect());
    let (mut at, mut our_at) = (0, 0);
    let mut found = Vec::new();
    while at < theirs.len() || our_at < ours.len() {
        if theirs.get(at).is_some_and(|line| ours.get(our_at) == Some(line)) {
            at += 1;
            our_at += 1;
            continue;
        }
        let (skip, our_skip) = next_common(&theirs[at..], &ours[our_at..]);
        let texts = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
        let (flask, ficus) = (texts(&theirs[at..at + skip]), texts(&ours[our_at..our_at + our_skip]));
        let shown = flask.first().or(ficus.first()).map(String::as_str).unwrap_or_default();
        found.push(Difference { line: at + 1, near: origin(shown, sources), flask, ficus });
        at += skip;
        our_at += our_skip;
    }
    found
}

/// How many lines of each side have to be passed over until both are the same again.
fn next_common(theirs: &[&str], ours: &[&str]) -> (usize, usize) {
    let most = (theirs.len() + ours.len()).min(2 * AHEAD);
    for sum in 1..=most {
        for skip in 0..=sum {
            let our_skip = sum - skip;
            let same = |line: &&str| ours.get(our_skip) == Some(line) && !line.trim().is_empty();
            if skip <= theirs.len() && our_skip <= ours.len() && theirs.get(skip).is_some_and(same) {
                return (skip, our_skip);
            }
        }
    }
    (theirs.len(), ours.len())
}

/// The line of a template whose fixed texts all stand in this line, in order, and are the longest.
fn origin(shown: &str, sources: &[(String, String)]) -> Option<(String, usize)> {
    let mut best: Option<(usize, String, usize)> = None;
    for (name, source) in sources {
        for (number, line) in source.split('\n').enumerate() {
            let length = fixed_length(line, shown);
            if length > 2 && best.as_ref().is_none_or(|(longest, ..)| length > *longest) {
                best = Some((length, name.clone(), number + 1));
            }
        }
    }
    best.map(|(_, name, line)| (name, line))
}

/// The length of a line's fixed texts, if they all stand in `shown` and the line has a tag.
fn fixed_length(line: &str, shown: &str) -> usize {
    let (mut rest, mut length, mut dynamic) = (shown, 0, false);
    let mut source = line;
    while !source.is_empty() {
        let start = ["{{", "{%", "{#"].iter().filter_map(|open| source.find(open)).min();
        let fixed = source[..start.unwrap_or(source.len())].trim();
        if !fixed.is_empty() {
            let Some(at) = rest.find(fixed) else { return 0 };
            rest = &rest[at + fixed.len()..];
            length += fixed.len();
        }
        let Some(start) = start else { break };
        dynamic = true;
        let end = ["}}", "%}", "#}"].iter().filter_map(|close| source[start..].find(close)).min();
        source = end.map_or("", |end| &source[start + end + 2..]);
    }
    if dynamic { length } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differing_lines_are_found_with_their_template() {
        let source =
            "<ul>\n{% for n in names %}\n  <li class=\"name\">{{ n }}</li>\n{% endfor %}\n<p>{{ note }}</p>";
        let sources = [("list.html".to_owned(), source.to_owned())];
        let flask = "<ul>\n  <li class=\"name\">a</li>\n  <li class=\"name\">b</li>\n<p>x</p>";
        let ficus = "<ul>\n  <li class=\"name\">a</li>\n  <li class=\"name\">B</li>\n<p>x</p>\nmore";
        let found = differences(flask, ficus, &sources);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].line, found[0].near.clone()), (3, Some(("list.html".to_owned(), 3))));
        assert_eq!(
            (&found[0].flask[..], &found[0].ficus[..]),
            (
                &["  <li class=\"name\">b</li>".to_owned()][..],
                &["  <li class=\"name\">B</li>".to_owned()][..]
            )
        );
        assert_eq!((found[1].line, &found[1].ficus[..]), (5, &["more".to_owned()][..]));
        assert_eq!(differences(flask, flask, &sources), []);
    }
}
