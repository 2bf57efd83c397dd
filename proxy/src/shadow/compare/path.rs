//! Where two answers differ: a typed path, its text, and the signature that all paths of one shape share.
//!
//! `json $.items[3].name` has the signature `json $.items[].name`; the text of the fourth cell of any row is one
//! signature too, and it is named by the nearest class or id: `html td.last-contact text`.

use crate::shadow::mask;

/// Where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// The status.
    Status,
    /// A header, by its lower-case name.
    Header(String),
    /// Where a redirect leads.
    Redirect,
    /// A cookie.
    Cookie {
        /// Its name.
        name: String,
        /// What of it.
        part: CookiePart,
    },
    /// A flash message waiting for the next page.
    Flash(Option<usize>),
    /// The CSRF secret in the session, or the validity of tokens in the page.
    Csrf,
    /// A place in a JSON document.
    Json(Vec<Step>),
    /// A place in an HTML document.
    Html {
        /// From the root.
        steps: Vec<Element>,
        /// What of it.
        part: HtmlPart,
    },
    /// A line of a text, from 1.
    Line(usize),
    /// The body as a whole.
    Body,
    /// What was done to a row of a database.
    Rows {
        /// The table.
        table: String,
        /// What happened: a word.
        op: &'static str,
        /// Which one: a number, or a key.
        row: String,
        /// The column, and steps into the JSON it holds.
        steps: Vec<Step>,
    },
}

/// What of a cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CookiePart {
    /// Whether it is set at all.
    Itself,
    /// Its value.
    Value,
    /// An attribute, lower case.
    Attribute(String),
    /// A place in the session it carries.
    Session(Vec<Step>),
}

/// One step into a JSON document or a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// An item, from 0.
    Index(usize),
}

/// One step into an HTML document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Option<String>,
    /// Its classes, sorted.
    pub classes: Vec<String>,
    /// Its number among siblings of the same name, from 1; absent if it is the only one.
    pub number: Option<usize>,
}

/// What of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HtmlPart {
    /// Itself.
    Node,
    /// Its text.
    Text,
    /// An attribute.
    Attribute(String),
    /// The document type.
    Doctype,
}

/// How a path is written.
#[derive(Debug, Clone, Copy)]
struct Style {
    /// Numbers of rows and items are left out.
    general: bool,
    /// Names that users may have written are masked.
    masked: bool,
}

/// Elements that come in rows: which one it is does not matter to the shape.
const ROWS: &[&str] = &["tr", "li", "option", "article", "optgroup", "dt", "dd"];
/// Elements that say nothing in a path: parsers add them.
const SILENT: &[&str] = &["tbody"];

impl Path {
    /// The exact place.
    pub fn text(&self) -> String {
        self.write(Style { general: false, masked: false })
    }

    /// What all places of one shape share.
    pub fn signature(&self) -> String {
        self.write(Style { general: true, masked: false })
    }

    /// The exact place, without names that users may have written.
    pub fn masked_text(&self) -> String {
        self.write(Style { general: false, masked: true })
    }

    /// The signature, without names that users may have written.
    pub fn masked_signature(&self) -> String {
        self.write(Style { general: true, masked: true })
    }

    fn write(&self, style: Style) -> String {
        match self {
            Self::Status => "status".to_owned(),
            Self::Header(name) => {
                format!("header {}", if style.masked { mask::name(name) } else { name.clone() })
            }
            Self::Redirect => "redirect".to_owned(),
            Self::Cookie { name, part } => {
                let name = if style.masked { mask::name(name) } else { name.clone() };
                match part {
                    CookiePart::Itself => format!("cookie {name}"),
                    CookiePart::Value => format!("cookie {name} value"),
                    CookiePart::Attribute(attribute) => format!("cookie {name} @{attribute}"),
                    CookiePart::Session(steps) => format!("cookie {name}{}", json_steps(steps, style)),
                }
            }
            Self::Flash(Some(index)) if !style.general => format!("flash[{index}]"),
            Self::Flash(_) => "flash".to_owned(),
            Self::Csrf => "csrf".to_owned(),
            Self::Json(steps) => format!("json ${}", json_steps(steps, style)),
            Self::Html { steps, part } => format!("html {}", html(steps, part, style)),
            Self::Line(number) if !style.general => format!("text line {number}"),
            Self::Line(_) => "text line".to_owned(),
            Self::Body => "body sha256".to_owned(),
            Self::Rows { table, op, row, steps } => {
                let table: Vec<String> = table
                    .split('.')
                    .map(|name| if style.masked { mask::name(name) } else { name.to_owned() })
                    .collect();
                let row = match style {
                    Style { general: true, .. } => String::new(),
                    Style { masked: true, .. } => format!(" {}", mask::key(row)),
                    Style { .. } => format!(" {row}"),
                };
                format!("rows.{}[{op}{row}]{}", table.join("."), json_steps(steps, style))
            }
        }
    }
}

fn json_steps(steps: &[Step], style: Style) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Index(_) if style.general => out.push_str("[]"),
            Step::Index(index) => out.push_str(&format!("[{index}]")),
            Step::Key(key) if style.general && is_number(key) => out.push_str(".N"),
            Step::Key(key) => {
                out.push('.');
                out.push_str(&if style.masked { mask::name(key) } else { key.clone() });
            }
        }
    }
    out
}

/// A key that stands for a row, such as an id.
fn is_number(key: &str) -> bool {
    let hex = key.len() >= 8 && key.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    !key.is_empty() && (digits == key.len() || (hex && digits > 0))
}

fn html(steps: &[Element], part: &HtmlPart, style: Style) -> String {
    let place = match part {
        HtmlPart::Doctype => return "doctype".to_owned(),
        _ if style.general => from_nearest_name(steps, style),
        _ => whole(steps, style),
    };
    match part {
        HtmlPart::Text => format!("{place} text"),
        HtmlPart::Attribute(name) => {
            format!("{place} @{}", if style.masked { mask::name(name) } else { name.clone() })
        }
        HtmlPart::Node | HtmlPart::Doctype => place,
    }
}

fn whole(steps: &[Element], style: Style) -> String {
    let steps = steps.iter().filter(|step| !SILENT.contains(&step.name.as_str()));
    steps.map(|step| format!("/{}{}", element_name(step, style), number(step))).collect()
}

/// The steps from the nearest element with a class or an id.
fn from_nearest_name(steps: &[Element], style: Style) -> String {
    let named = |step: &Element| step.id.is_some() || !step.classes.is_empty();
    let start = steps.iter().rposition(named).unwrap_or_default();
    let shown = steps[start..].iter().enumerate().filter(|(_, step)| !SILENT.contains(&step.name.as_str()));
    let texts: Vec<String> = shown
        .map(|(depth, step)| {
            let own = own_name(step, style);
            let counted = !ROWS.contains(&step.name.as_str()) && (depth > 0 || !named(step));
            let number = if counted { number(step) } else { String::new() };
            format!("{}{own}{number}", element_name(step, style))
        })
        .collect();
    texts.join("/")
}

fn element_name(step: &Element, style: Style) -> String {
    if style.masked { mask::name(&step.name) } else { step.name.clone() }
}

fn number(step: &Element) -> String {
    step.number.map(|number| format!("[{number}]")).unwrap_or_default()
}

/// `#id` or `.class.class`; digits of an id name a row and become `N`.
fn own_name(step: &Element, style: Style) -> String {
    let show = |name: &str| if style.masked { mask::name(name) } else { name.to_owned() };
    if let Some(id) = &step.id {
        let mut general = String::new();
        for c in id.chars() {
            match c {
                '0'..='9' if general.ends_with('N') => {}
                '0'..='9' => general.push('N'),
                c => general.push(c),
            }
        }
        return format!("#{}", show(&general));
    }
    step.classes.iter().map(|class| format!(".{}", show(class))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(name: &str, class: &str, number: usize) -> Element {
        let classes = class.split_whitespace().map(str::to_owned).collect();
        Element { name: name.to_owned(), id: None, classes, number: (number > 0).then_some(number) }
    }

    #[test]
    fn json_paths() {
        let path = Path::Json(vec![Step::Key("items".into()), Step::Index(3), Step::Key("name".into())]);
        assert_eq!(path.text(), "json $.items[3].name");
        assert_eq!(path.signature(), "json $.items[].name");
        let by_id = Path::Json(vec![Step::Key("by_id".into()), Step::Key("17".into())]);
        assert_eq!(by_id.signature(), "json $.by_id.N");
        let personal = Path::Json(vec![Step::Key("ana@example.com".into())]);
        assert_eq!(personal.text(), "json $.ana@example.com");
        assert_eq!(personal.masked_text(), "json $.xxx@xxxxxxx.xxx");
    }

    #[test]
    fn row_paths() {
        let path = Path::Rows {
            table: "customers".to_owned(),
            op: "insert",
            row: "1".to_owned(),
            steps: vec![Step::Key("name".into())],
        };
        assert_eq!(path.text(), "rows.customers[insert 1].name");
        assert_eq!(path.signature(), "rows.customers[insert].name");
        let keyed = Path::Rows {
            table: "crm.people".to_owned(),
            op: "update",
            row: "mail=ana@example.com".to_owned(),
            steps: Vec::new(),
        };
        assert_eq!(keyed.text(), "rows.crm.people[update mail=ana@example.com]");
        assert_eq!(keyed.masked_text(), "rows.crm.people[update mail=xxx@xxxxxxx.xxx]");
        assert_eq!(keyed.masked_signature(), "rows.crm.people[update]");
    }

    #[test]
    fn html_paths() {
        let table = vec![
            element("html", "", 0),
            element("body", "", 0),
            element("table", "customers list", 2),
            element("tbody", "", 0),
            element("tr", "", 7),
            element("td", "", 4),
        ];
        let path = Path::Html { steps: table.clone(), part: HtmlPart::Text };
        assert_eq!(path.text(), "html /html/body/table[2]/tr[7]/td[4] text");
        assert_eq!(path.signature(), "html table.customers.list/tr/td[4] text");
        let mut cell = table;
        cell[5].classes = vec!["last-contact".to_owned()];
        let path = Path::Html { steps: cell.clone(), part: HtmlPart::Text };
        assert_eq!(path.signature(), "html td.last-contact text");
        cell[4].id = Some("row-17".to_owned());
        cell[5].classes.clear();
        let path = Path::Html { steps: cell, part: HtmlPart::Attribute("href".to_owned()) };
        assert_eq!(path.signature(), "html tr#row-N/td[4] @href");
    }
}
