//! WTForms-compatible forms for handlers whose templates are the legacy application's Jinja templates, unmodified.
//!
//! A form class is a [`FormSpec`], made once; a request opens it with an [`Opening`]; a template gets
//! [`Form::to_template`]. Data, errors and HTML are those of WTForms 2.3.3 with Flask-WTF 0.14 (profile `werkzeug-1.0`) or of
//! WTForms 3.3 with Flask-WTF 1.3 (the later profiles), checked against both by `tests/forms.rs`.
//!
//! ```
//! use flask_compat::Profile;
//! use flask_compat::forms::{
//!     Coerce, FormData, FormSpec, Opening, Validator, Value, data_required, length, optional, regexp, select, string,
//!     text_area,
//! };
//! use flask_compat::python;
//!
//! fn at_most(size: usize) -> Validator {
//!     length(None, size).message(format!("Use at most {size} characters."))
//! }
//!
//! /// `strip(value) or None`.
//! fn strip(value: Value) -> Value {
//!     let text = value.as_text().map(python::strip).unwrap_or_default();
//!     if text.is_empty() { Value::None } else { text.into() }
//! }
//!
//! // Once, when the program starts:
//! let customer_form = FormSpec::new([
//!     string("name")
//!         .label("Name")
//!         .validators([data_required().message("Enter a name."), at_most(120)])
//!         .filter(strip)
//!         .render_kw("autofocus", true),
//!     select("status").label("Status").choices([("lead", "Lead"), ("active", "Active")]).default("lead"),
//!     string("phone")
//!         .label("Phone")
//!         .validators([optional(), regexp(r"^[0-9+()/. -]+$").message("Use digits only.")])
//!         .filter(strip),
//!     select("owner_id").label("Owner").coerce(Coerce::Integer),
//!     text_area("notes").label("Notes").validators([optional(), at_most(5000)]).filter(strip),
//! ])?;
//!
//! // In the handler of POST /customers/new:
//! let body = b"name=+&status=active&phone=none&owner_id=7";
//! let opening = Opening::new(Profile::Werkzeug10).csrf_token("token");
//! let mut form = customer_form.open(opening.submitted(FormData::parse(body, Profile::Werkzeug10)));
//! form.set_choices("owner_id", [(7, "Rita")]);
//! if form.validate_on_submit() {
//!     let name = form.text("name"); // save, flash, redirect
//! }
//! let errors: Vec<_> = form.errors().collect();
//! assert_eq!(errors, [("name", &["Enter a name.".to_owned()][..]), ("phone", &["Use digits only.".to_owned()][..])]);
//!
//! // In the template, through the environment of `flask_compat::templates`:
//! let mut page = minijinja::Environment::new();
//! let template = page.template_from_str("{{ form.name(class='wide') }}")?;
//! assert_eq!(
//!     template.render(minijinja::context! { form => form.to_template() })?,
//!     r#"<input autofocus class="wide" id="name" name="name" required type="text" value="">"#,
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is here: `kinds` (field classes), `field` (declaration and state), `process` (reading), `validators`, `form`, `widget`
//! and `html` (HTML), `template` (what minijinja sees), `value`, `decimal`, `dates`, `choice`, `data`, `text`, `version`.
//! What is not: CSRF tokens ([`crate::csrf`]), files and multipart bodies, translations, `FormField`, `FieldList`,
//! `SelectMultipleField`, `RadioField`, groups of options.
//!
//! Where WTForms raises an exception that ends in an error page (a select without choices, `Length` over a number), a form here
//! reports a validation error or shows the data as it is.

mod choice;
mod data;
mod dates;
mod decimal;
mod field;
mod form;
mod html;
mod kinds;
mod process;
mod template;
mod text;
mod validators;
mod value;
mod version;
mod widget;

pub use choice::{Choice, Coerce, CoerceFn};
pub use data::FormData;
pub use decimal::{Decimal, Rounding};
pub use field::{Field, FieldSpec, Rejected};
pub use form::{Form, FormMistakes, FormSpec, Opening};
pub use html::Attribute;
pub use kinds::{
    boolean, date, date_time, date_time_local, decimal, email_field, hidden, integer, password, search,
    select, string, submit, tel, text_area, url_field,
};
pub use template::markup;
pub use validators::{
    Failure, Validator, any_of, custom, data_required, email, equal_to, input_required, length, none_of,
    number_range, optional, optional_exact, regexp, regexp_ignore_case, url, url_without_tld,
};
pub use value::Value;
pub use widget::{NameGivenTwice, Widget};
