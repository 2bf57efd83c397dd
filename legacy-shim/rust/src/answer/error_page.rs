//! The pages of `werkzeug.exceptions`.

use super::html::escape;
use crate::Profile;

/// The body of `abort(code)`; `text` replaces the status's own description.
#[must_use]
pub fn error_page(code: u16, text: Option<&str>, profile: Profile) -> String {
    let head = match profile {
        Profile::Werkzeug10 => "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n",
        _ => "<!doctype html>\n<html lang=en>\n",
    };
    let name = escape(phrase(code), profile);
    let text = escape(text.unwrap_or_else(|| description(code)), profile).replace('\n', "<br>");
    format!("{head}<title>{code} {name}</title>\n<h1>{name}</h1>\n<p>{text}</p>\n")
}

/// The name of a status as Werkzeug writes it.
#[must_use]
pub fn phrase(code: u16) -> &'static str {
    match code {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request URI Too Long",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown Error",
    }
}

/// The description of a status: the text of Werkzeug's page and of Flask-RESTful's `message`.
#[must_use]
pub fn description(code: u16) -> &'static str {
    match code {
        400 => "The browser (or proxy) sent a request that this server could not understand.",
        401 => {
            "The server could not verify that you are authorized to access the URL requested. You either supplied the \
             wrong credentials (e.g. a bad password), or your browser doesn't understand how to supply the credentials \
             required."
        }
        403 => {
            "You don't have the permission to access the requested resource. It is either read-protected or not \
             readable by the server."
        }
        404 => {
            "The requested URL was not found on the server. If you entered the URL manually please check your spelling \
             and try again."
        }
        405 => "The method is not allowed for the requested URL.",
        409 => {
            "A conflict happened while processing the request. The resource might have been modified while the request \
             was being processed."
        }
        410 => {
            "The requested URL is no longer available on this server and there is no forwarding address. If you \
             followed a link from a foreign page, please contact the author of this page."
        }
        413 => "The data value transmitted exceeds the capacity limit.",
        415 => "The server does not support the media type transmitted in the request.",
        422 => "The request was well-formed but was unable to be followed due to semantic errors.",
        429 => "This user has exceeded an allotted request count. Try again later.",
        500 => {
            "The server encountered an internal error and was unable to complete your request. Either the server is \
             overloaded or there is an error in the application."
        }
        503 => {
            "The server is temporarily unable to service your request due to maintenance downtime or capacity problems. \
             Please try again later."
        }
        _ => "",
    }
}
