//! The database of this node: SQLite for one that is alone, PostgreSQL for the nodes of a fleet. The same questions.

use std::time::Duration;

use super::Record;
use super::audit::Copy;
use super::chain::{Chain, Link};
use super::fleet::{Member, Postgres};
use super::recorder::Texts;
use super::sqlite::Sqlite;

/// For a question to a server that may be far away, or gone without a word.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where it is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A file: `sqlite:PATH`.
    File(String),
    /// What a fleet shares.
    Fleet(Box<Member>),
}

/// An open database.
#[derive(Debug)]
pub(super) enum Database {
    File(Sqlite),
    Fleet(Postgres),
}

impl Place {
    /// How long a question may take; absent: as long as it does.
    pub(super) fn patience(&self) -> Option<Duration> {
        matches!(self, Self::Fleet(_)).then_some(PATIENCE)
    }

    /// Whether the audit on this node's disk and the one in the database are copies of each other. The fleet's is of all
    /// nodes, the disk's of what this one came to hold.
    pub(super) fn copies(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl Database {
    pub(super) async fn open(place: &Place, chain: &Chain) -> Result<Self, sqlx::Error> {
        match place {
            Place::File(url) => Sqlite::open(url, chain).await.map(Self::File),
            Place::Fleet(member) => Postgres::open(member).await.map(Self::Fleet),
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::File(database) => database.close().await,
            Self::Fleet(database) => database.close().await,
        }
    }

    /// Adds a record; `link` is its place in the audit of this node.
    pub(super) async fn append(&mut self, record: &Record, link: &Link) -> Result<(), sqlx::Error> {
        match self {
            Self::File(database) => database.append(record, link).await,
            Self::Fleet(database) => database.append(record).await,
        }
    }

    /// Adds to the audit that somebody was refused; `link` is its place in the audit of this node.
    pub(super) async fn append_refusal(&mut self, link: &Link) -> Result<(), sqlx::Error> {
        match self {
            Self::File(database) => database.append_link(link).await,
            Self::Fleet(database) => database.append_refusal(&link.record).await,
        }
    }

    /// All links of its audit, in order.
    pub(super) async fn links(&mut self) -> Result<Copy, sqlx::Error> {
        match self {
            Self::File(database) => database.links(0).await,
            Self::Fleet(database) => database.links().await,
        }
    }

    /// The last record of a revision in this node's own audit, if the database has a copy of that.
    pub(super) async fn last_record(&mut self) -> Result<Option<Record>, sqlx::Error> {
        match self {
            Self::File(database) => database.last_record().await,
            Self::Fleet(_) => Ok(None),
        }
    }

    /// The last link of this node's own audit, if the database has a copy of it.
    pub(super) async fn last_link(&mut self) -> Result<Option<Link>, sqlx::Error> {
        match self {
            Self::File(database) => database.last_link().await,
            Self::Fleet(_) => Ok(None),
        }
    }

    /// The routing file of a hash.
    pub(super) async fn text(&mut self, hash: &str) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::File(database) => database.text(hash).await,
            Self::Fleet(database) => database.text(hash).await,
        }
    }

    /// The routing files around a revision.
    pub(super) async fn texts(&mut self, revision: u64) -> Result<Option<Texts>, sqlx::Error> {
        match self {
            Self::File(database) => database.texts(revision).await,
            Self::Fleet(database) => database.texts(revision).await,
        }
    }

    /// The highest revision.
    pub(super) async fn latest(&mut self) -> Result<Option<u64>, sqlx::Error> {
        match self {
            Self::File(database) => database.latest().await,
            Self::Fleet(database) => database.latest().await,
        }
    }

    /// The last revisions, newest first: all, or those that changed one route.
    pub(super) async fn history(
        &mut self,
        route: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Record>, sqlx::Error> {
        match self {
            Self::File(database) => database.history(route, limit).await,
            Self::Fleet(database) => database.history(route, limit).await,
        }
    }
}
