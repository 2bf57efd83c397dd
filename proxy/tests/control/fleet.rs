//! Three nodes and PostgreSQL, through the real binary: one routing for all, whatever is cut, stopped, killed or lost.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::cluster::{Database, Relay};
use crate::ficus::{Ficus, ROUTES, command, texts};

/// Nodes that share a database, each by a way of its own.
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<Ficus>,
    pub(crate) relays: Vec<Relay>,
    pub(crate) database: Database,
}

impl Fleet {
    /// So many nodes, with this routing file on each.
    pub(crate) fn start(count: usize, routes: &str) -> Self {
        let mut fleet = Self { nodes: Vec::new(), relays: Vec::new(), database: Database::create() };
        for _ in 0..count {
            fleet.join(routes);
        }
        fleet.settle();
        fleet
    }

    /// The same, with these further settings on each, and the key of canaries in the environment.
    pub(crate) fn start_with(count: usize, routes: &str, settings: &str) -> Self {
        let mut fleet = Self { nodes: Vec::new(), relays: Vec::new(), database: Database::create() };
        for _ in 0..count {
            let mut node = fleet.prepare(routes);
            node.configure(settings);
            let mut command = command(node.directory.path());
            command.env("CANARY", "only for this test");
            node.run_as(command);
            fleet.nodes.push(node);
        }
        fleet.settle();
        fleet
    }

    /// One more node.
    pub(crate) fn join(&mut self, routes: &str) {
        let mut node = self.prepare(routes);
        node.run();
        self.nodes.push(node);
    }

    fn prepare(&mut self, routes: &str) -> Ficus {
        let relay = Relay::to(&self.database);
        let node = Ficus::prepare();
        configure(&node, &relay.url(&self.database), self.nodes.len() + 1);
        std::fs::write(node.routes(), routes).unwrap();
        self.relays.push(relay);
        node
    }

    /// Waits until all nodes are live, run the same and have the same file.
    pub(crate) fn settle(&self) {
        let first = &self.nodes[0];
        first.wait("the fleet agrees", |first| {
            let fleet = first.json(&["fleet"])["fleet"].clone();
            let nodes = fleet["nodes"].as_array().unwrap().clone();
            let same = |node: &Value| node["live"] == true && node["revision"] == nodes[0]["revision"];
            nodes.len() == self.nodes.len()
                && nodes.iter().all(same)
                && fleet["apart"] == false
                && self.nodes.iter().all(|node| node.status()["fleet"]["apart"] == false)
                && self.nodes.iter().all(|node| node.revision() == first.revision())
        });
    }

    fn answers(&self, path: &str) -> Vec<String> {
        self.nodes.iter().map(|node| node.answered_by(path)).collect()
    }

    fn wait_for_answers(&self, path: &str, by: &str) {
        self.nodes[0].wait("all answer the same", |_| self.answers(path).iter().all(|answer| answer == by));
    }
}

fn configure(node: &Ficus, url: &str, number: usize) {
    let path = node.path("ficus.toml");
    let settings = std::fs::read_to_string(&path).unwrap().replace("sqlite:state/ficus.db", url);
    let own = format!("[fleet]\nnode = \"web{number}\"\npoll = \"300ms\"\n");
    std::fs::write(path, settings + &own).unwrap();
}

fn on_rust() -> String {
    ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")
}

fn held(node: &Ficus) -> Vec<String> {
    let holds = node.status()["holds"].clone();
    holds.as_array().unwrap().iter().map(|hold| hold["route"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_flip_on_one_node_holds_on_all_when_it_returns() {
    let fleet = Fleet::start(3, ROUTES);
    let said = fleet.nodes[0].ok(&["flip", "customers.list", "rust", "--reason", "CRM-812", "--wait", "30s"]);
    assert!(said.contains("(revision 2)\n") && said.contains("fleet: revision 2 on 3 of 3 nodes"), "{said}");
    assert_eq!(fleet.answers("/customers/"), ["rust"; 3]);
    for node in &fleet.nodes {
        node.wait("its file says so", |node| {
            node.routes_text().contains("serve = \"rust\"             # CRM-812")
        });
        assert_eq!(node.routes_text(), fleet.nodes[0].routes_text());
        node.wait("everything is on record", |node| node.status()["store"]["pending"] == 0);
        node.ok(&["audit", "--verify"]);
        let history = node.ok(&["history"]);
        assert!(history.contains(" on web1") && history.contains("CRM-812"), "{history}");
    }
    let said = fleet.nodes[2].ok(&["fleet"]);
    assert!(said.contains("web1 ") && said.contains("web3 (here)") && said.contains("live"), "{said}");
    fleet.nodes[1].wait("it has seen all of them", |node| {
        node.ok(&["status", "--exit-code"]).contains("fleet     node web2; 3 of 3 live nodes on revision 2")
    });
    // What one node looked at counts on another.
    let stale = fleet.nodes[1].cli(&["flip", "customers.list", "legacy", "--if-revision", "1"]);
    assert_eq!(stale.status.code(), Some(4), "{}", texts(&stale).1);
    let undone = fleet.nodes[2].ok(&["undo", "2"]);
    assert!(undone.contains("rust -> legacy (revision 3)"), "{undone}");
    fleet.wait_for_answers("/customers/", "legacy");
}

#[test]
fn what_is_rolled_back_on_one_node_is_held_on_all() {
    let fleet = Fleet::start(3, &on_rust());
    fleet.nodes[1].ok(&["rollback", "customers.list", "--reason", "3 am", "--wait", "30s"]);
    assert_eq!(fleet.answers("/customers/"), ["legacy"; 3]);
    let refused = fleet.nodes[2].cli(&["flip", "customers.list", "rust"]);
    assert_eq!(refused.status.code(), Some(3), "{}", texts(&refused).1);
    fleet.nodes[0].ok(&["resume", "customers.list", "--wait", "30s"]);
    assert!(fleet.nodes.iter().all(|node| held(node).is_empty()));
    fleet.nodes[2].ok(&["flip", "customers.list", "rust", "--wait", "30s"]);
    assert_eq!(fleet.answers("/customers/"), ["rust"; 3]);
}

#[test]
fn a_node_that_is_cut_off_goes_on_and_rolls_back_and_what_it_did_wins() {
    let fleet = Fleet::start(3, &on_rust());
    fleet.relays[0].cut();
    let cut_off = &fleet.nodes[0];
    let refused = cut_off.cli(&["flip", "customers.detail", "rust"]);
    let (_, said) = texts(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("cut off from its fleet"), "{said}");
    assert_eq!(cut_off.answered_by("/customers/7"), "legacy");

    let alone = cut_off.cli(&["rollback", "customers.list", "--reason", "wrong totals"]);
    let (_, said) = texts(&alone);
    assert_eq!(alone.status.code(), Some(6), "{said}");
    assert!(said.contains("on this node only"), "{said}");
    assert_eq!(fleet.answers("/customers/"), ["legacy", "rust", "rust"]);
    assert!(cut_off.ok(&["status"]).contains("! cut off from the fleet since"));

    // Meanwhile the others do something else, and even something that this contradicts.
    fleet.nodes[1].ok(&["flip", "customers.detail", "rust"]);
    fleet.nodes[2].ok(&["canary", "customers.list", "50%"]);
    fleet.relays[0].heal();
    fleet.settle();
    assert_eq!(fleet.answers("/customers/"), ["legacy"; 3]);
    assert_eq!(fleet.answers("/customers/8"), ["rust"; 3]);
    for node in &fleet.nodes {
        assert_eq!(held(node), ["customers.list"]);
        assert_eq!(node.routes_text(), fleet.nodes[0].routes_text());
        node.wait("everything is on record", |node| node.status()["store"]["pending"] == 0);
        node.ok(&["audit", "--verify"]);
    }
    let history = fleet.nodes[2].ok(&["history"]);
    assert!(history.contains("on web1, cut off") && history.contains("wrong totals"), "{history}");
    assert!(history.contains("web1 was cut off"), "{history}");
}

#[test]
fn a_store_that_says_nothing_keeps_nobody_from_rolling_back() {
    let fleet = Fleet::start(2, &on_rust());
    fleet.relays[0].silence();
    let alone = fleet.nodes[0].cli(&["rollback", "--all"]);
    assert_eq!(alone.status.code(), Some(6), "{}", texts(&alone).1);
    assert_eq!(fleet.answers("/customers/"), ["legacy", "rust"]);
    fleet.relays[0].heal();
    fleet.settle();
    assert_eq!(fleet.answers("/customers/"), ["legacy"; 2]);
}

#[test]
fn a_store_that_stops_and_starts_is_found_again_by_all() {
    let fleet = Fleet::start(2, ROUTES);
    fleet.database.stop();
    for node in &fleet.nodes {
        node.wait("it notices", |node| !node.status()["fleet"]["error"].is_null());
        assert_eq!(node.answered_by("/customers/"), "legacy");
    }
    fleet.database.start();
    fleet.settle();
    for node in &fleet.nodes {
        node.wait("it is well", |node| node.cli(&["fleet", "--exit-code"]).status.success());
    }
    fleet.database.throw_out();
    fleet.nodes[1].ok(&["flip", "customers.list", "rust", "--wait", "30s"]);
    assert_eq!(fleet.answers("/customers/"), ["rust"; 2]);
}

#[test]
fn a_restart_without_the_store_serves_what_the_node_remembers_and_a_node_without_memory_tries_nothing() {
    let mut fleet = Fleet::start(2, ROUTES);
    fleet.nodes[0].ok(&["flip", "customers.list", "rust", "--wait", "30s"]);
    fleet.relays[1].cut();
    fleet.nodes[1].kill();
    fleet.nodes[1].run();
    assert_eq!(fleet.nodes[1].answered_by("/customers/"), "rust");
    fleet.nodes[1].kill();
    std::fs::remove_dir_all(fleet.nodes[1].path("state")).unwrap();
    fleet.nodes[1].run();
    assert!(fleet.nodes[1].routes_text().contains("serve = \"rust\""));
    assert_eq!(
        fleet.nodes[1].answered_by("/customers/"),
        "legacy",
        "nobody knows what was rolled back meanwhile"
    );
    assert!(fleet.nodes[1].ok(&["status"]).contains("remembers nothing"));
    assert!(!fleet.nodes[1].cli(&["flip", "customers.detail", "rust"]).status.success());
    fleet.relays[1].heal();
    fleet.settle();
    assert_eq!(fleet.answers("/customers/"), ["rust"; 2]);
}

#[test]
fn a_new_node_takes_the_routing_of_the_fleet_and_keeps_its_own_file_aside() {
    let mut fleet = Fleet::start(2, ROUTES);
    fleet.nodes[0].ok(&["rollback", "customers.detail"]);
    fleet.nodes[0].ok(&["flip", "customers.list", "rust"]);
    let own = ROUTES.replace("# nothing else yet", "timeout = \"9s\"");
    fleet.join(&own);
    fleet.settle();
    let (new, old) = (&fleet.nodes[2], &fleet.nodes[0]);
    assert_eq!(new.routes_text(), old.routes_text());
    assert_eq!(new.answered_by("/customers/"), "rust");
    let aside = aside(new.directory.path()).expect("its file is kept");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), own);
    let gone = fleet.nodes.remove(1);
    drop(gone);
    let missing = fleet.nodes[0].cli(&["flip", "customers.list", "legacy", "--wait", "0s"]);
    let (_, said) = texts(&missing);
    assert_eq!(missing.status.code(), Some(6), "{said}");
    assert!(said.contains("web2 has not confirmed: it runs revision"), "{said}");
}

fn aside(directory: &Path) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| path.display().to_string().contains("routes.toml.edit-"))
}

#[test]
fn a_hand_edit_is_for_all_and_one_that_lost_is_kept() {
    let fleet = Fleet::start(2, ROUTES);
    fleet.nodes[1].edit(&ROUTES.replace("# nothing else yet", "timeout = \"9s\""));
    for node in &fleet.nodes {
        node.wait("the edit is here", |node| node.routes_text().contains("timeout = \"9s\""));
    }
    fleet.settle();
    // While nobody hears of it, an edit that sends users to a candidate waits.
    fleet.relays[0].cut();
    let edit = fleet.nodes[0].routes_text().replace("serve = 'legacy' ", "serve = 'rust' ");
    fleet.nodes[0].wait("it notices", |node| {
        node.cli(&["reload"]);
        !node.status()["fleet"]["error"].is_null()
    });
    fleet.nodes[0].edit(&edit);
    fleet.nodes[0].wait("the edit waits", |node| {
        node.status()["file"]["message"].as_str().is_some_and(|message| message.contains("waits"))
    });
    assert_eq!(fleet.nodes[0].answered_by("/customers/"), "legacy");
    fleet.nodes[1].ok(&["canary", "customers.detail", "5%"]);
    fleet.relays[0].heal();
    fleet.settle();
    assert_eq!(fleet.answers("/customers/"), ["legacy"; 2]);
    assert_eq!(fleet.nodes[0].routes_text(), fleet.nodes[1].routes_text());
    let aside = aside(fleet.nodes[0].directory.path()).expect("the edit is kept");
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), edit);
    fleet.nodes[1].wait("others see it", |node| {
        node.ok(&["fleet"]).contains("an edit of the routing file lost against somebody else's change")
    });
    fleet.nodes[0].ok(&["apply", aside.to_str().unwrap(), "--wait", "30s"]);
    assert_eq!(fleet.answers("/customers/"), ["rust"; 2]);
}

#[test]
fn an_edit_that_waited_is_taken_when_nobody_did_anything_else() {
    let fleet = Fleet::start(2, ROUTES);
    fleet.relays[0].cut();
    fleet.nodes[0].wait("it notices", |node| !node.status()["fleet"]["error"].is_null());
    fleet.nodes[0].edit(&on_rust());
    fleet.nodes[0].wait("the edit waits", |node| node.status()["file"]["ok"] == false);
    fleet.relays[0].heal();
    fleet.wait_for_answers("/customers/", "rust");
    fleet.settle();
    assert_eq!(fleet.nodes[1].routes_text(), on_rust());
}

#[test]
fn a_file_that_cannot_be_written_is_drift_and_no_reason_not_to_follow() {
    let mut fleet = Fleet::start(2, ROUTES);
    let file = fleet.nodes[1].routes();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o444)).unwrap();
    fleet.nodes[0].ok(&["flip", "customers.list", "rust", "--wait", "30s"]);
    assert_eq!(fleet.answers("/customers/"), ["rust"; 2]);
    fleet.nodes[0]
        .wait("drift is shown", |node| node.ok(&["fleet"]).contains("the routing file cannot be written"));
    assert_eq!(fleet.nodes[1].routes_text(), ROUTES);
    fleet.nodes[1].kill();
    fleet.nodes[1].run();
    fleet.settle();
    assert_eq!((fleet.answers("/customers/"), fleet.nodes[0].revision()), (vec!["rust".to_owned(); 2], 2));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    fleet.nodes[0].ok(&["rollback", "customers.list", "--wait", "30s"]);
    fleet.nodes[1].wait("the file is whole again", |node| node.routes_text() == fleet.nodes[0].routes_text());
}

#[test]
fn a_database_that_is_lost_or_older_brings_nothing_back() {
    let mut fleet = Fleet::start(3, &on_rust());
    let backup = fleet.database.copy();
    // A node may be cut off for a moment: a database that is being copied takes no connections.
    fleet.nodes[0].cli(&["rollback", "customers.list", "--wait", "30s"]);
    fleet.wait_for_answers("/customers/", "legacy");
    fleet.settle();
    let revision = fleet.nodes[0].revision();
    for backup in [Some(backup.as_str()), None] {
        fleet.database.lose(backup);
        fleet.settle();
        fleet.nodes[2].wait("the store knows again", |node| {
            node.json(&["history"])["changes"].as_array().is_some_and(|changes| !changes.is_empty())
        });
        assert_eq!(fleet.answers("/customers/"), ["legacy"; 3]);
        for node in &fleet.nodes {
            assert_eq!(held(node), ["customers.list"]);
            assert!(node.revision() >= revision, "revisions go on");
        }
        let refused = fleet.nodes[1].cli(&["flip", "customers.list", "rust"]);
        assert_eq!(refused.status.code(), Some(3), "{}", texts(&refused).1);
    }
}

#[test]
fn a_flip_names_the_node_that_has_not_confirmed() {
    let fleet = Fleet::start(2, ROUTES);
    let frozen = nix::unistd::Pid::from_raw(fleet.nodes[1].pid());
    nix::sys::signal::kill(frozen, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let missing = fleet.nodes[0].cli(&["flip", "customers.list", "rust", "--wait", "200ms"]);
    nix::sys::signal::kill(frozen, nix::sys::signal::Signal::SIGCONT).unwrap();
    let (out, said) = texts(&missing);
    assert_eq!(missing.status.code(), Some(6), "{out}{said}");
    assert!(said.contains("web2 has not confirmed: it runs revision 1"), "{said}");
    assert!(out.contains("fleet: revision 2 on 1 of 2 nodes"), "{out}");
    fleet.wait_for_answers("/customers/", "rust");
}

/// The steps at which a change in a fleet may be cut off.
const STEPS: [&str; 11] = [
    "before_intent",
    "intended",
    "before_commit",
    "published",
    "swapped",
    "half_beside",
    "beside",
    "renamed",
    "state_beside",
    "saved",
    "before_audit",
];

#[test]
fn kill_at_every_step_leaves_the_old_revision_or_the_new_one_on_all_nodes() {
    let mut fleet = Fleet::start(2, ROUTES);
    let run = |node: &mut Ficus| {
        std::fs::write(node.path("kill_at"), "").unwrap();
        let mut command = command(node.directory.path());
        command.env("FICUS_KILL_AT", node.path("kill_at"));
        node.run_as(command);
    };
    fleet.nodes[0].kill();
    run(&mut fleet.nodes[0]);
    for step in STEPS {
        for rollback in [false, true] {
            fleet.settle();
            fleet.nodes[1].cli(&["resume", "customers.list"]);
            let from = if rollback { "rust" } else { "legacy" };
            fleet.nodes[1].cli(&["flip", "customers.list", from, "--wait", "30s"]);
            fleet.settle();
            fleet.nodes[0].wait("everything is on record", |node| node.status()["store"]["pending"] == 0);
            let before = fleet.nodes[0].revision();
            std::fs::write(fleet.nodes[0].path("kill_at"), step).unwrap();
            let arguments: &[&str] =
                if rollback { &["rollback", "customers.list"] } else { &["flip", "customers.list", "rust"] };
            let acknowledged = fleet.nodes[0].cli(arguments).status.success();
            fleet.nodes[0].wait_for_death();
            run(&mut fleet.nodes[0]);
            fleet.settle();
            let answers = fleet.answers("/customers/");
            assert_eq!(answers[0], answers[1], "{step}");
            let made = (answers[0] == "legacy") == rollback;
            assert!(made || !acknowledged, "{step}: acknowledged and lost");
            assert_eq!(held(&fleet.nodes[1]).len(), usize::from(made && rollback), "{step}");
            assert!(fleet.nodes[0].revision() >= before, "{step}");
            assert_eq!(fleet.nodes[0].routes_text(), fleet.nodes[1].routes_text(), "{step}");
            fleet.nodes[0].ok(&["check"]);
            fleet.nodes[0].wait("everything is on record", |node| node.status()["store"]["pending"] == 0);
            fleet.nodes[0].ok(&["audit", "--verify"]);
        }
    }
}

#[test]
fn canaries_are_the_same_on_every_node() {
    let fleet = Fleet::start(3, ROUTES);
    fleet.nodes[0].ok(&["canary", "customers.list", "25%", "--wait", "30s"]);
    let mut chosen = 0;
    for user in 0..200 {
        let path = format!("/v1/explain?method=GET&path=/customers/&host=localhost&user={user}");
        let answers: Vec<Value> =
            fleet.nodes.iter().map(|node| ask(node, &path)["explanation"].clone()).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        chosen += usize::from(answers[0]["backend"] == "rust");
    }
    assert!((20..80).contains(&chosen), "{chosen} of 200 users are in a canary of 25 %");
}

/// A question to the admin socket.
pub(crate) fn ask(node: &Ficus, path: &str) -> Value {
    tell(node, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
}

pub(crate) fn tell(node: &Ficus, request: &str) -> Value {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(node.path("state/admin.sock")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A backend that can do nothing.
fn broken_origin() -> std::net::SocketAddr {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut stream = stream;
                while lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).count() > 0 {
                    let answer = b"HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_guard_that_trips_on_one_node_rolls_all_back_and_all_can_read_why() {
    let routes =
        "version = 1\n[[route]]\nname = \"broken\"\nrule = \"/items\"\nserve = \"rust\"\nguard = {}\n";
    let mut fleet = Fleet { nodes: Vec::new(), relays: Vec::new(), database: Database::create() };
    let broken = broken_origin();
    for _ in 0..2 {
        let mut node = fleet.prepare(routes);
        node.configure(&format!("[backends.rust]\nupstreams = [\"http://{broken}\"]\n"));
        let settings = std::fs::read_to_string(node.path("ficus.toml")).unwrap();
        let other = |line: &&str| !line.starts_with("rust = ");
        std::fs::write(
            node.path("ficus.toml"),
            settings.lines().filter(other).collect::<Vec<_>>().join("\n"),
        )
        .unwrap();
        node.run();
        fleet.nodes.push(node);
    }
    let (guarded, other) = (&fleet.nodes[0], &fleet.nodes[1]);
    guarded.wait("the guard trips", |node| {
        node.answered_by("/items");
        held(node) == ["broken"]
    });
    other.wait("the other one follows", |node| held(node) == ["broken"]);
    other.wait("the incident can be read there", |node| {
        !node.json(&["incident"])["incidents"].as_array().unwrap().is_empty()
    });
    let incident = other.json(&["incident"])["incidents"][0].clone();
    assert_eq!((incident["node"].as_str(), incident["route"].as_str()), (Some("web1"), Some("broken")));
    let said = other.ok(&["incident", &incident["id"].to_string()]);
    assert!(said.contains("node       web1") && said.contains("because"), "{said}");
}

#[test]
fn a_revision_that_one_node_cannot_run_takes_away_what_it_takes_away() {
    let routes = format!("{}\n[[route]]\nname = \"next\"\nrule = \"/next\"\n", on_rust());
    let mut fleet = Fleet::start(2, &routes);
    // Only one of them knows a third backend.
    let settings = std::fs::read_to_string(fleet.nodes[0].path("ficus.toml")).unwrap();
    let more = settings
        .replace("[backends]\n", "[backends]\nlegacy-next = { upstreams = [\"http://127.0.0.1:1\"] }\n");
    std::fs::write(fleet.nodes[0].path("ficus.toml"), more).unwrap();
    fleet.nodes[0].kill();
    fleet.nodes[0].run();
    fleet.settle();
    fleet.nodes[0].cli(&["flip", "next", "legacy-next", "--wait", "0s"]);
    fleet.nodes[0].cli(&["rollback", "customers.list", "--wait", "0s"]);
    fleet.nodes[1].wait("it takes away", |node| node.answered_by("/customers/") == "legacy");
    fleet.nodes[0].wait("drift is shown", |node| node.ok(&["fleet"]).contains("cannot be run here"));
    fleet.nodes[0].ok(&["flip", "next", "legacy", "--wait", "30s"]);
    fleet.settle();
    assert_eq!(fleet.answers("/customers/"), ["legacy"; 2]);
}

/// The process that took over; ends with the test.
struct Successor(nix::unistd::Pid);

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.0, nix::sys::signal::Signal::SIGKILL);
    }
}

#[test]
fn an_upgrade_keeps_the_node_in_its_fleet() {
    let fleet = Fleet::start(2, ROUTES);
    let process = fleet.nodes[0].json(&["upgrade"])["process"].as_i64().unwrap();
    let _successor = Successor(nix::unistd::Pid::from_raw(i32::try_from(process).unwrap()));
    fleet.nodes[1].ok(&["flip", "customers.list", "rust", "--wait", "30s"]);
    fleet.wait_for_answers("/customers/", "rust");
    fleet.nodes[0].ok(&["rollback", "customers.list", "--wait", "30s"]);
    fleet.wait_for_answers("/customers/", "legacy");
    fleet.settle();
}

#[test]
fn the_password_is_nowhere_to_be_read() {
    let database = Database::create();
    let relay = Relay::to(&database);
    let mut node = Ficus::prepare();
    configure(&node, &relay.url(&database), 1);
    std::fs::write(node.path("password"), "hunter2\n").unwrap();
    let settings = std::fs::read_to_string(node.path("ficus.toml")).unwrap();
    let with = settings.replace("[log]\n", "[log]\nlevel = \"trace\"\n");
    let with = with.replace("[store]\n", "[store]\npassword = { file = \"password\" }\n");
    std::fs::write(node.path("ficus.toml"), with).unwrap();
    std::fs::write(node.routes(), ROUTES).unwrap();
    node.run();
    node.ok(&["flip", "customers.list", "rust"]);
    database.run("SELECT 1 FROM ficus.revision");
    node.terminate();
    for entry in std::fs::read_dir(node.path("state")).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{}", entry.path().display());
    }
    assert!(!node.log().contains("hunter2"));
}

#[test]
fn a_rollback_with_nothing_to_do_here_counts_for_what_the_others_do() {
    let fleet = Fleet::start(2, ROUTES);
    fleet.relays[0].cut();
    fleet.nodes[1].cli(&["flip", "customers.list", "rust", "--wait", "0s"]);
    // This node has not heard of it, and sends nobody to a candidate: somebody wants it back all the same.
    let alone = fleet.nodes[0].cli(&["rollback", "customers.list", "--reason", "3 am"]);
    assert_eq!(alone.status.code(), Some(6), "{}", texts(&alone).1);
    assert_eq!(held(&fleet.nodes[0]), ["customers.list"]);
    fleet.nodes[0].cli(&["rollback", "--all"]);
    let whole = fleet.nodes[0].cli(&["rollback", "--all"]);
    assert!(texts(&whole).1.contains("what the others do cannot be seen"), "{whole:?}");
    fleet.relays[0].heal();
    fleet.settle();
    assert_eq!(fleet.answers("/customers/"), ["legacy"; 2]);
    assert_eq!(held(&fleet.nodes[1]), ["customers.detail", "customers.list"]);

    // The same where it was held already, and the others resumed it meanwhile.
    fleet.relays[0].cut();
    fleet.nodes[1].cli(&["resume", "customers.list", "--wait", "0s"]);
    fleet.nodes[1].cli(&["flip", "customers.list", "rust", "--wait", "0s"]);
    assert_eq!(fleet.nodes[1].answered_by("/customers/"), "rust");
    assert_eq!(fleet.nodes[0].cli(&["rollback", "customers.list"]).status.code(), Some(6));
    fleet.relays[0].heal();
    fleet.settle();
    assert_eq!(fleet.answers("/customers/"), ["legacy"; 2]);
}
