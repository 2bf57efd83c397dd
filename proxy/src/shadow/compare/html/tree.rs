//! A page in the form in which pages are compared: only what a reader, a browser or a script would notice.
//!
//! Insignificant are: the order of attributes and classes, comments, runs of white space outside of `<pre>` and
//! `<textarea>` and white space at the edge of a block, how a character is escaped, how a link to the same address is
//! written, and the text of CSRF tokens.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::link::address;
use super::sink::{Data, Document, parse};
use crate::shadow::compare::align::Item;
use crate::shadow::compare::csrf::Tokens;
use crate::shadow::compare::findings::Incomparable;

/// Deepest nesting that is looked at.
const DEEPEST: usize = 200;

/// A page.
#[derive(Debug)]
pub(in crate::shadow) struct Page {
    pub(super) doctype: Option<String>,
    pub(super) nodes: Vec<Node>,
}

/// An element with its content, or a text.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) data: NodeData,
    pub(super) item: Item,
}

#[derive(Debug)]
pub(super) enum NodeData {
    Text(String),
    Element { name: String, attributes: BTreeMap<String, String>, children: Vec<Node> },
}

/// What a page is read with.
#[derive(Debug, Clone, Copy)]
pub(in crate::shadow) struct Reading<'a> {
    /// The address of the page.
    pub(in crate::shadow) base: &'a str,
    /// Whose CSRF tokens these are.
    pub(in crate::shadow) tokens: &'a Tokens<'a>,
}

/// Reads a page.
pub(in crate::shadow) fn page(text: &str, reading: Reading<'_>) -> Result<Page, Incomparable> {
    let document = parse(text);
    let builder = Builder { document: &document, reading };
    let nodes = builder.children(0, Place { depth: 0, raw: Raw::No })?;
    Ok(Page { doctype: document.doctype.clone(), nodes })
}

/// What becomes of white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Raw {
    No,
    /// Every character counts.
    Yes,
    /// A script or a style: what stands around it does not count.
    Trimmed,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    depth: usize,
    raw: Raw,
}

struct Builder<'a> {
    document: &'a Document,
    reading: Reading<'a>,
}

impl Builder<'_> {
    fn children(&self, parent: usize, place: Place) -> Result<Vec<Node>, Incomparable> {
        if place.depth > DEEPEST {
            return Err(Incomparable::TooDeep);
        }
        let node = &self.document.nodes[parent];
        let own = node.children.iter().chain(node.template.iter());
        let shown: Vec<usize> =
            own.copied().filter(|child| !matches!(self.data(*child), Data::Other)).collect();
        let mut built: Vec<Node> = Vec::new();
        for (index, child) in shown.iter().enumerate() {
            match self.data(*child) {
                Data::Text(text) => {
                    let beside = |other: Option<usize>| other.is_none_or(|other| self.is_block(other));
                    let before = index.checked_sub(1).map(|index| shown[index]);
                    let edges = (beside(before), beside(shown.get(index + 1).copied()));
                    built.extend(self.text(text, place.raw, edges));
                }
                Data::Document => built.extend(self.children(*child, place)?),
                Data::Element(name, attributes) => {
                    built.push(self.element(*child, &name.local, attributes, place)?);
                }
                Data::Other => {}
            }
        }
        Ok(built)
    }

    fn data(&self, node: usize) -> &Data {
        &self.document.nodes[node].data
    }

    fn is_block(&self, node: usize) -> bool {
        matches!(self.data(node), Data::Element(name, _) if BLOCKS.contains(&&*name.local))
    }

    fn element(
        &self,
        node: usize,
        name: &str,
        attributes: &[(String, String)],
        place: Place,
    ) -> Result<Node, Incomparable> {
        let raw = match name {
            "pre" | "textarea" | "listing" => Raw::Yes,
            "script" | "style" => Raw::Trimmed,
            _ => place.raw,
        };
        let children = self.children(node, Place { depth: place.depth + 1, raw })?;
        let attributes = self.attributes(name, attributes);
        let mut hasher = SipHasher13::new();
        (name, children.len()).hash(&mut hasher);
        for (attribute, value) in &attributes {
            (attribute, meaning(attribute, value, self.reading.base)).hash(&mut hasher);
        }
        children.iter().for_each(|child| child.item.content.hash(&mut hasher));
        let item = Item { content: hasher.finish(), shape: hash(&name) };
        Ok(Node { data: NodeData::Element { name: name.to_owned(), attributes, children }, item })
    }

    /// The text as a reader sees it; `edges`: whether a block, or nothing, stands before and after it.
    fn text(&self, text: &str, raw: Raw, edges: (bool, bool)) -> Option<Node> {
        let text = self.reading.tokens.mask(text);
        let text = match raw {
            Raw::Yes => text.into_owned(),
            Raw::Trimmed => text.trim().to_owned(),
            Raw::No => {
                let collapsed = collapse(&text);
                let from = if edges.0 { collapsed.trim_start_matches(' ') } else { &collapsed };
                (if edges.1 { from.trim_end_matches(' ') } else { from }).to_owned()
            }
        };
        if text.is_empty() {
            return None;
        }
        let item = Item { content: hash(&("text", &text)), shape: hash(&"text") };
        Some(Node { data: NodeData::Text(text), item })
    }

    fn attributes(&self, element: &str, attributes: &[(String, String)]) -> BTreeMap<String, String> {
        let read = |(name, value): &(String, String)| {
            let value = self.reading.tokens.mask(value);
            let value = match name.as_str() {
                "class" | "rel" | "headers" => set(&value),
                "style" | "title" | "alt" | "placeholder" => collapse(value.trim()),
                "method" | "enctype" => value.to_ascii_lowercase(),
                "type" if element == "input" || element == "button" => value.to_ascii_lowercase(),
                name if BOOLEAN.contains(&name) => String::new(),
                _ => value.into_owned(),
            };
            (name.clone(), value)
        };
        // The parser keeps the first of two attributes of one name, as browsers do.
        attributes.iter().map(read).filter(|(name, value)| name != "class" || !value.is_empty()).collect()
    }
}

/// What an attribute's value comes to: links are followed.
pub(super) fn meaning(name: &str, value: &str, base: &str) -> String {
    if matches!(name, "href" | "src" | "action" | "formaction" | "poster") {
        address(base, value)
    } else {
        value.to_owned()
    }
}

fn set(value: &str) -> String {
    let mut words: Vec<&str> = value.split_ascii_whitespace().collect();
    words.sort_unstable();
    words.dedup();
    words.join(" ")
}

/// Runs of HTML's white space as one blank; a no-break space is no white space.
fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = SipHasher13::new();
    value.hash(&mut hasher);
    hasher.finish()
}

const BOOLEAN: &[&str] = &[
    "checked",
    "selected",
    "disabled",
    "readonly",
    "required",
    "multiple",
    "autofocus",
    "hidden",
    "novalidate",
    "formnovalidate",
    "async",
    "defer",
    "open",
    "reversed",
    "controls",
    "loop",
    "muted",
    "autoplay",
];

const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "base",
    "blockquote",
    "body",
    "br",
    "caption",
    "col",
    "colgroup",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "li",
    "link",
    "main",
    "menu",
    "meta",
    "nav",
    "noscript",
    "ol",
    "optgroup",
    "option",
    "p",
    "pre",
    "script",
    "section",
    "style",
    "summary",
    "table",
    "tbody",
    "td",
    "template",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
];
