//! HTML as a tree: what a reader, a browser or a script would notice, and nothing else.

mod link;
mod sink;
mod stock;
mod tree;
mod walk;

pub(super) use tree::{Reading, page};
pub(super) use walk::walk;
