//! The session through the channel: loaded as Flask opens it, saved as Flask saves it.

use http::HeaderValue;

use super::{Caller, ChannelError, ShimChannel};
use crate::python::push_json_string;
use crate::session::{Map, Value, write_tagged_json};

const PATH: &str = "/_shim/session";
/// How often a change is put onto a session that somebody else has just changed.
const ATTEMPTS: usize = 4;

/// A session as Flask opened it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its content.
    pub data: Map,
    /// Whether Flask saves it after every request, changed or not: its lifetime starts anew then.
    pub refresh: bool,
    version: String,
}

impl ShimChannel {
    /// The session of a request. Flask changes nothing.
    ///
    /// # Errors
    /// When Flask cannot be asked or does not answer: leave the request to it.
    pub async fn load(&self, caller: &Caller) -> Result<Loaded, ChannelError> {
        let (mut document, _) = self.ask(caller, PATH, None).await?;
        let parts = (
            document.swap_remove("session"),
            document.swap_remove("version"),
            document.swap_remove("refresh"),
        );
        let (Some(Value::Map(data)), Some(Value::Str(version)), Some(Value::Bool(refresh))) = parts else {
            return Err(ChannelError::Unreadable);
        };
        Ok(Loaded { data, refresh, version })
    }

    /// Saves the session with this content and gives the `Set-Cookie` values for the client. If another request changed it
    /// since, what this one changed is put onto that, key by key.
    ///
    /// # Errors
    /// When it could not be saved, or nobody knows whether it was.
    pub async fn save(
        &self,
        caller: &Caller,
        loaded: &Loaded,
        data: &Map,
    ) -> Result<Vec<HeaderValue>, ChannelError> {
        let (mut base, mut wanted) = (loaded.version.clone(), data.clone());
        for _ in 1..ATTEMPTS {
            match self.put(caller, &base, &wanted).await {
                Err(ChannelError::Conflict) => {}
                answer => return answer,
            }
            let newer = self.load(caller).await?;
            wanted = merged(&loaded.data, data, newer.data);
            base = newer.version;
        }
        self.put(caller, &base, &wanted).await
    }

    /// Saves the session as it is, as Flask does after a request that did not touch it.
    ///
    /// # Errors
    /// When Flask cannot be asked or does not answer: nothing is lost but the fresh lifetime.
    pub async fn refresh(&self, caller: &Caller) -> Result<Vec<HeaderValue>, ChannelError> {
        self.ask(caller, PATH, Some(r#"{"modified":false}"#.to_owned())).await.map(|(_, cookies)| cookies)
    }

    async fn put(&self, caller: &Caller, base: &str, data: &Map) -> Result<Vec<HeaderValue>, ChannelError> {
        let mut body = String::from(r#"{"modified":true,"base":"#);
        push_json_string(&mut body, base, true);
        body.push_str(r#","session":"#);
        body.push_str(&write_tagged_json(data, false, true));
        body.push('}');
        self.ask(caller, PATH, Some(body)).await.map(|(_, cookies)| cookies)
    }
}

/// What was changed from `old` to `new`, applied to `newer`.
fn merged(old: &Map, new: &Map, mut newer: Map) -> Map {
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        newer.shift_remove(key);
    }
    for (key, value) in new {
        if old.get(key) != Some(value) {
            newer.insert(key.clone(), value.clone());
        }
    }
    newer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_both_sides_stay() {
        let map = |text| crate::session::read_tagged_json(text).unwrap();
        let old = map(r#"{"a":1,"b":1,"c":1,"d":1}"#);
        let new = map(r#"{"a":2,"c":1,"d":1,"mine":1}"#);
        let newer = map(r#"{"a":1,"b":1,"c":3,"theirs":1}"#);
        assert_eq!(merged(&old, &new, newer), map(r#"{"a":2,"c":3,"mine":1,"theirs":1}"#));
    }
}
