//! Validators with WTForms' names, order, flags and sentences. [`Validator`] is made by the functions here and given to
//! [`FieldSpec::validators`](super::FieldSpec::validators).
//!
//! `compare` holds the checks of the data, `email`, `url` and `pattern` what each of them needs.

mod compare;
mod domain;
mod email;
mod pattern;
mod url;

use std::sync::Arc;

use super::field::Field;
use super::form::Form;
use super::html::Attribute;
use super::text::interpolate;
use super::value::Value;
use super::version::Version;
use pattern::Pattern;

/// Why a validator is not content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Added to the errors; a chain may also stop without a message.
    pub(super) message: Option<String>,
    pub(super) stops: bool,
    /// Forgets errors found before.
    pub(super) clears: bool,
}

impl Failure {
    /// `raise ValidationError(message)`: the next validators run too.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Failure { message: Some(message.into()), stops: false, clears: false }
    }

    /// `raise StopValidation(message)`: no validator runs after this one; an empty message adds no error.
    #[must_use]
    pub fn stop(message: impl Into<String>) -> Self {
        let message = Some(message.into()).filter(|message| !message.is_empty());
        Failure { message, stops: true, clears: false }
    }

    fn clearing(mut self) -> Self {
        self.clears = true;
        self
    }
}

impl<T: Into<String>> From<T> for Failure {
    fn from(message: T) -> Self {
        Failure::error(message)
    }
}

type Check = Arc<dyn Fn(&Form, &Field) -> Result<(), Failure> + Send + Sync>;

/// One validator of a field.
#[derive(Clone)]
pub struct Validator {
    rule: Rule,
    message: Option<String>,
}

#[derive(Clone)]
enum Rule {
    DataRequired,
    InputRequired,
    Optional { strip: bool },
    Length { min: Option<usize>, max: Option<usize> },
    NumberRange { min: Option<Value>, max: Option<Value> },
    Email,
    Url { require_tld: bool },
    Regexp(Pattern),
    AnyOf(Vec<Value>),
    NoneOf(Vec<Value>),
    EqualTo(String),
    Custom(Check),
}

impl From<Rule> for Validator {
    fn from(rule: Rule) -> Self {
        Validator { rule, message: None }
    }
}

/// `DataRequired()`: the data is true and not blank, else no later validator runs.
#[must_use]
pub fn data_required() -> Validator {
    Rule::DataRequired.into()
}

/// `InputRequired()`: something was sent, else no later validator runs.
#[must_use]
pub fn input_required() -> Validator {
    Rule::InputRequired.into()
}

/// `Optional()`: if nothing or only white space was sent, errors found so far are forgotten and no later validator runs.
#[must_use]
pub fn optional() -> Validator {
    Rule::Optional { strip: true }.into()
}

/// `Optional(strip_whitespace=False)`.
#[must_use]
pub fn optional_exact() -> Validator {
    Rule::Optional { strip: false }.into()
}

/// `Length(min=..., max=...)`, in characters. The message may name `%(min)d`, `%(max)d` and `%(length)d`.
#[must_use]
pub fn length(min: impl Into<Option<usize>>, max: impl Into<Option<usize>>) -> Validator {
    Rule::Length { min: min.into(), max: max.into() }.into()
}

/// `NumberRange(min=..., max=...)`, `Value::None` for an open end. The message may name `%(min)s` and `%(max)s`.
#[must_use]
pub fn number_range(min: impl Into<Value>, max: impl Into<Value>) -> Validator {
    let end = |value: Value| Some(value).filter(|value| !value.is_none());
    Rule::NumberRange { min: end(min.into()), max: end(max.into()) }.into()
}

/// `Email()`, as the `email_validator` package of the profile judges addresses: 1.1.2 or 2.4.0.
#[must_use]
pub fn email() -> Validator {
    Rule::Email.into()
}

/// `URL()`.
#[must_use]
pub fn url() -> Validator {
    Rule::Url { require_tld: true }.into()
}

/// `URL(require_tld=False)`: takes `http://localhost/`.
#[must_use]
pub fn url_without_tld() -> Validator {
    Rule::Url { require_tld: false }.into()
}

/// `Regexp(pattern)` with a pattern in Python's syntax, matched at the start. Look-around and back-references are refused by
/// [`FormSpec::new`](super::FormSpec::new).
#[must_use]
pub fn regexp(pattern: &str) -> Validator {
    Rule::Regexp(Pattern::new(pattern, false)).into()
}

/// `Regexp(pattern, re.IGNORECASE)`.
#[must_use]
pub fn regexp_ignore_case(pattern: &str) -> Validator {
    Rule::Regexp(Pattern::new(pattern, true)).into()
}

/// `AnyOf(values)`. The message may name `%(values)s`.
#[must_use]
pub fn any_of<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Validator {
    Rule::AnyOf(values.into_iter().map(Into::into).collect()).into()
}

/// `NoneOf(values)`. The message may name `%(values)s`.
#[must_use]
pub fn none_of<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Validator {
    Rule::NoneOf(values.into_iter().map(Into::into).collect()).into()
}

/// `EqualTo(name)`. The message may name `%(other_label)s` and `%(other_name)s`.
#[must_use]
pub fn equal_to(name: impl Into<String>) -> Validator {
    Rule::EqualTo(name.into()).into()
}

/// A validator of the application: `def check(form, field)`. What needs a database is better asked after
/// [`Form::validate`] and told with [`Form::add_error`].
#[must_use]
pub fn custom(check: impl Fn(&Form, &Field) -> Result<(), Failure> + Send + Sync + 'static) -> Validator {
    Rule::Custom(Arc::new(check)).into()
}

impl Validator {
    /// The sentence to say instead of WTForms' own.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// What is wrong with the declaration itself.
    pub(super) fn mistake(&self) -> Option<String> {
        match &self.rule {
            Rule::Regexp(pattern) => pattern.mistake(),
            Rule::Length { min: None, max: None } => {
                Some("`length` needs a smallest or a largest length".to_owned())
            }
            Rule::Length { min: Some(min), max: Some(max) } if min > max => {
                Some(format!("`length` has a smallest length of `{min}`, above the largest of `{max}`"))
            }
            _ => None,
        }
    }

    /// `field_flags`.
    pub(super) fn flags(&self, version: Version) -> Vec<(&'static str, Attribute)> {
        let both = |names: [&'static str; 2], values: [Option<Attribute>; 2]| {
            names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
        };
        let size = |size: &Option<usize>| size.map(Attribute::from);
        let number = |value: &Option<Value>| value.as_ref().map(|value| Attribute::from(value.to_string()));
        match (&self.rule, version) {
            (Rule::DataRequired | Rule::InputRequired, _) => vec![("required", true.into())],
            (Rule::Optional { .. }, _) => vec![("optional", true.into())],
            (Rule::Length { min, max }, Version::Three) => {
                both(["minlength", "maxlength"], [size(min), size(max)])
            }
            (Rule::NumberRange { min, max }, Version::Three) => {
                both(["min", "max"], [number(min), number(max)])
            }
            _ => Vec::new(),
        }
    }

    /// `validator(form, field)`.
    pub(super) fn check(&self, form: &Form, field: &Field) -> Result<(), Failure> {
        let say = |own: &str| self.message.clone().unwrap_or_else(|| own.to_owned());
        let text = field.data.as_text().unwrap_or_default();
        let fine = match &self.rule {
            Rule::DataRequired if compare::is_blank(&field.data) => {
                return Err(Failure::stop(say("This field is required.")).clearing());
            }
            Rule::InputRequired if field.raw_data().and_then(<[_]>::first).is_none_or(String::is_empty) => {
                return Err(Failure::stop(say("This field is required.")).clearing());
            }
            Rule::Optional { strip } if compare::is_absent(field, *strip) => {
                return Err(Failure::stop("").clearing());
            }
            Rule::DataRequired | Rule::InputRequired | Rule::Optional { .. } => true,
            Rule::Email => field.data.as_text().is_some_and(|text| email::is_valid(text, field.version)),
            Rule::Url { require_tld } => url::is_valid(text, *require_tld, field.version),
            Rule::Regexp(pattern) => pattern.matches(text),
            Rule::Length { min, max } => return self.check_length(*min, *max, text),
            Rule::NumberRange { min, max } => return self.check_range(min.as_ref(), max.as_ref(), field),
            Rule::AnyOf(values) => values.contains(&field.data),
            Rule::NoneOf(values) => !values.contains(&field.data),
            Rule::EqualTo(other) => return self.check_equal(other, form, field),
            Rule::Custom(check) => return check(form, field),
        };
        if fine { Ok(()) } else { Err(self.complaint().into()) }
    }

    /// The sentence of validators that have only one.
    fn complaint(&self) -> String {
        let (own, values) = match &self.rule {
            Rule::Email => ("Invalid email address.", None),
            Rule::Url { .. } => ("Invalid URL.", None),
            Rule::AnyOf(values) => ("Invalid value, must be one of: %(values)s.", Some(values)),
            Rule::NoneOf(values) => ("Invalid value, can't be any of: %(values)s.", Some(values)),
            _ => ("Invalid input.", None),
        };
        let message = self.message.as_deref().unwrap_or(own);
        match values {
            None => message.to_owned(),
            Some(values) => {
                let list: Vec<String> = values.iter().map(Value::to_string).collect();
                interpolate(message, &[("values", list.join(", "))])
            }
        }
    }
}
