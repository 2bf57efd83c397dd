//! `cargo demo`: everything up, with data, on a fresh machine. The steps in their order are here; what is started
//! and how is in `stack`, the demo's own files are in `files`, its users in `traffic`.

mod browser;
mod files;
mod stack;
mod traffic;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::build::build;
use crate::doctor::{self, Scope};
use crate::http::Address;
use crate::postgres::Cluster;
use crate::problem::{Context, Outcome, Problem, bail};
use crate::processes::Process;
use crate::progress::{Board, bar};
use crate::python;
use crate::signals::Interrupts;
use crate::supervise::ask;
use crate::workspace::Workspace;

use files::Home;
use stack::{Ports, Stack};

const STEPS: &[&str] = &["doctor", "postgres", "legacy", "data", "build", "run"];

/// What was asked for on the command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) reset: bool,
    pub(crate) traffic: bool,
    pub(crate) size: Option<String>,
}

impl Options {
    /// Reads `[--reset] [--traffic] [--size small|large]`.
    pub(crate) fn parse(parser: &mut lexopt::Parser) -> Outcome<Self> {
        use lexopt::prelude::*;
        let mut options = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("reset") => options.reset = true,
                Long("traffic") => options.traffic = true,
                Long("size") => {
                    let size = parser.value()?.to_string_lossy().into_owned();
                    if size != "small" && size != "large" {
                        bail!("`--size {size}` is not known: use small or large");
                    }
                    options.size = Some(size);
                }
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

/// What the steps share.
struct Demo<'a> {
    workspace: &'a Workspace,
    home: Home,
    options: Options,
    interrupts: Interrupts,
    board: Board,
}

/// Brings everything up, waits for Ctrl-C, takes everything down.
pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome {
    let interrupts = Interrupts::watch()?;
    let home = Home::open(workspace)?;
    let left = claim(&home)?;
    if left > 0 {
        eprintln!("stopped {left} process(es) that an earlier demo left behind");
    }
    let home = if options.reset { home.wipe(workspace)? } else { home };
    register(&home)?;
    let demo = Demo { workspace, home, options, interrupts, board: Board::new(STEPS) };
    let mut stack = Stack::default();
    let outcome = demo.bring_up(&mut stack).and_then(|ports| demo.keep_up(&mut stack, ports));
    let stopped_early = demo.interrupts.asked();
    if stopped_early {
        eprintln!("\nstopping (Ctrl-C again: at once)");
    }
    stack.stop(&demo.interrupts);
    demo.home.record().forget();
    // Steps that were cut short by Ctrl-C are not failures.
    if stopped_early { Ok(()) } else { outcome }
}

/// Refuses a second demo beside a running one; ends what a killed one left behind.
fn claim(home: &Home) -> Outcome<usize> {
    let record = home.record();
    if let Some((_, other)) =
        record.entries().into_iter().find(|(name, process)| name == "xtask" && process.alive())
    {
        bail!("a demo is already running here: stop it with Ctrl-C, or with `kill {}`", other.pid);
    }
    Ok(record.clean_up())
}

fn register(home: &Home) -> Outcome {
    let this = Process::this().ok_or_else(|| Problem::new("cannot read /proc"))?;
    home.record().add("xtask", &this)
}

impl Demo<'_> {
    /// Steps 1 to 6; what was started is in the stack, also when a step fails.
    fn bring_up(&self, stack: &mut Stack) -> Outcome<Ports> {
        self.board.say("doctor", "looking at the machine");
        let found = doctor::examine(self.workspace, Scope::Demo)?;
        let ports = Ports::choose()?;
        self.board.done("doctor", found);
        let unwanted = AtomicBool::new(false);
        let (data, built) = thread::scope(|scope| {
            let building = scope.spawn(|| self.build(&unwanted));
            let data = self.prepare(stack);
            unwanted.store(data.is_err(), Ordering::SeqCst);
            (data, building.join().unwrap_or_else(|_| Err(Problem::new("the build step panicked"))))
        });
        data?;
        built?;
        self.go_on()?;
        self.board.say("run", "starting");
        stack.start_services(self, ports)?;
        let on = format!(
            "legacy :{} · rust on a socket · proxy :{} · admin :{}",
            ports.legacy, ports.http, ports.admin
        );
        self.board.done("run", on);
        Ok(ports)
    }

    fn go_on(&self) -> Outcome {
        if self.interrupts.asked() { Err(Problem::new("stopped")) } else { Ok(()) }
    }

    /// Steps 2 to 4: database, legacy environment, data.
    fn prepare(&self, stack: &mut Stack) -> Outcome {
        self.board.say("postgres", "starting a cluster of our own");
        let cluster =
            Cluster::start(self.workspace, &self.home.postgres, &self.home.record(), &self.interrupts)?;
        let version = cluster.version.clone();
        let cluster = stack.cluster.insert(cluster);
        let new = if cluster.fresh { "new cluster" } else { "cluster kept from last time" };
        self.board.done("postgres", format!("PostgreSQL {version}, {new}, socket only"));
        self.go_on()?;
        self.board.say("legacy", "Python packages");
        python::ensure(self.workspace, "flask-1.1")?;
        self.board.done("legacy", "virtual environment of Flask 1.1.2 ready");
        self.go_on()?;
        self.board.say("data", "Alembic migrations");
        let told = self.data(cluster)?;
        self.board.done("data", told);
        Ok(())
    }

    /// Migrates always; seeds once, or again when another size is asked for.
    fn data(&self, cluster: &Cluster) -> Outcome<String> {
        let marker = self.home.path("seeded");
        let seeded = fs::read_to_string(&marker).ok();
        let wanted = self.options.size.clone().or_else(|| seeded.clone()).unwrap_or_else(|| "small".into());
        if seeded.as_ref() != Some(&wanted) {
            let _ = fs::remove_file(&marker);
            cluster.drop_database("crm")?;
        }
        cluster.ensure_database("crm")?;
        let log = self.home.log("data")?;
        stack::flask(self, &["db", "upgrade"], &log)?;
        if seeded.as_ref() != Some(&wanted) {
            self.board.say("data", format!("seeding ({wanted})"));
            // Data that end today have something to show in due lists and reports.
            let today = ask("date", &["+%F"]).unwrap_or_default();
            let dated = ["seed", "--size", &wanted, "--today", &today];
            stack::flask(self, if today.is_empty() { &dated[..3] } else { &dated }, &log)?;
            fs::write(&marker, &wanted).context(|| format!("cannot write `{}`", marker.display()))?;
        }
        let count =
            |table: &str| cluster.query("crm", &format!("select count(*) from {table}")).unwrap_or_default();
        let head = cluster.query("crm", "select version_num from alembic_version").unwrap_or_default();
        Ok(format!(
            "Alembic head {head}, {} users, {} customers, {} deals",
            count("users"),
            count("customers"),
            count("deals")
        ))
    }

    /// Step 5: the two binaries; given up when the data cannot be had anyway.
    fn build(&self, unwanted: &AtomicBool) -> Outcome {
        self.board.say("build", "proxy and handlers");
        let wanted = ["--package", "ficus", "--package", "rust-handlers", "--bins"];
        let told = |done, total| self.board.say("build", format!("proxy and handlers {}", bar(done, total)));
        let stop = || self.interrupts.asked() || unwanted.load(Ordering::SeqCst);
        build(self.workspace, &wanted, stop, told)?;
        self.board.done("build", "target/debug/ficus, target/debug/rust-handlers");
        Ok(())
    }

    /// Prints what to do with it all, then watches until somebody has enough or something dies.
    fn keep_up(&self, stack: &mut Stack, ports: Ports) -> Outcome {
        println!("{}", self.ready(ports));
        let traffic = self.options.traffic.then(|| traffic::Office::open(&Address::Port(ports.http)));
        let mut last = String::new();
        let mut rounds: u32 = 0;
        while !self.interrupts.asked() {
            stack.look(self)?;
            thread::sleep(Duration::from_millis(200));
            rounds += 1;
            if let Some(counts) =
                traffic.as_ref().filter(|_| rounds.is_multiple_of(25)).map(traffic::Office::counts)
                && counts != last
            {
                println!("{counts}");
                last = counts;
            }
        }
        if let Some(office) = traffic {
            office.close();
        }
        Ok(())
    }

    fn ready(&self, ports: Ports) -> String {
        let ficus = self.workspace.short(&self.workspace.binary("ficus"));
        let ficus = format!("{ficus} --socket {}", self.workspace.short(&self.home.socket("admin.sock")));
        let Ports { http, admin, legacy } = ports;
        format!(
            "\nReady.  CRM      http://127.0.0.1:{http}        ana@example.com / demo
        legacy   http://127.0.0.1:{legacy}        the same CRM without the proxy
        admin    http://127.0.0.1:{admin}/metrics

Try:    {ficus} flip customers.list rust
        {ficus} status
        {ficus} rollback customers.list

Ctrl-C stops everything. Data and logs stay in .demo/ (--reset wipes it, --traffic adds simulated users)."
        )
    }
}
