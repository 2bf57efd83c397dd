//! Users that only Flask can load, as the user of [`super::CurrentUser`]: `CurrentUser<ShimUser>`.

use axum::extract::FromRef;

use super::{Context, LoadUser};
use crate::channel::{ChannelError, ShimChannel, ShimUser};

/// The state of the handlers must have a [`ShimChannel`] to give away. Flask decides who it is: by the session, the remember
/// cookie or its `request_loader`. What a login by remember cookie changes in the session, [`super::MaybeUser`] changes here.
impl<S> LoadUser<S> for ShimUser
where
    ShimChannel: FromRef<S>,
    S: Sync,
{
    type Error = ChannelError;

    const DEFER_ON_ERROR: bool = true;

    /// Cannot be asked without a request: nobody.
    async fn load(_: &S, _: &str) -> Result<Option<Self>, ChannelError> {
        Ok(None)
    }

    async fn load_for(context: &Context, state: &S, _: Option<&str>) -> Result<Option<Self>, ChannelError> {
        let found = ShimChannel::from_ref(state).user(&context.caller()).await;
        found.inspect_err(|error| tracing::warn!(%error, "no user from Flask, the request is deferred"))
    }
}
