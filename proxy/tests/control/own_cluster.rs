//! A PostgreSQL cluster that belongs to one test: it can be stopped, ended without warning and started again, and it can
//! speak TLS and ask for passwords. Its programs are those of the cluster that `TEST_POSTGRES_URL` names.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tempfile::TempDir;

/// Who may come in, and how, over TCP. Over the Unix socket everybody may: the test itself does.
pub(crate) enum Door {
    /// Nobody.
    Closed,
    /// With TLS and a password; certificate and key in PEM, certificate first.
    Tls { certificate: String, key: String },
}

/// The cluster; gone with its files when it is dropped.
pub(crate) struct OwnCluster {
    directory: TempDir,
    programs: PathBuf,
    /// User and group, if we are somebody to whom PostgreSQL says no.
    account: Option<(u32, u32)>,
    pub(crate) port: u16,
    tls: bool,
    server: Option<Child>,
}

impl OwnCluster {
    pub(crate) fn start(door: &Door) -> Self {
        let (programs, owner) = found();
        let directory = tempfile::Builder::new().prefix("own-pg").tempdir_in("/tmp").unwrap();
        let us = nix::unistd::Uid::effective();
        let account = us.is_root().then_some(owner);
        let tls = matches!(door, Door::Tls { .. });
        let mut cluster = Self { directory, programs, account, port: free_port(), tls, server: None };
        cluster.hand_over(cluster.directory.path(), 0o700);
        cluster.initialize(door);
        cluster.run();
        cluster
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Of the Unix socket.
    pub(crate) fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// As its superuser, over the Unix socket.
    pub(crate) fn admin(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().socket(self.folder()).port(self.port);
        options.username("postgres").database("postgres").disable_statement_logging()
    }

    fn hand_over(&self, path: &Path, mode: u32) {
        if let Some((user, group)) = self.account {
            chown(path, Some(user), Some(group)).unwrap();
        }
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).env_remove("PGDATA");
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    fn initialize(&self, door: &Door) {
        let mut initdb = self.program("initdb");
        initdb.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"]);
        assert!(initdb.arg(self.data()).status().unwrap().success(), "initdb failed");
        let Door::Tls { certificate, key } = door else { return };
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            std::fs::write(&path, text).unwrap();
            self.hand_over(&path, 0o600);
        }
        let rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(self.data().join("pg_hba.conf"), rules).unwrap();
    }

    /// Starts the server, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.data()).arg("-k").arg(self.folder()).stderr(log);
        let port = self.port.to_string();
        let listen = if self.tls { "127.0.0.1" } else { "" };
        for (name, value) in [
            ("port", port.as_str()),
            ("listen_addresses", listen),
            ("ssl", if self.tls { "on" } else { "off" }),
            ("password_encryption", "scram-sha-256"),
            ("fsync", "off"),
            ("full_page_writes", "off"),
        ] {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        self.server = Some(postgres.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.answers() {
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "PostgreSQL does not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { PgConnection::connect_with(&self.admin()).await.is_ok() })
    }

    /// Ends the server as a power cut would: nothing is written any more, nobody is told.
    pub(crate) fn crash(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut server) = self.server.take() else { return };
        let _ = kill(Pid::from_raw(i32::try_from(server.id()).unwrap()), signal);
        let deadline = Instant::now() + Duration::from_secs(20);
        while server.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _ = server.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("postgres.log")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        self.end(Signal::SIGQUIT);
    }
}

/// Where PostgreSQL's programs are, and whose the cluster of all tests is.
fn found() -> (PathBuf, (u32, u32)) {
    let url = std::env::var("TEST_POSTGRES_URL").expect(crate::cluster::NEEDS_CLUSTER);
    let options: PgConnectOptions = url.replacen("@/", "@localhost/", 1).parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (programs, data): (String, String) = runtime.block_on(async {
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let sql =
            "SELECT (SELECT setting FROM pg_config WHERE name = 'BINDIR'), current_setting('data_directory')";
        let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
        (row.get(0), row.get(1))
    });
    let owner = std::fs::metadata(data).unwrap();
    (programs.into(), (owner.uid(), owner.gid()))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
