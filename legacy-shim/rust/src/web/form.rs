//! A form class as an extractor: `form = CustomerForm()`.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;

use axum::extract::FromRequestParts;
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::{Context, Defer};
use crate::forms::{Form as Fields, FormData, FormSpec, Opening};

/// Methods with which a form counts as submitted (Flask-WTF's `SUBMIT_METHODS`).
const SUBMITS: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// A form class, declared once.
pub trait FormClass {
    /// Its fields.
    ///
    /// # Errors
    /// How it is declared wrongly; the request is handed back to Flask then.
    fn spec() -> Result<&'static FormSpec, String>;
}

/// `CustomerForm()`, Flask-WTF's `FlaskForm`: filled from `request.form` if the request submits one, with its CSRF field.
/// Use it as a [`crate::forms::Form`]: `form.validate_on_submit()`, `form.text("name")`, `form.to_template()`.
///
/// Where `CSRFProtect` has not checked the request, validation checks the form's own token and reports what is wrong with it
/// at the field, as `FlaskForm` does. A JSON body instead of a form is handed back to Flask.
#[derive(Debug, Clone)]
pub struct Form<T> {
    fields: Fields,
    class: PhantomData<fn() -> T>,
}

impl<T: FormClass> Form<T> {
    /// `CustomerForm()`.
    ///
    /// # Errors
    /// The request is handed back: the form class is declared wrongly, or the body is JSON.
    pub fn new(context: &Context) -> Result<Self, Defer> {
        Self::with_values(context, |opening| opening)
    }

    /// `CustomerForm(obj=...)`: `fill` adds the values of a row ([`Opening::values`]).
    ///
    /// # Errors
    /// As [`Form::new`].
    pub fn with_values(context: &Context, fill: impl FnOnce(Opening) -> Opening) -> Result<Self, Defer> {
        let spec = T::spec().map_err(|_| Defer)?;
        let submitted = SUBMITS.contains(&context.method());
        if submitted && is_json(context) {
            return Err(Defer);
        }
        let mut opening = Opening::new(context.application().profile);
        if let Some(csrf) = context.application().csrf.as_ref().filter(|csrf| csrf.enabled) {
            opening = opening.csrf_token(context.csrf_token());
            if submitted && !context.0.csrf_valid.load(Ordering::Relaxed) {
                let sent = context.form().get(&csrf.field_name);
                if let Err(error) = csrf.validate(sent, &context.session(), context.now()) {
                    opening = opening.csrf_refused(error.to_string());
                }
            }
        }
        if submitted {
            let pairs = context.form().0.iter();
            opening = opening
                .submitted(pairs.map(|(name, value)| (name.as_str(), value.as_str())).collect::<FormData>());
        }
        Ok(Self { fields: spec.open(fill(opening)), class: PhantomData })
    }
}

impl<T> Deref for Form<T> {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.fields
    }
}

impl<T> DerefMut for Form<T> {
    fn deref_mut(&mut self) -> &mut Fields {
        &mut self.fields
    }
}

impl<S: Sync, T: FormClass> FromRequestParts<S> for Form<T> {
    type Rejection = Defer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Defer> {
        let context = Context::from_request_parts(parts, state).await?;
        Self::new(&context)
    }
}

fn is_json(context: &Context) -> bool {
    let kind = context.header(CONTENT_TYPE.as_str()).and_then(|text| text.split(';').next());
    let kind = kind.unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
