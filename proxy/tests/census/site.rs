//! A directory with a Flask application, and the commands in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The environments of the shim's own tests.
pub(crate) const FLASKS: [&str; 3] = ["shim-flask-1.1", "shim-flask-2.3", "shim-flask-3.1"];

/// An application with a little of everything.
pub(crate) const SHOP: &str = r#"
from flask import Blueprint, Flask

shop = Blueprint("shop", __name__, url_prefix="/shop")

@shop.route("/")
def list():
    return "list"

@shop.route("/<int:item_id>")
def item(item_id):
    return str(item_id)

@shop.route("/new", methods=["GET", "POST"])
def create():
    return "new"

def create_app():
    app = Flask(__name__)
    app.secret_key = "not-for-files"
    app.register_blueprint(shop)
    app.add_url_rule("/pages/<path:page>", "pages", lambda page: page)
    return app
"#;

/// A directory of its own.
pub(crate) struct Site {
    pub(crate) directory: TempDir,
    python: PathBuf,
}

impl Site {
    /// With this application in `shop.py`.
    pub(crate) fn new(flask: &str, application: &str) -> Self {
        let site = Self::empty(flask);
        site.write("shop.py", application);
        site
    }

    /// Without an application.
    pub(crate) fn empty(flask: &str) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = package.join("../target/python").join(flask).join("bin/python");
        assert!(
            python.exists(),
            "`{}` is not there: `cargo xtask python {flask}` makes it",
            python.display()
        );
        Self { directory: tempfile::Builder::new().prefix("census").tempdir().unwrap(), python }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces text that has to be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}:\n{text}");
        self.write(name, &text.replace(from, to));
    }

    /// Names of the files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A command about `shop:create_app`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.run_for("shop:create_app", arguments)
    }

    /// A command about this application.
    pub(crate) fn run_for(&self, app: &str, arguments: &[&str]) -> Done {
        let mut command = self.command();
        command.args(arguments).args(["--flask", app, "--python"]).arg(&self.python);
        Done::of(&command.output().unwrap())
    }

    /// A command about the CRM, with the settings that it wants; nothing is behind them.
    pub(crate) fn run_for_crm(&self, arguments: &[&str]) -> Done {
        let crm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../legacy-crm");
        let mut command = self.command();
        command.args(arguments).args(["--flask", "wsgi:app", "--python"]).arg(&self.python);
        command.arg("--dir").arg(crm).arg("--config").arg(self.path("ficus.toml"));
        let settings = [
            ("DATABASE_URL", "postgresql://nobody@localhost/nothing"),
            ("FLASK_SECRET_KEY", "not-for-files"),
            ("CRM_FERNET_KEYS", "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="),
            ("CRM_WEBHOOK_SECRET", "webhook"),
        ];
        let folders = [("CRM_UPLOAD_DIR", self.path("uploads")), ("CRM_CACHE_DIR", self.path("cache"))];
        Done::of(&command.envs(settings).envs(folders).output().unwrap())
    }

    /// The binary here, without anything from the environment that could change what it does.
    pub(crate) fn command(&self) -> Command {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../legacy-shim/python");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ficus"));
        command.current_dir(self.directory.path()).stdin(Stdio::null()).env_remove("VIRTUAL_ENV");
        command.env("PYTHONPATH", format!("{0}/src:{0}/tests", package.display()));
        for name in std::env::vars().map(|(name, _)| name) {
            if name.starts_with("FICUS_") || name.starts_with("FLASK_") {
                command.env_remove(name);
            }
        }
        command
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// It must have ended so.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}
