//! Sessions and users that only Flask can read (feature `channel`): Flask-Session on Redis, files or SQL, a
//! `session_interface` of the application's own, a `user_loader` that only Python can run.
//!
//! legacy-shim, inside of the Flask process, answers `/_shim/session` and `/_shim/user` to whoever has the secret of the
//! channel. [`ShimChannel`] asks, with the request that the handler got ([`Caller`]): [`ShimChannel::load`] before the
//! handler, [`ShimChannel::save`] after it, [`ShimChannel::user`] for the user. One connection per question: nothing is
//! pooled, so nothing is stale when Flask is restarted, and no change is ever sent twice by accident.
//!
//! The cost is a round trip to Flask per request, and a worker of Flask for its time. An application with Flask's own
//! session cookie needs none of this: [`crate::session::SessionCodec`] reads it without asking.

mod address;
mod ask;
mod caller;
mod session;
mod user;

pub use address::BadSetting;
pub use ask::{ChannelError, ShimChannel};
pub use caller::Caller;
pub use session::Loaded;
pub use user::ShimUser;
