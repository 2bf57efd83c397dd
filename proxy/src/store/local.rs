//! A small database of this node: opened when it is first asked, and anew after an error, because the file may have been moved
//! away. Whoever asks waits for the disk.

use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

/// The database.
#[derive(Debug)]
pub(super) struct Local {
    options: SqliteConnectOptions,
    tables: &'static [&'static str],
    private: bool,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
}

impl Local {
    /// The database at this place, with these tables: statements that make them if they are not there.
    pub(super) fn new(place: SqliteConnectOptions, tables: &'static [&'static str]) -> Self {
        let options = place
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(2));
        Self { options, tables, private: false, open: None }
    }

    /// The same, for its owner only.
    pub(super) fn private(self) -> Self {
        Self { private: true, ..self }
    }

    /// Asks it.
    ///
    /// # Errors
    /// When it cannot be opened, or the question fails.
    pub(super) fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, String> {
        let mut used = match self.open.take() {
            Some(used) => used,
            None => self.open().map_err(|error| error.to_string())?,
        };
        let answer = used.runtime.block_on(question(&mut used.connection));
        if answer.is_ok() {
            self.open = Some(used);
        }
        answer.map_err(|error| error.to_string())
    }

    /// Closes it in good order; the next question opens it again.
    pub(super) fn close(&mut self) {
        if let Some(Open { runtime, connection }) = self.open.take() {
            let _ = runtime.block_on(connection.close());
        }
    }

    fn open(&self) -> Result<Open, sqlx::Error> {
        let path = self.options.get_filename();
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(sqlx::Error::Io)?;
        }
        if self.private {
            // The files beside it get the same mode.
            let mut file = std::fs::OpenOptions::new();
            file.append(true).create(true).mode(0o600).open(path).map_err(sqlx::Error::Io)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(sqlx::Error::Io)?;
        let connection = runtime.block_on(async {
            let mut connection = SqliteConnection::connect_with(&self.options).await?;
            for table in self.tables {
                sqlx::query(*table).execute(&mut connection).await?;
            }
            Ok::<_, sqlx::Error>(connection)
        })?;
        Ok(Open { runtime, connection })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use sqlx::Row;

    use super::*;

    async fn count(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query("INSERT INTO seen DEFAULT VALUES").execute(&mut *connection).await?;
        sqlx::query("SELECT count(*) FROM seen").fetch_one(connection).await?.try_get(0)
    }

    #[test]
    fn it_is_opened_anew_after_an_error_and_a_private_one_is_its_owners() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/seen.db");
        let place = SqliteConnectOptions::new().filename(&path);
        let mut local =
            Local::new(place, &["CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY)"]).private();
        assert_eq!(local.ask(count), Ok(1));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        local.ask(async |open| sqlx::query("no such thing").execute(open).await).unwrap_err();
        assert_eq!(local.ask(count), Ok(2));
        local.close();
        assert_eq!(local.ask(count), Ok(3));
    }
}
