//! Texts that Python writes in its own way and that end up in cookies, tokens and pages: `repr()` of numbers, bytes and
//! strings, and the strings of its `json` module. Checked against CPython 3.11; the forms have been stable since 3.2.

mod float;
mod int;
mod json_text;
mod repr;

pub use float::float_repr;
pub use int::{int, is_space, strip};
pub use json_text::push_json_string;
pub use repr::{bytes_repr, str_repr};
