//! `ficus replay`: recorded sessions against a backend, compared with what was recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::arguments::Common;
use super::exit::Exit;
use super::{Done, census, offline, screen, twin};
use crate::route::{IgnoreRule, Table};
use crate::settings::{Settings, Stack, UpstreamAddress};
use crate::shadow::compare::{Answer, Case, Comparison, Design, Judge, Side, Verdict};
use crate::shadow::corpus::{EXTENSION, Exchange, Masker, Session, VOCABULARY, load, words, write};
use crate::shadow::journey::{People, Player, Renames, Target, plain, recorded_answer, replayed};

/// `replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
Sessions are played in the order of their files; logins are done anew, CSRF tokens come from the pages that are fetched, \
ids that the server gives stand for those recorded. What is answered is masked as the recording was, and compared by \
meaning under the rules of routes.toml. Writes are sent: use a database that may change.

With --write the answers become a corpus: play a journey that was written by hand against Flask, and replay it against Rust.

Exit codes: 0 all agree, 3 something differs, 1 it could not be tried.

Examples:
  ficus replay journey --against legacy --users users.toml --write corpus --vocabulary crm/templates
  ficus replay corpus --against rust --users users.toml
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
    /// Write what is answered, masked, as a corpus into this folder
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Words that are the application's own and stay readable: a file, or a folder such as its templates
    #[arg(long, value_name = "PATH", requires = "write")]
    vocabulary: Option<PathBuf>,
    /// The Host header [default: localhost]
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    host: String,
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
    let mut masker = masker(&settings, &flags.corpus, flags.vocabulary.as_deref())?;
    sessions
        .iter()
        .flat_map(|session| &session.exchanges)
        .for_each(|exchange| masker.learn_request(exchange));
    let mut people = match &flags.users {
        Some(path) => People::load(path).map_err(Exit::failed)?,
        None => People::default(),
    };
    people.masker = Some(masker.clone());
    let table = routes(common)?;
    let replay = Replay {
        host: &flags.host,
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failed(format!("cannot start: {error}")))?;
    let mut steps = Vec::new();
    for session in &sessions {
        runtime.block_on(replay.session(session, &target, &mut masker, &mut steps)).map_err(Exit::failed)?;
    }
    if common.json {
        screen::print_json(&document(&steps));
    } else {
        screen::print(&report(&steps));
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

fn target(settings: &Settings, against: &str) -> Result<(Target, Side), Exit> {
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

/// Masks as the recording did: with the application's secret key, and its words.
fn masker(settings: &Settings, corpus: &Path, vocabulary: Option<&Path>) -> Result<Masker, Exit> {
    let folder = if corpus.is_dir() { corpus } else { corpus.parent().unwrap_or(Path::new(".")) };
    let vocabulary = vocabulary.map_or_else(|| folder.join(VOCABULARY), Path::to_path_buf);
    let vocabulary = if vocabulary.exists() {
        words(&vocabulary)
            .map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", vocabulary.display())))?
    } else {
        std::collections::BTreeSet::default()
    };
    let secret = settings.flask.secret_key.as_ref().map(|key| key.0.clone()).unwrap_or_default();
    Ok(Masker::new(secret.as_bytes(), vocabulary))
}

/// A folder for a new corpus, with the words of the application.
fn prepare(folder: &Path, vocabulary: Option<&Path>) -> Result<(), Exit> {
    let cannot =
        |error: std::io::Error| Exit::failed(format!("cannot write `{}`: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    if let Some(path) = vocabulary {
        let words: Vec<String> = words(path)
            .map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", path.display())))?
            .into_iter()
            .collect();
        std::fs::write(folder.join(VOCABULARY), words.join("\n") + "\n").map_err(cannot)?;
    }
    Ok(())
}

struct Replay<'a> {
    host: &'a str,
    patience: Duration,
    people: &'a People,
    table: Option<&'a Table>,
    judge: Judge,
    write: Option<&'a Path>,
    design: Design,
}

impl Replay<'_> {
    async fn session(
        &self,
        session: &Session,
        target: &Target,
        masker: &mut Masker,
        steps: &mut Vec<Step>,
    ) -> Result<(), String> {
        let mut written = Session { exchanges: Vec::new(), ..session.clone() };
        let mut player = Player::new(target, self.host, self.people, self.patience);
        let begun = player.begin(session).await;
        for exchange in &session.exchanges {
            let result = match &begun {
                Ok(()) => self.step(exchange, &mut player, masker, &mut written).await,
                Err(error) => Err(error.clone()),
            };
            steps.push(Step {
                session: session.name.clone(),
                title: exchange.title.clone(),
                route: exchange.route.clone(),
                result,
                compared: exchange.answer.is_some() && self.write.is_none(),
            });
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
        Ok(())
    }

    async fn step(
        &self,
        exchange: &Exchange,
        player: &mut Player<'_>,
        masker: &mut Masker,
        written: &mut Session,
    ) -> Result<Comparison, String> {
        let played = player.play(exchange).await?;
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

fn report(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let word = if step.differs() { screen::bad("differ") } else { "agree".to_owned() };
        text.push_str(&format!("{word}  {}: {}\n", step.session, step.title));
        match &step.result {
            Ok(comparison) => {
                comparison
                    .differences
                    .iter()
                    .take(8)
                    .for_each(|difference| text.push_str(&twin::lines(difference)));
                if let Some(why) = comparison.incomparable {
                    text.push_str(&format!("    not comparable: {}\n", why.word()));
                }
            }
            Err(error) => text.push_str(&format!("    {error}\n")),
        }
    }
    let differ = steps.iter().filter(|step| step.differs()).count();
    let compared = steps.iter().filter(|step| step.compared).count();
    let sessions: std::collections::BTreeSet<&str> = steps.iter().map(|step| step.session.as_str()).collect();
    text.push_str(&format!(
        "{} requests in {} sessions, {compared} compared with a recorded answer: {} agree, {differ} differ\n",
        steps.len(),
        sessions.len(),
        steps.len() - differ,
    ));
    text
}

fn document(steps: &[Step]) -> Value {
    let mut routes: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.compared) {
        let tally = routes.entry(step.route.as_deref().unwrap_or_default()).or_default();
        *(if step.differs() { &mut tally.1 } else { &mut tally.0 }) += 1;
    }
    let shown = |step: &Step| {
        let (result, differences) = match &step.result {
            Ok(comparison) => {
                let paths: Vec<String> =
                    comparison.differences.iter().map(|found| found.path.text()).collect();
                (comparison.verdict.word().to_owned(), paths)
            }
            Err(error) => (error.clone(), Vec::new()),
        };
        json!({
            "session": step.session, "title": step.title, "route": step.route, "differs": step.differs(),
            "result": result, "differences": differences,
        })
    };
    let routes: BTreeMap<&str, Value> = routes
        .into_iter()
        .map(|(name, (agree, differ))| (name, json!({ "agree": agree, "differ": differ })))
        .collect();
    json!({ "schema": 1, "routes": routes, "steps": steps.iter().map(shown).collect::<Vec<_>>() })
}
