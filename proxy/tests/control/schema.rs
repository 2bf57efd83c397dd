//! As much of JSON Schema as the description of the API uses.

use serde_json::Value;

/// Whether a path is one of a pattern.
pub(crate) fn is_of(path: &str, pattern: &str) -> bool {
    let (path, pattern): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
    path.len() == pattern.len()
        && path.iter().zip(&pattern).all(|(part, own)| part == own || own.starts_with('{'))
}

/// The schema of what a path takes.
pub(crate) fn request_of(path: &str) -> Option<Value> {
    let document = ficus::admin::openapi();
    let content = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
    Some(content.clone()).filter(|schema| schema.get("$ref").is_some())
}

/// Compares a document with the schema of this name.
#[track_caller]
pub(crate) fn check(document: &Value, name: &str) {
    check_with(document, &serde_json::json!({ "$ref": format!("#/components/schemas/{name}") }));
}

/// Compares a document with a schema.
#[track_caller]
pub(crate) fn check_with(document: &Value, schema: &Value) {
    let description = ficus::admin::openapi();
    if let Err(wrong) = fits(document, schema, &description, "") {
        panic!("{wrong}\nin {document:#}");
    }
}

type Fits = Result<(), String>;

fn fits(value: &Value, schema: &Value, all: &Value, at: &str) -> Fits {
    if let Some(name) = schema["$ref"].as_str() {
        let own = all.pointer(&name[1..]).ok_or(format!("there is no schema {name}"))?;
        return fits(value, own, all, at);
    }
    if let Some(several) = schema["anyOf"].as_array() {
        let tried: Vec<String> = several.iter().filter_map(|one| fits(value, one, all, at).err()).collect();
        return if tried.len() < several.len() { Ok(()) } else { Err(tried.join(" and ")) };
    }
    if let Some(expected) = schema.get("const")
        && value != expected
    {
        return Err(format!("{at} is {value}, not {expected}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at} is {value}, none of {words:?}"));
    }
    has_type(value, &schema["type"], at)?;
    if let Some(items) = value.as_array() {
        for (number, item) in items.iter().enumerate() {
            fits(item, &schema["items"], all, &format!("{at}/{number}"))?;
        }
    }
    match value.as_object() {
        Some(fields) => fields_fit(fields, schema, all, at),
        None => Ok(()),
    }
}

fn fields_fit(fields: &serde_json::Map<String, Value>, schema: &Value, all: &Value, at: &str) -> Fits {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{at} lacks {name}"));
        }
    }
    for (name, value) in fields {
        let at = format!("{at}/{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(own), _) => fits(value, own, all, &at)?,
            (None, Value::Bool(false)) => return Err(format!("{at} is not described")),
            (None, other @ Value::Object(_)) => fits(value, other, all, &at)?,
            (None, _) => {}
        }
    }
    Ok(())
}

fn has_type(value: &Value, kind: &Value, at: &str) -> Fits {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let good = match kind {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if good { Ok(()) } else { Err(format!("{at} is {value}, not {kind}")) }
}
