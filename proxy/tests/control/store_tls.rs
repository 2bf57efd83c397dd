//! The store of a fleet behind TLS and passwords, as a PostgreSQL of some other team asks for them: nodes that come in with
//! both, and nodes that do not, each of which says why and serves on. The password is nowhere to be read.

use std::path::{Path, PathBuf};

use crate::cluster::Database;
use crate::ficus::{Ficus, ROUTES, command};
use crate::own_cluster::{Door, OwnCluster};

const PASSWORD: &str = "Zk3vQ9 s/ch@r:f%41?";

/// A cluster that lets in who has the password, with TLS; and a database in it.
struct Guarded {
    database: Database,
    cluster: OwnCluster,
    certificate: String,
}

impl Guarded {
    fn start() -> Self {
        let (certificate, key) = certificate("localhost");
        let cluster = OwnCluster::start(&Door::Tls { certificate: certificate.clone(), key });
        let database = Database::create_in(cluster.admin());
        database.run(&format!("CREATE ROLE ficus LOGIN PASSWORD '{PASSWORD}'"));
        database.run(&format!("ALTER DATABASE {} OWNER TO ficus", database.name));
        Self { database, cluster, certificate }
    }

    fn url(&self, host: &str, query: &str) -> String {
        format!("postgres://ficus@{host}:{}/{}?{query}", self.cluster.port, self.database.name)
    }
}

/// A certificate for a host, and its key.
fn certificate(host: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn prepare(name: &str, url: &str) -> Ficus {
    let node = Ficus::prepare();
    let path = node.path("ficus.toml");
    let settings = std::fs::read_to_string(&path).unwrap().replace("sqlite:state/ficus.db", url);
    let settings = settings.replace("[log]\n", "[log]\nlevel = \"trace\"\n");
    std::fs::write(path, format!("{settings}[fleet]\nnode = \"{name}\"\npoll = \"300ms\"\n")).unwrap();
    std::fs::write(node.routes(), ROUTES).unwrap();
    node
}

/// With the password, and certificates of these texts beside the settings.
fn run(node: &mut Ficus, password: &str, authority: &str) {
    std::fs::write(node.path("ca.pem"), authority).unwrap();
    let mut command = command(node.directory.path());
    command.env("FICUS_STORE_PASSWORD", password);
    node.run_as(command);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Nothing that this node wrote or says has a password in it.
fn keeps_quiet(node: &Ficus, secrets: &[&str]) {
    let bundle = node.path("bundle.tar.gz");
    node.cli(&["support-bundle", "--output", bundle.to_str().unwrap()]);
    let mut tar = std::process::Command::new("tar");
    let unpacked = tar.arg("xzf").arg(&bundle).arg("-C").arg(node.directory.path()).status().unwrap();
    assert!(unpacked.success());
    let said = format!("{}{}", node.ok(&["status"]), node.ok(&["fleet", "--json"]));
    let written = files(node.directory.path()).into_iter().filter(|path| !path.ends_with("password"));
    let texts = written.map(|path| (path.display().to_string(), std::fs::read(path).unwrap_or_default()));
    for (name, bytes) in texts.chain([("what it says".to_owned(), said.into_bytes())]) {
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets {
            assert!(!text.contains(secret), "a password is in {name}");
        }
    }
}

#[test]
fn a_fleet_over_tls_with_passwords_and_all_its_connections_are_such() {
    let guarded = Guarded::start();
    let url = guarded.url("localhost", "sslmode=verify-full&sslrootcert=ca.pem");
    let (mut one, mut two) = (prepare("web1", &url), prepare("web2", &url));
    run(&mut one, PASSWORD, &guarded.certificate);
    // The other one has it in a file.
    std::fs::write(two.path("password"), format!("{PASSWORD}\n")).unwrap();
    let settings = std::fs::read_to_string(two.path("ficus.toml")).unwrap();
    let settings = settings.replace("[store]\n", "[store]\npassword = { file = \"password\" }\n");
    std::fs::write(two.path("ficus.toml"), settings).unwrap();
    std::fs::write(two.path("ca.pem"), &guarded.certificate).unwrap();
    two.run();
    two.wait("they know each other", |two| {
        two.json(&["fleet"])["fleet"]["nodes"].as_array().unwrap().len() == 2
    });
    one.ok(&["flip", "customers.list", "rust", "--wait", "30s"]);
    assert_eq!(two.answered_by("/customers/"), "rust");
    let connections = |what: &str| {
        let sql = format!(
            "SELECT count(*)::text FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'ficus' AND {what}"
        );
        guarded.database.ask(&sql).parse::<u32>().unwrap()
    };
    one.wait("both listen", |_| connections("ssl AND query LIKE 'LISTEN%'") == 2);
    assert!(connections("ssl") >= 4 && connections("NOT ssl") == 0);
    for node in [&one, &two] {
        keeps_quiet(node, &[PASSWORD]);
    }
}

#[test]
fn a_node_that_is_not_let_in_says_why_and_serves_on() {
    let guarded = Guarded::start();
    let (other, _) = certificate("localhost");
    let full = "sslmode=verify-full&sslrootcert=ca.pem";
    let cases: [(&str, &str, &str, &str, &str); 5] = [
        ("localhost", full, PASSWORD, &other, "`sslrootcert` in `store.url`"),
        ("localhost", full, "wrong-Zk3vQ9", &guarded.certificate, "look at `store.password`"),
        ("127.0.0.1", full, PASSWORD, &guarded.certificate, "the host in `store.url`"),
        ("localhost", "sslmode=disable", PASSWORD, &guarded.certificate, "`sslmode` in `store.url`"),
        ("localhost", "sslmode=verify-full&sslrootcert=none.pem", PASSWORD, "", "cannot read `none.pem`"),
    ];
    for (host, query, password, authority, expected) in cases {
        let mut node = prepare("web1", &guarded.url(host, query));
        run(&mut node, password, authority);
        let mut said = String::new();
        node.wait("it says why", |node| {
            said = node.status()["fleet"]["error"].as_str().unwrap_or_default().to_owned();
            !said.is_empty()
        });
        assert!(said.contains(expected), "{host} {query}: {said}");
        assert_eq!(node.answered_by("/customers/"), "legacy");
        assert!(node.ok(&["status"]).contains("! cut off from the fleet since"), "{said}");
        assert!(!node.cli(&["flip", "customers.list", "rust"]).status.success());
        keeps_quiet(&node, &[PASSWORD, "wrong-Zk3vQ9"]);
    }
}
