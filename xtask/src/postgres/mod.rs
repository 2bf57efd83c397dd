//! A PostgreSQL cluster of our own: found binaries, a private folder, a Unix socket only, no fsync. PostgreSQL
//! refuses to run as root, so root drops to `postgres` (else `nobody`) for the server alone. A system database is
//! never looked at. `with_postgres` lends a cluster to one command; `demo` keeps one under `.demo`.

mod binaries;
mod place;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::problem::{Context, Outcome, Problem, bail};
use crate::processes::Record;
use crate::signals::Interrupts;
use crate::supervise::{Account, Launch, Running, Stop, ask, run_logged, tail};
use crate::workspace::Workspace;

pub(crate) use binaries::Binaries;
use place::{account, private_folder};
pub(crate) use place::{home_for, own_uid};

/// Starting takes well under a second; a busy machine gets more.
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) running: Running,
    pub(crate) version: String,
    pub(crate) fresh: bool,
    binaries: Binaries,
    folder: PathBuf,
}

impl Cluster {
    /// Starts the cluster in `home` (made if need be), which must be a folder that [`home_for`] chose.
    pub(crate) fn start(
        workspace: &Workspace,
        home: &Path,
        record: &Record,
        interrupts: &Interrupts,
    ) -> Outcome<Self> {
        let account = account();
        let binaries = Binaries::find(workspace)?.reachable_by(account, home)?;
        let folder = home.join("pg");
        private_folder(&folder, account)?;
        let data = folder.join("data");
        let log = home.join("postgres.log");
        let fresh = !data.join("PG_VERSION").exists();
        if fresh {
            initialize(&binaries, &data, account, &log)?;
        }
        // Whoever wrote this file is dead: the record was cleaned up before, and the folder is ours alone.
        let _ = fs::remove_file(data.join("postmaster.pid"));
        let text = |path: &Path| path.display().to_string();
        let mut command =
            vec![binaries.program("postgres"), "-D".into(), text(&data), "-k".into(), text(&folder)];
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "max_connections=200",
        ] {
            command.extend(["-c".into(), setting.into()]);
        }
        let stop = Stop::Fast;
        let launch =
            Launch { name: "postgres", command, env: Vec::new(), dir: folder.clone(), log, account, stop };
        let running = launch.start(record)?;
        let version = binaries.version();
        let mut cluster = Self { running, version, fresh, binaries, folder };
        cluster.wait(interrupts)?;
        Ok(cluster)
    }

    fn wait(&mut self, interrupts: &Interrupts) -> Outcome {
        let mut died = None;
        let running = &mut self.running;
        let psql = (self.binaries.program("psql"), self.folder.display().to_string());
        let answers = interrupts.wait_for(START_LIMIT, || {
            died = running.exited();
            died.is_some() || query(&psql.0, &psql.1, "postgres", "select 1").is_some()
        });
        if answers && died.is_none() {
            return Ok(());
        }
        let end = tail(&self.running.log, 10);
        bail!("PostgreSQL does not start, see {}\n{end}", self.running.log.display())
    }

    /// The superuser's address of a database in this cluster.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@/{database}?host={}", self.folder.display())
    }

    /// The first column of the first row.
    pub(crate) fn query(&self, database: &str, sql: &str) -> Option<String> {
        query(&self.binaries.program("psql"), &self.folder.display().to_string(), database, sql)
    }

    /// Makes the database unless it is there; whether it was made now.
    pub(crate) fn ensure_database(&self, name: &str) -> Outcome<bool> {
        let there = self.query("postgres", &format!("select 1 from pg_database where datname = '{name}'"));
        if there.is_some_and(|answer| answer == "1") {
            return Ok(false);
        }
        let sql = format!("create database {name} template template0 encoding 'UTF8' locale 'C.UTF-8'");
        self.query("postgres", &sql)
            .ok_or_else(|| Problem::new(format!("cannot create the database `{name}`")))?;
        Ok(true)
    }

    /// Removes the database if it is there, also under the hands of somebody connected to it.
    pub(crate) fn drop_database(&self, name: &str) -> Outcome {
        let dropped = self.query("postgres", &format!("drop database if exists {name} with (force)"));
        dropped.map(|_| ()).ok_or_else(|| Problem::new(format!("cannot drop the database `{name}`")))
    }

    /// Stops the server.
    pub(crate) fn stop(self, interrupts: &Interrupts) {
        self.running.stop(STOP_LIMIT, || interrupts.insisted());
    }
}

fn query(psql: &str, socket: &str, database: &str, sql: &str) -> Option<String> {
    ask(psql, &["-XAtq", "-h", socket, "-U", "postgres", "-d", database, "-c", sql])
}

fn initialize(binaries: &Binaries, data: &Path, account: Option<Account>, log: &Path) -> Outcome {
    // What an interrupted initdb left behind has no PG_VERSION of use; it starts again.
    let _ = fs::remove_dir_all(data);
    let mut initdb = Command::new(binaries.program("initdb"));
    initdb
        .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
        .arg(data);
    initdb.current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        initdb.uid(account.uid).gid(account.gid);
    }
    run_logged(&mut initdb, log).context(|| "cannot make a PostgreSQL cluster".into())
}
