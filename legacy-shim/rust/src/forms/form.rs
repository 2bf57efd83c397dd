//! [`FormSpec`], a form class; [`Opening`], what a request gives it; [`Form`], the form of one request.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use thiserror::Error;

use super::choice::Choice;
use super::data::FormData;
use super::decimal::Decimal;
use super::field::{Field, FieldSpec, Kind};
use super::html::Attribute;
use super::validators::{Failure, Validator};
use super::value::Value;
use super::widget::NameGivenTwice;
use crate::Profile;

/// The name of the field that carries the CSRF token.
const CSRF_FIELD: &str = "csrf_token";

/// A form class: its fields in order, checked.
#[derive(Debug, Clone)]
pub struct FormSpec {
    fields: Vec<Arc<FieldSpec>>,
    csrf: Arc<FieldSpec>,
}

/// A form that is declared wrongly; all mistakes at once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("form declared wrongly: {}", .0.join("; "))]
pub struct FormMistakes(pub Vec<String>);

impl FormSpec {
    /// Checks the declaration: names must differ, expressions must compile, lengths must make sense.
    pub fn new(fields: impl IntoIterator<Item = FieldSpec>) -> Result<FormSpec, FormMistakes> {
        let fields: Vec<Arc<FieldSpec>> = fields.into_iter().map(Arc::new).collect();
        let mut mistakes = Vec::new();
        let mut names = HashSet::from([CSRF_FIELD]);
        for field in &fields {
            if !names.insert(&field.name) {
                mistakes.push(format!("field `{}` is declared twice", field.name));
            }
            let found = field.validators.iter().filter_map(Validator::mistake);
            mistakes.extend(found.map(|mistake| format!("field `{}`: {mistake}", field.name)));
        }
        if !mistakes.is_empty() {
            return Err(FormMistakes(mistakes));
        }
        let csrf = FieldSpec::new(CSRF_FIELD, Kind::Csrf, "CSRFTokenField").label("CSRF Token");
        Ok(FormSpec { fields, csrf: Arc::new(csrf) })
    }

    /// `CustomerForm(obj=...)`: a form for one request, its input read, nothing validated yet.
    #[must_use]
    pub fn open(&self, opening: Opening) -> Form {
        let version = opening.profile.into();
        let csrf = opening.csrf.is_some().then_some(&self.csrf);
        let mut fields: Vec<Field> =
            self.fields.iter().chain(csrf).map(|spec| Field::new(spec.clone(), version)).collect();
        // Flask-WTF takes an empty form for none: `if request.form`.
        let data = opening.form.as_ref().filter(|form| !form.is_empty());
        for field in &mut fields {
            let given = opening.values.iter().rev().find(|(name, _)| name == field.name());
            field.process(data, given.map(|(_, value)| value.clone()));
            if let (Kind::Csrf, Some(csrf)) = (&field.spec.kind, &opening.csrf) {
                field.token.clone_from(&csrf.token);
            }
        }
        let csrf_error = opening.csrf.and_then(|csrf| csrf.error);
        Form { fields, removed: Vec::new(), submitted: opening.form.is_some(), csrf_error }
    }
}

/// What a request gives to a form.
#[derive(Debug, Clone)]
pub struct Opening {
    profile: Profile,
    csrf: Option<Csrf>,
    values: Vec<(String, Value)>,
    form: Option<FormData>,
}

#[derive(Debug, Clone)]
struct Csrf {
    token: String,
    error: Option<String>,
}

impl Opening {
    /// A form that shows defaults, without CSRF field, as on a GET.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Opening { profile, csrf: None, values: Vec::new(), form: None }
    }

    /// Adds the CSRF field with this token, made by [`crate::csrf`]. The token sent counts as checked already, as it is behind
    /// Flask-WTF's `CSRFProtect`.
    #[must_use]
    pub fn csrf_token(mut self, token: impl Into<String>) -> Self {
        self.csrf = Some(Csrf { token: token.into(), error: None });
        self
    }

    /// The token sent was refused: validation reports this sentence at the CSRF field, as forms do where no `CSRFProtect` has
    /// answered before.
    #[must_use]
    pub fn csrf_refused(mut self, message: impl Into<String>) -> Self {
        let csrf = self.csrf.get_or_insert_with(|| Csrf { token: String::new(), error: None });
        csrf.error = Some(message.into());
        self
    }

    /// `obj=`: values of a row by field name. A later one of the same name wins.
    #[must_use]
    pub fn values<N: Into<String>, V: Into<Value>>(
        mut self,
        values: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.values.extend(values.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// `obj=`: one value of a row.
    #[must_use]
    pub fn value(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.values([(name, value)])
    }

    /// The form was sent with POST, PUT, PATCH or DELETE: its data.
    #[must_use]
    pub fn submitted(mut self, form: FormData) -> Self {
        self.form = Some(form);
        self
    }
}

/// The form of one request.
#[derive(Debug, Clone)]
pub struct Form {
    pub(super) fields: Vec<Field>,
    /// Names of fields that were taken out: templates see `None` there, not an undefined name.
    pub(super) removed: Vec<String>,
    submitted: bool,
    csrf_error: Option<String>,
}

impl Form {
    /// `form.is_submitted()`.
    #[must_use]
    pub fn is_submitted(&self) -> bool {
        self.submitted
    }

    /// `form.validate_on_submit()`.
    pub fn validate_on_submit(&mut self) -> bool {
        self.submitted && self.validate()
    }

    /// `form.validate()`: whether no field has an error.
    pub fn validate(&mut self) -> bool {
        self.validate_with(&[])
    }

    /// `form.validate(extra_validators)`: with validators by field name that run after those of the field, such as the
    /// `validate_<name>` methods of a form class.
    pub fn validate_with(&mut self, extra: &[(&str, Validator)]) -> bool {
        for at in 0..self.fields.len() {
            let errors = self.errors_of(&self.fields[at], extra);
            self.fields[at].errors = errors;
        }
        self.fields.iter().all(|field| field.errors.is_empty())
    }

    fn errors_of(&self, field: &Field, extra: &[(&str, Validator)]) -> Vec<String> {
        let mut errors = field.process_errors.clone();
        errors.extend(field.choice_error());
        if field.spec.kind == Kind::Csrf {
            errors.extend(self.csrf_error.clone());
        }
        let extra = extra.iter().filter(|(name, _)| *name == field.name()).map(|(_, validator)| validator);
        for validator in field.spec.validators.iter().chain(extra) {
            let Err(Failure { message, stops, clears }) = validator.check(self, field) else { continue };
            if clears {
                errors.clear();
            }
            errors.extend(message.filter(|message| !(stops && message.is_empty())));
            if stops {
                break;
            }
        }
        errors
    }

    /// `form[name]`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name() == name)
    }

    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.name() == name)
    }

    /// `form.<name>.data`; `None` for an unknown name.
    #[must_use]
    pub fn data(&self, name: &str) -> &Value {
        self.field(name).map_or(&Value::None, |field| &field.data)
    }

    /// The data, if it is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.data(name).as_text()
    }

    /// The data, if it is an integer that fits.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.data(name).as_i64()
    }

    /// The data, if it is a number.
    #[must_use]
    pub fn decimal(&self, name: &str) -> Option<Decimal> {
        self.data(name).as_decimal()
    }

    /// The data, if it is a date.
    #[must_use]
    pub fn date(&self, name: &str) -> Option<NaiveDate> {
        match self.data(name) {
            Value::Date(date) => Some(*date),
            _ => None,
        }
    }

    /// The data, if it is a moment.
    #[must_use]
    pub fn date_time(&self, name: &str) -> Option<NaiveDateTime> {
        match self.data(name) {
            Value::DateTime(moment) => Some(*moment),
            _ => None,
        }
    }

    /// Whether the data is true: a checkbox that is checked, a button that was pressed.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.data(name).is_true()
    }

    /// `form.<name>.data = value`. A name that is no field is ignored, here and in the next two.
    pub fn set_data(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(field) = self.field_mut(name) {
            field.data = value.into();
        }
    }

    /// `form.<name>.choices = [...]`.
    pub fn set_choices<T: Into<Choice>>(&mut self, name: &str, choices: impl IntoIterator<Item = T>) {
        if let Some(field) = self.field_mut(name) {
            field.choices = Some(choices.into_iter().map(Into::into).collect());
        }
    }

    /// `form.<name>.errors.append(message)`: for checks that need more than the form, such as a database.
    pub fn add_error(&mut self, name: &str, message: impl Into<String>) {
        if let Some(field) = self.field_mut(name) {
            field.errors.push(message.into());
        }
    }

    /// `del form.<name>`.
    pub fn remove(&mut self, name: &str) {
        let before = self.fields.len();
        self.fields.retain(|field| field.name() != name);
        if self.fields.len() < before {
            self.removed.push(name.to_owned());
        }
    }

    /// `form.errors`: the fields that have errors.
    pub fn errors(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.fields
            .iter()
            .map(|field| (field.name(), field.errors()))
            .filter(|(_, errors)| !errors.is_empty())
    }

    /// The fields in order, the CSRF field last.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// `form.hidden_tag()`: all hidden fields, one a line.
    pub fn hidden_tag(&self) -> Result<String, NameGivenTwice> {
        let hidden = self.fields.iter().filter(|field| field.is_hidden());
        let tags: Result<Vec<String>, _> =
            hidden.map(|field| field.render(Vec::<(String, Attribute)>::new())).collect();
        Ok(tags?.join("\n"))
    }
}
