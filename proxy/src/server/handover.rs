//! The words between an old process and the one that takes its place.
//!
//! The old one starts the new one with one end of a socket pair as its standard input, and sends its listening
//! sockets through it: nothing to configure, no path that somebody else could use, the same under systemd and by hand.
//!
//! ```text
//! old -> new   sockets   the listening sockets, and the addresses they were opened for
//! new -> old   prepared  everything that could fail without touching the state has been tried
//! old -> new   yours     the old process changes nothing any more
//! new -> old   ready     the new process answers; the sockets that it has taken over
//! old -> new   main      systemd knows who the main process is
//! new -> old   failed    instead of any of its words: why not
//! ```
//!
//! A closed connection means that the other end has died: the old process goes on, the new one gives up.

use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use super::sockets::Inherited;

/// Holds the id of the process that waits at the other end of standard input.
pub(super) const VARIABLE: &str = "FICUS_UPGRADE_FROM";
/// Version of the words above; processes that speak another one do not follow each other.
const VERSION: u32 = 1;
/// Most sockets there are.
const MOST: usize = 8;

/// What goes with the sockets.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    version: u32,
    /// Name and address of each socket, in their order.
    sockets: Vec<(String, Option<String>)>,
}

/// The new process's end.
#[derive(Debug)]
pub(super) struct Predecessor {
    stream: UnixStream,
}

/// Sends listening sockets.
pub(super) fn send_sockets(stream: &UnixStream, given: &[Inherited]) -> anyhow::Result<()> {
    let sockets = given.iter().map(|one| (one.name.clone(), one.address.clone())).collect();
    let mut text = serde_json::to_string(&Sent { version: VERSION, sockets })?;
    text.push('\n');
    let descriptors: Vec<BorrowedFd<'_>> = given.iter().map(|one| one.socket.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        bail!("too many sockets");
    }
    let sent = sendmsg(stream, &[IoSlice::new(text.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    if sent < text.len() {
        (&*stream).write_all(&text.as_bytes()[sent..])?;
    }
    Ok(())
}

/// The process that started us to take its place, if one did, and its sockets.
pub(super) fn predecessor() -> anyhow::Result<Option<(Predecessor, Vec<Inherited>)>> {
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().to_string());
    // The variable may have come from further away, through a shell.
    if std::env::var(VARIABLE).ok().filter(|from| Some(from) == parent.as_ref()).is_none() {
        return Ok(None);
    }
    let stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let given = receive_sockets(&stream).context("cannot take the sockets over")?;
    Ok(Some((Predecessor { stream }, given)))
}

fn receive_sockets(stream: &UnixStream) -> anyhow::Result<Vec<Inherited>> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut bytes = vec![0; 16 * 1024];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
    let mut sockets: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    stream.set_read_timeout(None)?;
    let mut text = String::from_utf8_lossy(&bytes[..received]).into_owned();
    if !text.ends_with('\n') {
        BufReader::new(stream).read_line(&mut text)?;
    }
    let sent: Sent = serde_json::from_str(&text)?;
    if sent.version != VERSION {
        bail!("the old process speaks version {} of the handover, this one {VERSION}", sent.version);
    }
    if sent.sockets.len() != sockets.len() {
        bail!("{} sockets were announced, {} came", sent.sockets.len(), sockets.len());
    }
    let inherited = |((name, address), socket)| Inherited { name, address, socket };
    Ok(sent.sockets.into_iter().zip(sockets).map(inherited).collect())
}

impl Predecessor {
    /// Says that nothing should go wrong any more, and waits until the state is ours.
    pub(super) fn prepared(&mut self) -> anyhow::Result<()> {
        self.say("prepared")?;
        self.expect("yours")
    }

    /// Says that requests are answered; returns when systemd knows who answers them.
    pub(super) fn ready(mut self, taken: &[&str]) -> anyhow::Result<()> {
        self.say(&format!("ready {}", taken.join(" ")))?;
        self.expect("main")
    }

    /// Says why there is no successor.
    pub(super) fn failed(mut self, error: &str) {
        let one_line: String = error.lines().collect::<Vec<_>>().join("; ");
        // If nobody hears it, nobody waits for us either.
        let _ = self.say(&format!("failed {one_line}"));
    }

    fn say(&mut self, word: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{word}\n").as_bytes())
    }

    fn expect(&mut self, word: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        // One word at a time is on its way, so nothing is read ahead.
        BufReader::new(&self.stream).read_line(&mut line)?;
        if line.trim_end() == word {
            Ok(())
        } else {
            bail!("the old process does not want to be replaced any more")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn sockets_arrive_with_their_names() {
        let (old, new) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = OwnedFd::from(listener);
        let given = [Inherited { name: "http".into(), address: Some("127.0.0.1:0".into()), socket }];
        send_sockets(&old, &given).unwrap();
        drop(given);
        let mut received = receive_sockets(&new).unwrap();
        let one = received.remove(0);
        assert_eq!((one.name.as_str(), one.address.as_deref()), ("http", Some("127.0.0.1:0")));
        assert_eq!(TcpListener::from(one.socket).local_addr().unwrap(), address);
        assert!(received.is_empty());
    }

    #[test]
    fn a_process_that_has_died_says_nothing() {
        let (old, new) = UnixStream::pair().unwrap();
        drop(old);
        assert!(receive_sockets(&new).is_err());
        assert!(Predecessor { stream: new }.prepared().is_err());
    }
}
