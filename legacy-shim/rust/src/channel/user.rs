//! The user through the channel: whom Flask-Login finds with the application's own loaders.

use super::{Caller, ChannelError, ShimChannel};
use crate::session::{Map, Value};

/// A user that only Flask can load. With the feature `axum` it is an extractor's user: `CurrentUser<ShimUser>`.
#[derive(Debug, Clone, PartialEq)]
pub struct ShimUser {
    /// `get_id()`.
    pub id: String,
    /// `is_active`.
    pub is_active: bool,
    /// `login_fresh()`, as Flask sees it.
    pub is_fresh: bool,
    /// Those of `LEGACY_SHIM_USER_ATTRIBUTES` that the user has.
    pub attributes: Map,
}

impl ShimUser {
    /// An attribute, if the application tells it.
    #[must_use]
    pub fn get(&self, attribute: &str) -> Option<&Value> {
        self.attributes.get(attribute)
    }
}

impl ShimChannel {
    /// The user of a request; `None`: nobody is logged in.
    ///
    /// # Errors
    /// When Flask cannot be asked or does not answer: leave the request to it.
    pub async fn user(&self, caller: &Caller) -> Result<Option<ShimUser>, ChannelError> {
        let (mut document, _) = self.ask(caller, "/_shim/user", None).await?;
        let flag = |document: &Map, key: &str| document.get(key).and_then(Value::as_bool);
        let flags =
            (flag(&document, "is_authenticated"), flag(&document, "is_active"), flag(&document, "is_fresh"));
        let (Some(authenticated), Some(is_active), Some(is_fresh)) = flags else {
            return Err(ChannelError::Unreadable);
        };
        if !authenticated {
            return Ok(None);
        }
        match (document.swap_remove("id"), document.swap_remove("attributes")) {
            (Some(Value::Str(id)), Some(Value::Map(attributes))) => {
                Ok(Some(ShimUser { id, is_active, is_fresh, attributes }))
            }
            _ => Err(ChannelError::Unreadable),
        }
    }
}
