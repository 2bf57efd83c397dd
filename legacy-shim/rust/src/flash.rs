//! Flash messages: `flask.flash` and `flask.get_flashed_messages`.
//!
//! Shape: `session["_flashes"]` is a list of tuples `(category, message)`, category first. Flask takes them out of the
//! session at the first look of a request and shows the same ones to every later look: [`Flashes`] is that memory.

use crate::session::{Session, Value};

const KEY: &str = "_flashes";

/// One message. Both parts are usually text; a `Markup` message needs no escaping.
#[derive(Debug, Clone, PartialEq)]
pub struct FlashMessage {
    /// Category, `message` by default.
    pub category: Value,
    /// What to show.
    pub message: Value,
}

/// Adds a message for the next page: `flash(message, category)`.
pub fn flash(session: &mut Session, message: impl Into<Value>, category: &str) {
    let mut list = match session.get(KEY) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    };
    list.push(Value::Tuple(vec![Value::from(category), message.into()]));
    session.insert(KEY, list);
}

/// The messages of one request, taken out of the session at the first look.
#[derive(Debug, Clone, Default)]
pub struct Flashes {
    taken: Option<Vec<FlashMessage>>,
}

impl Flashes {
    /// `get_flashed_messages(category_filter=filter)`: all messages for an empty filter. Keep this value for the whole
    /// request.
    pub fn get(&mut self, session: &mut Session, filter: &[&str]) -> Vec<FlashMessage> {
        let all = self.taken.get_or_insert_with(|| take(session));
        let wanted = |flash: &&FlashMessage| {
            filter.is_empty() || flash.category.as_str().is_some_and(|category| filter.contains(&category))
        };
        all.iter().filter(wanted).cloned().collect()
    }
}

fn take(session: &mut Session) -> Vec<FlashMessage> {
    let Some(Value::List(items)) = session.remove(KEY) else { return Vec::new() };
    items.iter().filter_map(read).collect()
}

/// Flask unpacks whatever has two items; older applications stored lists.
fn read(item: &Value) -> Option<FlashMessage> {
    match item.as_slice()? {
        [category, message] => Some(FlashMessage { category: category.clone(), message: message.clone() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;
    use crate::session::{Map, write_tagged_json};

    #[test]
    fn messages_are_tuples_and_shown_once() {
        let mut session = Session::new(Map::new(), Profile::Werkzeug10);
        flash(&mut session, "hello", "message");
        flash(&mut session, Value::Markup("<b>no</b>".to_owned()), "error");
        assert_eq!(
            write_tagged_json(session.data(), true, true),
            r#"{"_flashes":[{" t":["message","hello"]},{" t":["error",{" m":"<b>no</b>"}]}]}"#
        );
        let mut flashes = Flashes::default();
        assert_eq!(flashes.get(&mut session, &["error"]).len(), 1);
        assert_eq!(flashes.get(&mut session, &[]).len(), 2);
        assert!(session.data().is_empty());
        assert!(Flashes::default().get(&mut session, &[]).is_empty());
    }
}
