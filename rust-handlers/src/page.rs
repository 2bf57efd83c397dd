//! Small things that pages need.

use chrono::{NaiveDateTime, Utc};
use flask_compat::routing;
use flask_compat::web::Context;
use minijinja::value::Value;

/// The id in a variable of the rule, if a row can have it.
pub(crate) fn id_of(request: &Context, name: &str) -> Option<i32> {
    match request.arg(name)? {
        routing::Value::Int(number) => number.to_i64().and_then(|id| i32::try_from(id).ok()),
        _ => None,
    }
}

/// Query parameters as a dictionary that keeps their order.
pub(crate) fn parameters(pairs: Vec<(&'static str, String)>) -> Value {
    Value::from_pairs(pairs.into_iter().map(|(name, value)| (name, Value::from(value))).collect::<Vec<_>>())
}

/// Time as the database keeps it: naive, in UTC, in microseconds.
pub(crate) fn utc_now() -> NaiveDateTime {
    use chrono::SubsecRound;
    Utc::now().naive_utc().trunc_subsecs(6)
}
