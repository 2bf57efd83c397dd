//! What all contestants share: a folder, ports, processors, a certificate, a logged-in user's cookie, the origin.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use crate::problem::{Context, Outcome, Problem, bail};
use crate::processes::Record;
use crate::python;
use crate::supervise::{Launch, Running, Stop, ask, run_logged};
use crate::workspace::Workspace;

use super::programs::Programs;

/// Routes in everybody's configuration, beside those of the other scenarios.
pub(super) const ROUTES: usize = 1_000;
/// Only signs the cookie of the benchmark.
pub(super) const SECRET: &str = "bench-proxy-only";

/// The place of the benchmark.
pub(super) struct Site {
    pub(super) folder: PathBuf,
    pub(super) programs: Programs,
    pub(super) record: Record,
    /// Where the origin listens.
    pub(super) origin: u16,
    /// The session cookie that every request carries.
    pub(super) cookie: String,
    /// Processors of the contestants, and of the load and the origin, as taskset takes them.
    pub(super) proxy_cpus: String,
    pub(super) load_cpus: String,
    pub(super) workers: usize,
}

impl Site {
    /// Prepares a clean folder; ends what a killed run left behind.
    pub(super) fn open(workspace: &Workspace, programs: Programs, workers: usize) -> Outcome<Self> {
        let folder = workspace.path("target/bench-proxy/run");
        let record = Record::at(workspace.path("target/bench-proxy/processes"));
        record.clean_up();
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("origin"))
            .context(|| format!("cannot make `{}`", folder.display()))?;
        let (proxy_cpus, load_cpus) = processors(workers)?;
        let python = python::interpreter().ok_or_else(|| Problem::new("no Python was found"))?;
        let cookie = ask(&python.program, &["-c", include_str!("cookie.py"), SECRET])
            .ok_or_else(|| Problem::new("cannot sign a session cookie"))?;
        let site =
            Self { folder, programs, record, origin: free_port()?, cookie, proxy_cpus, load_cpus, workers };
        site.make_certificate(workspace)?;
        Ok(site)
    }

    /// A file of the benchmark.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file of the benchmark; its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Outcome<String> {
        let path = self.file(name);
        fs::write(&path, text).context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path.display().to_string())
    }

    /// A program on some processors, with as many open files as it may have.
    pub(super) fn launch(&self, name: &'static str, cpus: &str, words: &[&str]) -> Launch {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!("ulimit -n $(ulimit -Hn); exec taskset -c {cpus} {}", quoted.join(" "));
        Launch {
            name,
            command: vec!["/bin/sh".into(), "-c".into(), script],
            env: vec![("LD_LIBRARY_PATH".into(), self.programs.libraries())],
            dir: self.folder.clone(),
            log: self.file(&format!("{name}.log")),
            account: None,
            stop: Stop::Group,
        }
    }

    /// nginx with fixed answers: the cheapest origin that there is in Debian.
    pub(super) fn start_origin(&self) -> Outcome<Running> {
        self.write("origin/16k", &"x".repeat(16 * 1024))?;
        let config = self.write("origin.conf", &super::configs::origin(self))?;
        let nginx = self.programs.nginx();
        let folder = self.folder.display().to_string();
        let words = [nginx.as_str(), "-p", &folder, "-c", &config, "-e", "stderr"];
        self.launch("origin", &self.load_cpus, &words).start(&self.record)
    }

    fn make_certificate(&self, workspace: &Workspace) -> Outcome {
        let (key, certificate) = (self.file("key.pem"), self.file("cert.pem"));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "30", "-subj", "/CN=localhost", "-keyout"]).arg(&key).arg("-out");
        run_logged(command.arg(&certificate), &workspace.log("bench-proxy-certificate")?)?;
        let read = |path| fs::read_to_string(path).context(|| "cannot read the certificate".into());
        // HAProxy wants both in one file.
        self.write("both.pem", &(read(&certificate)? + &read(&key)?)).map(drop)
    }
}

/// A port that is free now.
pub(super) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(|| "no free port".into())?;
    Ok(listener.local_addr().context(|| "no free port".into())?.port())
}

/// The last `workers` processors are the contestants', the others the load's; with too few, they share.
fn processors(workers: usize) -> Outcome<(String, String)> {
    let status =
        fs::read_to_string("/proc/self/status").context(|| "cannot read /proc/self/status".into())?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0");
    let mut all = Vec::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
            bail!("cannot read the list of processors `{list}`");
        };
        all.extend(first..=last);
    }
    let join = |cpus: &[usize]| cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let split = all.len().saturating_sub(workers);
    let load = if split == 0 { &all[..] } else { &all[..split] };
    Ok((join(&all[split..]), join(load)))
}
