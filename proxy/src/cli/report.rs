//! A report in sections, for a terminal or as Markdown.

use super::screen;

/// A heading, sentences, a table; what is empty is left out.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) sentences: Vec<String>,
    pub(super) header: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// Sentences below the table.
    pub(super) notes: Vec<String>,
}

/// For a terminal.
pub(super) fn text(sections: &[Section]) -> String {
    let parts: Vec<String> = sections
        .iter()
        .map(|section| {
            let mut text = String::new();
            if !section.title.is_empty() {
                text.push_str(&format!("{}\n", screen::heading(&section.title)));
            }
            for sentence in &section.sentences {
                text.push_str(&format!("{sentence}\n"));
            }
            if !section.rows.is_empty() {
                text.push_str(&screen::table(&section.header, &section.rows));
            }
            for note in &section.notes {
                text.push_str(&format!("{note}\n"));
            }
            text
        })
        .collect();
    parts.join("\n")
}

/// As Markdown, to be pasted.
pub(super) fn markdown(sections: &[Section]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = String::new();
    for section in sections {
        if !section.title.is_empty() {
            text.push_str(&format!("## {}\n\n", section.title));
        }
        for sentence in &section.sentences {
            text.push_str(&format!("{sentence}\n\n"));
        }
        if !section.rows.is_empty() {
            text.push_str(&row(section.header.iter().map(|name| name.to_lowercase()).collect()));
            text.push_str(&row(section.header.iter().map(|_| "---".to_owned()).collect()));
            for cells in &section.rows {
                text.push_str(&row(cells.iter().map(|text| cell(text)).collect()));
            }
            text.push('\n');
        }
        for note in &section.notes {
            text.push_str(&format!("{note}\n\n"));
        }
    }
    let end = text.trim_end().len();
    text.truncate(end);
    text.push('\n');
    text
}

/// `41200` as `41,200`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as `99.2 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    // Never rounded up to everything, nor down to nothing.
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    let tenths = if tenths == 0 && part > 0 { 1 } else { tenths };
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
        for (part, whole, expected) in [
            (0, 0, "-"),
            (0, 5, "0.0 %"),
            (1, 100_000, "0.1 %"),
            (99_999, 100_000, "99.9 %"),
            (5, 5, "100.0 %"),
        ] {
            assert_eq!(percent(part, whole), expected);
        }
    }

    #[test]
    fn markdown_has_tables() {
        let section = Section {
            title: "A".to_owned(),
            sentences: vec!["b".to_owned()],
            header: vec!["ROUTE", "WHY"],
            rows: vec![vec!["x".to_owned(), "a|b".to_owned()]],
            notes: vec!["c".to_owned()],
        };
        assert_eq!(markdown(&[section]), "## A\n\nb\n\n| route | why |\n| --- | --- |\n| x | a\\|b |\n\nc\n");
    }
}
