//! Cookies as Werkzeug reads and writes them: [`Cookies::parse`] for the request's `Cookie` header,
//! [`SetCookie`] for the answer, [`http_date`] for the dates in it.
//!
//! Shape: `name=value; name2="quoted \073 value"`. Values are quoted when they hold more than plain characters;
//! bytes outside ASCII, `,` and `;` become `\ooo` (three octal digits). Which characters are plain, how dates look and
//! how a broken header is read depends on the [`Profile`](crate::Profile): Werkzeug 1.0.1, 2.3.8 or 3.1.9.
//!
//! Reading never fails: what Werkzeug skips is skipped. Signatures are the business of [`crate::signing`].

mod date;
mod parse;
mod set_cookie;

pub use date::{cookie_date, http_date, parse_http_date};
pub use parse::Cookies;
pub use set_cookie::{SameSite, SetCookie};
