//! Sees hand edits: a thread that watches directories and, every two seconds, the text itself.
//!
//! Watching the file would miss what editors, `mv` and mounted configuration do; so its directory is watched, and the
//! directory of every symbolic link on the way to it. Other files there (an access log) may change all the time: only the
//! names on the way count. File systems without notifications are covered by the poll.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use inotify::{EventMask, EventStream, Inotify, WatchDescriptor, WatchMask};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::Control;

const POLL: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(100);
const LONGEST_UNREST: Duration = Duration::from_secs(2);
/// Room for some dozen events at a time.
const ROOM: usize = 4 * 1_024;

/// The watching thread; dropping it stops it.
#[derive(Debug)]
pub struct Watch {
    alive: Option<mpsc::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Starts watching the routing file; without one there is nothing to watch.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn watch(self: &Arc<Self>) -> io::Result<Option<Watch>> {
        let Some(path) = self.path().cloned() else {
            return Ok(None);
        };
        let (alive, stop) = mpsc::channel(1);
        let mut directories = Directories::new(stop)?;
        let control = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || run(&control, &path, &mut directories))?;
        Ok(Some(Watch { alive: Some(alive), thread: Some(thread) }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(control: &Control, path: &Path, directories: &mut Directories) {
    loop {
        directories.follow(&hops(path));
        if directories.wait(POLL) == Heard::Stop {
            return;
        }
        control.take_over();
        control.expire(chrono::Utc::now());
        if control.is_known(control.hash_on_disk().as_ref()) {
            continue;
        }
        if !wait_for_quiet(control, directories) {
            return;
        }
        control.reload();
    }
}

/// Waits until the text stayed the same for a while: an editor may write it in pieces. False: stop.
fn wait_for_quiet(control: &Control, directories: &mut Directories) -> bool {
    let since = Instant::now();
    let mut seen = control.hash_on_disk();
    let mut quiet = Instant::now();
    while quiet.elapsed() < QUIET && since.elapsed() < LONGEST_UNREST {
        if directories.wait(QUIET.saturating_sub(quiet.elapsed())) == Heard::Stop {
            return false;
        }
        let now = control.hash_on_disk();
        if now != seen {
            seen = now;
            quiet = Instant::now();
        }
    }
    true
}

/// What came of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Something happened to one of the names.
    Event,
    Nothing,
    Stop,
}

type Events = EventStream<[u8; ROOM]>;

/// The directories that are watched now, and the names in them that matter.
struct Directories {
    runtime: Runtime,
    events: Option<Events>,
    watched: BTreeMap<PathBuf, WatchDescriptor>,
    names: BTreeSet<OsString>,
    stop: mpsc::Receiver<Infallible>,
}

impl Directories {
    fn new(stop: mpsc::Receiver<Infallible>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let events = {
            let _inside = runtime.enter();
            Inotify::init().and_then(|inotify| inotify.into_event_stream([0; ROOM]))
        };
        if let Err(error) = &events {
            tracing::warn!(%error, "cannot watch directories; the routing file is looked at every two seconds");
        }
        let (watched, names) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { runtime, events: events.ok(), watched, names, stop })
    }

    fn follow(&mut self, hops: &BTreeSet<PathBuf>) {
        let Some(events) = &self.events else { return };
        self.names = hops.iter().filter_map(|hop| hop.file_name()).map(OsString::from).collect();
        let wanted: BTreeSet<&Path> = hops.iter().filter_map(|hop| hop.parent()).collect();
        let mut watches = events.watches();
        self.watched.retain(|directory, watch| {
            let keep = wanted.contains(directory.as_path());
            if !keep {
                let _ = watches.remove(watch.clone());
            }
            keep
        });
        for directory in wanted {
            if !self.watched.contains_key(directory)
                && let Ok(watch) = watches.add(directory, mask())
            {
                self.watched.insert(directory.to_owned(), watch);
            }
        }
    }

    fn wait(&mut self, patience: Duration) -> Heard {
        let Self { runtime, events, watched, names, stop } = self;
        let heard = async {
            loop {
                tokio::select! {
                    biased;
                    _ = stop.recv() => return Heard::Stop,
                    found = look(events.as_mut(), watched, names) => if found {
                        return Heard::Event;
                    },
                }
            }
        };
        let heard = async { tokio::time::timeout(patience, heard).await.unwrap_or(Heard::Nothing) };
        runtime.block_on(heard)
    }
}

/// What is told of a directory. Not that a file was written to: an access log that is beside the routing file would wake us
/// with each of its lines, and what is written to the routing file without being closed the poll sees.
fn mask() -> WatchMask {
    WatchMask::ATTRIB
        | WatchMask::CREATE
        | WatchMask::DELETE
        | WatchMask::CLOSE_WRITE
        | WatchMask::MOVED_FROM
        | WatchMask::MOVED_TO
        | WatchMask::ONLYDIR
}

/// Waits for an event; whether it is about the names.
async fn look(
    events: Option<&mut Events>,
    watched: &mut BTreeMap<PathBuf, WatchDescriptor>,
    names: &BTreeSet<OsString>,
) -> bool {
    let Some(events) = events else { return std::future::pending().await };
    let Some(Ok(event)) = events.next().await else { return std::future::pending().await };
    if event.mask.contains(EventMask::IGNORED) {
        // The directory is gone; one that takes its place is watched anew.
        watched.retain(|_, watch| *watch != event.wd);
    }
    concerns(event.name.as_deref(), names)
}

/// Whether an event is about one of the names; one without a name (a lost event, a lost directory) may be about anything.
fn concerns(name: Option<&OsStr>, names: &BTreeSet<OsString>) -> bool {
    name.is_none_or(|name| names.contains(name))
}

/// Every symbolic link on the way to a file, and the file at the end.
fn hops(path: &Path) -> BTreeSet<PathBuf> {
    let mut hops = BTreeSet::new();
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for _ in 0..40 {
        let Some((link, target)) = first_link(&path) else { break };
        let parent = link.parent().unwrap_or(Path::new("/")).to_owned();
        let rest = path.strip_prefix(&link).map(Path::to_owned).unwrap_or_default();
        path = if rest.as_os_str().is_empty() { parent.join(target) } else { parent.join(target).join(rest) };
        hops.insert(link);
    }
    hops.insert(path);
    hops
}

/// The first component of a path that is a symbolic link, and where it points.
fn first_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut prefix = PathBuf::new();
    for component in path.components() {
        prefix.push(component);
        if let Ok(target) = std::fs::read_link(&prefix) {
            return Some((prefix, target));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_hop_of_a_mounted_configuration_is_watched() {
        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap();
        std::fs::create_dir(root.join("..2026")).unwrap();
        std::fs::write(root.join("..2026/routes.toml"), "").unwrap();
        symlink("..2026", root.join("..data")).unwrap();
        symlink("..data/routes.toml", root.join("routes.toml")).unwrap();
        let expected: BTreeSet<PathBuf> =
            [root.join("routes.toml"), root.join("..data"), root.join("..2026/routes.toml")].into();
        assert_eq!(hops(&root.join("routes.toml")), expected);
    }

    #[test]
    fn only_names_on_the_way_count() {
        let names = BTreeSet::from([OsString::from("routes.toml"), OsString::from("..data")]);
        for (name, expected) in
            [(Some("routes.toml"), true), (Some("..data"), true), (Some("access.log"), false), (None, true)]
        {
            assert_eq!(concerns(name.map(OsStr::new), &names), expected, "{name:?}");
        }
    }

    /// Without the poll, which would hide that something is not told.
    fn heard(directories: &mut Directories) -> Heard {
        directories.wait(Duration::from_secs(60))
    }

    #[test]
    fn edits_are_heard_and_lines_of_a_log_are_not() {
        use std::io::Write as _;

        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap();
        let (file, log) = (root.join("routes.toml"), root.join("access.log"));
        std::fs::write(&file, "").unwrap();
        let mut lines = std::fs::File::create(&log).unwrap();
        let (alive, stop) = mpsc::channel(1);
        let mut directories = Directories::new(stop).unwrap();
        directories.follow(&hops(&file));
        lines.write_all(b"a line").unwrap();
        lines.flush().unwrap();
        std::fs::write(&file, "version = 1").unwrap();
        let told = async { directories.events.as_mut().unwrap().next().await.unwrap().unwrap().name };
        let first = directories.runtime.block_on(told);
        assert_eq!(first.as_deref(), Some(OsStr::new("routes.toml")), "nobody was woken by the log");
        std::fs::write(&file, "version = 1").unwrap();
        assert_eq!(heard(&mut directories), Heard::Event);
        std::fs::write(root.join("new"), "version = 1").unwrap();
        std::fs::rename(root.join("new"), &file).unwrap();
        assert_eq!(heard(&mut directories), Heard::Event);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(heard(&mut directories), Heard::Event);
        drop(alive);
        assert_eq!(heard(&mut directories), Heard::Stop);
    }

    #[test]
    fn a_directory_that_takes_the_place_of_another_is_watched_anew() {
        let directory = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(directory.path()).unwrap().join("conf");
        let file = root.join("routes.toml");
        std::fs::create_dir(&root).unwrap();
        let (_alive, stop) = mpsc::channel(1);
        let mut directories = Directories::new(stop).unwrap();
        directories.follow(&hops(&file));
        std::fs::remove_dir(&root).unwrap();
        assert_eq!(heard(&mut directories), Heard::Event);
        std::fs::create_dir(&root).unwrap();
        directories.follow(&hops(&file));
        std::fs::write(&file, "").unwrap();
        assert_eq!(heard(&mut directories), Heard::Event);
    }

    #[test]
    fn links_in_a_circle_end() {
        let directory = tempfile::tempdir().unwrap();
        symlink("b", directory.path().join("a")).unwrap();
        symlink("a", directory.path().join("b")).unwrap();
        assert!(!hops(&directory.path().join("a")).is_empty());
    }
}
