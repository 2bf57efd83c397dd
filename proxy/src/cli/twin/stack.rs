//! One of the two stacks: its processes, started in order and ended whatever happens.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::plan::{ProcessPlan, StackPlan};
use crate::cli::exit::Exit;
use crate::shadow::corpus::Exchange;
use crate::shadow::journey::{People, Player, Target};

/// Longest wait until a process is ready.
const READY: Duration = Duration::from_secs(60);
/// Longest wait for a process that was asked to end.
const END: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A stack that runs. Its processes end when it is dropped.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) target: Target,
    processes: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
}

impl Stack {
    /// Starts the processes, each one when the one before it is ready.
    pub(super) async fn start(
        name: &str,
        plan: &StackPlan,
        database: &str,
        folder: &Path,
    ) -> Result<Self, Exit> {
        let places = Places::new(database, folder)?;
        let target = places.fill(&plan.url)?.parse().map_err(Exit::failed)?;
        let mut stack = Self { target, processes: Vec::new() };
        for (number, process) in plan.process.iter().enumerate() {
            let log = folder.join(format!("{name}-{}.log", number + 1));
            stack.processes.push(spawn(process, &places, &log)?);
            let ready = places.fill(&process.ready)?;
            let running = stack.processes.last_mut();
            if let Some(running) = running {
                running.wait_ready(&ready, &log).await?;
            }
        }
        Ok(stack)
    }
}

fn spawn(plan: &ProcessPlan, places: &Places, log: &Path) -> Result<Running, Exit> {
    let parts = plan.command.iter().map(|part| places.fill(part)).collect::<Result<Vec<_>, _>>()?;
    let cannot = |what: &str, error: std::io::Error| Exit::failed(format!("cannot {what}: {error}"));
    let output = File::create(log).map_err(|error| cannot(&format!("write `{}`", log.display()), error))?;
    let errors = output.try_clone().map_err(|error| cannot("write a log", error))?;
    let mut command = Command::new(&parts[0]);
    command.args(&parts[1..]).stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    if let Some(directory) = &plan.directory {
        command.current_dir(directory);
    }
    for (name, value) in &plan.env {
        command.env(name, places.fill(value)?);
    }
    let child = command.spawn().map_err(|error| cannot(&format!("start `{}`", parts[0]), error))?;
    Ok(Running { child })
}

impl Running {
    async fn wait_ready(&mut self, ready: &str, log: &Path) -> Result<(), Exit> {
        let (address, path) = split(ready);
        let target: Target = address.parse().map_err(|error| Exit::failed(format!("`ready`: {error}")))?;
        let people = People::default();
        let question = Exchange { method: "GET".to_owned(), target: path, ..Exchange::default() };
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Exit::failed(format!("a process ended at once ({status}):\n{}", tail(log))));
            }
            let answered = match &target {
                Target::Unix(path) => tokio::net::UnixStream::connect(path).await.is_ok(),
                Target::Tcp(..) => {
                    let played = Player::new(&target, "localhost", &people, Duration::from_secs(10))
                        .play(&question)
                        .await;
                    played.is_ok_and(|played| played.answer.status < 500)
                }
            };
            if answered {
                return Ok(());
            }
            if begun.elapsed() > READY {
                return Err(Exit::failed(format!(
                    "`{ready}` is not ready after {} s:\n{}",
                    READY.as_secs(),
                    tail(log)
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let signal = |signal| group.map(|group| kill_process_group(group, signal));
        signal(Signal::TERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < END {
            std::thread::sleep(PAUSE);
        }
        signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// `http://host:port` and the path.
fn split(url: &str) -> (String, String) {
    match url.strip_prefix("http://").and_then(|rest| rest.split_once('/')) {
        Some((address, path)) => (format!("http://{address}"), format!("/{path}")),
        None => (url.to_owned(), "/".to_owned()),
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// What stands for `{database}`, `{folder}` and `{port}`, `{port2}`, `{port3}`, `{port4}`.
#[derive(Debug)]
struct Places {
    database: String,
    folder: String,
    ports: Vec<u16>,
}

impl Places {
    fn new(database: &str, folder: &Path) -> Result<Self, Exit> {
        let cannot = |error: std::io::Error| Exit::failed(format!("no port is free: {error}"));
        // All at once, so that they differ; they are free again when this function ends.
        let listeners: Vec<TcpListener> =
            (0..4).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().map_err(cannot)?;
        let ports =
            listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<Result<_, _>>();
        let folder = folder.display().to_string();
        Ok(Self { database: database.to_owned(), folder, ports: ports.map_err(cannot)? })
    }

    fn fill(&self, text: &str) -> Result<String, Exit> {
        let mut out = text.replace("{database}", &self.database).replace("{folder}", &self.folder);
        for (index, port) in self.ports.iter().enumerate() {
            let name = if index == 0 { "{port}".to_owned() } else { format!("{{port{}}}", index + 1) };
            out = out.replace(&name, &port.to_string());
        }
        if let Some((_, rest)) = out.split_once("{env ")
            && let Some((variable, _)) = rest.split_once('}')
        {
            let value = std::env::var(variable)
                .map_err(|_| Exit::failed(format!("the variable {variable} is not set")))?;
            let replaced = out.replace(&format!("{{env {variable}}}"), &value);
            return self.fill(&replaced);
        }
        Ok(out)
    }
}
