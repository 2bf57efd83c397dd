//! Two pages side by side.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Node, NodeData, Page, meaning};
use crate::shadow::compare::align::{Item, Pair, align, is_reordered};
use crate::shadow::compare::findings::{Difference, Findings, Kind};
use crate::shadow::compare::path::{Element, HtmlPart, Path};

/// Reports what differs between two pages at one address.
pub(in crate::shadow) fn walk(base: &str, reference: &Page, candidate: &Page, findings: &mut Findings<'_>) {
    if reference.doctype != candidate.doctype {
        let path = Path::Html { steps: Vec::new(), part: HtmlPart::Doctype };
        let text = |page: &Page| page.doctype.clone();
        let difference = match (text(reference), text(candidate)) {
            (Some(one), Some(other)) => Difference::changed(path, one, other),
            (one, other) => Difference::one_sided(path, one, other),
        };
        findings.report(difference);
    }
    Walk { base, steps: Vec::new(), findings }.lists(&reference.nodes, &candidate.nodes);
}

struct Walk<'a, 'r> {
    base: &'a str,
    steps: Vec<Element>,
    findings: &'a mut Findings<'r>,
}

impl Walk<'_, '_> {
    fn here(&self, part: HtmlPart) -> Path {
        Path::Html { steps: self.steps.clone(), part }
    }

    fn lists(&mut self, reference: &[Node], candidate: &[Node]) {
        let items = |nodes: &[Node]| -> Vec<Item> { nodes.iter().map(|node| node.item).collect() };
        let (one, other) = (items(reference), items(candidate));
        if is_reordered(&one, &other) {
            let text = |nodes: &[Node]| nodes.iter().map(shown).collect::<Vec<_>>().join(" ");
            let difference = Difference::changed(self.here(HtmlPart::Node), text(reference), text(candidate));
            self.findings.report(difference.of(Kind::Order));
            return;
        }
        for pair in align(&one, &other) {
            match pair {
                Pair::Both(i, j) if one[i].content == other[j].content => {}
                Pair::Both(i, j) => self.nodes((reference, i), (candidate, j)),
                Pair::Reference(i) => self.one_sided((reference, i), true),
                Pair::Candidate(j) => self.one_sided((candidate, j), false),
            }
        }
    }

    fn nodes(&mut self, reference: (&[Node], usize), candidate: (&[Node], usize)) {
        match (&reference.0[reference.1].data, &candidate.0[candidate.1].data) {
            (NodeData::Text(one), NodeData::Text(other)) => {
                let difference = Difference::changed(self.here(HtmlPart::Text), one.as_str(), other.as_str());
                self.findings.report(difference);
            }
            (
                NodeData::Element { name, attributes, children },
                NodeData::Element {
                    name: other_name,
                    attributes: other_attributes,
                    children: other_children,
                },
            ) if name == other_name => {
                self.steps.push(element(reference.0, reference.1));
                self.attributes(attributes, other_attributes);
                self.lists(children, other_children);
                self.steps.pop();
            }
            _ => {
                self.one_sided(reference, true);
                self.one_sided(candidate, false);
            }
        }
    }

    fn attributes(&mut self, reference: &BTreeMap<String, String>, candidate: &BTreeMap<String, String>) {
        let names: BTreeSet<&String> = reference.keys().chain(candidate.keys()).collect();
        for name in names {
            let path = || self.here(HtmlPart::Attribute(name.clone()));
            let difference = match (reference.get(name), candidate.get(name)) {
                (Some(one), Some(other)) => {
                    if meaning(name, one, self.base) == meaning(name, other, self.base) {
                        continue;
                    }
                    Difference::changed(path(), one.as_str(), other.as_str())
                }
                _ if self.findings.design.forms && is_limit(name) => {
                    self.findings.by_design("form-limits");
                    continue;
                }
                (one, other) => Difference::one_sided(path(), one.cloned(), other.cloned()),
            };
            self.findings.report(difference);
        }
    }

    fn one_sided(&mut self, node: (&[Node], usize), is_reference: bool) {
        let text = Some(shown(&node.0[node.1]));
        let is_element = matches!(node.0[node.1].data, NodeData::Element { .. });
        if is_element {
            self.steps.push(element(node.0, node.1));
        }
        let path = self.here(if is_element { HtmlPart::Node } else { HtmlPart::Text });
        let (one, other) = if is_reference { (text, None) } else { (None, text) };
        self.findings.report(Difference::one_sided(path, one, other));
        if is_element {
            self.steps.pop();
        }
    }
}

/// What WTForms writes into fields from version 3 on.
fn is_limit(attribute: &str) -> bool {
    matches!(attribute, "maxlength" | "minlength" | "max" | "min")
}

/// The step to the `index`-th of some siblings.
fn element(siblings: &[Node], index: usize) -> Element {
    let NodeData::Element { name, attributes, .. } = &siblings[index].data else {
        return Element { name: "text".to_owned(), id: None, classes: Vec::new(), number: None };
    };
    let same = |node: &&Node| matches!(&node.data, NodeData::Element { name: other, .. } if other == name);
    let before = siblings[..index].iter().filter(same).count();
    let alone = siblings.iter().filter(same).count() == 1;
    Element {
        name: name.clone(),
        id: attributes.get("id").filter(|id| !id.is_empty()).cloned(),
        classes: attributes
            .get("class")
            .map(|classes| classes.split(' ').map(str::to_owned).collect())
            .unwrap_or_default(),
        number: (!alone).then_some(before + 1),
    }
}

/// A node for people.
fn shown(node: &Node) -> String {
    match &node.data {
        NodeData::Text(text) => text.clone(),
        NodeData::Element { name, .. } => format!("<{name}> {}", node.text()).trim_end().to_owned(),
    }
}

/// Longest text of an element that is shown.
const LONGEST: usize = 120;

impl Node {
    /// All text in it, as far as it is shown.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.gather(&mut out);
        out
    }

    fn gather(&self, out: &mut String) {
        match &self.data {
            NodeData::Text(text) => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
                out.push_str(text);
            }
            NodeData::Element { children, .. } => {
                for child in children {
                    if out.len() < LONGEST {
                        child.gather(out);
                    }
                }
            }
        }
    }
}
