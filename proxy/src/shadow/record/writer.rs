//! The thread that writes a recording. Requests are held back for a moment and put in the order in which they came, so that a
//! page is known before the form on it is sent. It ends the recording when its time, its number or its bytes are used up,
//! when somebody says so, or when the disk refuses; then it says so, and users notice nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HOST, SET_COOKIE, USER_AGENT};
use siphasher::sip::SipHasher13;

use super::exchange::exchange;
use super::tape::Tape;
use super::visitors::{Visitor, Visitors};
use super::{Active, Queued, Recordings, Taken, person};
use crate::shadow::capture::Dropped;
use crate::shadow::corpus::{Ended, Masker};

/// How long a request is held back: longer than a thread that has answered may be kept from saying so.
const HOLD: Duration = Duration::from_millis(400);
/// How often it is looked whether the recording shall end.
const TICK: Duration = Duration::from_millis(20);
/// How often what is known is written.
const WRITE: Duration = Duration::from_secs(2);

pub(super) struct Writer {
    recordings: Arc<Recordings>,
    active: Arc<Active>,
    tape: Tape,
    masker: Masker,
    inbox: Receiver<Queued>,
    visitors: Visitors,
    /// Visitors that do not belong to the sample.
    left_out: BTreeSet<Visitor>,
    /// Number of the session, and of its last exchange.
    sessions: BTreeMap<Visitor, (usize, usize)>,
    key: (u64, u64),
    /// By the moment in which they came, and a number.
    held: BTreeMap<(Instant, u64), Queued>,
    next: u64,
}

impl Writer {
    pub(super) fn new(
        recordings: Arc<Recordings>,
        active: Arc<Active>,
        (tape, masker): (Tape, Masker),
        inbox: Receiver<Queued>,
    ) -> Self {
        let started = active.manifest().started.timestamp_nanos_opt().unwrap_or_default();
        let secret = recordings.options.secret.clone().unwrap_or_default();
        let part = |salt: u8| {
            let mut hasher = SipHasher13::new_with_keys(u64::from(salt), started.unsigned_abs());
            hasher.write(secret.as_bytes());
            hasher.finish()
        };
        let key = (part(1), part(2));
        let (visitors, left_out, sessions, held) = Default::default();
        Self { recordings, active, tape, masker, inbox, visitors, left_out, sessions, key, held, next: 0 }
    }

    pub(super) fn run(mut self) {
        let mut wrote = Instant::now();
        let why = loop {
            if let Err(why) = self.round() {
                break why;
            }
            if wrote.elapsed() >= WRITE {
                wrote = Instant::now();
                // Where it stands is for whoever looks after a crash; the sessions themselves are what counts.
                let _ = self.active.manifest().write(self.tape.folder());
            }
        };
        self.finish(&why);
    }

    /// Takes what has come and writes what is due. An error is the end, and says why.
    fn round(&mut self) -> Result<(), String> {
        let stop = self.active.stop.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match self.inbox.recv_timeout(TICK) {
            Ok(queued) => self.take(queued),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err("it was given up".to_owned()),
        }
        while let Ok(queued) = self.inbox.try_recv() {
            self.take(queued);
        }
        while let Some(entry) = self.held.first_entry() {
            if stop.is_none() && entry.get().arrived.elapsed() < HOLD {
                break;
            }
            let queued = entry.remove();
            let size = queued.taken.bodies.0.len() + queued.taken.bodies.1.len();
            self.active.waiting.fetch_sub(size, Ordering::AcqRel);
            self.write(&queued.taken)?;
        }
        let manifest = self.active.manifest();
        match stop {
            Some(why) => Err(why),
            None if Utc::now() >= manifest.until => Err("its time is over".to_owned()),
            None => Ok(()),
        }
    }

    fn take(&mut self, queued: Queued) {
        self.next += 1;
        self.held.insert((queued.taken.began, self.next), queued);
    }

    /// Writes a request down, or counts why not.
    fn write(&mut self, taken: &Taken) -> Result<(), String> {
        let name = taken.route.name.clone();
        let keys = self.keys_of(taken);
        let Some((visitor, new)) = self.visitors.find(&keys.brought, keys.place) else {
            self.recordings.skip(&name, "too_many_visitors");
            return Ok(());
        };
        if new && !self.belongs(visitor) {
            self.left_out.insert(visitor);
        }
        self.visitors.learn(visitor, &keys.brought, keys.place);
        self.visitors.learn(visitor, &keys.given, keys.place);
        if self.left_out.contains(&visitor) {
            self.recordings.skip(&name, "not_sampled");
            return Ok(());
        }
        self.learn_host(taken);
        let plain = match exchange(taken, self.recordings.options.body_bytes) {
            Ok(plain) => plain,
            Err(reason) => {
                self.recordings.skip(&name, reason);
                return Ok(());
            }
        };
        let next = self.sessions.len();
        let session = self.sessions.entry(visitor).or_insert((next, 0));
        let first = session.1 == 0;
        let (number, position) = (session.0, session.1 + 1);
        let cookies = joined(&taken.headers);
        let known_before = first.then(|| self.recordings.user_of(&cookies, Utc::now())).flatten();
        let user = known_before.map(|id| person(&self.masker, &id));
        // What a page offers for choice must be known before the request that chooses it is masked.
        self.masker.learn_uploads(&plain);
        let answer = plain.answer.as_ref().map(|answer| self.masker.answer(answer));
        let mut masked = self.masker.request(&plain);
        masked.answer = answer;
        masked.title = format!("{position} {} {name}", plain.method);
        let written = self.tape.add(number, user, masked).map_err(|error| {
            self.recordings.skip(&name, "disk");
            format!("the disk refuses: {error}")
        })?;
        if let Some(session) = self.sessions.get_mut(&visitor) {
            session.1 = position;
        }
        self.recordings.metrics.recorded(&name, "recorded");
        self.note(written)
    }

    /// The first host that is asked is the application's own.
    fn learn_host(&mut self, taken: &Taken) {
        let host = taken.headers.get(HOST).and_then(|host| host.to_str().ok());
        if let Some(host) = host.filter(|_| self.active.manifest().host.is_none()) {
            self.masker.learn_host(host);
            self.active.change(|manifest| manifest.host = Some(host.to_owned()));
        }
    }

    fn note(&self, written: u64) -> Result<(), String> {
        let sessions = self.sessions.values().filter(|(_, length)| *length > 0).count() as u64;
        let wish = &self.active.wish;
        let mut end = None;
        self.active.change(|manifest| {
            manifest.requests += 1;
            manifest.bytes += written;
            manifest.sessions = sessions;
            if manifest.requests >= wish.limit {
                end = Some(format!("{} requests are recorded, as many as were asked for", manifest.requests));
            } else if manifest.bytes >= wish.bytes {
                end = Some(format!("{} bytes are recorded, as many as were asked for", manifest.bytes));
            }
        });
        end.map_or(Ok(()), Err)
    }

    /// Visitors are sampled whole: half of a session could not be replayed.
    fn belongs(&self, visitor: Visitor) -> bool {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write_usize(visitor);
        (hasher.finish() % 1_000_000) as f64 / 1_000_000.0 < self.active.wish.sample
    }

    fn keys_of(&self, taken: &Taken) -> Keys {
        let hash = |parts: &[&[u8]]| {
            let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
            for part in parts {
                hasher.write(part);
                hasher.write_u8(0xff);
            }
            hasher.finish()
        };
        let tells =
            |name: &[u8]| self.recordings.options.cookies.iter().any(|known| known.as_bytes() == name);
        let key = |pair: &[u8]| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
            (tells(name) && !value.is_empty()).then(|| hash(&[name, value]))
        };
        let cookies = joined(&taken.headers);
        let mut brought: Vec<u64> = cookies.split(|byte| *byte == b';').filter_map(key).collect();
        if let Some(token) = taken.headers.get(AUTHORIZATION) {
            brought.push(hash(&[b"authorization", token.as_bytes()]));
        }
        let lines = taken.answer.1.get_all(SET_COOKIE).iter();
        let given =
            lines.filter_map(|line| key(line.as_bytes().split(|byte| *byte == b';').next()?)).collect();
        let agent = taken.headers.get(USER_AGENT).map(http::HeaderValue::as_bytes).unwrap_or_default();
        let place = hash(&[taken.address.to_string().as_bytes(), agent]);
        Keys { brought, given, place }
    }

    /// The end, on disk and in the log.
    fn finish(mut self, why: &str) {
        let unwritten = std::mem::take(&mut self.held);
        let came_late = std::iter::from_fn(|| self.inbox.try_recv().ok()).collect::<Vec<_>>();
        for queued in unwritten.into_values().chain(came_late) {
            self.recordings.skip(&queued.taken.route.name, Dropped::Ended.word());
        }
        self.active.change(|manifest| manifest.ended = Some(Ended { at: Utc::now(), why: why.to_owned() }));
        let manifest = self.active.manifest();
        let folder = self.tape.folder().display().to_string();
        let (requests, sessions) = (manifest.requests, manifest.sessions);
        if why.starts_with("the disk") {
            tracing::error!(folder, requests, sessions, why, "a recording has ended");
        } else {
            tracing::info!(folder, requests, sessions, why, "a recording has ended");
        }
        if let Err(error) = manifest.write(self.tape.folder()) {
            tracing::error!(folder, %error, "the end of a recording cannot be written");
        }
        self.recordings.ended(&self.active);
    }
}

/// What tells one visitor from another.
struct Keys {
    brought: Vec<u64>,
    given: Vec<u64>,
    place: u64,
}

/// All cookies of a request in one line.
fn joined(headers: &HeaderMap) -> Vec<u8> {
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(http::HeaderValue::as_bytes).collect();
    lines.join(&b"; "[..])
}
