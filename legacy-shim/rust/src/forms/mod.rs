//! WTForms-compatible forms for handlers whose templates are the legacy application's Jinja templates, unmodified.
//!
//! What is here: fields, form data, validators and the objects a template sees. What is not: CSRF tokens (`crate::csrf`),
//! template set-up (`crate::templates`).
