//! `flask.redirect`: the `Location` header and the little page that goes with it.

use super::html::escape;
use crate::Profile;
use crate::url::{RequestUrl, iri_to_uri, join};

/// A redirect as the profile's Werkzeug sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `Location`: absolute with Werkzeug 1.0 (built from the Host header), else as given.
    pub location: String,
    /// The page, of type `text/html; charset=utf-8`.
    pub body: String,
}

/// `redirect(location)` in a view of the request that went to `request`.
#[must_use]
pub fn redirect(location: &str, request: &RequestUrl) -> Redirect {
    let profile = request.profile();
    let uri = iri_to_uri(location, profile);
    match profile {
        Profile::Werkzeug10 => {
            let shown = escape(location, profile);
            let href = escape(&uri, profile);
            Redirect {
                location: join(&iri_to_uri(&request.base_url(), profile), &uri),
                body: format!(
                    "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<title>Redirecting...</title>\n\
                     <h1>Redirecting...</h1>\n<p>You should be redirected automatically to target URL: \
                     <a href=\"{href}\">{shown}</a>.  If not click the link."
                ),
            }
        }
        _ => {
            let shown = escape(location, profile);
            Redirect {
                location: uri,
                body: format!(
                    "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n\
                     <p>You should be redirected automatically to the target URL: <a href=\"{shown}\">{shown}</a>. \
                     If not, click the link.\n"
                ),
            }
        }
    }
}
