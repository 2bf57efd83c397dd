//! `ficus replay`: recorded sessions against a backend, compared with what was recorded.

mod certify;
mod known;
mod report;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::arguments::Common;
use super::client::Client;
use super::exit::Exit;
use super::{Done, census, offline, screen};
use crate::route::{IgnoreRule, Table};
use crate::settings::{Settings, Stack, UpstreamAddress};
use crate::shadow::compare::{Answer, Case, Comparison, Design, Judge, Side, Verdict};
use crate::shadow::corpus::{EXTENSION, Exchange, Manifest, Masker, Session, load, write};
use crate::shadow::journey::{People, Player, Renames, Target, plain, recorded_answer, replayed};
use certify::Certifier;
use known::{folder_of, masker, people, prepare};
pub(super) use known::{given, masker_of_recording};
use report::{document, report};

/// `replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
Sessions are played in the order of their files; logins are done anew, CSRF tokens come from the pages that are fetched, \
ids that the server gives stand for those recorded. What is answered is masked as the recording was, and compared by \
meaning under the rules of routes.toml. Writes are sent: use a database that may change.

With --write the answers become a corpus: play a journey that was written by hand against Flask, and replay it against Rust. With \
--certify the comparisons of a recording (`ficus record`) count toward the certificates of the running ficus.

Exit codes: 0 all agree, 3 something differs, 1 it could not be tried.

Examples:
  ficus replay journey --against legacy --users users.toml --write corpus --vocabulary crm/templates
  ficus replay corpus --against rust --users users.toml
  ficus replay state/recordings/20261125-201500.120 --against legacy-next --users users.toml --values values.txt
  ficus replay state/recordings/20261125-201500.120 --against legacy-next --users users.toml --certify
  ficus replay corpus/0007.http --against http://127.0.0.1:5001 --json")]
pub(super) struct Flags {
    /// A session, or a folder of sessions
    #[arg(value_name = "CORPUS")]
    corpus: PathBuf,
    /// A backend of ficus.toml, `http://HOST:PORT` or `unix:/PATH`
    #[arg(long, value_name = "BACKEND|URL")]
    against: String,
    /// Who logs in with which password
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// What is sent in place of masks: `MASK = VALUE`, `MASK = env:NAME` or `= VALUE`, one a line
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// Write what is answered, masked, as a corpus into this folder
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Words that are the application's own and stay readable: a file, or a folder such as its templates
    #[arg(long, value_name = "PATH", requires = "write")]
    vocabulary: Option<PathBuf>,
    /// The Host header [default: as it was recorded, else localhost]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Count the comparisons toward the certificates of the running ficus, marked as replayed
    #[arg(long, conflicts_with = "write")]
    certify: bool,
    /// Longest wait for one answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

/// One exchange, replayed.
struct Step {
    session: String,
    title: String,
    route: Option<String>,
    result: Result<Comparison, String>,
    compared: bool,
    /// The backend whose answer was recorded.
    served: Option<String>,
    /// The backend that answered now.
    answered_by: Option<String>,
    method: String,
    /// Of the recorded answer.
    status: u16,
    /// The handler handed it back.
    deferred: bool,
}

impl Step {
    fn differs(&self) -> bool {
        match &self.result {
            Ok(comparison) => {
                !matches!(comparison.verdict, Verdict::Match | Verdict::Empty | Verdict::Ignored)
            }
            Err(_) => true,
        }
    }
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let settings = offline::settings(common)?;
    let sessions = load(&flags.corpus).map_err(Exit::failed)?;
    let (target, side) = target(&settings, &flags.against)?;
    let mut masker = masker(&settings, &flags.corpus, (flags.vocabulary.as_deref(), flags.write.is_some()))?;
    sessions
        .iter()
        .flat_map(|session| &session.exchanges)
        .for_each(|exchange| masker.learn_request(exchange));
    let given = given(flags.values.as_deref(), &sessions, &masker)?;
    let people = People { given, ..people(flags.users.as_deref(), &masker)? };
    let table = routes(common)?;
    let folder = folder_of(&flags.corpus);
    let manifest = Manifest::read(folder).map_err(Exit::failed)?;
    let recorded_host = manifest.and_then(|manifest| manifest.host);
    let certifier = match flags.certify {
        true => Some(Certifier::begin(Client::new(common), (table.as_ref(), folder), &sessions)?),
        false => None,
    };
    let replay = Replay {
        host: flags.host.as_deref().or(recorded_host.as_deref()).unwrap_or("localhost"),
        backend: settings.backends.contains_key(&flags.against).then_some(flags.against.as_str()),
        patience: Duration::from_secs(flags.timeout),
        people: &people,
        table: table.as_ref(),
        judge: Judge::new(None, &settings.flask.session_cookie, settings.flask.profile),
        write: flags.write.as_deref(),
        design: Design::of(Side::Flask(settings.flask.profile), side),
    };
    if let Some(folder) = &flags.write {
        prepare(folder, flags.vocabulary.as_deref())?;
    }
    let (steps, masks) = replay.all(&sessions, &target, &mut masker)?;
    let told = certifier.map(|certifier| certifier.tell(&replay, &steps)).transpose()?;
    if common.json {
        let mut document = document(&steps, &masks);
        if let Some(told) = told {
            document["certified"] = told;
        }
        screen::print_json(&document);
    } else {
        screen::print(&report(&steps, &masks));
        screen::print(&told.as_ref().map(certify::text).unwrap_or_default());
    }
    if steps.iter().any(Step::differs) { Err(Exit::silent(3)) } else { Ok(()) }
}

/// The routing table, if there is a routing file: its rules say what may differ.
pub(super) fn routes(common: &Common) -> Result<Option<Table>, Exit> {
    let settings = offline::settings(common)?;
    if settings.routes.is_none() {
        return Ok(None);
    }
    let (name, text) = census::routing_file(&settings)?;
    census::checked(&settings, &name, &text, settings.flask.profile).map(Some)
}

pub(super) fn target(settings: &Settings, against: &str) -> Result<(Target, Side), Exit> {
    let profile = settings.flask.profile;
    let Some(backend) = settings.backends.get(against) else {
        let known: Vec<&str> = settings.backends.keys().map(String::as_str).collect();
        let target = against.parse().map_err(|error| {
            Exit::failed(format!("{error}, and no backend is called so; there are: {}", known.join(", ")))
        })?;
        return Ok((target, Side::Rust(profile)));
    };
    let side = match settings.shadow.profiles.get(against) {
        Some(Stack::Flask(profile)) => Side::Flask(*profile),
        Some(Stack::Rust) => Side::Rust(profile),
        None if against == "rust" => Side::Rust(profile),
        None => Side::Flask(profile),
    };
    let target = match backend.upstreams.first() {
        Some(UpstreamAddress::Unix(path)) => Target::Unix(path.clone()),
        Some(UpstreamAddress::Tcp { host, port, tls: false }) => Target::Tcp(host.clone(), *port),
        Some(UpstreamAddress::Tcp { .. }) => {
            return Err(Exit::failed(format!(
                "`{against}` is asked over TLS, which replays do not speak: name its plain address"
            )));
        }
        None => return Err(Exit::failed(format!("`{against}` has no upstream"))),
    };
    Ok((target, side))
}

struct Replay<'a> {
    host: &'a str,
    /// The backend that is asked, if it is one of this node.
    backend: Option<&'a str>,
    patience: Duration,
    people: &'a People,
    table: Option<&'a Table>,
    judge: Judge,
    write: Option<&'a Path>,
    design: Design,
}

impl Replay<'_> {
    /// All steps, and the masks that were sent as they are.
    fn all(
        &self,
        sessions: &[Session],
        target: &Target,
        masker: &mut Masker,
    ) -> Result<(Vec<Step>, BTreeSet<String>), Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Exit::failed(format!("cannot start: {error}")))?;
        let (mut steps, mut masks) = (Vec::new(), BTreeSet::new());
        for session in sessions {
            let sent = runtime.block_on(self.session(session, target, masker, &mut steps));
            masks.extend(sent.map_err(Exit::failed)?);
        }
        Ok((steps, masks))
    }

    async fn session(
        &self,
        session: &Session,
        target: &Target,
        masker: &mut Masker,
        steps: &mut Vec<Step>,
    ) -> Result<BTreeSet<String>, String> {
        let mut written = Session { exchanges: Vec::new(), ..session.clone() };
        let mut player = Player::new(target, self.host, self.people, self.patience);
        let begun = player.begin(session).await;
        for exchange in &session.exchanges {
            let mut step = Step {
                session: session.name.clone(),
                title: exchange.title.clone(),
                route: exchange.route.clone(),
                result: Err(String::new()),
                compared: exchange.answer.is_some() && self.write.is_none(),
                served: exchange.served.clone(),
                answered_by: self.backend.map(str::to_owned),
                method: exchange.method.clone(),
                status: exchange.answer.as_ref().map(|answer| answer.status).unwrap_or_default(),
                deferred: false,
            };
            step.result = match &begun {
                Ok(()) => self.step(exchange, (&mut player, masker), &mut written, &mut step).await,
                Err(error) => Err(error.clone()),
            };
            steps.push(step);
            if steps.len().is_multiple_of(50) {
                let differ = steps.iter().filter(|step| step.differs()).count();
                eprintln!("{} requests replayed, {differ} differ", steps.len());
            }
        }
        if let Some(folder) = self.write {
            let path = folder.join(format!("{}.{EXTENSION}", session.name));
            std::fs::write(&path, write(&written))
                .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
        }
        Ok(player.masks)
    }

    async fn step(
        &self,
        exchange: &Exchange,
        (player, masker): (&mut Player<'_>, &mut Masker),
        written: &mut Session,
        step: &mut Step,
    ) -> Result<Comparison, String> {
        let mut played = player.play(exchange).await?;
        // What was given is written nowhere.
        played.answer = self.people.given.hidden(played.answer);
        let said = |name: &str| played.answer.headers.get(name).and_then(|value| value.to_str().ok());
        if self.backend.is_none() {
            step.answered_by = said("x-ficus-backend").map(str::to_owned);
        }
        step.deferred = played.answer.status == 503 && said("x-ficus-defer") == Some("1");
        if step.deferred {
            return Err("the handler hands it back: Flask would answer".to_owned());
        }
        if let Some(expected) = exchange.expect
            && played.answer.status != expected
        {
            return Err(format!("answered {}, expected {expected}", played.answer.status));
        }
        if self.write.is_some() {
            written.exchanges.push(as_answered(exchange, &played.answer, &player.renames, masker));
        }
        let (reference, candidate) = match &exchange.answer {
            Some(recorded) if self.write.is_some() => {
                // It only says which ids the journey means.
                player.renames.learn(&exchange.target, &recorded_answer(recorded), &played.answer);
                (played.answer.clone(), played.answer.clone())
            }
            Some(recorded) => {
                replayed(&exchange.target, recorded, &played.answer, (masker, &mut player.renames))
            }
            // Nothing was recorded: the status was all there is to check.
            None => (played.answer.clone(), played.answer.clone()),
        };
        let route = exchange.route.as_deref().and_then(|name| self.table?.route(name));
        let shadow = route.and_then(|route| route.shadow.as_ref());
        let rules: &[IgnoreRule] = shadow.map(|shadow| shadow.ignore.as_slice()).unwrap_or_default();
        let (asked, now) = (&played.asked, chrono::Utc::now());
        let case =
            Case { asked, reference: &reference, candidate: &candidate, design: self.design, rules, now };
        Ok(self.judge.compare(&case))
    }
}

/// The request under the ids of this server, and what it answered, masked.
fn as_answered(exchange: &Exchange, answer: &Answer, renames: &Renames, masker: &mut Masker) -> Exchange {
    let body = match std::str::from_utf8(&exchange.body) {
        Ok(form) if exchange.is_form() => renames.form(form).into_bytes(),
        Ok(text) => renames.document(text).into_bytes(),
        Err(_) => exchange.body.clone(),
    };
    let target = renames.target(&exchange.target);
    Exchange { target, body, answer: Some(masker.answer(&plain(answer))), ..exchange.clone() }
}
