//! `ficus init`.

use crate::site::{Done, FLASKS, SHOP, Site};

#[test]
fn two_files_are_written_that_check_and_no_python_is_touched() {
    for (flask, profile) in FLASKS.into_iter().zip(["werkzeug-1.0", "werkzeug-2.3", "werkzeug-3.1"]) {
        let site = Site::new(flask, SHOP);
        let done = site.run(&["init"]).expect(0);
        assert!(done.out.contains("5 rules, 1 blueprints"), "{}", done.out);
        assert!(done.out.contains("+ LegacyShim(app)"), "{}", done.out);
        assert_eq!(site.files(), ["ficus.toml", "routes.toml", "shop.py"]);
        assert_eq!(site.read("shop.py"), SHOP);
        let settings = site.read("ficus.toml");
        assert!(settings.contains("secret_key = { env = \"FLASK_SECRET_KEY\" }"), "{settings}");
        assert!(settings.contains(&format!("profile = \"{profile}\"")), "{settings}");
        for file in ["ficus.toml", "routes.toml"] {
            assert!(!site.read(file).contains("not-for-files"), "the secret key is in {file}");
        }
        assert!(!format!("{}{}", done.out, done.err).contains("not-for-files"));
        let check = Done::of(&site.command().arg("check").output().unwrap()).expect(0);
        assert!(check.out.contains("5 routes"), "{}", check.out);
    }
}

#[test]
fn the_second_time_nothing_changes() {
    let site = Site::new(FLASKS[1], SHOP);
    site.run(&["init"]).expect(0);
    let before = (site.read("ficus.toml"), site.read("routes.toml"));
    let done = site.run(&["init"]).expect(0);
    assert!(done.out.contains("Nothing changed"), "{}", done.out);
    assert_eq!((site.read("ficus.toml"), site.read("routes.toml")), before);
    assert_eq!(site.run(&["init", "--json"]).expect(0).json()["files"][1]["outcome"], "same");
}

#[test]
fn decisions_in_the_files_stay() {
    let site = Site::new(FLASKS[1], SHOP);
    site.run(&["init"]).expect(0);
    site.edit(
        "routes.toml",
        "methods = [\"GET\"]\nserve = \"legacy\"",
        "methods = [\"GET\"]\nserve = \"rust\"",
    );
    site.edit("ficus.toml", "127.0.0.1:5000", "127.0.0.1:7000");
    let before = (site.read("ficus.toml"), site.read("routes.toml"));
    let done = site.run(&["init"]).expect(0);
    assert!(done.out.contains("agrees with the application"), "{}", done.out);
    assert_eq!((site.read("ficus.toml"), site.read("routes.toml")), before);
}

#[test]
fn files_that_contradict_stay_unless_forced() {
    let site = Site::new(FLASKS[1], SHOP);
    site.run(&["init"]).expect(0);
    let written = site.read("routes.toml");
    site.edit("routes.toml", "rule = \"/shop/new\"", "rule = \"/shop/old\"");
    site.edit("ficus.toml", "werkzeug-2.3", "werkzeug-1.0");
    let edited = site.read("routes.toml");
    let done = site.run(&["init"]).expect(1);
    assert!(done.out.contains("~ shop.create: + GET,POST /shop/new"), "{}", done.out);
    assert!(done.out.contains("~ flask.profile: werkzeug-1.0 -> werkzeug-2.3"), "{}", done.out);
    assert!(done.err.contains("--force"), "{}", done.err);
    assert_eq!(site.read("routes.toml"), edited);
    let done = site.run(&["init", "--force"]).expect(0);
    assert!(done.out.contains("Replaced"), "{}", done.out);
    assert_eq!(site.read("routes.toml"), written);
}

#[test]
fn what_cannot_be_asked_is_told_clearly() {
    let site = Site::new(FLASKS[0], SHOP);
    site.write(
        "broken.py",
        "def configure():\n    raise RuntimeError('CRM_URL is missing')\n\nconfigure()\n",
    );
    let err = |app: &str, arguments: &[&str]| site.run_for(app, arguments).expect(1).err;
    let said = err("broken:app", &["init"]);
    assert!(said.contains("`broken:app` does not start: RuntimeError: CRM_URL is missing"), "{said}");
    assert!(said.contains("at broken.py:2 in configure"), "{said}");
    let said = err("nowhere:app", &["init"]);
    assert!(said.contains("module `nowhere` was not found"), "{said}");
    let said = err("shop:nothing", &["init"]);
    assert!(said.contains("module `shop` has no `nothing`"), "{said}");
    let said = err("shop:create_app", &["init", "--dir", "not-there"]);
    assert!(said.contains("`not-there`"), "{said}");
    assert_eq!(site.files(), ["broken.py", "shop.py"]);
    let nobody = ["init", "--flask", "shop:create_app", "--python", "./no-python"];
    let said = Done::of(&site.command().args(nobody).output().unwrap()).expect(1).err;
    assert!(said.contains("cannot start `./no-python`"), "{said}");
    let bare = ["init", "--flask", "shop:create_app", "--python", "python3"];
    let said = Done::of(&site.command().args(bare).env_remove("PYTHONPATH").output().unwrap()).expect(1).err;
    assert!(said.contains("-m pip install FICUS/legacy-shim/python"), "{said}");
}

#[test]
fn special_things_are_found() {
    let site = Site::new(FLASKS[1], SHOP);
    let done = site.run_for("apps.office:create_app", &["init", "--json"]).expect(0);
    let document = done.json();
    let names: Vec<&str> =
        document["extensions"].as_array().unwrap().iter().filter_map(|e| e["name"].as_str()).collect();
    assert_eq!(names, ["Flask-Login", "Flask-RESTful", "Flask-WTF"]);
    assert_eq!(document["session"]["kind"], "cookie");
    let list = |key: &str| document[key].to_string();
    assert!(list("streaming").contains("customers.export"), "{}", list("streaming"));
    assert!(list("csrf_exempt").contains("hook"), "{}", list("csrf_exempt"));
    assert!(list("warnings").contains("converter"), "{}", list("warnings"));
}
