//! The demo's processes: what each is started with, when it counts as ready, what happens when one dies, and the
//! order of stopping. The proxy is started last and stopped first.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::http::{Address, Request};
use crate::postgres::Cluster;
use crate::problem::{Outcome, Problem, bail};
use crate::python;
use crate::signals::Interrupts;
use crate::supervise::{Launch, Running, Stop, run_logged, tail};

use super::Demo;
use super::files::value;

const READY_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Between a handler's death and its next start: doubled each time, forgotten after a minute of health.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Loopback ports, all free a moment ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) http: u16,
    pub(super) admin: u16,
    pub(super) legacy: u16,
}

impl Ports {
    /// The usual ones, else the next free.
    pub(super) fn choose() -> Outcome<Self> {
        Ok(Self { http: free(8080)?, admin: free(9900)?, legacy: free(5000)? })
    }
}

fn free(preferred: u16) -> Outcome<u16> {
    let found =
        (preferred..preferred + 100).find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    found.ok_or_else(|| Problem::new(format!("no free port from {preferred} on")))
}

/// What runs, in the order of starting.
#[derive(Default)]
pub(super) struct Stack {
    pub(super) cluster: Option<Cluster>,
    services: Vec<Running>,
    handlers: Option<Restart>,
}

/// The handlers are new code: they may die, Flask answers meanwhile, and they are started again.
struct Restart {
    launch: Launch,
    started: Instant,
    pause: Duration,
    due: Option<Instant>,
}

impl Stack {
    /// Step 6: legacy, handlers, proxy, each waited for.
    pub(super) fn start_services(&mut self, demo: &Demo<'_>, ports: Ports) -> Outcome {
        let routes = demo.home.routes(demo.workspace)?;
        let settings = demo.home.settings(ports)?;
        let legacy = legacy(demo, ports)?;
        let handlers = handlers(demo, &routes)?;
        let proxy = proxy(demo, &settings, &routes)?;

        self.start(demo, &legacy)?;
        self.start(demo, &handlers)?;
        self.handlers =
            Some(Restart { launch: handlers, started: Instant::now(), pause: FIRST_PAUSE, due: None });
        self.ready(demo, "legacy", &Address::Port(ports.legacy), "/auth/login")?;
        self.ready(demo, "handlers", &Address::Socket(demo.home.socket("handlers.sock")), "/")?;
        self.start(demo, &proxy)?;
        self.ready(demo, "proxy", &Address::Port(ports.admin), "/readyz")?;
        self.ready(demo, "proxy", &Address::Port(ports.http), "/auth/login")
    }

    fn start(&mut self, demo: &Demo<'_>, launch: &Launch) -> Outcome {
        self.services.push(launch.start(&demo.home.record())?);
        Ok(())
    }

    /// Polls the endpoint until it answers 200, or the process dies. The handlers listen only when they are ready and
    /// have no page of their own: any answer of theirs will do.
    fn ready(&mut self, demo: &Demo<'_>, name: &str, address: &Address, target: &str) -> Outcome {
        let request = Request::get(target);
        let mut dead = None;
        let ready = demo.interrupts.wait_for(READY_LIMIT, || {
            dead = self.dead();
            dead.is_some()
                || request
                    .send(address, Duration::from_secs(10))
                    .is_ok_and(|answer| answer.status == 200 || name == "handlers")
        });
        if let Some(index) = dead {
            return Err(self.obituary(index));
        }
        if ready || demo.interrupts.asked() {
            return demo.go_on();
        }
        let log =
            self.services.iter().find(|service| service.name == name).map(|service| service.log.clone());
        let end = log.as_deref().map(|log| tail(log, 10)).unwrap_or_default();
        bail!("{name} did not answer 200 on {target} within {} s\n{end}", READY_LIMIT.as_secs())
    }

    fn dead(&mut self) -> Option<usize> {
        self.services.iter_mut().position(|service| service.exited().is_some())
    }

    fn obituary(&mut self, index: usize) -> Problem {
        let mut service = self.services.remove(index);
        let status = service.exited().map(|status| status.to_string()).unwrap_or_default();
        let text = format!(
            "{} died ({status}), see {}\n{}",
            service.name,
            service.log.display(),
            tail(&service.log, 10)
        );
        service.stop(Duration::ZERO, || true);
        Problem::new(text)
    }

    /// One look at everything: handlers that died are started again, anything else that died ends the demo.
    pub(super) fn look(&mut self, demo: &Demo<'_>) -> Outcome {
        if let Some(cluster) = &mut self.cluster
            && cluster.running.exited().is_some()
        {
            bail!(
                "PostgreSQL died, see {}\n{}",
                cluster.running.log.display(),
                tail(&cluster.running.log, 10)
            );
        }
        while let Some(index) = self.dead() {
            let name = self.services.get(index).map_or("", |service| service.name);
            let problem = self.obituary(index);
            let Some(restart) = self.handlers.as_mut().filter(|_| name == "handlers") else {
                return Err(problem);
            };
            let pause = restart.plan();
            eprintln!("{problem}    Flask answers; starting the handlers again in {} s", pause.as_secs());
        }
        let Some(restart) = self.handlers.as_mut().filter(|restart| restart.is_due()) else { return Ok(()) };
        restart.due = None;
        restart.started = Instant::now();
        let launch = restart.launch.clone();
        self.start(demo, &launch)
    }

    /// Stops everything, last started first.
    pub(super) fn stop(self, interrupts: &Interrupts) {
        for service in self.services.into_iter().rev() {
            service.stop(STOP_LIMIT, || interrupts.insisted());
        }
        if let Some(cluster) = self.cluster {
            cluster.stop(interrupts);
        }
    }
}

impl Restart {
    fn plan(&mut self) -> Duration {
        if self.started.elapsed() > Duration::from_secs(60) {
            self.pause = FIRST_PAUSE;
        }
        let pause = self.pause;
        self.due = Some(Instant::now() + pause);
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }
}

/// Runs a `flask` command of the CRM.
pub(super) fn flask(demo: &Demo<'_>, arguments: &[&str], log: &Path) -> Outcome {
    let bin = python::ensure(demo.workspace, "flask-1.1")?;
    let mut command = Command::new(bin.join("flask"));
    command.args(arguments).current_dir(demo.workspace.path("legacy-crm")).envs(crm_env(demo)?);
    run_logged(&mut command, log)
}

/// What CRM and handlers read from their environment.
fn crm_env(demo: &Demo<'_>) -> Outcome<Vec<(String, String)>> {
    let text = |path: &Path| path.display().to_string();
    let mut env = demo.home.secrets()?;
    let socket = demo.home.postgres.join("pg");
    env.push(("DATABASE_URL".into(), format!("postgresql://postgres@/crm?host={}", text(&socket))));
    env.push(("FLASK_APP".into(), "wsgi:app".into()));
    env.push(("CRM_UPLOAD_DIR".into(), text(&demo.home.path("uploads"))));
    env.push(("CRM_CACHE_DIR".into(), text(&demo.home.path("cache"))));
    env.push(("PYTHONPATH".into(), text(&demo.workspace.path("legacy-shim/python/src"))));
    env.push(("PYTHONDONTWRITEBYTECODE".into(), "1".into()));
    Ok(env)
}

fn legacy(demo: &Demo<'_>, ports: Ports) -> Outcome<Launch> {
    let gunicorn = python::ensure(demo.workspace, "flask-1.1")?.join("gunicorn").display().to_string();
    let bind = format!("127.0.0.1:{}", ports.legacy);
    let command = [&gunicorn, "--config", "gunicorn.conf.py", "--bind", &bind, "wsgi:app"];
    Ok(Launch {
        name: "legacy",
        command: command.iter().map(ToString::to_string).collect(),
        env: crm_env(demo)?,
        dir: demo.workspace.path("legacy-crm"),
        log: demo.home.log("legacy")?,
        account: None,
        stop: Stop::Leader,
    })
}

fn handlers(demo: &Demo<'_>, routes: &Path) -> Outcome<Launch> {
    let text = |path: &Path| path.display().to_string();
    let mut env = crm_env(demo)?;
    env.push(("HANDLERS_SOCKET".into(), text(&demo.home.socket("handlers.sock"))));
    env.push(("ROUTES_FILE".into(), text(routes)));
    env.push(("CRM_TEMPLATES".into(), text(&demo.workspace.path("legacy-crm/crm/templates"))));
    env.push(("FLASK_PROFILE".into(), "werkzeug-1.0".into()));
    Ok(Launch {
        name: "handlers",
        command: vec![text(&demo.workspace.binary("rust-handlers"))],
        env,
        dir: demo.workspace.root().to_owned(),
        log: demo.home.log("handlers")?,
        account: None,
        stop: Stop::Group,
    })
}

fn proxy(demo: &Demo<'_>, settings: &Path, routes: &Path) -> Outcome<Launch> {
    let text = |path: &Path| path.display().to_string();
    let key = value(&demo.home.secrets()?, "FLASK_SECRET_KEY")?;
    let command = ["serve".into(), "--config".into(), text(settings), "--routes".into(), text(routes)];
    Ok(Launch {
        name: "proxy",
        command: [text(&demo.workspace.binary("ficus"))].into_iter().chain(command).collect(),
        env: vec![("FLASK_SECRET_KEY".into(), key)],
        dir: demo.workspace.root().to_owned(),
        log: demo.home.log("proxy")?,
        account: None,
        stop: Stop::Group,
    })
}
