//! Users' traffic, written down as sessions that can be replayed: `ficus record`.
//!
//! Off unless somebody asks for it; ends by itself. A request of a chosen route leaves references to bytes that are there
//! anyway (`capture`), and after its answer is out they go into a bounded queue. A thread of its own (`writer`) finds out whose
//! they are (`visitors`), masks them (`exchange`, `corpus`) and writes them (`tape`). Nobody waits for it; what is not
//! recorded is counted by reason. Nothing is on disk that was not masked before. The key of the masks is made from Flask's
//! secret key, which is never written.

mod exchange;
mod tape;
mod visitors;
mod writer;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use serde::Serialize;

use super::capture::{Capture, Dropped};
use super::corpus::{Manifest, Masker};
use crate::observe::ShadowMetrics;
use crate::route::{Route, Table, covers};
use tape::Tape;
use writer::Writer;

/// Most requests that wait for the disk.
const QUEUE: usize = 512;
/// Most bytes of bodies that wait for it.
const QUEUE_BYTES: usize = 32 << 20;
/// How long the end of a recording may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The folder in the state directory.
const FOLDER: &str = "recordings";

type UserOf = dyn Fn(&[u8], i64) -> Option<String> + Send + Sync;

/// What recordings need to know of this node.
#[derive(Clone)]
pub struct RecordOptions {
    /// Where recordings are put.
    pub directory: PathBuf,
    /// Flask's secret key: masks are made with it. Absent: nothing can be recorded.
    pub secret: Option<String>,
    /// Cookies by which a visitor is known from one request to the next.
    pub cookies: Vec<String>,
    /// Largest body that is recorded.
    pub body_bytes: usize,
    /// The user that cookies name, at a time in unix seconds.
    pub user_of: Arc<UserOf>,
}

/// Secrets stay out of dumps.
impl std::fmt::Debug for RecordOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordOptions").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// What somebody wants to record.
#[derive(Debug, Clone)]
pub struct RecordWish {
    /// Names of routes, beginnings as `customers.*`, or `*`.
    pub routes: Vec<String>,
    /// For how long.
    pub lasts: Duration,
    /// Most requests.
    pub limit: u64,
    /// Most bytes on disk.
    pub bytes: u64,
    /// The share of visitors.
    pub sample: f64,
    /// Words of the application, which stay readable.
    pub words: BTreeSet<String>,
}

/// What is known about the last recording.
#[derive(Debug, Clone, Serialize)]
pub struct RecordStatus {
    /// Whether it goes on.
    pub on: bool,
    /// Where it is.
    pub folder: PathBuf,
    /// What it holds.
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// A request that was answered.
#[derive(Debug)]
pub struct Taken {
    /// The route.
    pub route: Arc<Route>,
    /// The backend that answered.
    pub served: String,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The headers, as the client sent them.
    pub headers: HeaderMap,
    /// The address of the client.
    pub address: std::net::IpAddr,
    /// When the request came.
    pub began: Instant,
    /// Status and headers of the answer.
    pub answer: (u16, HeaderMap),
    /// The bodies of both.
    pub bodies: (Bytes, Bytes),
}

/// A request on its way to the disk.
#[derive(Debug)]
struct Queued {
    taken: Taken,
    arrived: Instant,
}

/// Records what users do, when somebody wants that.
#[derive(Debug)]
pub struct Recordings {
    options: RecordOptions,
    metrics: ShadowMetrics,
    active: ArcSwapOption<Active>,
    /// Of this process.
    last: Mutex<Option<Arc<Active>>>,
}

/// A recording.
#[derive(Debug)]
struct Active {
    wish: RecordWish,
    sender: Mutex<Option<SyncSender<Queued>>>,
    /// Bytes in the queue.
    waiting: AtomicUsize,
    /// Why it shall end.
    stop: Mutex<Option<String>>,
    /// It has ended, and everything is on disk that ever will be.
    done: AtomicBool,
    folder: PathBuf,
    manifest: Mutex<Manifest>,
}

impl Active {
    fn manifest(&self) -> Manifest {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Manifest)) {
        change(&mut self.manifest.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn status(&self) -> RecordStatus {
        let on = !self.done.load(Ordering::Acquire);
        RecordStatus { on, folder: self.folder.clone(), manifest: self.manifest() }
    }

    /// Whether somebody named this route.
    fn covers(&self, route: &str) -> bool {
        self.wish.routes.iter().any(|pattern| covers(pattern, route))
    }
}

impl Recordings {
    /// Nothing is recorded yet.
    pub fn new(options: RecordOptions, metrics: ShadowMetrics) -> Arc<Self> {
        Arc::new(Self { options, metrics, active: ArcSwapOption::empty(), last: Mutex::default() })
    }

    /// The head of an answer has come.
    pub fn answer_head(capture: &mut Capture, content_type: Option<&[u8]>) {
        capture.answer_head(super::queue::is_streaming(content_type), false);
    }

    /// What keeps the bodies of a request, if it is to be recorded.
    pub fn begin(&self, route: &Route, method: &Method, upgrade: bool) -> Option<Box<Capture>> {
        let active = self.active.load();
        let active = active.as_ref()?;
        if !active.covers(&route.name) {
            return None;
        }
        if upgrade || *method == Method::CONNECT {
            self.skip(&route.name, Dropped::Upgrade.word());
            return None;
        }
        Some(Capture::new(self.options.body_bytes))
    }

    /// Takes a request that was answered, if there is room. Nobody waits.
    pub fn offer(&self, taken: Taken) {
        let active = self.active.load();
        let Some(active) = active.as_ref() else {
            return self.count(&taken.route.name, "ended");
        };
        let (route, size) = (Arc::clone(&taken.route), taken.bodies.0.len() + taken.bodies.1.len());
        let before = active.waiting.fetch_add(size, Ordering::AcqRel);
        let fits = before + size <= QUEUE_BYTES;
        let sent = fits && {
            let sender = active.sender.lock().unwrap_or_else(PoisonError::into_inner);
            let queued = Queued { taken, arrived: Instant::now() };
            sender.as_ref().is_some_and(|sender| sender.try_send(queued).is_ok())
        };
        if !sent {
            active.waiting.fetch_sub(size, Ordering::AcqRel);
            self.skip(&route.name, Dropped::QueueFull.word());
        }
    }

    /// Counts a request of a chosen route that is not recorded.
    pub fn skip(&self, route: &str, reason: &'static str) {
        if let Some(active) = self.active.load().as_ref() {
            active.change(|manifest| *manifest.dropped.entry(reason.to_owned()).or_default() += 1);
        }
        self.count(route, reason);
    }

    fn count(&self, route: &str, reason: &'static str) {
        self.metrics.recorded(route, reason);
    }

    /// What a wish comes to: the routes it means. Nothing is begun.
    ///
    /// # Errors
    /// Why it cannot be recorded, in one sentence.
    pub fn check(&self, wish: &RecordWish, table: &Table) -> Result<Vec<String>, String> {
        if self.options.secret.is_none() {
            return Err("`flask.secret_key` is not set: masks are made with it, and without it anybody could take them off; \
                        nothing can be recorded"
                .to_owned());
        }
        if self.active.load().is_some() {
            return Err("a recording goes on already: `ficus record stop` ends it".to_owned());
        }
        let named = |pattern: &String| table.routes().iter().any(|route| covers(pattern, &route.name));
        if let Some(pattern) = wish.routes.iter().find(|pattern| !named(pattern)) {
            return Err(format!("`{pattern}` means no route: `ficus routes` lists them"));
        }
        let meant = |name: &&str| wish.routes.iter().any(|pattern| covers(pattern, name));
        Ok(table.routes().iter().map(|route| route.name.as_str()).filter(meant).map(str::to_owned).collect())
    }

    /// Begins. `programs`: what runs behind the backends.
    ///
    /// # Errors
    /// When the disk refuses, or something else is recorded already.
    pub fn start(
        self: &Arc<Self>,
        wish: RecordWish,
        table: &Table,
        programs: std::collections::BTreeMap<String, String>,
    ) -> Result<RecordStatus, String> {
        self.check(&wish, table)?;
        let secret = self.options.secret.clone().unwrap_or_default();
        let vocabulary: BTreeSet<String> =
            wish.words.iter().map(|word| word.to_lowercase()).chain(words_of(table)).collect();
        let masker = Masker::new(secret.as_bytes(), vocabulary.clone()).live();
        let now = Utc::now();
        let manifest = Manifest {
            schema: 1,
            started: now,
            until: now + wish.lasts,
            routes: wish.routes.clone(),
            key: masker.key_id(),
            programs,
            ..Manifest::default()
        };
        let tape = Tape::create(&self.options.directory.join(FOLDER), &manifest, &vocabulary)?;
        let (sender, inbox) = sync_channel(QUEUE);
        let active = Arc::new(Active {
            wish,
            sender: Mutex::new(Some(sender)),
            waiting: AtomicUsize::new(0),
            stop: Mutex::default(),
            done: AtomicBool::new(false),
            folder: tape.folder().to_owned(),
            manifest: Mutex::new(manifest),
        });
        let writer = Writer::new(Arc::clone(self), Arc::clone(&active), (tape, masker), inbox);
        let before = self.active.compare_and_swap(&None::<Arc<Active>>, Some(Arc::clone(&active)));
        if before.is_some() {
            let _ = std::fs::remove_dir_all(&active.folder);
            return Err("a recording goes on already: `ficus record stop` ends it".to_owned());
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&active));
        self.metrics.recording(true);
        if let Err(error) = std::thread::Builder::new().name("record".to_owned()).spawn(move || writer.run())
        {
            self.active.store(None);
            self.metrics.recording(false);
            active.done.store(true, Ordering::Release);
            return Err(format!("the machine refuses a thread: {error}"));
        }
        Ok(active.status())
    }

    /// Ends what goes on, and waits a moment until it is on disk; `None`: nothing goes on.
    pub fn stop(&self, why: &str) -> Option<RecordStatus> {
        let active = self.active.load_full()?;
        active.stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
        let begun = Instant::now();
        while !active.done.load(Ordering::Acquire) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(active.status())
    }

    /// The recording that goes on, else the last one there is.
    pub fn status(&self) -> Option<RecordStatus> {
        let of_this_process = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(active) = of_this_process {
            return Some(active.status());
        }
        let (folder, manifest) = tape::recordings(&self.options.directory.join(FOLDER)).pop()?;
        Some(RecordStatus { on: false, folder, manifest })
    }

    /// The recording that goes on.
    pub fn running(&self) -> Option<RecordStatus> {
        self.active.load().as_ref().map(|active| active.status())
    }

    /// What a process left that ended in the middle: it says so from now on, in the log and in its folder.
    pub fn settle_unfinished(&self) {
        for (folder, mut manifest) in tape::recordings(&self.options.directory.join(FOLDER)) {
            if manifest.ended.is_none() {
                tape::count(&folder, &mut manifest);
                let why = "ficus was restarted; a recording does not go on by itself".to_owned();
                tracing::warn!(folder = %folder.display(), why, "a recording has ended");
                manifest.ended = Some(super::corpus::Ended { at: Utc::now(), why });
                if let Err(error) = manifest.write(&folder) {
                    tracing::warn!(%error, folder = %folder.display(), "the end of a recording cannot be written");
                }
            }
        }
    }

    /// It has ended by itself or because somebody wanted that.
    fn ended(&self, active: &Arc<Active>) {
        self.active.compare_and_swap(active, None::<Arc<Active>>);
        *active.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.metrics.recording(false);
        active.done.store(true, Ordering::Release);
    }

    /// Masks for a difference that is kept as a case; `None`: there is no key.
    pub(super) fn masker(&self, table: &Table) -> Option<Masker> {
        let secret = self.options.secret.as_ref()?;
        Some(Masker::new(secret.as_bytes(), words_of(table)).live())
    }

    /// The user that cookies name.
    pub(super) fn user_of(&self, cookies: &[u8], at: DateTime<Utc>) -> Option<String> {
        (self.options.user_of)(cookies, at.timestamp())
    }
}

/// How a file calls somebody who was logged in before.
pub(super) fn person(masker: &Masker, id: &str) -> String {
    let plain = id.len() <= 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    if plain { format!("id:{id}") } else { masker.reference(id) }
}

/// The words of the routes: they are the application's own.
pub fn words_of(table: &Table) -> BTreeSet<String> {
    let texts = table.routes().iter().flat_map(|route| std::iter::once(&route.name).chain(&route.rules));
    let words = texts.flat_map(|text| {
        let fixed = text.split(['<', '>']).step_by(2).collect::<Vec<_>>().join(" ");
        let words = fixed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect::<Vec<_>>()
    });
    words.collect()
}
