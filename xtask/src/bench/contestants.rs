//! Who takes part, and how each is started.

use std::time::Duration;

use crate::http::{Address, Request};
use crate::problem::{Outcome, bail};
use crate::signals::Interrupts;
use crate::supervise::{Running, tail};

use super::configs;
use super::site::{SECRET, Site, free_port};

/// A proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contestant {
    /// The one that the others are compared with.
    Bare,
    Ficus,
    Nginx,
    HaProxy,
    Envoy,
}

pub(super) const ALL: [Contestant; 5] =
    [Contestant::Bare, Contestant::Ficus, Contestant::Nginx, Contestant::HaProxy, Contestant::Envoy];

/// Where a contestant listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) http: u16,
    pub(super) https: u16,
}

/// A contestant that runs.
pub(super) struct Started {
    pub(super) who: Contestant,
    pub(super) ports: Ports,
    pub(super) running: Running,
}

impl Contestant {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare-pingora",
            Self::Ficus => "ficus",
            Self::Nginx => "nginx",
            Self::HaProxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    /// Starts it, and waits until it answers.
    pub(super) fn start(self, site: &Site, interrupts: &Interrupts) -> Outcome<Started> {
        let ports = Ports { http: free_port()?, https: free_port()? };
        let words = self.words(site, ports)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut launch = site.launch(self.name(), &site.proxy_cpus, &words);
        if self == Self::Ficus {
            launch.env.push(("FLASK_SECRET_KEY".into(), SECRET.into()));
            launch.env.push(("RUST_LOG".into(), "warn".into()));
        }
        let running = launch.start(&site.record)?;
        let request = Request::get("/small");
        let address = Address::Port(ports.http);
        let answers = || request.send(&address, Duration::from_secs(5)).is_ok_and(|a| a.status == 200);
        if !interrupts.wait_for(Duration::from_secs(60), answers) {
            let log = launch.log;
            running.stop(Duration::from_secs(5), || false);
            bail!("{} does not answer\n{}", self.name(), tail(&log, 10));
        }
        Ok(Started { who: self, ports, running })
    }

    /// The command line; writes the configuration that it names.
    pub(super) fn words(self, site: &Site, ports: Ports) -> Outcome<Vec<String>> {
        let file = |name: &str| site.file(name).display().to_string();
        let words: Vec<String> = match self {
            Self::Bare => vec![
                site.programs.bare(),
                format!("127.0.0.1:{}", ports.http),
                format!("127.0.0.1:{}", site.origin),
                configs::socket(site),
                site.workers.to_string(),
                format!("127.0.0.1:{}", ports.https),
                file("cert.pem"),
                file("key.pem"),
            ],
            // As many threads as it has processors: taskset says how many.
            Self::Ficus => {
                let routes = site.write("routes.toml", &configs::ficus_routes())?;
                let config = site.write("ficus.toml", &configs::ficus(site, ports, free_port()?))?;
                let words = [&site.programs.ficus(), "serve", "--config", &config, "--routes", &routes];
                words.map(String::from).to_vec()
            }
            Self::Nginx => {
                let config = site.write("nginx.conf", &configs::nginx(site, ports))?;
                let words = [&site.programs.nginx(), "-p", &file(""), "-c", &config, "-e", "stderr"];
                words.map(String::from).to_vec()
            }
            Self::HaProxy => {
                let map = site.write("haproxy.map", &configs::haproxy_map())?;
                let config = site.write("haproxy.cfg", &configs::haproxy(site, ports, &map))?;
                let words = [&site.programs.haproxy(), "-db", "-f", &config];
                words.map(String::from).to_vec()
            }
            Self::Envoy => {
                let config = site.write("envoy.json", &configs::envoy(site, ports))?;
                let workers = site.workers.to_string();
                let words = [
                    &site.programs.envoy(),
                    "-c",
                    &config,
                    "--concurrency",
                    &workers,
                    "--use-dynamic-base-id",
                    "-l",
                    "error",
                ];
                words.map(String::from).to_vec()
            }
        };
        Ok(words)
    }
}
