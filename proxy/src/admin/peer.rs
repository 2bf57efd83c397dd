//! Who is at the other end of the admin socket, by the kernel's word.

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Extension, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::IncomingStream;
use nix::unistd::{Gid, Uid, User};
use tokio::net::UnixListener;

use super::leaving::Leaving;
use super::problem::Problem;

/// The process at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    /// User and group; `None` if the kernel did not say.
    ids: Option<(u32, u32)>,
}

impl Connected<IncomingStream<'_, Leaving<UnixListener>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Leaving<UnixListener>>) -> Self {
        let ids = stream.io().peer_cred().ok().map(|credentials| (credentials.uid(), credentials.gid()));
        Self { ids }
    }
}

/// The name of the user who asks, as it goes into the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Author(pub(super) String);

/// Lets root, our own user and our own group in.
pub(super) async fn authorize(
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some((uid, gid)) = peer.ids else {
        return Err(Problem::forbidden("the kernel does not say who you are"));
    };
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let own = (Uid::effective().as_raw(), Gid::effective().as_raw());
    let allowed =
        uid == 0 || uid == own.0 || gid == own.1 || user.as_ref().is_some_and(|user| is_member(user, own.1));
    if !allowed {
        return Err(Problem::forbidden(
            "only root, the user of ficus and its group may use the admin socket",
        ));
    }
    let name = user.map_or_else(|| format!("uid {uid}"), |user| user.name);
    request.extensions_mut().insert(Author(name));
    Ok(next.run(request).await)
}

/// What a handler takes to know the author.
pub(super) type By = Extension<Author>;

/// Whether a group is one of the user's further groups.
fn is_member(user: &User, group: u32) -> bool {
    let Ok(name) = std::ffi::CString::new(user.name.as_str()) else {
        return false;
    };
    nix::unistd::getgrouplist(&name, user.gid)
        .is_ok_and(|groups| groups.iter().any(|gid| gid.as_raw() == group))
}
