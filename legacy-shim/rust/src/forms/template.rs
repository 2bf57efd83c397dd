//! What a template sees: `form`, `form.name`, `form.name.label` and the options of a select, as minijinja objects.
//!
//! Fields and labels print as markup when they are written out without being called (`{{ f.label }}`). minijinja has no word
//! for that, so its formatter, and filters that ask whether a text is safe, must ask [`markup`].

use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value as Seen, from_args};
use minijinja::{Error, ErrorKind, State};

use super::choice::Choice;
use super::field::{Field, Kind};
use super::form::Form;
use super::html::{Attribute, Attributes, merge_key};
use super::value::Value;
use super::version::Version;
use super::widget::{NameGivenTwice, render_label, render_option};
use crate::python::float_repr;

/// The HTML of a field, a label or an option that stands in a template without being called; none for other values.
#[must_use]
pub fn markup(value: &Seen) -> Option<String> {
    let object = value.as_object()?;
    if let Some(field) = object.downcast_ref::<FieldObject>() {
        return field.0.render(Vec::new()).ok();
    }
    if let Some(label) = object.downcast_ref::<LabelObject>() {
        return Some(label.html(None, Vec::new()));
    }
    object.downcast_ref::<OptionObject>().map(|option| option.html(Vec::new()))
}

impl Form {
    /// The form for a template: a copy, so call it when all is validated.
    #[must_use]
    pub fn to_template(&self) -> Seen {
        Seen::from_object(FormObject(self.clone()))
    }
}

impl From<&Value> for Seen {
    /// Decimals and dates appear as their text, integers beyond 64 bits too.
    fn from(value: &Value) -> Self {
        match value {
            Value::None => Seen::from(()),
            Value::Bool(value) => Seen::from(*value),
            Value::Integer(number) => {
                number.to_i64().map_or_else(|| Seen::from(number.to_string()), Seen::from)
            }
            other => Seen::from(other.to_string()),
        }
    }
}

#[derive(Debug)]
struct FormObject(Form);

impl FormObject {
    fn field(&self, name: &str) -> Option<Seen> {
        self.0.field(name).map(|field| Seen::from_object(FieldObject(field.clone())))
    }

    fn hidden_tag(&self, args: &[Seen]) -> Result<Seen, Error> {
        if args.is_empty() {
            return self.0.hidden_tag().map(Seen::from_safe_string).map_err(Error::from);
        }
        let named = args.iter().filter_map(|arg| {
            let field = arg.as_object().and_then(|object| object.downcast_ref::<FieldObject>());
            field.map(|field| &field.0).or_else(|| self.0.field(arg.as_str()?))
        });
        let hidden = named.filter(|field| field.is_hidden());
        let tags: Result<Vec<String>, _> = hidden.map(|field| field.render(Vec::new())).collect();
        Ok(Seen::from_safe_string(tags.map_err(Error::from)?.join("\n")))
    }
}

impl Object for FormObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        let key = key.as_str()?;
        if let Some(field) = self.field(key) {
            return Some(field);
        }
        match key {
            _ if self.0.removed.iter().any(|name| name == key) => Some(Seen::from(())),
            "errors" => Some(Seen::from_pairs(self.0.errors().map(|(name, errors)| (name, errors.to_vec())))),
            "data" => {
                Some(Seen::from_pairs(self.0.fields().map(|field| (field.name(), Seen::from(field.data())))))
            }
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let fields: Vec<Seen> =
            self.0.fields().map(|field| Seen::from_object(FieldObject(field.clone()))).collect();
        Enumerator::Values(fields)
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Seen],
    ) -> Result<Seen, Error> {
        if let Some(field) = self.field(method) {
            return field.call(state, args);
        }
        match method {
            "hidden_tag" => self.hidden_tag(args),
            "is_submitted" => Ok(Seen::from(self.0.is_submitted())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

#[derive(Debug)]
struct FieldObject(Field);

impl Object for FieldObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.0.spec.kind == Kind::Select { ObjectRepr::Iterable } else { ObjectRepr::Plain }
    }

    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        let field = &self.0;
        Some(match key.as_str()? {
            "name" | "short_name" => Seen::from(field.name()),
            "id" => Seen::from(field.id()),
            "type" => Seen::from(field.type_name()),
            "description" => Seen::from(field.spec.description.as_str()),
            "label" => Seen::from_object(LabelObject::of_field(field)),
            "data" => Seen::from(&field.data),
            "object_data" => Seen::from(&field.object_data),
            "default" => Seen::from(&field.spec.default),
            "raw_data" => field.raw_data.clone().map_or(Seen::from(()), Seen::from),
            "errors" => Seen::from(field.errors.clone()),
            "process_errors" => Seen::from(field.process_errors.clone()),
            "flags" => Seen::from_object(FlagsObject(field.clone())),
            "render_kw" if field.spec.render_kw.is_empty() => Seen::from(()),
            "render_kw" => {
                let pair = |(key, value): &(String, Attribute)| (key.clone(), seen(value.clone()));
                Seen::from_pairs(field.spec.render_kw.iter().map(pair))
            }
            "choices" => {
                let pair =
                    |choice: &Choice| vec![Seen::from(&choice.value), Seen::from(choice.label.as_str())];
                field.choices.as_ref()?.iter().map(|choice| Seen::from(pair(choice))).collect()
            }
            "current_token" if field.spec.kind == Kind::Csrf => Seen::from(field.token.as_str()),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if self.0.spec.kind != Kind::Select {
            return Enumerator::NonEnumerable;
        }
        let options = self.0.marked_choices().enumerate().map(|(at, (choice, checked))| {
            Seen::from_object(OptionObject { field: self.0.clone(), choice: choice.clone(), checked, at })
        });
        Enumerator::Values(options.collect())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Seen]) -> Result<Seen, Error> {
        let (kwargs,): (Kwargs,) = from_args(args)?;
        self.0.render(attributes(&kwargs)?).map(Seen::from_safe_string).map_err(Error::from)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Seen],
    ) -> Result<Seen, Error> {
        match method {
            "label" => Seen::from_object(LabelObject::of_field(&self.0)).call(state, args),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.render(Vec::new()).map_err(|_| std::fmt::Error)?)
    }
}

/// `field.flags`: a flag that nobody set is `False` in WTForms 2 and `None` in 3.
#[derive(Debug)]
struct FlagsObject(Field);

impl Object for FlagsObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        let key = key.as_str()?;
        let set = self.0.flags().into_iter().find(|(flag, _)| *flag == key);
        Some(match (set, self.0.version) {
            (Some((_, value)), _) => seen(value),
            (None, Version::Two) => Seen::from(false),
            (None, Version::Three) => Seen::from(()),
        })
    }
}

/// `field.label`, and the label of an option.
#[derive(Debug)]
struct LabelObject {
    field: Field,
    id: String,
    text: String,
}

impl LabelObject {
    fn of_field(field: &Field) -> Self {
        LabelObject { id: field.id().to_owned(), text: field.label(), field: field.clone() }
    }

    fn html(&self, text: Option<&str>, attributes: Vec<(String, Attribute)>) -> String {
        let text = text.filter(|text| !text.is_empty()).unwrap_or(&self.text);
        render_label(&self.id, text, attributes, self.field.version)
    }
}

impl Object for LabelObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        match key.as_str()? {
            "text" => Some(Seen::from(self.text.as_str())),
            "field_id" => Some(Seen::from(self.id.as_str())),
            _ => None,
        }
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Seen]) -> Result<Seen, Error> {
        let (text, kwargs): (Option<String>, Kwargs) = from_args(args)?;
        let mut given = attributes(&kwargs)?;
        let named = given.iter().position(|(key, _)| key == "text").map(|at| given.remove(at).1);
        let text = match named {
            Some(Attribute::Text(text) | Attribute::Safe(text)) => Some(text),
            _ => text,
        };
        Ok(Seen::from_safe_string(self.html(text.as_deref(), given)))
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&LabelObject::html(self, None, Vec::new()))
    }
}

/// One step of `for option in form.status`.
#[derive(Debug)]
struct OptionObject {
    field: Field,
    choice: Choice,
    checked: bool,
    at: usize,
}

impl OptionObject {
    fn id(&self) -> String {
        format!("{}-{}", self.field.id(), self.at)
    }

    fn html(&self, given: Vec<(String, Attribute)>) -> String {
        let version = self.field.version;
        let mut all = Attributes::new();
        if version == Version::Three {
            all.extend(self.field.spec.render_kw.iter().cloned());
        }
        all.extend(given);
        let all = all.into_iter().map(|(key, value)| (merge_key(&key, version), value)).collect();
        render_option(&self.choice, self.checked, all, version)
    }
}

impl Object for OptionObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        Some(match key.as_str()? {
            "id" => Seen::from(self.id()),
            "name" => Seen::from(self.field.name()),
            "type" => Seen::from("_Option"),
            "data" => Seen::from(&self.choice.value),
            "checked" => Seen::from(self.checked),
            "label" => Seen::from_object(LabelObject {
                id: self.id(),
                text: self.choice.shown_label(self.field.version),
                field: self.field.clone(),
            }),
            _ => return None,
        })
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Seen]) -> Result<Seen, Error> {
        let (kwargs,): (Kwargs,) = from_args(args)?;
        Ok(Seen::from_safe_string(OptionObject::html(self, attributes(&kwargs)?)))
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&OptionObject::html(self, Vec::new()))
    }
}

/// Keyword arguments as attributes.
fn attributes(kwargs: &Kwargs) -> Result<Vec<(String, Attribute)>, Error> {
    let pair = |key: &str| Ok((key.to_owned(), attribute(&kwargs.get::<Seen>(key)?)));
    kwargs.args().map(pair).collect()
}

/// A value as Python's `str` writes it.
fn attribute(value: &Seen) -> Attribute {
    if let Some(markup) = markup(value) {
        return Attribute::Safe(markup);
    }
    match bool::try_from(value.clone()) {
        Ok(flag) => Attribute::Flag(flag),
        Err(_) if value.is_safe() => Attribute::Safe(value.to_string()),
        Err(_) if value.is_none() => Attribute::Text("None".to_owned()),
        Err(_) if value.is_number() && !value.is_integer() => {
            Attribute::Text(f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float_repr))
        }
        Err(_) => Attribute::Text(value.to_string()),
    }
}

fn seen(attribute: Attribute) -> Seen {
    match attribute {
        Attribute::Flag(flag) => Seen::from(flag),
        Attribute::Text(text) => Seen::from(text),
        Attribute::Safe(markup) => Seen::from_safe_string(markup),
    }
}

impl From<NameGivenTwice> for Error {
    fn from(error: NameGivenTwice) -> Self {
        Error::new(ErrorKind::TooManyArguments, error.to_string())
    }
}
