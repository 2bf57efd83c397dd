//! `ficus twin`: two stacks on clones of one database, the same journey against each, then answers and final tables compared.

mod plan;
mod report;
mod stack;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use flask_compat::fernet::MultiFernet;

use super::arguments::Common;
use super::exit::Exit;
use super::{Done, screen};
use crate::route::{Found, IgnoreRule, Table};
use crate::shadow::compare::{Case, Comparison, Design, Judge, Verdict};
use crate::shadow::corpus::{Exchange, Masker, Session, load};
use crate::shadow::journey::{People, Played, Player, recorded_answer};
use crate::shadow::rows::{self, Clock, RowChange, RowComparison, RowRules, Schema};
use crate::store::{Original, TableRows, TableShape};

use plan::Plan;
pub(super) use report::lines;
use report::{document, report};
use stack::Stack;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far the clocks of both sides may be apart beside the time that one answer took, in seconds.
const MOMENT: f64 = 5.0;

/// `twin`.
#[derive(Debug, Args)]
#[command(after_help = "\
The file says how each stack is started and which sessions are played; docs/how-to/twin.md explains it. Nobody may be \
connected to the database while it is cloned. The clones are dropped at the end, also after Ctrl-C and errors.

Exit codes: 0 both did the same, 3 something differs, 1 it could not be tried.

Examples:
  ficus twin twin.toml
  ficus twin twin.toml --routes routes.toml --json")]
pub(super) struct Flags {
    /// How both stacks are started, and what is played
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Keep the logs of the stacks in this folder
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Default)]
struct Outcome {
    steps: Vec<Step>,
    tables: usize,
    rows: RowComparison,
}

#[derive(Debug)]
struct Step {
    session: String,
    title: String,
    comparison: Result<Comparison, String>,
}

impl Step {
    fn differs(&self) -> bool {
        !matches!(&self.comparison, Ok(comparison)
            if matches!(comparison.verdict, Verdict::Match | Verdict::Empty | Verdict::Ignored))
    }
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let plan = Plan::load(&flags.file)?;
    let table = super::replay::routes(common)?;
    let url = std::env::var(&plan.database_env).map_err(|_| {
        Exit::failed(format!(
            "the variable {} is not set: it holds the URL of the database to clone",
            plan.database_env
        ))
    })?;
    let original = Original::new(&url).map_err(Exit::failed)?;
    let sessions = load(&plan.journey).map_err(Exit::failed)?;
    let mut people =
        plan.users.as_deref().map(People::load).transpose().map_err(Exit::failed)?.unwrap_or_default();
    let secret = std::env::var(&plan.secret_key_env).ok();
    people.masker = super::replay::masker_of_recording(secret.as_deref(), &plan.journey)?;
    let masker = people.masker.clone().unwrap_or_else(|| Masker::new(b"", BTreeSet::new()));
    people.given = super::replay::given(plan.values.as_deref(), &sessions, &masker)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failed(format!("cannot start: {error}")))?;
    let folder = Folder::new(flags.logs.as_deref())?;
    let twin = Twin {
        plan: &plan,
        sessions: &sessions,
        people: &people,
        table: table.as_ref(),
        original: &original,
    };
    let outcome = runtime.block_on(twin.run(&folder.path))?;
    if common.json {
        screen::print_json(&document(&outcome));
    } else {
        screen::print(&report(&outcome));
    }
    let differs = outcome.steps.iter().any(Step::differs) || !outcome.rows.differences.is_empty();
    if differs { Err(Exit::silent(3)) } else { Ok(()) }
}

/// Where sockets and logs are; removed at the end unless somebody wants to keep it.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn new(wanted: Option<&Path>) -> Result<Self, Exit> {
        let path = wanted.map_or_else(
            || std::env::temp_dir().join(format!("ficus-twin-{}", std::process::id())),
            Path::to_path_buf,
        );
        std::fs::create_dir_all(&path)
            .map_err(|error| Exit::failed(format!("cannot make `{}`: {error}", path.display())))?;
        let path = path.canonicalize().unwrap_or(path);
        Ok(Self { path, keep: wanted.is_some() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

struct Twin<'a> {
    plan: &'a Plan,
    sessions: &'a [Session],
    people: &'a People,
    table: Option<&'a Table>,
    original: &'a Original,
}

impl Twin<'_> {
    /// Clones, plays, compares, and drops the clones whatever happened.
    async fn run(&self, folder: &Path) -> Result<Outcome, Exit> {
        let clone = |side: &str| format!("{}_twin_{side}_{}", self.original.name(), std::process::id());
        let clones = [clone("left"), clone("right")];
        let outcome = tokio::select! {
            outcome = self.play(&clones, folder) => outcome,
            () = interrupted() => Err(Exit::interrupted()),
        };
        // The stacks ended with `play`.
        for name in &clones {
            if let Err(error) = self.original.drop_clone(name).await {
                eprintln!("{} {error}", screen::warning_word());
            }
        }
        outcome
    }

    async fn play(&self, clones: &[String; 2], folder: &Path) -> Result<Outcome, Exit> {
        for name in clones {
            self.original.clone_as(name).await.map_err(Exit::failed)?;
        }
        let (tables, before) = self.original.rows(self.original.name()).await.map_err(Exit::failed)?;
        let (left_url, right_url) = (self.original.url_of(&clones[0]), self.original.url_of(&clones[1]));
        let left = Stack::start("left", &self.plan.left, &left_url, folder).await?;
        let right = Stack::start("right", &self.plan.right, &right_url, folder).await?;
        let mut outcome = Outcome { tables: tables.len(), ..Outcome::default() };
        let mut slowest = 0.0_f64;
        for session in self.sessions {
            self.session(session, (&left, &right), &mut outcome, &mut slowest).await?;
        }
        // Nothing is written any more when the tables are read.
        drop((left, right));
        let (_, after_left) = self.original.rows(&clones[0]).await.map_err(Exit::failed)?;
        let (_, after_right) = self.original.rows(&clones[1]).await.map_err(Exit::failed)?;
        outcome.rows = self.tables(&tables, &before, (&after_left, &after_right), slowest)?;
        Ok(outcome)
    }

    /// Step by step, each on both sides, so that their clocks stay together.
    async fn session(
        &self,
        session: &Session,
        (left, right): (&Stack, &Stack),
        outcome: &mut Outcome,
        slowest: &mut f64,
    ) -> Result<(), Exit> {
        let judge = self.judge();
        let design = Design::of(self.plan.left.side()?, self.plan.right.side()?);
        let mut one = Player::new(&left.target, &self.plan.host, self.people, PATIENCE);
        let mut other = Player::new(&right.target, &self.plan.host, self.people, PATIENCE);
        for player in [&mut one, &mut other] {
            player.begin(session).await.map_err(Exit::failed)?;
        }
        for exchange in &session.exchanges {
            let (reference, candidate) = (one.play(exchange).await, other.play(exchange).await);
            let comparison = match (reference, candidate) {
                (Ok(reference), Ok(candidate)) => {
                    *slowest = slowest.max((reference.took + candidate.took).as_secs_f64());
                    for (player, played) in [(&mut one, &reference), (&mut other, &candidate)] {
                        if let Some(recorded) = &exchange.answer {
                            player.renames.learn(
                                &exchange.target,
                                &recorded_answer(recorded),
                                &played.answer,
                            );
                        }
                    }
                    self.compare(exchange, (&reference, &candidate), &judge, design)
                }
                (Err(error), _) => Err(format!("left: {error}")),
                (_, Err(error)) => Err(format!("right: {error}")),
            };
            let step = Step { session: session.name.clone(), title: exchange.title.clone(), comparison };
            if outcome.steps.len() % 20 == 19 {
                eprintln!("{} steps played", outcome.steps.len() + 1);
            }
            outcome.steps.push(step);
        }
        Ok(())
    }

    fn judge(&self) -> Judge {
        let key = std::env::var(&self.plan.secret_key_env).ok();
        let profile = self.plan.left.answers_as.parse().unwrap_or(flask_compat::Profile::Werkzeug10);
        Judge::new(key.as_deref(), &self.plan.session_cookie, profile)
    }

    fn compare(
        &self,
        exchange: &Exchange,
        (reference, candidate): (&Played, &Played),
        judge: &Judge,
        design: Design,
    ) -> Result<Comparison, String> {
        if let Some(expected) = exchange.expect
            && reference.answer.status != expected
        {
            return Err(format!("left answered {}, the journey expects {expected}", reference.answer.status));
        }
        let path = exchange.target.split('?').next().unwrap_or_default();
        let route = self.table.and_then(|table| match table.find(&self.plan.host, &exchange.method, path) {
            Found::Route(route) => Some(route),
            Found::Unmatched => None,
        });
        let shadow = route.as_ref().and_then(|route| route.shadow.as_ref());
        let rules: &[IgnoreRule] = shadow.map(|shadow| shadow.ignore.as_slice()).unwrap_or_default();
        let now = chrono::Utc::now();
        let cookies = candidate.asked.cookies.as_slice();
        let (asked, reference, candidate) = (&reference.asked, &reference.answer, &candidate.answer);
        let case = Case { asked, reference, candidate, design, rules, now };
        Ok(judge.compare_apart(&case, Some(cookies)))
    }

    fn tables(
        &self,
        tables: &[TableShape],
        before: &TableRows,
        (left, right): (&TableRows, &TableRows),
        slowest: f64,
    ) -> Result<RowComparison, Exit> {
        let compared = || tables.iter().filter(|table| !self.plan.skip_tables.contains(&table.name));
        let changes = |after: &TableRows| -> Vec<RowChange> {
            let nothing = Vec::new();
            let of = |rows: &TableRows, name: &str| rows.get(name).unwrap_or(&nothing).clone();
            compared()
                .flat_map(|table| {
                    rows::changes(&table.name, &table.key, &of(before, &table.name), &of(after, &table.name))
                })
                .collect()
        };
        let schema = schema(tables);
        let keys = match &self.plan.fernet_keys_env {
            Some(variable) => {
                let keys = std::env::var(variable).map_err(|_| {
                    Exit::failed(format!("the variable {variable} is not set: it holds the Fernet keys"))
                })?;
                let keys = MultiFernet::new(keys.split(',').map(str::trim));
                Some(keys.map_err(|error| Exit::failed(format!("the variable {variable}: {error}")))?)
            }
            None => None,
        };
        // Rules for rows stand with the routes that write them.
        let routes = self.table.map(Table::routes).unwrap_or_default();
        let ignore: Vec<IgnoreRule> = routes
            .iter()
            .filter_map(|route| route.shadow.as_ref())
            .flat_map(|shadow| {
                shadow.ignore.iter().filter(|rule| rule.path.as_str().starts_with("rows")).cloned()
            })
            .collect();
        let rules = RowRules {
            ignore: &ignore,
            today: chrono::Utc::now().date_naive(),
            clock: Clock { apart: 0.0, within: slowest + MOMENT },
            keys: keys.as_ref(),
            schema: &schema,
        };
        Ok(rows::compare(&changes(left), &changes(right), &rules))
    }
}

/// What the catalogue says, as comparing needs it.
fn schema(tables: &[TableShape]) -> Schema {
    let mut schema = Schema { references: BTreeMap::new(), generated: Some(BTreeSet::new()) };
    for table in tables {
        for (column, target, there) in &table.references {
            let (from, to) = ((table.name.clone(), column.clone()), (target.clone(), there.clone()));
            schema.references.insert(from, to);
        }
        let generated = table.generated.iter().map(|column| (table.name.clone(), column.clone()));
        if let Some(known) = &mut schema.generated {
            known.extend(generated);
        }
    }
    schema
}

/// Ctrl-C, or a polite request to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
