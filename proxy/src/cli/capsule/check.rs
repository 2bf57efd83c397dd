//! A capsule's request, sent with a session of its own, and an answer compared with the stored one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;

use super::{EXCHANGE, FACTS, Facts, ROUTES};
use crate::cli::arguments::Common;
use crate::cli::exit::Exit;
use crate::cli::{Done, offline, replay, screen, twin};
use crate::diagnostic::Source;
use crate::route::{Context, IgnoreRule, Table, read};
use crate::settings::Settings;
use crate::shadow::compare::{Answer, Asked, Case, Comparison, Design, Judge, Side, Verdict};
use crate::shadow::corpus::{Exchange, Masker, Session, load};
use crate::shadow::journey::{Forged, People, Player, Renames, Target, replayed};

/// `capsule check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Ask here: a backend of ficus.toml, `http://HOST:PORT` or `unix:/PATH`
    #[arg(long, value_name = "BACKEND|URL", required_unless_present = "answer", conflicts_with = "answer")]
    against: Option<String>,
    /// Compare this answer: JSON with `status`, `headers` (pairs) and `body` (hexadecimal)
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// What gives the answer: `rust`, `werkzeug-1.0`, `werkzeug-2.3` or `werkzeug-3.1` [default: with --against the side that
    /// differed, with --answer the other one]
    #[arg(long, value_name = "KIND")]
    answers_as: Option<String>,
    /// Longest wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

/// `capsule request`.
#[derive(Debug, Args)]
pub(super) struct Request {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// An answer that a test has got.
#[derive(Debug, Deserialize)]
struct Given {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// What is in the folder, and what it takes to send it.
struct Capsule {
    facts: Facts,
    session: Session,
    exchange: Exchange,
    table: Table,
    masker: Masker,
    people: People,
    settings: Settings,
}

impl Capsule {
    fn open(common: &Common, folder: &Path) -> Result<Self, Exit> {
        let settings = offline::settings(common)?;
        let cannot = |name: &str, error: &dyn std::fmt::Display| {
            Exit::failed(format!("cannot read `{}`: {error}", folder.join(name).display()))
        };
        let text =
            |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|error| cannot(name, &error));
        let facts: Facts = serde_json::from_str(&text(FACTS)?).map_err(|error| cannot(FACTS, &error))?;
        let (table, report) = read(&Source::new(ROUTES, text(ROUTES)?), &Context::default());
        let table = table.ok_or_else(|| cannot(ROUTES, &report.render(false)))?;
        let secret = settings.flask.secret_key.as_ref().map(|key| key.0.as_str());
        let secret = secret.ok_or_else(|| {
            Exit::failed("`flask.secret_key` is not set (FICUS_FLASK_SECRET_KEY): masks and the session are made with it")
        })?;
        let masker = replay::masker_of_recording(Some(secret), &folder.join(EXCHANGE))?;
        let mut masker = masker.ok_or_else(|| cannot("recording.json", &"it is not there"))?;
        let session =
            load(&folder.join(EXCHANGE)).map_err(Exit::failed)?.into_iter().next().unwrap_or_default();
        let mut exchange = session.exchanges.first().cloned().unwrap_or_default();
        masker.learn_request(&exchange);
        // Flask-Login believes a session only from where it was made.
        exchange.headers.push(("User-Agent".to_owned(), Forged::AGENT.to_owned()));
        exchange.headers.push(("X-Forwarded-For".to_owned(), Forged::ADDRESS.to_owned()));
        let people = People { masker: Some(masker.clone()), ..People::default() };
        Ok(Self { facts, session, exchange, table, masker, people, settings })
    }

    /// A player with the session of whoever asked.
    fn player<'p>(&'p self, target: &'p Target, patience: u64) -> Result<Player<'p>, Exit> {
        let host = self.facts.host.as_deref().unwrap_or("localhost");
        let mut player = Player::new(target, host, &self.people, Duration::from_secs(patience));
        let flask = &self.settings.flask;
        let secret = flask.secret_key.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
        let user = match self.session.user.as_deref().map(|user| (user, user.strip_prefix("id:"))) {
            None => None,
            Some((_, Some(id))) => Some(id),
            Some((user, None)) => {
                return Err(Exit::failed(format!(
                    "`{user}` has an id that is no number, so no session can be made"
                )));
            }
        };
        player.forge(&Forged::session(secret, flask.profile, user), &flask.session_cookie);
        Ok(player)
    }

    fn compare(&mut self, asked: &Asked, answer: &Answer, answers_as: &str) -> Result<Comparison, Exit> {
        let recorded = self.exchange.answer.clone().unwrap_or_default();
        let mut renames = Renames::default();
        let (reference, candidate) =
            replayed(&self.exchange.target, &recorded, answer, (&mut self.masker, &mut renames));
        let side = |word: &str| self.side(word);
        let design = Design::of(side(&self.facts.reference.1)?, side(answers_as)?);
        let route = self.table.route(&self.facts.route);
        let shadow = route.and_then(|route| route.shadow.as_ref());
        let rules: &[IgnoreRule] = shadow.map(|shadow| shadow.ignore.as_slice()).unwrap_or_default();
        let flask = &self.settings.flask;
        let judge = Judge::new(None, &flask.session_cookie, flask.profile);
        let now = chrono::Utc::now();
        Ok(judge.compare(&Case { asked, reference: &reference, candidate: &candidate, design, rules, now }))
    }

    fn side(&self, word: &str) -> Result<Side, Exit> {
        let profile =
            |word: &str| word.parse().map_err(|error| Exit::failed(format!("`{word}`: {error}, or `rust`")));
        if word == "rust" {
            profile(&self.facts.profile).map(Side::Rust)
        } else {
            profile(word).map(Side::Flask)
        }
    }
}

pub(super) fn check(common: &Common, flags: &Check) -> Done {
    let mut capsule = Capsule::open(common, &flags.folder)?;
    let (answer, asked, side) = match (&flags.against, &flags.answer) {
        (Some(against), _) => {
            let (target, _) = replay::target(&capsule.settings, against)?;
            let mut player = capsule.player(&target, flags.timeout)?;
            let played = runtime()?.block_on(player.play(&capsule.exchange)).map_err(Exit::failed)?;
            if played.answer.status == 503 && played.answer.headers.contains_key("x-ficus-defer") {
                return Err(Exit::failed("the handler hands the request back: Flask would answer it"));
            }
            (played.answer, played.asked, capsule.facts.candidate.1.clone())
        }
        (None, Some(file)) => {
            let asked =
                Asked { url: format!("http://localhost{}", capsule.exchange.target), cookies: Vec::new() };
            (given(file)?, asked, capsule.facts.reference.1.clone())
        }
        (None, None) => return Err(Exit::usage("--against or --answer is missing")),
    };
    let side = flags.answers_as.clone().unwrap_or(side);
    let comparison = capsule.compare(&asked, &answer, &side)?;
    let same = matches!(comparison.verdict, Verdict::Match | Verdict::Empty | Verdict::Ignored);
    if common.json {
        let paths: Vec<String> = comparison.differences.iter().map(|found| found.path.text()).collect();
        screen::print_json(
            &json!({ "schema": 1, "same": same, "result": comparison.verdict.word(), "differences": paths }),
        );
    } else {
        let word = if same { "agrees".to_owned() } else { screen::bad("differs") };
        let mut text = format!("{word}  {}: {}\n", capsule.facts.route, capsule.exchange.title);
        comparison.differences.iter().take(20).for_each(|difference| text.push_str(&twin::lines(difference)));
        if let Some(why) = comparison.incomparable {
            text.push_str(&format!("    not comparable: {}\n", why.word()));
        }
        screen::print(&text);
    }
    if same { Ok(()) } else { Err(Exit::silent(3)) }
}

pub(super) fn request(common: &Common, flags: &Request) -> Done {
    let capsule = Capsule::open(common, &flags.folder)?;
    // Nobody is asked.
    let nowhere = Target::Unix(PathBuf::new());
    let mut player = capsule.player(&nowhere, 1)?;
    let prepared = player.prepare(&capsule.exchange).map_err(Exit::failed)?;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = prepared.request.headers().iter().filter(|(name, _)| **name != http::header::CONNECTION);
    let headers: Vec<(String, String)> =
        headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body: String = prepared.request.body().iter().map(|byte| format!("{byte:02x}")).collect();
    screen::print_json(&json!({
        "schema": 1,
        "method": prepared.request.method().as_str(),
        "target": prepared.request.uri().to_string(),
        "headers": headers,
        "body": body,
        "conditions": prepared.lacking,
    }));
    Ok(())
}

fn given(file: &Path) -> Result<Answer, Exit> {
    let wrong = |error: &dyn std::fmt::Display| Exit::failed(format!("`{}`: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let given: Given = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let mut answer = Answer { status: given.status, complete: true, ..Answer::default() };
    for (name, value) in &given.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|error| wrong(&error))?;
        answer.headers.append(name, HeaderValue::try_from(value.as_str()).map_err(|error| wrong(&error))?);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair[0])? * 16 + digit(*pair.get(1)?)?);
    let body: Option<Vec<u8>> = given.body.as_bytes().chunks(2).map(pair).collect();
    answer.body = body.ok_or_else(|| wrong(&"the body is not hexadecimal"))?.into();
    Ok(answer)
}

fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failed(format!("cannot start: {error}")))
}
