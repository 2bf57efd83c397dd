//! `ficus retire`, with a running ficus and a real Flask application.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::site::{Done, FLASKS, Site};
use crate::transcripts::compare;

const SHOP: &str = r#"
from flask import Blueprint, Flask, redirect, render_template, url_for

shop = Blueprint("shop", __name__)


def price(item):
    return item * 2


@shop.route("/")
def list():
    return render_template("list.html", prices=[price(1)])


@shop.route("/old")
def old():
    return redirect(url_for("shop.list"))


@shop.route("/new", methods=["GET", "POST"])
def create():
    return render_template("new.html")


def create_app():
    app = Flask(__name__)
    app.register_blueprint(shop)
    return app
"#;

const ROUTES: &str = r#"version = 1

[[route]]
name = "shop.list"
rule = "/"
serve = "rust"

[[route]]
name = "shop.old"
rule = "/old"

[[route]]
name = "shop.create.get"
endpoint = "shop.create"
rule = "/new"
serve = "rust"
"#;

/// The application, and a ficus in front of nobody.
struct Running {
    site: Site,
    child: Child,
}

impl Running {
    fn start(routes: &str) -> Self {
        let site = Site::new(FLASKS[1], SHOP);
        std::fs::create_dir(site.path("templates")).unwrap();
        site.write("templates/list.html", "<a href=\"{{ url_for('shop.create') }}\">new</a> {{ prices }}\n");
        site.write("templates/new.html", "<a href=\"{{ url_for('shop.list') }}\">back</a>\n");
        site.write("routes.toml", routes);
        let settings = "[listen]\nhttp = \"127.0.0.1:0\"\nadmin = \"off\"\nadmin_socket = \"state/admin.sock\"\n\
                        [backends]\nlegacy = { upstreams = [\"unix:state/nobody.sock\"] }\n\
                        rust = { upstreams = [\"unix:state/nobody.sock\"] }\n[log]\naccess = \"off\"\n";
        site.write("ficus.toml", settings);
        let child = site.command().arg("serve").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Self { site, child };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !running.site.command().arg("status").output().unwrap().status.success() {
            assert!(Instant::now() < deadline, "ficus does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn transcript(&self, arguments: &str) -> String {
        let done = self.run(arguments);
        let today = chrono::Utc::now().date_naive().to_string();
        let text = format!(
            "$ ficus {arguments} --flask shop:create_app\n{}{}[exit {}]\n",
            done.out, done.err, done.code
        );
        text.replace(&today, "DAY")
    }

    fn run(&self, arguments: &str) -> Done {
        self.site.run(&arguments.split(' ').collect::<Vec<_>>())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_condition_is_said_and_the_lines_are_named() {
    let running = Running::start(ROUTES);
    let said = [
        "retire shop.list",
        "retire shop.list --days 1",
        "retire shop.list --days 1 --keep-rule",
        "retire shop.old --days 1",
        "retire shop.create.get --days 1 --keep-rule",
        "retire shop.lst",
    ];
    let said: Vec<String> = said.iter().map(|arguments| running.transcript(arguments)).collect();
    compare("retire", &said.join("\n"));
    let document = running.run("retire shop.list --days 1 --keep-rule --json").expect(0).json();
    assert_eq!(document["retirable"], true);
    assert_eq!(document["source"]["view"]["from"], 11);
    assert_eq!(running.site.read("shop.py"), SHOP, "Python is never edited");
}

#[test]
fn progress_asks_the_application_what_blocks() {
    let running = Running::start(ROUTES);
    running.site.edit(
        "shop.py",
        "return redirect(url_for(\"shop.list\"))",
        "return (part for part in [\"streams\"]), 200",
    );
    let done = running.site.run(&["progress", "--json"]).expect(0);
    let document = done.json();
    assert_eq!(document["app"], "shop:create_app");
    let stages: Vec<&str> = document["progress"]["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["stage"].as_str().unwrap())
        .collect();
    assert_eq!(stages, ["rust", "legacy", "rust"]);
    assert!(document["blockers"].is_array());
}
