//! The table `[admin]`: who may use the admin API, and from where.

use std::net::SocketAddr;

use crate::diagnostic::{Report, Value};

use super::CertificatePair;
use super::keys::default_of;
use super::layers::Layers;

/// Who may use the admin API, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// Whether it is offered over TCP too, at `listen.admin`, to those with a token.
    pub api: bool,
    /// Certificates with their keys, for TLS at `listen.admin`; none: plain HTTP.
    pub tls: Vec<CertificatePair>,
    /// Names by which it may be asked there, beside those of this machine's own.
    pub hosts: Vec<String>,
    /// Who may do everything on the socket, beside root and the user of Ficus.
    pub admins: Vec<Member>,
    /// Who may change the routing there; `None`: the group of Ficus.
    pub operators: Option<Vec<Member>>,
    /// Who may look there.
    pub viewers: Vec<Member>,
}

/// A user of this machine, or a group of them; by name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// `ana`.
    User(String),
    /// `@ops`.
    Group(String),
}

impl AdminSettings {
    /// The mode of the socket. Where others than the own group have a role, everybody may connect: the kernel says who
    /// it is, and whoever has no role is told so.
    pub fn socket_mode(&self) -> u32 {
        let named = self.operators.as_ref().is_some_and(|operators| !operators.is_empty());
        if named || !self.admins.is_empty() || !self.viewers.is_empty() { 0o666 } else { 0o660 }
    }
}

/// Reads the table; `listen` is where it would be offered over TCP.
pub(super) fn read(
    layers: &Layers<'_>,
    listen: Option<Option<SocketAddr>>,
    report: &mut Report,
) -> Option<AdminSettings> {
    let api = boolean("admin.api", layers, report);
    let public = boolean("admin.public", layers, report);
    let hosts = list("admin.hosts", layers, report, host);
    let admins = list("admin.admins", layers, report, member);
    let operators = list("admin.operators", layers, report, member);
    let viewers = list("admin.viewers", layers, report, member);
    if let (Some(true), Some(public), Some(listen)) = (api, public, listen) {
        check_reach(layers, listen, public, report)?;
    }
    Some(AdminSettings {
        api: api?,
        tls: Vec::new(),
        hosts: hosts?.unwrap_or_default(),
        admins: admins?.unwrap_or_default(),
        operators: operators?,
        viewers: viewers?.unwrap_or_default(),
    })
}

/// Without TLS tokens travel in clear text: only this machine may hear them, unless somebody says that others may.
fn check_reach(
    layers: &Layers<'_>,
    listen: Option<SocketAddr>,
    public: bool,
    report: &mut Report,
) -> Option<()> {
    let value = layers.value("admin.api").unwrap_or_else(|| unset("admin.api"));
    let Some(address) = listen else {
        report.error(value.place(), "the admin API cannot be offered over TCP: `listen.admin` is off");
        return None;
    };
    if address.ip().is_loopback() || public || layers.value("admin.certificate").is_some() {
        return Some(());
    }
    report
        .error(
            value.place(),
            format!("`listen.admin` is {address}: other machines could reach the admin API"),
        )
        .label("tokens would travel in clear text")
        .help(
            "let `listen.admin` be `127.0.0.1:9900` and come by `ssh -L 9900:127.0.0.1:9900 HOST`, set \
             `admin.certificate` and `admin.key`, or say `admin.public = true` if something in front speaks TLS",
        );
    None
}

fn boolean(name: &str, layers: &Layers<'_>, report: &mut Report) -> Option<bool> {
    layers.value(name).unwrap_or_else(|| unset(name)).boolean(report)
}

/// The outer `Option` is `None` after an error, the inner one when nobody says anything.
fn list<T>(
    name: &str,
    layers: &Layers<'_>,
    report: &mut Report,
    read: fn(&str) -> Result<T, String>,
) -> Option<Option<Vec<T>>> {
    let Some(value) = layers.value(name) else { return Some(None) };
    let items = value.list(report)?;
    let items: Vec<Option<T>> = items.iter().map(|item| item.parsed(report, read)).collect();
    Some(Some(items.into_iter().collect::<Option<Vec<T>>>()?))
}

fn member(text: &str) -> Result<Member, String> {
    let (name, member): (&str, fn(String) -> Member) = match text.strip_prefix('@') {
        Some(name) => (name, Member::Group),
        None => (text, Member::User),
    };
    if name.is_empty() || name.contains(char::is_whitespace) || name.contains('@') {
        return Err(format!("`{text}` is neither a user such as `ana` nor a group such as `@ops`"));
    }
    Ok(member(name.to_owned()))
}

fn host(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    if text.is_empty() || !text.chars().all(good) || text.matches(':').count() == 1 {
        return Err(format!(
            "`{text}` is not the name of a host: write it without port, such as `ficus.internal`"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

fn unset(name: &str) -> Value<'static> {
    Value::from_text(name, "", default_of(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_hosts() {
        assert_eq!(member("ana"), Ok(Member::User("ana".to_owned())));
        assert_eq!(member("@ops"), Ok(Member::Group("ops".to_owned())));
        assert_eq!(host("Ficus.Internal"), Ok("ficus.internal".to_owned()));
        for wrong in ["", "@", "a b", "a@b"] {
            assert!(member(wrong).is_err(), "{wrong:?} was taken");
        }
        for wrong in ["", "ficus:9900", "http://ficus"] {
            assert!(host(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
