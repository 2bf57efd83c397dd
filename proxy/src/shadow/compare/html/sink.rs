//! html5ever's tree, kept in one list of nodes: no cycles, no recursion, whatever a page does.

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::interface::{ElemName, ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{Attribute, LocalName, Namespace, ParseOpts, QualName, parse_document};

/// A parsed document: nodes refer to each other by number, the document is number 0.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) nodes: Vec<Node>,
    pub(super) doctype: Option<String>,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) data: Data,
    pub(super) children: Vec<usize>,
    parent: Option<usize>,
    /// The content of a `<template>`.
    pub(super) template: Option<usize>,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Data {
    Document,
    Element(QualName, Vec<(String, String)>),
    Text(String),
    /// A comment or a processing instruction.
    Other,
}

/// Parses a page as a browser with scripts switched off does: nothing hides in `<noscript>`.
pub(super) fn parse(text: &str) -> Document {
    let mut options = ParseOpts::default();
    options.tree_builder.scripting_enabled = false;
    parse_document(Sink::new(), options).one(StrTendril::from_slice(text))
}

struct Sink {
    nodes: RefCell<Vec<Node>>,
    doctype: RefCell<Option<String>>,
}

/// The name of an element, of its own.
#[derive(Debug)]
pub(super) struct Name(QualName);

impl ElemName for Name {
    fn ns(&self) -> &Namespace {
        &self.0.ns
    }

    fn local_name(&self) -> &LocalName {
        &self.0.local
    }
}

impl Sink {
    fn new() -> Self {
        let document = Node { data: Data::Document, children: Vec::new(), parent: None, template: None };
        Self { nodes: RefCell::new(vec![document]), doctype: RefCell::new(None) }
    }

    fn add(&self, data: Data) -> usize {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { data, children: Vec::new(), parent: None, template: None });
        nodes.len() - 1
    }

    /// Puts a node or a text among the children of `parent`; text joins the text before it.
    fn insert(&self, parent: usize, place: usize, child: NodeOrText<usize>) {
        let node = match child {
            NodeOrText::AppendNode(node) => {
                self.detach(node);
                node
            }
            NodeOrText::AppendText(text) => {
                let mut nodes = self.nodes.borrow_mut();
                let before =
                    place.checked_sub(1).and_then(|place| nodes[parent].children.get(place).copied());
                if let Some(Data::Text(known)) = before.map(|before| &mut nodes[before].data) {
                    known.push_str(&text);
                    return;
                }
                drop(nodes);
                self.add(Data::Text(text.to_string()))
            }
        };
        let mut nodes = self.nodes.borrow_mut();
        nodes[node].parent = Some(parent);
        let place = place.min(nodes[parent].children.len());
        nodes[parent].children.insert(place, node);
    }

    fn detach(&self, node: usize) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(parent) = nodes[node].parent.take() {
            nodes[parent].children.retain(|child| *child != node);
        }
    }

    fn last_place(&self, parent: usize) -> usize {
        self.nodes.borrow()[parent].children.len()
    }
}

fn pairs(attributes: Vec<Attribute>) -> impl Iterator<Item = (String, String)> {
    attributes.into_iter().map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()))
}

impl TreeSink for Sink {
    type Handle = usize;
    type Output = Document;
    type ElemName<'a> = Name;

    fn finish(self) -> Document {
        Document { nodes: self.nodes.into_inner(), doctype: self.doctype.into_inner() }
    }

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn get_document(&self) -> usize {
        0
    }

    fn elem_name<'a>(&'a self, target: &'a usize) -> Name {
        match &self.nodes.borrow()[*target].data {
            Data::Element(name, _) => Name(name.clone()),
            // The parser asks for names of elements only; nothing has the empty name.
            _ => Name(QualName::new(None, Namespace::default(), LocalName::default())),
        }
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> usize {
        let element = self.add(Data::Element(name, pairs(attributes).collect()));
        if flags.template {
            let content = self.add(Data::Document);
            self.nodes.borrow_mut()[element].template = Some(content);
        }
        element
    }

    fn create_comment(&self, _text: StrTendril) -> usize {
        self.add(Data::Other)
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> usize {
        self.add(Data::Other)
    }

    fn append(&self, parent: &usize, child: NodeOrText<usize>) {
        self.insert(*parent, self.last_place(*parent), child);
    }

    fn append_based_on_parent_node(&self, element: &usize, previous: &usize, child: NodeOrText<usize>) {
        if self.nodes.borrow()[*element].parent.is_some() {
            self.append_before_sibling(element, child);
        } else {
            self.append(previous, child);
        }
    }

    fn append_doctype_to_document(&self, name: StrTendril, public: StrTendril, system: StrTendril) {
        let text = format!("{name} {public} {system}").trim().to_ascii_lowercase();
        *self.doctype.borrow_mut() = Some(text);
    }

    fn get_template_contents(&self, target: &usize) -> usize {
        self.nodes.borrow()[*target].template.unwrap_or(*target)
    }

    fn same_node(&self, one: &usize, other: &usize) -> bool {
        one == other
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &usize, child: NodeOrText<usize>) {
        if let NodeOrText::AppendNode(node) = &child {
            self.detach(*node);
        }
        let place = {
            let nodes = self.nodes.borrow();
            let parent = nodes[*sibling].parent;
            parent.map(|parent| (parent, nodes[parent].children.iter().position(|child| child == sibling)))
        };
        if let Some((parent, place)) = place {
            self.insert(parent, place.unwrap_or_default(), child);
        }
    }

    fn add_attrs_if_missing(&self, target: &usize, attributes: Vec<Attribute>) {
        if let Data::Element(_, known) = &mut self.nodes.borrow_mut()[*target].data {
            for (name, value) in pairs(attributes) {
                if known.iter().all(|(other, _)| *other != name) {
                    known.push((name, value));
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &usize) {
        self.detach(*target);
    }

    fn reparent_children(&self, node: &usize, parent: &usize) {
        let mut nodes = self.nodes.borrow_mut();
        let children = std::mem::take(&mut nodes[*node].children);
        for child in &children {
            nodes[*child].parent = Some(*parent);
        }
        nodes[*parent].children.extend(children);
    }
}
