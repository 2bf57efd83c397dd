//! [`FieldSpec`]: one line of a form class, `name = StringField("Name", [DataRequired()])`, and [`Field`]: the same field of
//! one form instance, with data and errors.

use std::sync::Arc;

use super::choice::{Choice, Coerce};
use super::decimal::Rounding;
use super::html::Attribute;
use super::text::title_of;
use super::validators::Validator;
use super::value::Value;
use super::version::Version;
use super::widget::Widget;

/// A function that turns the sent values of a name into data; WTForms' `process_formdata`.
pub(super) type Parse = Arc<dyn Fn(&[String]) -> Result<Value, Rejected> + Send + Sync>;
/// A filter over the data.
pub(super) type Filter = Arc<dyn Fn(Value) -> Result<Value, String> + Send + Sync>;

/// Why a custom field refuses its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub(super) message: String,
    pub(super) clears: bool,
}

impl Rejected {
    /// The input is refused, the data is `None` from now on.
    #[must_use]
    pub fn and_clear(message: impl Into<String>) -> Self {
        Rejected { message: message.into(), clears: true }
    }
}

/// The input is refused, the data stays what the default or the object said.
impl<T: Into<String>> From<T> for Rejected {
    fn from(message: T) -> Self {
        Rejected { message: message.into(), clears: false }
    }
}

/// What a field makes of its input and how it shows its data.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Text,
    Integer,
    Decimal,
    Date,
    DateTime,
    Select,
    Boolean,
    Csrf,
}

/// How a field is declared. Made by [`string`](super::string), [`select`](super::select) and so on; nothing is checked before
/// [`FormSpec::new`](super::FormSpec::new).
#[derive(Clone)]
pub struct FieldSpec {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) type_name: String,
    pub(super) widget: Option<Widget>,
    pub(super) label: Option<String>,
    pub(super) description: String,
    pub(super) id: Option<String>,
    pub(super) default: Value,
    pub(super) validators: Vec<Validator>,
    pub(super) filters: Vec<Filter>,
    pub(super) render_kw: Vec<(String, Attribute)>,
    pub(super) parse: Option<Parse>,
    pub(super) formats: Vec<String>,
    pub(super) places: Option<u32>,
    pub(super) rounding: Rounding,
    pub(super) coerce: Coerce,
    pub(super) choices: Option<Vec<Choice>>,
    pub(super) checks_choice: bool,
    pub(super) false_values: Vec<String>,
}

impl FieldSpec {
    pub(super) fn new(name: &str, kind: Kind, type_name: &str) -> Self {
        FieldSpec {
            name: name.to_owned(),
            kind,
            type_name: type_name.to_owned(),
            widget: None,
            label: None,
            description: String::new(),
            id: None,
            default: Value::None,
            validators: Vec::new(),
            filters: Vec::new(),
            render_kw: Vec::new(),
            parse: None,
            formats: Vec::new(),
            places: Some(2),
            rounding: Rounding::HalfEven,
            coerce: Coerce::Text,
            choices: None,
            checks_choice: true,
            false_values: vec!["false".to_owned(), String::new()],
        }
    }

    /// The label; without one it is made of the name, as WTForms does.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = Some(text.into());
        self
    }

    /// The help text.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// The `id` attribute; without one it is the name.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The data when neither an object nor a form gives one.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = value.into();
        self
    }

    /// Validators, run in this order.
    #[must_use]
    pub fn validators(mut self, validators: impl IntoIterator<Item = Validator>) -> Self {
        self.validators.extend(validators);
        self
    }

    /// A filter over the data, run after reading and before validation; several run in order.
    #[must_use]
    pub fn filter(self, filter: impl Fn(Value) -> Value + Send + Sync + 'static) -> Self {
        self.try_filter(move |value| Ok(filter(value)))
    }

    /// A filter that may refuse (`raise ValueError(message)`); then the filters behind it do not run.
    #[must_use]
    pub fn try_filter(
        mut self,
        filter: impl Fn(Value) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        self.filters.push(Arc::new(filter));
        self
    }

    /// One attribute of `render_kw`. Call it once for each.
    #[must_use]
    pub fn render_kw(mut self, key: impl Into<String>, value: impl Into<Attribute>) -> Self {
        self.render_kw.push((key.into(), value.into()));
        self
    }

    /// Another widget than the one of the field's class.
    #[must_use]
    pub fn widget(mut self, widget: Widget) -> Self {
        self.widget = Some(widget);
        self
    }

    /// A field class of the application: the name of the class (`field.type`) and its `process_formdata`. The function gets
    /// all values sent under the name, none if it was not sent.
    #[must_use]
    pub fn custom(
        mut self,
        type_name: impl Into<String>,
        parse: impl Fn(&[String]) -> Result<Value, Rejected> + Send + Sync + 'static,
    ) -> Self {
        self.type_name = type_name.into();
        self.parse = Some(Arc::new(parse));
        self
    }

    /// Date formats that are read; the first one is written. `%Y %m %d %H %M %S`. WTForms 2 knows one only.
    #[must_use]
    pub fn formats<T: Into<String>>(mut self, formats: impl IntoIterator<Item = T>) -> Self {
        self.formats = formats.into_iter().map(Into::into).collect();
        self
    }

    /// Places and rounding of decimals when they are shown; `None` shows them as they are. Two places unless said otherwise.
    #[must_use]
    pub fn places(mut self, places: Option<u32>, rounding: Rounding) -> Self {
        self.places = places;
        self.rounding = rounding;
        self
    }

    /// The choices of a select: values with labels.
    #[must_use]
    pub fn choices<T: Into<Choice>>(mut self, choices: impl IntoIterator<Item = T>) -> Self {
        self.choices = Some(choices.into_iter().map(Into::into).collect());
        self
    }

    /// `coerce=`: [`Coerce::Integer`], or a function; text unless said otherwise.
    #[must_use]
    pub fn coerce(mut self, coerce: impl Into<Coerce>) -> Self {
        self.coerce = coerce.into();
        self
    }

    /// `validate_choice=False`: any value that can be coerced is taken.
    #[must_use]
    pub fn any_choice(mut self) -> Self {
        self.checks_choice = false;
        self
    }

    /// Texts that mean false to a checkbox, instead of `false` and nothing.
    #[must_use]
    pub fn false_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.false_values = values.into_iter().map(Into::into).collect();
        self
    }
}

impl std::fmt::Debug for FieldSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FieldSpec")
            .field("name", &self.name)
            .field("type", &self.type_name)
            .finish_non_exhaustive()
    }
}

/// A field of one form: WTForms' bound field.
#[derive(Debug, Clone)]
pub struct Field {
    pub(super) spec: Arc<FieldSpec>,
    pub(super) version: Version,
    pub(super) data: Value,
    pub(super) object_data: Value,
    /// All values sent; `None` if there was no form.
    pub(super) raw_data: Option<Vec<String>>,
    pub(super) process_errors: Vec<String>,
    pub(super) errors: Vec<String>,
    pub(super) choices: Option<Vec<Choice>>,
    /// The token that a CSRF field shows, whatever was sent.
    pub(super) token: String,
}

impl Field {
    pub(super) fn new(spec: Arc<FieldSpec>, version: Version) -> Self {
        Field {
            choices: spec.choices.clone(),
            spec,
            version,
            data: Value::None,
            object_data: Value::None,
            raw_data: None,
            process_errors: Vec::new(),
            errors: Vec::new(),
            token: String::new(),
        }
    }

    /// `field.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// `field.id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.spec.id.as_deref().unwrap_or(&self.spec.name)
    }

    /// `field.label.text`.
    #[must_use]
    pub fn label(&self) -> String {
        self.spec.label.clone().unwrap_or_else(|| title_of(&self.spec.name))
    }

    /// `field.type`: the name of the Python class.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.spec.type_name
    }

    /// `field.data`.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// `field.raw_data`: the values as they were sent, `None` if there was no form.
    #[must_use]
    pub fn raw_data(&self) -> Option<&[String]> {
        self.raw_data.as_deref()
    }

    /// `field.errors`: what the last validation found.
    #[must_use]
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    pub(super) fn widget(&self) -> Widget {
        self.spec.widget.clone().unwrap_or_else(|| Widget::of(&self.spec.kind, self.version))
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.widget() == Widget::Hidden
    }
}
