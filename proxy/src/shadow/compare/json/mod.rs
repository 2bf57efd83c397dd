//! JSON by structure: numbers by value, keys in any order, lists item by item.

mod read;
mod walk;

pub(in crate::shadow) use read::{Json, Unread, read};
pub(in crate::shadow) use walk::{Root, walk};
