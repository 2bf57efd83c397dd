//! The listening sockets: opened here, taken over from an earlier process, or given by systemd.
//!
//! They are kept as plain descriptors beside whoever accepts on them, to be given to the next process.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context, bail};
use listenfd::ListenFd;

use crate::admin;
use crate::settings::{Listen, Settings};

use super::listen;

/// A socket that somebody else opened.
#[derive(Debug)]
pub(super) struct Inherited {
    /// `http`, `https`, `admin` or `admin_socket`.
    pub(super) name: String,
    /// The address in the settings that it was opened for; absent: whatever it is, it is meant.
    pub(super) address: Option<String>,
    pub(super) socket: OwnedFd,
}

/// All listening sockets.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) http: Option<TcpListener>,
    pub(super) https: Option<TcpListener>,
    pub(super) admin: Option<TcpListener>,
    pub(super) admin_socket: Option<UnixListener>,
    /// Those that were not opened here.
    pub(super) inherited: Vec<&'static str>,
}

impl Sockets {
    /// Opens everything that the settings name; must be called inside a runtime.
    pub(super) fn open(settings: &Settings, mut given: Vec<Inherited>) -> anyhow::Result<Self> {
        let mut sockets = Self::default();
        let listen = &settings.listen;
        let https = listen.https.as_ref().map(|https| https.address);
        // The admin socket first: it is what tells two processes on the same state apart.
        sockets.admin_socket =
            Some(sockets.unix(&listen.admin_socket, settings.admin.socket_mode(), &mut given)?);
        sockets.http = sockets.tcp("http", listen.http, &mut given)?;
        sockets.https = sockets.tcp("https", https, &mut given)?;
        sockets.admin = sockets.tcp("admin", listen.admin, &mut given)?;
        for unused in given {
            tracing::info!(
                name = unused.name,
                "a socket that was given is not in the settings, and is closed"
            );
        }
        Ok(sockets)
    }

    fn tcp(
        &mut self,
        name: &'static str,
        address: Option<SocketAddr>,
        given: &mut Vec<Inherited>,
    ) -> anyhow::Result<Option<TcpListener>> {
        let Some(address) = address else { return Ok(None) };
        let Some(socket) = take(name, &address.to_string(), given) else {
            return listen::open(address, name).map(Some);
        };
        self.inherited.push(name);
        Ok(Some(TcpListener::from(socket)))
    }

    fn unix(&mut self, path: &Path, mode: u32, given: &mut Vec<Inherited>) -> anyhow::Result<UnixListener> {
        const NAME: &str = "admin_socket";
        if let Some(socket) = take(NAME, &path.display().to_string(), given) {
            self.inherited.push(NAME);
            return Ok(UnixListener::from(socket));
        }
        admin::bind_socket(path, mode)
            .and_then(tokio::net::UnixListener::into_std)
            .with_context(|| format!("cannot listen on `{}` (admin socket)", path.display()))
    }

    /// What the next process may take over.
    pub(super) fn to_hand_over(&self, listen: &Listen) -> anyhow::Result<Vec<Inherited>> {
        let https = listen.https.as_ref().map(|https| https.address);
        let tcp = [
            ("http", &self.http, listen.http),
            ("https", &self.https, https),
            ("admin", &self.admin, listen.admin),
        ];
        let mut given = Vec::new();
        for (name, listener, address) in tcp {
            if let (Some(listener), Some(address)) = (listener, address) {
                let socket = OwnedFd::from(listener.try_clone()?);
                given.push(Inherited { name: name.to_owned(), address: Some(address.to_string()), socket });
            }
        }
        if let Some(listener) = &self.admin_socket {
            let address = Some(listen.admin_socket.display().to_string());
            let socket = OwnedFd::from(listener.try_clone()?);
            given.push(Inherited { name: "admin_socket".to_owned(), address, socket });
        }
        Ok(given)
    }
}

/// The socket of this name, if it was opened for this address.
fn take(name: &str, address: &str, given: &mut Vec<Inherited>) -> Option<OwnedFd> {
    let fits = |one: &Inherited| one.name == name && one.address.as_deref().is_none_or(|own| own == address);
    let at = given.iter().position(fits)?;
    Some(given.swap_remove(at).socket)
}

/// What systemd opened for us: named `http`, `https` or `admin` by `FileDescriptorName=`, else in this order.
pub(super) fn from_systemd() -> anyhow::Result<Vec<Inherited>> {
    let mut passed = ListenFd::from_env();
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let mut given = Vec::new();
    for at in 0..passed.len() {
        let named = names.get(at).copied().filter(|name| ["http", "https", "admin"].contains(name));
        let Some(name) = named.or_else(|| ["http", "https", "admin"].get(at).copied()) else {
            bail!("systemd gave more sockets than there are addresses");
        };
        let listener = passed.take_tcp_listener(at).context("systemd gave a socket that is not TCP")?;
        if let Some(listener) = listener {
            listener.set_nonblocking(true)?;
            let socket = OwnedFd::from(listener);
            given.push(Inherited { name: name.to_owned(), address: None, socket });
        }
    }
    Ok(given)
}
