//! [`Widget`]: how a field becomes HTML, attribute by attribute as WTForms 2.3 and 3 write it.

use std::fmt::Write as _;

use super::choice::Choice;
use super::field::{Field, Kind};
use super::html::{Attribute, Attributes, html_params, merge_key};
use super::value::Value;
use super::version::Version;
use crate::answer::escape_markup;

/// A widget of `wtforms.widgets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Widget {
    /// `TextInput` and its relatives: an input of the type `text`, `search`, `tel`, `url` or `email`.
    Text(&'static str),
    /// `DateInput` and its relatives: an input of the type `date`, `datetime-local`, `datetime`, `time`, `month` or `week`.
    Date(&'static str),
    /// `NumberInput`, with `step` if there is one.
    Number(Option<&'static str>),
    /// `PasswordInput`: does not show the value.
    Password,
    /// `HiddenInput`.
    Hidden,
    /// `CheckboxInput`.
    Checkbox,
    /// `SubmitInput`: shows the label.
    Submit,
    /// `TextArea`.
    TextArea,
    /// `Select`.
    Select,
}

impl Widget {
    /// The widget of a field class.
    pub(super) fn of(kind: &Kind, version: Version) -> Widget {
        match (kind, version) {
            (Kind::Integer, Version::Three) => Widget::Number(None),
            (Kind::Decimal, Version::Three) => Widget::Number(Some("any")),
            (Kind::Date, Version::Three) => Widget::Date("date"),
            (Kind::DateTime, Version::Three) => Widget::Date("datetime"),
            (Kind::Select, _) => Widget::Select,
            (Kind::Boolean, _) => Widget::Checkbox,
            (Kind::Csrf, _) => Widget::Hidden,
            _ => Widget::Text("text"),
        }
    }

    fn input_type(&self) -> &'static str {
        match self {
            Widget::Text(kind) | Widget::Date(kind) => kind,
            Widget::Number(_) => "number",
            Widget::Password => "password",
            Widget::Hidden => "hidden",
            Widget::Checkbox => "checkbox",
            Widget::Submit => "submit",
            Widget::TextArea | Widget::Select => "",
        }
    }

    /// The flags of validators that WTForms 3 writes as attributes.
    fn validation_attributes(&self) -> &'static [&'static str] {
        match self {
            Widget::Text(_) | Widget::Password => {
                &["required", "disabled", "readonly", "maxlength", "minlength", "pattern"]
            }
            Widget::Date(_) | Widget::Number(_) => {
                &["required", "disabled", "readonly", "max", "min", "step"]
            }
            Widget::TextArea => &["required", "disabled", "readonly", "maxlength", "minlength"],
            Widget::Checkbox | Widget::Submit | Widget::Select => &["required", "disabled"],
            Widget::Hidden => &["disabled"],
        }
    }
}

/// `name=` given to a widget: Python raises `TypeError` for the second one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("got multiple values for keyword argument `name`")]
pub struct NameGivenTwice;

impl Field {
    /// `field(**attributes)`: the field as HTML.
    pub fn render(
        &self,
        attributes: impl IntoIterator<Item = (String, Attribute)>,
    ) -> Result<String, NameGivenTwice> {
        let given = self.spec.render_kw.iter().cloned().chain(attributes);
        let mut all: Attributes = given.map(|(key, value)| (merge_key(&key, self.version), value)).collect();
        all.entry("id".to_owned()).or_insert_with(|| self.id().into());
        let widget = self.widget();
        if !matches!(widget, Widget::TextArea | Widget::Select) {
            self.input_attributes(&widget, &mut all);
        }
        for (flag, value) in self.flags() {
            let wanted = match self.version {
                Version::Two => flag == "required",
                Version::Three => widget.validation_attributes().contains(&flag),
            };
            if wanted {
                all.entry(flag.to_owned()).or_insert(value);
            }
        }
        if all.insert("name".to_owned(), self.name().into()).is_some() {
            return Err(NameGivenTwice);
        }
        let params = html_params(&all, self.version);
        Ok(match widget {
            Widget::TextArea => {
                format!("<textarea {params}>\r\n{}</textarea>", escape_markup(&self.shown_value()))
            }
            Widget::Select => format!("<select {params}>{}</select>", self.render_options()),
            _ => format!("<input {params}>"),
        })
    }

    fn input_attributes(&self, widget: &Widget, all: &mut Attributes) {
        all.entry("type".to_owned()).or_insert_with(|| widget.input_type().into());
        match widget {
            Widget::Password => {
                all.insert("value".to_owned(), "".into());
            }
            Widget::Submit => {
                all.entry("value".to_owned()).or_insert_with(|| self.label().into());
            }
            Widget::Checkbox if self.data.is_true() => match self.version {
                Version::Two => {
                    all.insert("checked".to_owned(), true.into());
                }
                Version::Three => {
                    all.entry("checked".to_owned()).or_insert_with(|| true.into());
                }
            },
            Widget::Number(Some(step)) => {
                all.entry("step".to_owned()).or_insert_with(|| (*step).into());
            }
            _ => {}
        }
        all.entry("value".to_owned()).or_insert_with(|| self.shown_value().into());
    }

    /// `field.flags`: what validators and the widget say about the field; the last word counts.
    pub(super) fn flags(&self) -> Vec<(&'static str, Attribute)> {
        let mut flags: Vec<(&'static str, Attribute)> = Vec::new();
        let hidden = self.is_hidden().then(|| ("hidden", Attribute::from(true)));
        let said = self.spec.validators.iter().flat_map(|validator| validator.flags(self.version));
        for (flag, value) in said.chain(hidden) {
            flags.retain(|(known, _)| *known != flag);
            flags.push((flag, value));
        }
        flags
    }

    fn render_options(&self) -> String {
        let mut out = String::new();
        for (choice, selected) in self.marked_choices() {
            out.push_str(&render_option(choice, selected, Attributes::new(), self.version));
        }
        out
    }
}

/// A label for the element with an id.
pub(super) fn render_label(
    id: &str,
    text: &str,
    attributes: impl IntoIterator<Item = (String, Attribute)>,
    version: Version,
) -> String {
    let mut all: Attributes = attributes.into_iter().collect();
    match all.remove("for_") {
        Some(value) => all.insert("for".to_owned(), value),
        None => Some(all.entry("for".to_owned()).or_insert_with(|| id.into()).clone()),
    };
    let mut out = String::from("<label");
    let params = html_params(&all, version);
    if !params.is_empty() || version == Version::Two {
        let _ = write!(out, " {params}");
    }
    let _ = write!(out, ">{}</label>", escape_markup(text));
    out
}

/// `Select.render_option`.
pub(super) fn render_option(
    choice: &Choice,
    selected: bool,
    mut all: Attributes,
    version: Version,
) -> String {
    let value = match &choice.value {
        Value::Bool(false) if version == Version::Two => Attribute::Flag(false),
        value => Attribute::Text(value.to_string()),
    };
    // The value of the choice comes first in WTForms 3, so that attributes may replace it, and last in 2.
    match version {
        Version::Two => {
            all.insert("value".to_owned(), value);
        }
        Version::Three => {
            all.entry("value".to_owned()).or_insert(value);
        }
    }
    if selected {
        all.insert("selected".to_owned(), true.into());
    }
    let label = escape_markup(&choice.shown_label(version));
    format!("<option {}>{label}</option>", html_params(&all, version))
}
