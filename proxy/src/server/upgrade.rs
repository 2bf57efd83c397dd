//! The old process's side of an upgrade: start the new one, give it the sockets, step aside; or go on.
//!
//! Step by step in `attempt`. Until the new process is ready this one answers every request; what it accepted it
//! answers to the end. What the two say to each other is in `handover`.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use sd_notify::NotifyState;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Parts, handover, notify};
use crate::control::HandOver;

/// How this process was started, to start the next one in the same way.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    program: PathBuf,
    arguments: Vec<OsString>,
    directory: Option<PathBuf>,
}

impl Origin {
    /// Must be asked at the start: later the program's file may have been replaced.
    pub(super) fn of_this_process() -> anyhow::Result<Self> {
        let mut arguments = std::env::args_os();
        let named = PathBuf::from(arguments.next().unwrap_or_default());
        let directory = std::env::current_dir().ok();
        // The path as it was written, so that a link which points to a new version by now is followed again.
        let program = match (&directory, named.components().count()) {
            (Some(directory), 2..) => directory.join(&named),
            (None, 2..) if named.is_absolute() => named,
            _ => {
                on_path(&named).map_or_else(std::env::current_exe, Ok).context("cannot find this program")?
            }
        };
        Ok(Self { program, arguments: arguments.collect(), directory })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        if let Some(directory) = self.directory.as_ref().filter(|directory| directory.is_dir()) {
            command.current_dir(directory);
        }
        command.env(handover::VARIABLE, std::process::id().to_string());
        // Those name this process; the sockets of systemd go over like all others.
        for variable in ["WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
            command.env_remove(variable);
        }
        command
    }
}

fn on_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A process that answers in our place.
#[derive(Debug)]
pub(super) struct Successor {
    /// Its id.
    pub(super) process: u32,
    /// The sockets that it has taken over.
    pub(super) taken: Vec<String>,
}

impl Successor {
    /// Whether it has taken this socket over.
    pub(super) fn has(&self, name: &str) -> bool {
        self.taken.iter().any(|taken| taken == name)
    }
}

/// Puts another process in our place. After an error everything is as before.
pub(super) async fn upgrade(parts: &Parts) -> anyhow::Result<Successor> {
    if std::process::id() == 1 {
        bail!("this is the first process of a container, which would end with it: start another container");
    }
    let patience = parts.settings.timeouts.upgrade;
    let (own, theirs) = StdStream::pair()?;
    handover::send_sockets(&own, &parts.sockets.to_hand_over(&parts.settings.listen)?)?;
    let program = parts.origin.program.display().to_string();
    let child = parts.origin.command().stdin(Stdio::from(OwnedFd::from(theirs))).spawn();
    let mut child = Started(Some(child.with_context(|| format!("cannot start `{program}`"))?));
    own.set_nonblocking(true)?;
    let stream = UnixStream::from_std(own)?;
    tracing::info!(program, process = child.id(), "upgrade: the new process starts");
    let mut state = None;
    let attempt = timeout(patience, attempt(parts, stream, child.id(), &mut state)).await;
    match attempt {
        Ok(Ok(taken)) => Ok(Successor { process: child.keep(), taken }),
        Ok(Err(error)) => Err(error.context(child.end().await)),
        Err(_) => {
            child.end().await;
            bail!("it was not ready within {} (`timeouts.upgrade`)", seconds(patience))
        }
    }
    // After a failure the state is ours again here, when the other process is gone for certain.
}

async fn attempt<'p>(
    parts: &'p Parts,
    mut stream: UnixStream,
    process: u32,
    state: &mut Option<HandOver<'p>>,
) -> anyhow::Result<Vec<String>> {
    let (reader, mut writer) = stream.split();
    let mut words = BufReader::new(reader).lines();
    let prepared = next(words.next_line().await)?;
    if prepared != "prepared" {
        bail!("it said `{prepared}`");
    }
    // The disk is waited for, as short as possible: flips wait from here to the end of this function.
    *state = Some(parts.control.hand_over());
    writer.write_all(b"yours\n").await?;
    let ready = next(words.next_line().await)?;
    let Some(taken) = ready.strip_prefix("ready") else { bail!("it said `{ready}`") };
    if let Some(state) = state.take() {
        state.complete();
    }
    notify(&[NotifyState::MainPid(process)]);
    // It is ready; if it dies right now, that is what systemd's Restart= is for.
    let _ = writer.write_all(b"main\n").await;
    Ok(taken.split_whitespace().map(str::to_owned).collect())
}

fn next(line: std::io::Result<Option<String>>) -> anyhow::Result<String> {
    let line = line?.context("it ended before it was ready; its own words are in the log")?;
    match line.strip_prefix("failed ") {
        Some(cause) => bail!("{cause}"),
        None => Ok(line),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// The new process; ended with the attempt, unless it is kept.
struct Started(Option<Child>);

impl Started {
    fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// It lives on by itself.
    fn keep(mut self) -> u32 {
        let id = self.id();
        self.0 = None;
        id
    }

    /// Ends it; how it ended, for people.
    async fn end(&mut self) -> String {
        let Some(mut child) = self.0.take() else { return String::new() };
        let ended = tokio::task::spawn_blocking(move || {
            // What has failed ends by itself in a moment, and its exit status says more than a signal.
            for _ in 0..50 {
                if let Ok(Some(status)) = child.try_wait() {
                    return Some(status);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            child.wait().ok()
        });
        match ended.await.ok().flatten() {
            Some(status) => format!("the new process did not get ready ({status})"),
            None => "the new process did not get ready".to_owned(),
        }
    }
}

impl Drop for Started {
    /// The attempt was given up in the middle: this process has been told to stop.
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
