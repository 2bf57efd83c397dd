//! Three nodes, a database, and what is done to them; after every step what must be true is looked at.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use super::backends;
use super::model::Model;
use super::plan::{At, NODES, ROUTES, Step};
use crate::cluster::{Database, Relay};
use crate::ficus::Ficus;
use crate::own_cluster::{Door, OwnCluster};

/// A question that is not answered within this time was asked of a node that hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// So often all may meet before they agree; each time every node looks at the store at least once.
const MEETINGS: usize = 4;

struct Node {
    ficus: Ficus,
    relay: Relay,
    running: bool,
    stopped: bool,
    cut: bool,
}

pub(super) struct World {
    seed: u64,
    nodes: Vec<Node>,
    database: Database,
    cluster: OwnCluster,
    up: bool,
    backup: Option<String>,
    sick: Arc<AtomicBool>,
    model: Model,
    told: String,
    pub(super) acknowledged: usize,
    pub(super) slowest: Duration,
}

/// What a node said to a change.
struct Said {
    status: u16,
    body: Value,
}

impl Said {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    fn routes(&self) -> Vec<&'static str> {
        let named = |route: &&str| {
            let changed = self.body["changes"].as_array().into_iter().flatten();
            let held = self.body["held"].as_array().into_iter().flatten();
            changed.map(|change| &change["route"]).chain(held).any(|name| name == *route)
        };
        ROUTES.into_iter().filter(named).collect()
    }

    /// Whether the node itself says that nobody else has heard of it.
    fn alone(&self) -> bool {
        let warnings = self.body["warnings"].as_array().into_iter().flatten();
        warnings.filter_map(Value::as_str).any(|warning| warning.contains("this holds on this node"))
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let cluster = OwnCluster::start(&Door::Closed);
        let database = Database::create_in(cluster.admin());
        let sick = Arc::new(AtomicBool::new(false));
        let sides = [
            ("legacy", backends::start("legacy", &Arc::default())),
            ("rust", backends::start("rust", &sick)),
        ];
        let mut nodes = Vec::new();
        for number in 1..=NODES {
            let (ficus, relay) = (Ficus::prepare(), Relay::to(&database));
            let mut settings = "[listen]\nhttp = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
                admin_socket = \"state/admin.sock\"\n[log]\naccess = \"off\"\n[backends]\n"
                .to_owned();
            for (name, address) in sides {
                writeln!(settings, "{name} = {{ upstreams = [\"http://{address}\"] }}").unwrap();
            }
            let url = relay.url(&database);
            write!(
                settings,
                "[store]\nurl = \"{url}\"\n[fleet]\nnode = \"n{}\"\npoll = \"100ms\"\nwait = \"300ms\"\n",
                number - 1
            )
            .unwrap();
            std::fs::write(ficus.path("ficus.toml"), settings).unwrap();
            std::fs::write(ficus.routes(), file(|_| "")).unwrap();
            let mut node = Node { ficus, relay, running: true, stopped: false, cut: false };
            node.ficus.run();
            nodes.push(node);
        }
        Self {
            seed,
            nodes,
            database,
            cluster,
            up: true,
            backup: None,
            sick,
            model: Model::default(),
            told: String::new(),
            acknowledged: 0,
            slowest: Duration::ZERO,
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        writeln!(self.told, "{step}").unwrap();
        match step {
            Step::Flip((node, route), to) => {
                drop(self.change(node, "flip", &json!({ "route": route, "to": to })))
            }
            Step::Canary((node, route), percent) => {
                drop(self.change(
                    node,
                    "canary",
                    &json!({ "route": route, "percent": format!("{percent}%") }),
                ));
            }
            Step::Rollback((node, route)) => self.roll_back(node, Some(route)),
            Step::RollbackAll(node) => self.roll_back(node, None),
            Step::Resume(at) => self.resume(at),
            Step::Undo(node) => drop(self.change(node, "undo", &json!({}))),
            Step::Clash(at, other) => self.clash(at, other),
            Step::Edit((node, route)) => {
                let on = |name: &str| if name == route { "serve = \"rust\"\n" } else { "" };
                self.nodes[node].ficus.edit(&file(on));
                drop(self.change(node, "reload", &json!({})));
            }
            Step::Sick(at) => self.fall_ill(at),
            Step::Cut(node) | Step::Silence(node) => {
                let relay = &self.nodes[node].relay;
                if matches!(step, Step::Cut(_)) {
                    relay.cut()
                } else {
                    relay.silence()
                }
                self.nodes[node].cut = true;
            }
            Step::Heal(node) => self.heal(node),
            Step::Kill(node) => self.kill(node),
            Step::Start(node) => self.start(node),
            Step::Stop(node) => self.stop(node, true),
            Step::Continue(node) => self.stop(node, false),
            Step::Crash => {
                self.up = false;
                self.cluster.crash();
            }
            Step::Restart => self.restart(),
            Step::ThrowOut if self.up => self.database.throw_out(),
            Step::ThrowOut => {}
            Step::Quiet => self.quiet(),
            Step::Backup => self.backup = Some(self.database.copy()),
            Step::Lose(everything) => {
                let backup = self.backup.clone().filter(|_| !everything);
                self.database.lose(backup.as_deref());
            }
            Step::Forget(node, cut) => self.forget(node, cut),
        }
        self.check();
    }

    fn forget(&mut self, node: usize, cut: bool) {
        self.kill(node);
        std::fs::remove_dir_all(self.nodes[node].ficus.path("state")).unwrap();
        if cut {
            self.nodes[node].relay.cut();
            self.nodes[node].cut = true;
        }
        self.start(node);
    }

    fn there(&self, node: usize) -> bool {
        self.nodes[node].running && !self.nodes[node].stopped
    }

    /// Nobody can have heard of what this node did: for certain, not only as far as it knows.
    fn apart(&self, node: usize) -> bool {
        self.nodes[node].cut || !self.up
    }

    /// Tells a node to change something, unless it is not there.
    fn change(&mut self, node: usize, what: &str, body: &Value) -> Option<Said> {
        if !self.there(node) {
            writeln!(self.told, "    it is not there").unwrap();
            return None;
        }
        let said = tell(&self.nodes[node].ficus, what, body);
        self.note(node, &said);
        Some(said)
    }

    fn note(&mut self, node: usize, said: &Said) {
        let mut body = said.body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.retain(|key, _| {
                ["revision", "changes", "held", "warnings", "fleet", "detail"].contains(&&**key)
            });
        }
        writeln!(self.told, "    n{node}: {} {body}", said.status).unwrap();
        self.acknowledged += usize::from(said.status == 200);
    }

    fn roll_back(&mut self, node: usize, route: Option<&'static str>) {
        let body = route.map_or_else(|| json!({}), |route| json!({ "route": route }));
        let Some(said) = self.change(node, "rollback", &body) else { return };
        let story = || self.story();
        assert_eq!(said.status, 200, "a rollback is never refused\n{}", story());
        self.heard_of_rollback(node, &said);
        let blind = self.fleet(node)["blind"] == true;
        if let Some(route) = route.filter(|_| !blind && self.apart(node)) {
            // Whatever the others did meanwhile: a person wants it so.
            assert!(said.routes().contains(&route), "it has done nothing for {route}\n{}", self.story());
        }
    }

    fn heard_of_rollback(&mut self, node: usize, said: &Said) {
        let confirmed: Vec<usize> = (0..NODES)
            .filter(|node| names(&said.body["fleet"]["confirmed"]).contains(&format!("n{node}")))
            .collect();
        for route in said.routes() {
            self.model.rolled_back(route, node, said.alone());
            for other in confirmed.iter().filter(|_| !said.alone()) {
                self.model.confirmed(route, *other);
            }
        }
    }

    fn resume(&mut self, (node, route): At) {
        let Some(said) = self.change(node, "resume", &json!({ "route": route })) else { return };
        if said.status == 200 || said.code() == "unsure" {
            let apart: Vec<bool> = (0..NODES).map(|node| self.apart(node)).collect();
            self.model.resumed(route, |node| apart[node]);
        }
    }

    fn clash(&mut self, (node, route): At, other: usize) {
        if !self.there(node) || !self.there(other) {
            return;
        }
        let (flipping, rolling) = (&self.nodes[node].ficus, &self.nodes[other].ficus);
        let (flip, back) = std::thread::scope(|scope| {
            let flip = scope.spawn(|| tell(flipping, "flip", &json!({ "route": route, "to": "rust" })));
            let back = tell(rolling, "rollback", &json!({ "route": route }));
            (flip.join().unwrap(), back)
        });
        self.note(node, &flip);
        self.note(other, &back);
        assert_eq!(back.status, 200, "a rollback is never refused\n{}", self.story());
        self.heard_of_rollback(other, &back);
    }

    /// Users of this node ask for the route while the candidate fails; a guard that sees enough of it trips.
    fn fall_ill(&mut self, (node, route): At) {
        if !self.there(node) || !self.standings(node).contains(&format!("{route}: rust")) {
            return;
        }
        self.sick.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + Duration::from_secs(6);
        let mut held = false;
        while !held && Instant::now() < deadline {
            for _ in 0..10 {
                let (status, answer) =
                    self.nodes[node].ficus.http(self.nodes[node].ficus.port, &format!("/{route}"));
                assert_eq!(
                    (status, answer.as_str()),
                    (200, "legacy"),
                    "the fallback answers\n{}",
                    self.story()
                );
            }
            held = self.holds(node).iter().any(|name| name == route);
        }
        self.sick.store(false, Ordering::SeqCst);
        writeln!(self.told, "    the guard of n{node}: {}", if held { "tripped" } else { "has not tripped" })
            .unwrap();
        if held {
            self.model.rolled_back(route, node, self.apart(node));
        }
    }

    fn heal(&mut self, node: usize) {
        self.nodes[node].relay.heal();
        self.nodes[node].cut = false;
    }

    fn kill(&mut self, node: usize) {
        self.stop(node, false);
        self.nodes[node].ficus.kill();
        self.nodes[node].running = false;
    }

    fn start(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if !node.running {
            node.ficus.run();
            node.running = true;
        }
    }

    fn stop(&mut self, node: usize, stopped: bool) {
        let node = &mut self.nodes[node];
        if node.running && node.stopped != stopped {
            let signal = if stopped { Signal::SIGSTOP } else { Signal::SIGCONT };
            kill(nix::unistd::Pid::from_raw(node.ficus.pid()), signal).unwrap();
            node.stopped = stopped;
        }
    }

    fn restart(&mut self) {
        if !self.up {
            self.cluster.run();
            self.up = true;
        }
    }

    /// Everything is mended. When every node has looked at the store, nobody is apart any more; when every node has looked
    /// once more, all run the newest revision that there was before: no two disagree for longer than the poll.
    fn quiet(&mut self) {
        self.restart();
        for node in 0..NODES {
            self.heal(node);
            self.stop(node, false);
            self.start(node);
        }
        let began = Instant::now();
        self.all_look();
        for node in 0..NODES {
            let fleet = self.fleet(node);
            let back = fleet["apart"] == false && fleet["blind"] == false && fleet["error"].is_null();
            assert!(back, "n{node} is not back: {fleet:#}\n{}", self.story());
            drop(self.change(node, "reload", &json!({})));
        }
        let mut meetings = 0;
        loop {
            let newest = (0..NODES).map(|node| self.revision(node)).max().unwrap();
            self.all_look();
            for node in 0..NODES {
                let revision = self.revision(node);
                assert!(revision >= newest, "n{node} runs {revision}, not {newest}\n{}", self.story());
            }
            meetings += 1;
            let pictures: Vec<String> = (0..NODES).map(|node| self.picture(node)).collect();
            if pictures.iter().all(|picture| *picture == pictures[0]) {
                writeln!(self.told, "    all: {}", pictures[0]).unwrap();
                break;
            }
            assert!(meetings < MEETINGS, "they do not agree: {pictures:#?}\n{}", self.story());
        }
        self.slowest = self.slowest.max(began.elapsed());
        self.model.met();
    }

    /// Waits until every node has looked at the store and done what follows, beginning after now.
    fn all_look(&self) {
        let before: Vec<u64> = (0..NODES).map(|node| self.looks(node)).collect();
        let deadline = Instant::now() + PATIENCE;
        // One look may have begun before.
        while (0..NODES).any(|node| self.looks(node) < before[node] + 2) {
            assert!(
                Instant::now() < deadline,
                "a node does not look at the store any more\n{}",
                self.story()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn looks(&self, node: usize) -> u64 {
        self.fleet(node)["looks"].as_u64().unwrap()
    }

    fn status(&self, node: usize) -> Value {
        ask(&self.nodes[node].ficus, "GET", "/v1/status", "").body
    }

    fn fleet(&self, node: usize) -> Value {
        self.status(node)["fleet"].clone()
    }

    fn revision(&self, node: usize) -> u64 {
        self.status(node)["revision"].as_u64().unwrap()
    }

    fn holds(&self, node: usize) -> Vec<String> {
        let holds = self.status(node)["holds"].clone();
        holds.as_array().unwrap().iter().map(|hold| hold["route"].as_str().unwrap().to_owned()).collect()
    }

    fn standings(&self, node: usize) -> Vec<String> {
        let routes = ask(&self.nodes[node].ficus, "GET", "/v1/routes", "").body["routes"].clone();
        let line = |route: &Value| {
            format!("{}: {}", route["name"].as_str().unwrap(), route["standing"].as_str().unwrap())
        };
        routes.as_array().unwrap().iter().map(line).collect()
    }

    /// Revision, standings and holds: what two nodes must not disagree about.
    fn picture(&self, node: usize) -> String {
        format!("{} {:?} held {:?}", self.revision(node), self.standings(node), self.holds(node))
    }

    /// No node that knows of a rollback sends anybody to the candidate, by its own words and by its answers.
    fn check(&self) {
        for node in (0..NODES).filter(|node| self.there(*node)) {
            let safe = self.model.safe_on(node);
            if safe.is_empty() {
                continue;
            }
            let standings = self.standings(node);
            for route in safe {
                let ficus = &self.nodes[node].ficus;
                let answer = ficus.answered_by(&format!("/{route}"));
                let good = answer == "legacy" && standings.contains(&format!("{route}: legacy"));
                assert!(
                    good,
                    "{route} was rolled back, and n{node} answers `{answer}`: {standings:?}\n{}",
                    self.story()
                );
            }
        }
    }

    /// Everything that happened, for whoever has to find out why.
    fn story(&self) -> String {
        let mut text = format!("\nthe story so far (again: FICUS_SEED={}):\n{}", self.seed, self.told);
        for node in (0..NODES).filter(|node| self.there(*node)) {
            write!(text, "\nn{node}: {}\n{:#}", self.picture(node), self.fleet(node)).unwrap();
        }
        for (number, node) in self.nodes.iter().enumerate() {
            let log = node.ficus.log();
            let start = log.len().saturating_sub(6_000);
            let tail = log.get(start..).unwrap_or(&log);
            write!(text, "\nthe log of n{number} ends:\n{tail}").unwrap();
        }
        text
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for node in 0..NODES {
            self.stop(node, false);
        }
        if std::thread::panicking() {
            return;
        }
        self.restart();
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
}

/// A routing file with these lines for each route.
fn file<'t>(lines: impl Fn(&str) -> &'t str) -> String {
    let route = |name: &str| {
        let more = lines(name);
        format!("\n[[route]]\nname = \"{name}\"\nrule = \"/{name}\"\nguard = {{}}\n{more}")
    };
    let routes: String = ROUTES.into_iter().map(route).collect();
    format!("version = 1\n{routes}")
}

fn tell(ficus: &Ficus, what: &str, body: &Value) -> Said {
    ask(ficus, "POST", &format!("/v1/{what}"), &body.to_string())
}

/// Asks over the admin socket.
fn ask(ficus: &Ficus, method: &str, path: &str, body: &str) -> Said {
    let mut stream = UnixStream::connect(ficus.path("state/admin.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    Said { status, body: serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}")) }
}
