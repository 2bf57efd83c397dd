//! Who is at the other end of the admin socket, by the kernel's word, and what the settings let them do.

use axum::extract::Extension;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use nix::unistd::{Gid, Group, Uid, User};
use tokio::net::UnixListener;

use super::leaving::Leaving;
use super::problem::Problem;
use super::role::{Caller, Role};
use crate::settings::{AdminSettings, Member};

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

/// The name of whoever asks, as it goes into the history, and the revision that they looked at, if they said so in
/// `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Author(pub(super) String, pub(super) Option<u64>);

/// What a handler takes to know the author.
pub(super) type By = Extension<Author>;

/// A user of this machine.
#[derive(Debug)]
struct Who {
    uid: u32,
    name: Option<String>,
    groups: Vec<u32>,
}

impl Peer {
    /// Who that is, and what they may do.
    pub(super) fn caller(self, settings: &AdminSettings) -> Result<Caller, Problem> {
        let (uid, gid) = self.ids.ok_or_else(|| Problem::forbidden("the kernel does not say who you are"))?;
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let mut groups = user.as_ref().map(groups_of).unwrap_or_default();
        groups.push(gid);
        let who = Who { uid, name: user.map(|user| user.name), groups };
        let own = (Uid::effective().as_raw(), Gid::effective().as_raw());
        let name = who.name.clone().unwrap_or_else(|| format!("uid {uid}"));
        let group = |gid| Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name);
        let role = role(&who, own, settings, group).ok_or_else(|| Problem::no_role(&name))?;
        Ok(Caller { name, role, routes: Vec::new() })
    }
}

fn role(
    who: &Who,
    own: (u32, u32),
    settings: &AdminSettings,
    group: impl Fn(u32) -> Option<String>,
) -> Option<Role> {
    if who.uid == 0 || who.uid == own.0 {
        return Some(Role::Admin);
    }
    let groups: Vec<String> =
        who.groups.iter().flat_map(|gid| [Some(gid.to_string()), group(*gid)]).flatten().collect();
    let is = |member: &Member| match member {
        Member::User(name) => who.name.as_ref() == Some(name) || *name == who.uid.to_string(),
        Member::Group(name) => groups.contains(name),
    };
    if settings.admins.iter().any(is) {
        return Some(Role::Admin);
    }
    let operator = match &settings.operators {
        Some(operators) => operators.iter().any(is),
        None => who.groups.contains(&own.1),
    };
    if operator {
        return Some(Role::Operator);
    }
    settings.viewers.iter().any(is).then_some(Role::Viewer)
}

fn groups_of(user: &User) -> Vec<u32> {
    let Ok(name) = std::ffi::CString::new(user.name.as_str()) else { return Vec::new() };
    let groups = nix::unistd::getgrouplist(&name, user.gid).unwrap_or_default();
    groups.into_iter().map(Gid::as_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what_on_the_socket() {
        let member = |text: &str| match text.strip_prefix('@') {
            Some(group) => Member::Group(group.to_owned()),
            None => Member::User(text.to_owned()),
        };
        let list = |texts: &[&str]| texts.iter().map(|text| member(text)).collect::<Vec<_>>();
        let plain = AdminSettings::default();
        let named = AdminSettings {
            admins: list(&["ana"]),
            operators: Some(list(&["@ops", "1007"])),
            viewers: list(&["@50"]),
            ..AdminSettings::default()
        };
        let groups = |gid| (gid == 40).then(|| "ops".to_owned());
        // Ficus runs as user 10 of group 20.
        for (uid, name, gids, settings, expected) in [
            (0, "root", vec![0], &plain, Some(Role::Admin)),
            (10, "ficus", vec![20], &named, Some(Role::Admin)),
            (1001, "bea", vec![1001], &plain, None),
            (1001, "bea", vec![1001, 20], &plain, Some(Role::Operator)),
            // Who names operators means those and nobody else.
            (1001, "bea", vec![1001, 20], &named, None),
            (1001, "bea", vec![40], &named, Some(Role::Operator)),
            (1002, "ana", vec![40, 50], &named, Some(Role::Admin)),
            (1007, "carl", vec![1], &named, Some(Role::Operator)),
            (1008, "dora", vec![50], &named, Some(Role::Viewer)),
        ] {
            let who = Who { uid, name: Some(name.to_owned()), groups: gids };
            assert_eq!(role(&who, (10, 20), settings, groups), expected, "{who:?}");
        }
    }
}
