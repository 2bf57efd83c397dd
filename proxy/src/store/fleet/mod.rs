//! The store that the nodes of a fleet share: PostgreSQL, schema `ficus`.
//!
//! [`Shared`] is this node's line to it: what holds (`revisions`), who is there (`nodes`), what guards did
//! (`incidents`), how often each route was asked where (`tallies`), each question bounded in time. A line that broke is tried again, at most every half second, so that
//! nobody who rolls back waits long for a store that is away. News arrive by `news`; history and audit are read by `past`,
//! for the recorder's thread. What follows from a revision that somebody else made is decided in `control`.

mod incidents;
mod login;
mod news;
mod nodes;
mod past;
mod revisions;
mod schema;
mod tallies;

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use tokio::runtime::Runtime;
use tokio::time::timeout;

pub use incidents::KeptIncident;
pub use news::{Heard, News};
pub use nodes::{Node, Presence};
pub(super) use past::Postgres;
pub use revisions::{Publication, Published, Since};
pub use tallies::{FleetBook, Teller};

/// For one question, and the connection that it may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// After a failure everybody is refused at once for so long.
const HOLD_OFF: Duration = Duration::from_millis(500);

/// Where the store is, and who we are there.
#[derive(Clone)]
pub struct Member {
    options: PgConnectOptions,
    /// A file that says whose certificates count.
    authority: Option<String>,
    node: String,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Member {
    /// The store at `url`, which has no password in it, for the node of this name.
    ///
    /// # Errors
    /// When the address makes no sense.
    pub fn new(url: &str, password: Option<&str>, node: &str) -> Result<Self, String> {
        // `USER@/DATABASE?host=/DIRECTORY` is how PostgreSQL's own programs name a Unix socket; the parser wants a host.
        let url = url.replacen("@/", "@localhost/", 1);
        let options = PgConnectOptions::from_str(&url).map_err(|error| format!("`store.url`: {error}"))?;
        let options = options.application_name(&format!("ficus {node}")).disable_statement_logging();
        let options = match password {
            Some(password) => options.password(password),
            None => options,
        };
        let local = options.get_socket().is_some();
        let options = if local { options.ssl_mode(PgSslMode::Disable) } else { options };
        Ok(Self { options, authority: login::authority(&url).filter(|_| !local), node: node.to_owned() })
    }

    /// Opens a connection; the tables are made or brought up to date.
    async fn open(&self) -> Result<PgConnection, sqlx::Error> {
        login::readable(self.authority.as_deref())?;
        let mut connection = PgConnection::connect_with(&self.options).await?;
        schema::bring_up(&mut connection).await?;
        Ok(connection)
    }
}

/// Why the store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Away(pub String);

/// This node's line to the shared store. Every call waits, for a bounded time.
#[derive(Debug)]
pub struct Shared {
    member: Member,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    runtime: Runtime,
    connection: Option<PgConnection>,
    /// When and why it last failed; absent: it works, or has not been tried.
    failed: Option<(Instant, String)>,
}

impl Shared {
    /// A line that is opened when it is first used.
    ///
    /// # Errors
    /// When the machine refuses what a line is made of.
    pub fn new(member: Member) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { member, line: Mutex::new(Line { runtime, connection: None, failed: None }) })
    }

    /// Another line to the same store, for what may take longer: nobody who flips waits behind it.
    ///
    /// # Errors
    /// When the machine refuses what a line is made of.
    pub fn another_line(&self) -> std::io::Result<Self> {
        Self::new(self.member.clone())
    }

    /// The name of this node.
    pub fn node(&self) -> &str {
        &self.member.node
    }

    /// Asks. A connection that broke meanwhile is made again, once; the question must bear to be asked twice.
    fn ask<T>(
        &self,
        mut question: impl AsyncFnMut(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Away> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, why)) = line.failed.as_ref().filter(|(at, _)| at.elapsed() < HOLD_OFF) {
            return Err(Away(why.clone()));
        }
        let Line { runtime, connection, failed } = &mut *line;
        // A timeout is made inside of the runtime that keeps its time.
        let answered = async {
            loop {
                let kept = connection.is_some();
                let open = match connection {
                    Some(open) => open,
                    None => connection.insert(self.member.open().await?),
                };
                match question(open).await {
                    Err(error) if kept && is_broken(&error) => *connection = None,
                    answer => return answer,
                }
            }
        };
        let asked = runtime.block_on(async { timeout(PATIENCE, answered).await });
        let error = match asked {
            Ok(Ok(answer)) => {
                *failed = None;
                return Ok(answer);
            }
            Ok(Err(error)) => said(&error),
            Err(_) => format!("it did not answer within {} seconds", PATIENCE.as_secs()),
        };
        *connection = None;
        *failed = Some((Instant::now(), error.clone()));
        Err(Away(error))
    }
}

/// Whether another connection may help.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
        // 57P01 to 57P05: the server is stopping, starting, or has closed this connection.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

/// What went wrong, in one line; nothing of it holds a password.
fn said(error: &sqlx::Error) -> String {
    let text = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    };
    let line = text.lines().next().unwrap_or_default();
    match login::remedy(error, line) {
        Some(remedy) => format!("{line}; {remedy}"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_never_shows_its_password() {
        let member = Member::new("postgres://ficus@db/ficus", Some("hunter2"), "web1").unwrap();
        assert!(!format!("{member:?}").contains("hunter2"));
        assert!(Member::new("postgres://ficus@db:port/ficus", None, "web1").is_err());
    }

    #[test]
    fn a_store_that_is_not_there_is_said_at_once_and_not_tried_all_the_time() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("postgres://ficus@localhost/ficus?host={}", directory.path().display());
        let shared = Shared::new(Member::new(&url, None, "web1").unwrap()).unwrap();
        let first = shared.head().unwrap_err();
        let again = Instant::now();
        assert_eq!(shared.head().unwrap_err(), first);
        assert!(again.elapsed() < HOLD_OFF);
    }
}
