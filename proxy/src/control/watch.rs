//! Sees hand edits: a thread that watches directories and, every two seconds, the text itself.
//!
//! Watching the file would miss what editors, `mv` and mounted configuration do; so its directory is watched, and the
//! directory of every symbolic link on the way to it. Other files there (an access log) may change all the time: only the
//! names on the way count. File systems without notifications are covered by the poll.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Control;

const POLL: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(100);
const LONGEST_UNREST: Duration = Duration::from_secs(2);

/// The watching thread; dropping it stops it.
#[derive(Debug)]
pub struct Watch {
    signals: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

enum Signal {
    Event,
    Stop,
}

impl Control {
    /// Starts watching the routing file; without one there is nothing to watch.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn watch(self: &Arc<Self>) -> std::io::Result<Option<Watch>> {
        let Some(path) = self.path().cloned() else {
            return Ok(None);
        };
        let (signals, inbox) = channel();
        let events = signals.clone();
        let control = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || run(&control, &path, &inbox, &events))?;
        Ok(Some(Watch { signals, thread: Some(thread) }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(control: &Control, path: &Path, inbox: &Receiver<Signal>, events: &Sender<Signal>) {
    let mut directories = Directories::new(events.clone());
    loop {
        directories.follow(&hops(path));
        match inbox.recv_timeout(POLL) {
            Ok(Signal::Event) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        control.take_over();
        control.expire(chrono::Utc::now());
        if control.is_known(control.hash_on_disk().as_ref()) {
            continue;
        }
        if !wait_for_quiet(control, inbox) {
            return;
        }
        control.reload();
    }
}

/// Waits until the text stayed the same for a while: an editor may write it in pieces. False: stop.
fn wait_for_quiet(control: &Control, inbox: &Receiver<Signal>) -> bool {
    let since = Instant::now();
    let mut seen = control.hash_on_disk();
    let mut quiet = Instant::now();
    while quiet.elapsed() < QUIET && since.elapsed() < LONGEST_UNREST {
        match inbox.recv_timeout(QUIET.saturating_sub(quiet.elapsed())) {
            Ok(Signal::Event) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
        }
        let now = control.hash_on_disk();
        if now != seen {
            seen = now;
            quiet = Instant::now();
        }
    }
    true
}

/// The directories that are watched now, and the names in them that matter.
struct Directories {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    names: Arc<Mutex<BTreeSet<OsString>>>,
}

impl Directories {
    fn new(events: Sender<Signal>) -> Self {
        let names = Arc::new(Mutex::new(BTreeSet::new()));
        let wanted = Arc::clone(&names);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access() && concerns(&event, &wanted)) {
                let _ = events.send(Signal::Event);
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "cannot watch directories; the routing file is looked at every two seconds");
        }
        Self { watcher: watcher.ok(), watched: BTreeSet::new(), names }
    }

    fn follow(&mut self, hops: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) =
            hops.iter().filter_map(|hop| hop.file_name()).map(OsString::from).collect();
        let wanted: BTreeSet<&Path> = hops.iter().filter_map(|hop| hop.parent()).collect();
        self.watched.retain(|directory| {
            let keep = wanted.contains(directory.as_path());
            if !keep {
                let _ = watcher.unwatch(directory);
            }
            keep
        });
        for directory in wanted {
            if !self.watched.contains(directory)
                && watcher.watch(directory, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(directory.to_owned());
            }
        }
    }
}

/// Whether an event is about one of the names; one without paths (lost events) may be about anything.
fn concerns(event: &notify::Event, names: &Mutex<BTreeSet<OsString>>) -> bool {
    let names = names.lock().unwrap_or_else(PoisonError::into_inner);
    event.paths.is_empty()
        || event.paths.iter().any(|path| path.file_name().is_none_or(|name| names.contains(name)))
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
        let names = Mutex::new(BTreeSet::from([OsString::from("routes.toml"), OsString::from("..data")]));
        let event = |path: &str| notify::Event::default().add_path(PathBuf::from(path));
        assert!(concerns(&event("/etc/ficus/routes.toml"), &names));
        assert!(concerns(&event("/etc/ficus/..data"), &names));
        assert!(!concerns(&event("/etc/ficus/access.log"), &names));
        assert!(concerns(&notify::Event::default(), &names));
    }

    #[test]
    fn links_in_a_circle_end() {
        let directory = tempfile::tempdir().unwrap();
        symlink("b", directory.path().join("a")).unwrap();
        symlink("a", directory.path().join("b")).unwrap();
        assert!(!hops(&directory.path().join("a")).is_empty());
    }
}
