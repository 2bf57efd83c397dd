//! The command line as transcripts: what is typed, what is printed, how it ends.

use crate::ficus::{Ficus, ROUTES, command, texts};

/// `$ ficus ARGUMENTS`, what it printed and its exit code; what differs from run to run has names.
fn transcript(ficus: &Ficus, arguments: &str) -> String {
    let words: Vec<&str> = arguments.split(' ').collect();
    let output = ficus.cli(&words);
    let (out, err) = texts(&output);
    let code = output.status.code().unwrap();
    let text = format!("$ ficus {arguments}\n{out}{err}[exit {code}]\n");
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name;
    let text = if arguments.starts_with("history") { collapse(&text) } else { text };
    let mut text = text.replace(&format!("`{user}`"), "`USER`").replace(&format!(" {user}  "), " USER  ");
    text = text.replace(&format!("by {user} at"), "by USER at");
    replace_times(&text)
}

/// Columns are as wide as the name of whoever runs the tests.
fn collapse(text: &str) -> String {
    let line = |line: &str| {
        line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect::<Vec<_>>().join("  ")
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// `2026-01-01 00:00:00` becomes `TIME`.
fn replace_times(text: &str) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("20") {
        let candidate = rest.get(start..start + 19).unwrap_or_default();
        let shape: String = candidate.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let (keep, skip) = if shape == "0000-00-00 00:00:00" { ("TIME", 19) } else { ("20", 2) };
        done.push_str(&rest[..start]);
        done.push_str(keep);
        rest = &rest[start + skip..];
    }
    done + rest
}

#[test]
fn a_morning_at_the_command_line() {
    let ficus = Ficus::start(ROUTES);
    let commands = [
        "flip customers.list rust --reason CRM-812",
        "explain GET /customers/",
        "explain POST /customers/",
        "explain GET /customers/7 --user 7",
        "flip customers.detail rust --canary 5%",
        "explain GET /customers/7?tab=deals --user 7",
        "rollback customers.list",
        "rollback customers.list",
        "rollback --all",
        "flip customers.list off",
        "routes",
        "history customers.list",
    ];
    let said: Vec<String> = commands.iter().map(|arguments| transcript(&ficus, arguments)).collect();
    compare("morning", &said.join("\n"));
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let ficus = Ficus::start(ROUTES);
    let commands = [
        "flip customer.list rust",
        "rollback customers.lst",
        "flip nothing.like.it rust",
        "flip customers.list rsut",
        "flip customers.list legacy --canary 5%",
        "flip customers.list rust --canary 101%",
        "history customers.lisst",
        "explain GET customers",
        "rollback",
        "statsu",
        "status --josn",
    ];
    let said: Vec<String> = commands.iter().map(|arguments| transcript(&ficus, arguments)).collect();
    compare("mistakes", &said.join("\n"));
}

#[test]
fn nobody_there_is_exit_5_with_a_way_on() {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    for arguments in ["status", "routes", "history", "flip customers.list rust", "rollback customers.list"] {
        let output = ficus.cli(&arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(5), "{arguments}");
        let (_, said) = texts(&output);
        assert!(said.starts_with("error: cannot reach ficus at `state/admin.sock`: "), "{said}");
        assert!(said.contains("`ficus serve` starts it"), "{said}");
    }
    let output = ficus.cli(&["explain", "GET", "/customers/"]);
    let (out, err) = texts(&output);
    assert!(output.status.success());
    assert!(out.contains("route     customers.list (line 8): /customers/"), "{out}");
    assert_eq!(err, "warning: ficus is not running; this is what the files say\n");
}

#[test]
fn every_document_names_its_schema() {
    let ficus = Ficus::start(ROUTES);
    for arguments in [
        &["status"][..],
        &["routes"],
        &["history"],
        &["explain", "GET", "/customers/"],
        &["explain", "GET", "/customers/", "--offline"],
        &["flip", "customers.list", "rust"],
        &["rollback", "--all"],
        &["check"],
    ] {
        assert_eq!(ficus.json(arguments)["schema"], 1, "{arguments:?}");
    }
}

#[test]
fn the_socket_is_found_by_flag_and_by_environment() {
    let ficus = Ficus::start(ROUTES);
    let socket = ficus.path("state/admin.sock");
    let elsewhere = tempfile::tempdir().unwrap();
    let by_flag = command(elsewhere.path()).arg("--socket").arg(&socket).arg("status").output().unwrap();
    assert!(by_flag.status.success(), "{}", texts(&by_flag).1);
    let by_variable =
        command(elsewhere.path()).env("FICUS_LISTEN_ADMIN_SOCKET", &socket).arg("status").output().unwrap();
    assert!(by_variable.status.success(), "{}", texts(&by_variable).1);
    let by_config = command(elsewhere.path())
        .arg("status")
        .arg("--config")
        .arg(ficus.path("ficus.toml"))
        .output()
        .unwrap();
    assert!(by_config.status.success(), "{}", texts(&by_config).1);
}

#[test]
fn a_good_pair_of_files_is_said_to_be_good() {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    assert_eq!(ficus.ok(&["check"]), "ficus.toml, routes.toml (2 routes): no errors\n");
    let document = ficus.json(&["check"]);
    assert_eq!((document["ok"].as_bool(), document["routes"].as_u64()), (Some(true), Some(2)));
}

#[test]
fn the_sample_files_of_the_repository_are_good() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let elsewhere = tempfile::tempdir().unwrap();
    let output = command(elsewhere.path())
        .arg("check")
        .arg("--config")
        .arg(root.join("ficus.example.toml"))
        .arg("--routes")
        .arg(root.parent().unwrap().join("routes.toml"))
        .env("FLASK_SECRET_KEY", "only for this test")
        .output()
        .unwrap();
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{err}{out}");
    assert!(out.ends_with(": no errors\n"), "{err}{out}");
}

#[test]
fn the_admin_port_has_nothing_but_numbers() {
    let ficus = Ficus::start(ROUTES);
    assert_eq!(ficus.http(ficus.admin_port, "/livez"), (200, "ok\n".to_owned()));
    ficus.wait("it is ready", |ficus| ficus.http(ficus.admin_port, "/readyz").0 == 200);
    assert!(ficus.http(ficus.admin_port, "/metrics").1.contains("ficus_config_last_reload_successful 1"));
    for path in ["/v1/status", "/v1/flip", "/"] {
        assert_eq!(ficus.http(ficus.admin_port, path).0, 404, "{path}");
    }
}

/// Compares with a file of the transcripts; `UPDATE_EXPECTED=1` writes it anew.
fn compare(name: &str, said: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/control/transcripts/{name}.txt"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, said).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(said == expected, "{name}: expected\n{expected}\nsaid\n{said}");
}
