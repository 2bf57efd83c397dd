//! Form bodies as Werkzeug reads them: `request.form` and `request.files` of URL-encoded and multipart requests.
//!
//! The way of a body: [`ContentType::parse`] (`options`: a header with parameters, three ways), then [`read`]. Multipart is
//! read line by line as Werkzeug 1.0 does (`lines`), or by the state machine of 2.3 and 3.1 (`decoder`), in pieces of 64 KiB
//! as both do: where a body is broken, or a limit is near, it matters where a piece ends. No parser crate gives the same
//! fields for the same broken body in three ways; these are ports of Werkzeug's own.
//!
//! A body that Werkzeug takes for no form at all (no boundary, cut off, headers that are no UTF-8) is an empty form, as there.
//! What only Python can decode (other charsets, transfer encodings) is [`FormError::Unsupported`].
//!
//! ```
//! use flask_compat::Profile;
//! use flask_compat::form_body::{ContentType, FormLimits, read};
//!
//! let kind = ContentType::parse(b"multipart/form-data; boundary=x", Profile::Werkzeug31).expect("readable");
//! let body = b"--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nContract\r\n\
//!     --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nabc\r\n--x--\r\n";
//! let form = read(&kind, None, body, &FormLimits::new(Profile::Werkzeug31)).expect("within the limits");
//! assert_eq!(form.form.get("title"), Some("Contract"));
//! assert_eq!((form.files[0].1.filename.as_str(), &form.files[0].1.content[..]), ("a.txt", &b"abc"[..]));
//! ```
//!
//! Source: Werkzeug 1.0.1, 2.3.8 and 3.1.9 `formparser.py`, `sansio/multipart.py`, `http.py`, `wsgi.py`.

mod charset;
mod decoder;
mod headers;
mod limits;
mod lines;
mod options;
mod part;

use thiserror::Error;

pub use limits::FormLimits;
pub use options::ContentType;
pub use part::Upload;

use crate::Profile;
use crate::url::{Pairs, decode_pairs};

/// What a request's body holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestForm {
    /// `request.form`.
    pub form: Pairs,
    /// `request.files`, in order, names repeated.
    pub files: Vec<(String, Upload)>,
}

/// A form that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FormError {
    /// Beyond a limit: Flask answers 413.
    #[error("the form is larger than the application allows")]
    TooLarge,
    /// Only Python knows what it says: leave the request to Flask.
    #[error("the form has parts that only Python can read")]
    Unsupported,
}

/// Why a multipart body ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Werkzeug's `ValueError`, which it takes for an empty form.
    Broken,
    Error(FormError),
}

impl From<FormError> for Stop {
    fn from(error: FormError) -> Self {
        Stop::Error(error)
    }
}

/// `request.form` and `request.files`. `content_length` is the header's number, if it was there.
///
/// # Errors
/// [`FormError`]: beyond a limit, or unreadable here.
pub fn read(
    content_type: &ContentType,
    content_length: Option<u64>,
    body: &[u8],
    limits: &FormLimits,
) -> Result<RequestForm, FormError> {
    let profile = content_type.profile();
    if limits.refuse(content_length) {
        return Err(FormError::TooLarge);
    }
    if content_type.is_multipart() {
        return match multipart(content_type, body, limits) {
            Ok(form) => Ok(form),
            Err(Stop::Broken) => Ok(RequestForm::default()),
            Err(Stop::Error(error)) => Err(error),
        };
    }
    if !content_type.is_form() {
        return Ok(RequestForm::default());
    }
    limits.check_urlencoded(content_length)?;
    let (body, full) = limits.readable(body);
    if full && body.is_empty() {
        return Err(FormError::TooLarge);
    }
    if std::str::from_utf8(body).is_err() {
        match profile {
            Profile::Werkzeug10 => {}
            Profile::Werkzeug23 => return Err(FormError::TooLarge),
            Profile::Werkzeug30 | Profile::Werkzeug31 => return Ok(RequestForm::default()),
        }
    }
    Ok(RequestForm { form: decode_pairs(body, profile), files: Vec::new() })
}

fn multipart(content_type: &ContentType, body: &[u8], limits: &FormLimits) -> Result<RequestForm, Stop> {
    let boundary = content_type.boundary().filter(|boundary| boundary.is_ascii()).ok_or(Stop::Broken)?;
    match content_type.profile() {
        Profile::Werkzeug10 => lines::read(body, boundary.as_bytes(), limits),
        _ if boundary.is_empty() => Err(Stop::Broken),
        profile => decoder::read(body, boundary.as_bytes(), limits, profile),
    }
}
