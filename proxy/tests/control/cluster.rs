//! A database of its own for a test, and a line to it that can be cut: what the tests of fleets need of PostgreSQL.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;

pub(crate) const NEEDS_CLUSTER: &str =
    "TEST_POSTGRES_URL is not set: run `cargo xtask with-postgres -- cargo nextest run --workspace`";
static NUMBERS: AtomicU32 = AtomicU32::new(1);

/// A database in the cluster of `TEST_POSTGRES_URL`, dropped at the end.
pub(crate) struct Database {
    runtime: tokio::runtime::Runtime,
    admin: PgConnectOptions,
    pub(crate) name: String,
    copies: Vec<String>,
}

impl Database {
    pub(crate) fn create() -> Self {
        let url = std::env::var("TEST_POSTGRES_URL").expect(NEEDS_CLUSTER);
        Self::create_in(url.replacen("@/", "@localhost/", 1).parse().unwrap())
    }

    /// In the cluster of this superuser.
    pub(crate) fn create_in(admin: PgConnectOptions) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let number = NUMBERS.fetch_add(1, Ordering::SeqCst);
        let name = format!("fleet_{}_{number}", std::process::id());
        let admin = admin.disable_statement_logging();
        let database = Self { runtime, admin, name: name.clone(), copies: Vec::new() };
        database.admin(&format!("CREATE DATABASE {name} TEMPLATE template0"));
        database
    }

    fn execute(&self, options: &PgConnectOptions, sql: &str) {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect_with(options).await.unwrap();
            connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    fn admin(&self, sql: &str) {
        self.execute(&self.admin, sql);
    }

    /// Runs a statement in the database itself.
    pub(crate) fn run(&self, sql: &str) {
        self.execute(&self.admin.clone().database(&self.name), sql);
    }

    /// Nobody gets in any more, and whoever is in is thrown out: as if the server had been stopped.
    pub(crate) fn stop(&self) {
        self.admin(&format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", self.name));
        self.throw_out();
    }

    pub(crate) fn start(&self) {
        self.admin(&format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", self.name));
    }

    /// Ends all connections; they may come again.
    pub(crate) fn throw_out(&self) {
        self.admin(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            self.name
        ));
    }

    /// A backup of how it is now.
    pub(crate) fn copy(&mut self) -> String {
        let copy = format!("{}_copy{}", self.name, self.copies.len());
        self.stop();
        self.admin(&format!("CREATE DATABASE {copy} TEMPLATE {}", self.name));
        self.start();
        self.copies.push(copy.clone());
        copy
    }

    /// The database is lost; what comes in its place is a backup, or nothing.
    pub(crate) fn lose(&self, backup: Option<&str>) {
        self.admin(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        self.admin(&format!("CREATE DATABASE {} TEMPLATE {}", self.name, backup.unwrap_or("template0")));
    }

    /// The Unix socket.
    fn socket(&self) -> PathBuf {
        let folder = self.admin.get_socket().expect("the cluster listens on a Unix socket");
        folder.join(format!(".s.PGSQL.{}", self.admin.get_port()))
    }

    /// The text that a question has for an answer.
    pub(crate) fn ask(&self, sql: &str) -> String {
        use sqlx::Row;
        self.runtime.block_on(async {
            let options = self.admin.clone().database(&self.name);
            let mut connection = PgConnection::connect_with(&options).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap().get(0)
        })
    }

    /// All that is in the tables of this schema, as text.
    pub(crate) fn dump(&self, schema: &str) -> String {
        use sqlx::Row;
        self.runtime.block_on(async {
            let options = self.admin.clone().database(&self.name);
            let mut connection = PgConnection::connect_with(&options).await.unwrap();
            let tables =
                sqlx::query("SELECT tablename::text FROM pg_tables WHERE schemaname = $1 ORDER BY 1")
                    .bind(schema)
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
            let mut text = String::new();
            for table in tables {
                let table: String = table.get(0);
                text.push_str(&format!("\n{table}\n"));
                let sql = format!("SELECT t::text FROM {schema}.{table} t");
                let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
                for row in rows {
                    text.push_str(&format!("{}\n", row.get::<String, _>(0)));
                }
            }
            text
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A cluster of the test's own may have ended before.
        let there = self.runtime.block_on(async { PgConnection::connect_with(&self.admin).await.is_ok() });
        for name in self.copies.iter().chain([&self.name]).filter(|_| there) {
            self.admin(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

const OPEN: u8 = 0;
const CUT: u8 = 1;
const SILENT: u8 = 2;

/// A way to PostgreSQL that can be cut.
pub(crate) struct Relay {
    directory: TempDir,
    port: u16,
    state: Arc<AtomicU8>,
    streams: Arc<Mutex<Vec<UnixStream>>>,
}

impl Relay {
    pub(crate) fn to(database: &Database) -> Self {
        let directory = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        let target = database.socket();
        let listener = UnixListener::bind(directory.path().join(target.file_name().unwrap())).unwrap();
        let port = database.admin.get_port();
        let (state, streams) = (Arc::new(AtomicU8::new(OPEN)), Arc::new(Mutex::new(Vec::new())));
        let (now, kept) = (Arc::clone(&state), Arc::clone(&streams));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                match now.load(Ordering::SeqCst) {
                    OPEN => carry(stream, &target, &kept, &now),
                    SILENT => kept.lock().unwrap().push(stream),
                    _ => {}
                }
            }
        });
        Self { directory, port, state, streams }
    }

    /// The address of a database by this way.
    pub(crate) fn url(&self, database: &Database) -> String {
        let (port, folder) = (self.port, self.directory.path().display());
        format!("postgres://postgres@localhost:{port}/{}?host={folder}", database.name)
    }

    /// Connections break, and no new ones are taken.
    pub(crate) fn cut(&self) {
        self.state.store(CUT, Ordering::SeqCst);
        self.close();
    }

    /// Nothing comes through, and nobody says so.
    pub(crate) fn silence(&self) {
        self.state.store(SILENT, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.close();
        self.state.store(OPEN, Ordering::SeqCst);
    }

    fn close(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.close();
    }
}

fn carry(client: UnixStream, target: &Path, kept: &Mutex<Vec<UnixStream>>, state: &Arc<AtomicU8>) {
    let Ok(server) = UnixStream::connect(target) else { return };
    kept.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
    for (from, to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
        let state = Arc::clone(state);
        std::thread::spawn(move || pass(from, to, &state));
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, state: &AtomicU8) {
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(_) if state.load(Ordering::SeqCst) == SILENT => {}
            Ok(count) if to.write_all(&buffer[..count]).is_err() => break,
            Ok(_) => {}
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
