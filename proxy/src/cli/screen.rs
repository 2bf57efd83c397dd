//! What people read: tables, times, colours.

use std::io::{IsTerminal, Write};

use chrono::{DateTime, Local, Utc};

/// Whether standard error may be coloured: on a terminal, unless somebody said no.
pub(super) fn colour_on_stderr() -> bool {
    std::io::stderr().is_terminal() && wanted()
}

/// Whether standard output may be coloured.
fn colour_on_stdout() -> bool {
    std::io::stdout().is_terminal() && wanted()
}

fn wanted() -> bool {
    let said_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !said_no && !dumb
}

/// `error:`, in red where that is possible.
pub(super) fn error_word() -> &'static str {
    if colour_on_stderr() { "\x1b[1;31merror:\x1b[0m" } else { "error:" }
}

/// `warning:`, in yellow where that is possible.
pub(super) fn warning_word() -> &'static str {
    if colour_on_stderr() { "\x1b[1;33mwarning:\x1b[0m" } else { "warning:" }
}

/// Marks what somebody has to look at.
pub(super) fn bad(text: &str) -> String {
    if colour_on_stdout() { format!("\x1b[1;31m{text}\x1b[0m") } else { text.to_owned() }
}

/// Marks what is a heading.
pub(super) fn heading(text: &str) -> String {
    if colour_on_stdout() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// Writes to standard output; a reader that went away (`| head`) ends the command quietly.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A text of a document; empty if there is none.
pub(super) fn word(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// How a route changed: `legacy -> rust`; once, if it stayed where it was.
pub(super) fn moved(change: &serde_json::Value) -> String {
    let (before, after) = (word(&change["before"]), word(&change["after"]));
    if before == after { after } else { format!("{before} -> {after}") }
}

/// Prints a document.
pub(super) fn print_json(document: &serde_json::Value) {
    print(&format!("{document:#}\n"));
}

/// Columns as wide as their widest cell, two spaces between them.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut text = heading(&line(header));
    text.push('\n');
    for row in rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        text.push_str(&line(&cells));
        text.push('\n');
    }
    text
}

/// A time of the API as people here read it.
pub(super) fn time(text: &str) -> String {
    match text.parse::<DateTime<Utc>>() {
        Ok(time) => time.with_timezone(&Local).format("%F %T").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// `4 s`, `3 min`, `2 h`, `5 days` since a time of the API.
pub(super) fn since(text: &str, now: DateTime<Utc>) -> String {
    let Ok(then) = text.parse::<DateTime<Utc>>() else {
        return text.to_owned();
    };
    let seconds = (now - then).num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".to_owned(), "long cell".to_owned()], vec!["bé".to_owned(), String::new()]];
        assert_eq!(table(&["X", "Y"], &rows), "X   Y\na   long cell\nbé\n");
    }

    #[test]
    fn ages_are_short() {
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(since("2026-01-01T23:59:56Z", now), "4 s");
        assert_eq!(since("2026-01-01T20:00:00Z", now), "4 h");
    }
}
