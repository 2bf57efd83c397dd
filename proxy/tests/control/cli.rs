//! The command line as transcripts: what is typed, what is printed, how it ends.

use crate::ficus::{Ficus, ROUTES, command, texts};

/// `$ ficus ARGUMENTS`, what it printed and its exit code; what differs from run to run has names.
pub(crate) fn transcript(ficus: &Ficus, arguments: &str) -> String {
    let words: Vec<&str> = arguments.split(' ').collect();
    let output = ficus.cli_without_yes(&words);
    let (out, err) = texts(&output);
    let code = output.status.code().unwrap();
    let text = format!("$ ficus {arguments}\n{out}{err}[exit {code}]\n");
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name;
    let listing = arguments.starts_with("history") || arguments.starts_with("audit");
    let text = if listing { collapse(&text) } else { text };
    let mut text = text.replace(&format!("`{user}`"), "`USER`").replace(&format!(" {user}  "), " USER  ");
    text = text.replace(&format!("by {user} at"), "by USER at");
    text = text
        .replace(&format!("by {user} until"), "by USER until")
        .replace(&format!("by {user}\n"), "by USER\n");
    replace_digests(&replace_times(&text))
}

/// 64 hexadecimal digits become `DIGEST`, a tester's token becomes `TOKEN`.
fn replace_digests(text: &str) -> String {
    let word = |word: &str| {
        let hex = word.trim_end().len() == 64 && word.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit());
        let token = word.starts_with("Y2F") || word.starts_with("ZmF");
        match (hex, token) {
            (true, _) => word.replace(word.trim_end(), "DIGEST"),
            (_, true) => word.replace(word.trim_end(), "TOKEN"),
            _ => word.to_owned(),
        }
    };
    let split = text.split_inclusive([' ', '=', '\n']).map(word).collect::<Vec<_>>();
    split.concat()
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
        "flip customers.list rust --reason CRM-812 --yes",
        "explain GET /customers/",
        "explain POST /customers/",
        "explain GET /customers/7 --user 7",
        "flip customers.detail rust --canary 5% --yes",
        "explain GET /customers/7?tab=deals --user 7",
        "rollback customers.list",
        "rollback customers.list",
        "rollback --all",
        "flip customers.list off --yes",
        "routes",
        "history customers.list",
    ];
    let said: Vec<String> = commands.iter().map(|arguments| transcript(&ficus, arguments)).collect();
    compare("morning", &said.join("\n"));
}

#[test]
fn a_night_at_the_command_line() {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    ficus.configure("[canary]\nsecret_key = { file = \"canary.key\" }\n");
    std::fs::write(ficus.path("canary.key"), "only for this test").unwrap();
    let ficus = ficus.started();
    let commands = [
        "canary customers.list 5% --dry-run",
        "canary customers.list 5% --no-input",
        "canary customers.list 5% --yes --reason CRM-812",
        "canary customers.list 0.001%",
        "canary customers.list --users 7,8 --roles admin --networks 10.0.0.0/8 --yes",
        "explain GET /customers/ --user 8",
        "explain GET /customers/ --user 9 --role admin",
        "explain GET /customers/ --address 10.1.2.3",
        "explain GET /customers/ --visitor AAAAAAAAAAAAAAAAAAAAAA",
        "rollback customers.list --reason 'totals'",
        "canary customers.list 1% --yes",
        "flip customers.list rust --yes",
        "undo --yes",
        "explain GET /customers/ --user 8",
        "resume customers.list",
        "undo 5 --dry-run",
        "undo 5 --yes",
        "undo 2 --yes",
        "undo 2 --yes --force",
        "undo 99 --yes",
        "hold customers.detail --for 8h --reason audit",
        "canary customers.detail 5% --yes",
        "resume customers.detail",
        "canary customers.list 0% --users= --roles= --networks= --testers on --yes",
        "tester-token customers.* --for 1h",
        "tester-token nothing.here",
        "diff",
        "history --diff -n 1",
        "audit -n 3",
        "audit --verify",
        "status --exit-code",
    ];
    let said: Vec<String> = commands.iter().map(|arguments| transcript(&ficus, arguments)).collect();
    let said = said.join("\n");
    let hidden =
        |line: &str| !["ficus  ", "legacy ", "rust  ", "store "].iter().any(|start| line.starts_with(start));
    let said: Vec<&str> = said.lines().filter(|line| hidden(line)).collect();
    compare("night", &(said.join("\n") + "\n"));
}

#[test]
fn a_whole_file_goes_through_the_same_door() {
    let ficus = Ficus::start(ROUTES);
    std::fs::write(ficus.path("new.toml"), ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")).unwrap();
    std::fs::write(ficus.path("bad.toml"), "version = 1\nrouts = []\n").unwrap();
    let commands = [
        "apply new.toml --dry-run",
        "apply new.toml",
        "apply new.toml --yes --reason CRM-812",
        "apply new.toml --yes",
        "apply bad.toml --yes",
        "apply missing.toml --yes",
        "rollback customers.list",
        "apply new.toml --yes",
        "diff",
    ];
    let said: Vec<String> = commands.iter().map(|arguments| transcript(&ficus, arguments)).collect();
    compare("apply", &said.join("\n"));
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
}

#[test]
fn every_shell_and_every_command_has_its_page() {
    let ficus = Ficus::prepare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(ficus.ok(&["completions", shell]).contains("rollback"), "{shell}");
    }
    assert!(ficus.ok(&["man"]).starts_with(".ie"), "{}", ficus.ok(&["man"]));
    for command in ["serve", "flip", "canary", "rollback", "undo", "audit", "man"] {
        let page = ficus.ok(&["man", command]);
        assert!(page.contains(&format!(".TH ficus-{command}")), "{page}");
    }
    assert_eq!(ficus.cli(&["man", "flipp"]).status.code(), Some(1));
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
    let commands = [
        "status",
        "routes",
        "history",
        "audit",
        "diff",
        "flip customers.list rust",
        "canary customers.list 5%",
        "hold customers.list",
        "resume customers.list",
        "undo",
        "apply routes.toml",
        "tester-token customers.list",
        "rollback customers.list",
    ];
    for arguments in commands {
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
        &["flip", "customers.list", "rust", "--dry-run"],
        &["flip", "customers.list", "rust"],
        &["rollback", "--all"],
        &["resume", "customers.list"],
        &["canary", "customers.list", "5%"],
        &["undo"],
        &["hold", "customers.list"],
        &["resume", "customers.list"],
        &["apply", "routes.toml"],
        &["diff"],
        &["audit"],
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
pub(crate) fn compare(name: &str, said: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/control/transcripts/{name}.txt"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, said).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(said == expected, "{name}: expected\n{expected}\nsaid\n{said}");
}
