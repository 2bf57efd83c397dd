//! Forms out of the JSON cases of `forms_cases.py`.

use flask_compat::Profile;
use flask_compat::forms::{
    Attribute, Choice, Coerce, Decimal, Failure, FieldSpec, Form, FormData, FormSpec, Opening, Rounding,
    Validator, Value, Widget, any_of, boolean, custom, data_required, date, date_time, date_time_local,
    decimal, email, email_field, equal_to, hidden, input_required, integer, length, none_of, number_range,
    optional, optional_exact, password, regexp, regexp_ignore_case, search, select, string, submit, tel,
    text_area, url, url_field, url_without_tld,
};
use serde_json::{Value as Json, json as to_json};

use super::custom;

/// The text of a JSON string.
pub(crate) fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Data as `forms_vectors.py` writes it.
pub(crate) fn json(value: &Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Integer(number) => to_json!({ "integer": number.to_string() }),
        Value::Decimal(number) => to_json!({ "decimal": number.to_string() }),
        Value::Date(_) => to_json!({ "date": value.to_string() }),
        Value::DateTime(_) => to_json!({ "datetime": value.to_string() }),
    }
}

/// Data out of its JSON form.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(flag) => (*flag).into(),
        Json::Number(number) => number.as_i64().unwrap().into(),
        Json::String(text) => text.as_str().into(),
        Json::Object(typed) => {
            let (kind, written) = typed.iter().next().unwrap();
            let written = written.as_str().unwrap();
            match kind.as_str() {
                "decimal" => Decimal::parse(written).unwrap().into(),
                "date" => Value::Date(written.parse().unwrap()),
                _ => Value::DateTime(written.replace(' ', "T").parse().unwrap()),
            }
        }
        Json::Array(_) => panic!("no value: {json}"),
    }
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

/// The pairs of a form.
pub(crate) fn form_data(json: &Json) -> Option<FormData> {
    let pairs = json.as_array()?;
    Some(pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect())
}

/// The values of an object.
pub(crate) fn values(json: &Json) -> Vec<(String, Value)> {
    json.as_object().into_iter().flatten().map(|(name, json)| (name.clone(), value(json))).collect()
}

/// The form of a case, opened.
pub(crate) fn case_form(case: &Json, profile: Profile, token: &str) -> Form {
    let spec = FormSpec::new(list(&case["fields"]).map(field)).unwrap();
    let mut opening = Opening::new(profile).values(values(&case["values"]));
    if case.get("flask").is_some() {
        opening = opening.csrf_token(token);
    }
    if let Some(message) = case.get("csrf_error") {
        opening = opening.csrf_refused(text(message));
    }
    if let Some(data) = form_data(&case["form"]) {
        opening = opening.submitted(data);
    }
    spec.open(opening)
}

fn field(json: &Json) -> FieldSpec {
    let mut field = kind(&text(&json["kind"]), &text(&json["name"]));
    if let Some(label) = json.get("label") {
        field = field.label(text(label));
    }
    if let Some(description) = json.get("description") {
        field = field.description(text(description));
    }
    if let Some(id) = json.get("id") {
        field = field.id(text(id));
    }
    if let Some(default) = json.get("default") {
        field = field.default(value(default));
    }
    if let Some(formats) = json.get("formats") {
        field = field.formats(list(formats).map(text));
    }
    if let Some(values) = json.get("false_values") {
        field = field.false_values(list(values).map(text));
    }
    if let Some(named) = json.get("widget") {
        field = field.widget(widget(&text(named)));
    }
    if json.get("any_choice").is_some() {
        field = field.any_choice();
    }
    if let Some(places) = json.get("places") {
        let rounding = if json.get("rounding").is_some() { Rounding::HalfUp } else { Rounding::HalfEven };
        field = field.places(places.as_u64().map(|places| u32::try_from(places).unwrap()), rounding);
    }
    if let Some(choices) = json.get("choices") {
        field = field.choices(list(choices).map(choice));
    }
    match json.get("coerce").map(text).as_deref() {
        Some("int") => field = field.coerce(Coerce::Integer),
        Some(_) => field = field.coerce(optional_id),
        None => {}
    }
    for (key, value) in json["render_kw"].as_object().into_iter().flatten() {
        field = field.render_kw(key.clone(), attribute(value));
    }
    for filter in list(&json["filters"]) {
        field = field.try_filter(filter_of(&text(filter)));
    }
    field.validators(list(&json["validators"]).map(validator))
}

fn kind(kind: &str, name: &str) -> FieldSpec {
    match kind {
        "string" => string(name),
        "text_area" => text_area(name),
        "email_field" => email_field(name),
        "tel" => tel(name),
        "url_field" => url_field(name),
        "search" => search(name),
        "password" => password(name),
        "hidden" => hidden(name),
        "integer" => integer(name),
        "decimal" => decimal(name),
        "date" => date(name),
        "date_time" => date_time(name),
        "date_time_local" => date_time_local(name),
        "select" => select(name),
        "boolean" => boolean(name),
        "submit" => submit(name),
        "amount" => custom::amount(name),
        "day" => custom::day(name),
        _ => panic!("unknown kind {kind}"),
    }
}

fn widget(name: &str) -> Widget {
    match name {
        "text" => Widget::Text("text"),
        "tel" => Widget::Text("tel"),
        "number" => Widget::Number(None),
        "number_any" => Widget::Number(Some("any")),
        "date" => Widget::Date("date"),
        "password" => Widget::Password,
        "hidden" => Widget::Hidden,
        "text_area" => Widget::TextArea,
        _ => panic!("unknown widget {name}"),
    }
}

fn choice(json: &Json) -> Choice {
    match json {
        Json::String(text) => text.as_str().into(),
        _ => (value(&json[0]), text(&json[1])).into(),
    }
}

fn attribute(json: &Json) -> Attribute {
    match json {
        Json::Bool(flag) => (*flag).into(),
        Json::Number(number) => number.to_string().into(),
        _ => text(json).into(),
    }
}

/// `crm.fields.optional_id`.
fn optional_id(value: &Value) -> Option<Value> {
    match value {
        Value::None => Some(Value::None),
        Value::Text(text) if text.is_empty() || text == "None" => Some(Value::None),
        other => Coerce::Integer.apply(other),
    }
}

fn filter_of(name: &str) -> fn(Value) -> Result<Value, String> {
    match name {
        "strip" => |value| Ok(custom::strip(value)),
        "upper" => |value| Ok(value.as_text().map(str::to_uppercase).map_or(value.clone(), Value::from)),
        _ => |value| if value == Value::from("bad") { Err("refused".to_owned()) } else { Ok(value) },
    }
}

fn validator(json: &Json) -> Validator {
    let size = |name: &str| json[name].as_u64().map(|size| usize::try_from(size).unwrap());
    let message = json.get("message").and_then(Json::as_str);
    let named = match text(&json["kind"]).as_str() {
        "fail" => return fails(message.unwrap_or_default(), Failure::error),
        "stop" => return fails(message.unwrap_or_default(), Failure::stop),
        "amount_range" => return custom::amount_range(),
        "data_required" => data_required(),
        "input_required" => input_required(),
        "optional" if json.get("strip").is_some() => optional_exact(),
        "optional" => optional(),
        "length" => length(size("min"), size("max")),
        "number_range" => number_range(value(&json["min"]), value(&json["max"])),
        "email" => email(),
        "url" if json.get("require_tld").is_some() => url_without_tld(),
        "url" => url(),
        "regexp" if json.get("ignore_case").is_some() => regexp_ignore_case(&text(&json["pattern"])),
        "regexp" => regexp(&text(&json["pattern"])),
        "any_of" => any_of(list(&json["values"]).map(value)),
        "none_of" => none_of(list(&json["values"]).map(value)),
        "equal_to" => equal_to(text(&json["other"])),
        kind => panic!("unknown validator {kind}"),
    };
    match message {
        Some(message) => named.message(message),
        None => named,
    }
}

fn fails(message: &str, failure: fn(String) -> Failure) -> Validator {
    let message = message.to_owned();
    custom(move |_, _| Err(failure(message.clone())))
}
