//! Addresses as Werkzeug shows them to a view: [`RequestUrl`] (`request.url`, `request.full_path`, ...), query strings and
//! form bodies ([`decode_pairs`], [`encode_pairs`]), [`join`] and [`iri_to_uri`] for redirects.
//!
//! Source: Werkzeug 1.0.1, 2.3.8 and 3.1.9 `urls.py`, `wsgi.py`, `sansio/utils.py`. Routing is elsewhere.

mod form;
mod join;
mod quote;
mod request_url;

pub use form::{Pairs, decode_pairs, encode_pairs};
pub use join::{SplitUrl, join, split};
pub use quote::iri_to_uri;
pub use request_url::RequestUrl;

pub(crate) use quote::percent_decode;

#[cfg(feature = "templates")]
pub(crate) use quote::quote_with;
