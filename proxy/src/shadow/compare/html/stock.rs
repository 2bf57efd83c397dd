//! Werkzeug's own error and redirect pages: the same in meaning, with other texts in every release.

use super::tree::{Node, NodeData, Page};

impl Page {
    /// The heading of a page that Werkzeug made by itself: `404 Not Found`, `Redirecting...`.
    pub(in crate::shadow) fn stock_title(&self) -> Option<String> {
        let html = only(&self.nodes, "html")?;
        let (head, body) = (named(html, "head")?, named(html, "body")?);
        let title = only(children(head)?, "title")?.text();
        let shown: Vec<&str> = children(body)?.iter().map(name).collect();
        let (first, rest) = shown.split_first()?;
        let plain = *first == "h1" && rest.iter().all(|name| *name == "p") && rest.len() <= 3;
        let heading = named(body, "h1")?.text();
        let numbered = title.split_once(' ').is_some_and(|(status, name)| {
            status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()) && name == heading
        });
        let known = numbered || (title == heading && title == "Redirecting...");
        (plain && known).then_some(title)
    }
}

fn children(node: &Node) -> Option<&[Node]> {
    match &node.data {
        NodeData::Element { children, .. } => Some(children),
        NodeData::Text(_) => None,
    }
}

fn name(node: &Node) -> &str {
    match &node.data {
        NodeData::Element { name, .. } => name,
        NodeData::Text(_) => "",
    }
}

/// The one child there is, if it has this name.
fn only<'n>(nodes: &'n [Node], wanted: &str) -> Option<&'n Node> {
    match nodes {
        [node] if name(node) == wanted => Some(node),
        _ => None,
    }
}

fn named<'n>(parent: &'n Node, wanted: &str) -> Option<&'n Node> {
    children(parent)?.iter().find(|child| name(child) == wanted)
}
