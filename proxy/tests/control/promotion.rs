//! The way up: gates, promotions, approvals, plans that advance by themselves, rehearsals, webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::cli::{compare, transcript};
use crate::ficus::{Ficus, texts};

/// A route with a plan of its own; the origins of these tests never agree, so nothing is compared.
fn routes(plan: &str, lines: &str) -> String {
    format!(
        "version = 1\n\n[plans.quick]\nsteps = [\"10%\", \"50%\", \"candidate\"]\nsoak = \"0s\"\ncomparisons = 0\n\
         min_requests = 0\nschema = false\n{plan}\n\n[[route]]\nname = \"customers.list\"\nrule = \"/customers/\"\n\
         guard = {{}}\nplan = \"quick\"\n{lines}\n"
    )
}

fn start(routes: &str, settings: &str) -> Ficus {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), routes).unwrap();
    ficus.configure("[canary]\nsecret_key = { file = \"canary.key\" }\n");
    ficus.configure(settings);
    std::fs::write(ficus.path("canary.key"), "only for this test").unwrap();
    ficus.started()
}

fn standing(ficus: &Ficus) -> String {
    ficus.json(&["routes"])["routes"][0]["standing"].as_str().unwrap().to_owned()
}

fn code(ficus: &Ficus, arguments: &[&str]) -> Option<i32> {
    ficus.cli_without_yes(arguments).status.code()
}

/// Times at a step differ from run to run.
fn without_times(text: &str) -> String {
    let mut done = String::new();
    for line in text.lines() {
        match line
            .split_once("at this step for ")
            .and_then(|(start, rest)| Some((start, rest.split_once(',')?)))
        {
            Some((start, (_, rest))) => done.push_str(&format!("{start}at this step for TIME,{rest}\n")),
            None => done.push_str(&format!("{line}\n")),
        }
    }
    done
}

#[test]
fn the_way_up_at_the_command_line() {
    let ficus = start(&routes("drill = \"off\"\napprovals = 1", ""), "");
    let commands = [
        "gate customers.list",
        "gate customers.list --exit-code",
        "promote customers.list --dry-run",
        "promote customers.list --yes",
        "promote customers.list --skip-gates --yes",
        "promote customers.list --skip-gates --confirm customers.lst",
        "promote customers.list --skip-gates --confirm customers.list --reason CRM-812",
        "approve customers.list",
        "approve customers.list --step candidate",
        "history customers.list",
        "hold customers.list",
        "promote customers.list --skip-gates --confirm customers.list",
        "gate customers.list",
        "promote customers.lisst",
        "drill customers.list --list",
    ];
    let said: Vec<String> = commands.iter().map(|arguments| transcript(&ficus, arguments)).collect();
    compare("way_up", &without_times(&said.join("\n")));
}

#[test]
fn a_gate_that_holds_lets_a_route_up_step_by_step() {
    let ficus = start(&routes("drill = \"off\"", ""), "");
    assert_eq!(code(&ficus, &["promote", "customers.list"]), Some(2), "nobody said yes");
    for expected in ["legacy, 10% rust", "legacy, 50% rust", "rust"] {
        ficus.ok(&["promote", "customers.list", "--reason", "CRM-812"]);
        assert_eq!(standing(&ficus), expected);
    }
    let output = ficus.cli(&["promote", "customers.list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).1.contains("`customers.list` has taken the last step, `rust`"), "{output:?}");
    let reason = ficus.json(&["history"])["changes"][0]["reason"].clone();
    assert_eq!(reason, "CRM-812 (promoted to rust: every condition holds)");
    assert_eq!(ficus.cli(&["promote", "customers.list", "--if-revision", "1"]).status.code(), Some(1));
}

#[test]
fn a_plan_advances_by_itself_and_never_past_a_hold() {
    let plan = "drill = \"off\"\nauto = true";
    let ficus = start(&routes(plan, ""), "");
    ficus.wait("everybody is answered by rust", |ficus| standing(ficus) == "rust");
    let changes = ficus.json(&["history"])["changes"].clone();
    let steps: Vec<&Value> =
        changes.as_array().unwrap().iter().filter(|change| change["author"] == "plan").collect();
    assert_eq!(steps.len(), 3, "{changes:#}");
    let reason = steps[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("plan: 50% -> rust: nobody holds the route; "), "{reason}");
    ficus.ok(&["rollback", "customers.list"]);
    let revision = ficus.revision();
    ficus.wait("the gate shows the hold", |ficus| {
        let gate = ficus.json(&["gate", "customers.list"])["gate"].clone();
        gate["conditions"][0]["holds"] == false && gate["auto"] == true
    });
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!((standing(&ficus), ficus.revision()), ("legacy".to_owned(), revision));
}

#[test]
fn a_plan_waits_for_its_hours() {
    // An hour that begins in two hours, whatever time it is.
    let hour =
        |offset: i64| (chrono::Utc::now() + chrono::Duration::hours(offset)).format("%H:00").to_string();
    let plan = format!("drill = \"off\"\nauto = true\nhours = \"{}-{}\"", hour(3), hour(4));
    let ficus = start(&routes(&plan, ""), "");
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!(standing(&ficus), "legacy");
    assert_eq!(code(&ficus, &["gate", "customers.list", "--exit-code"]), Some(0), "but a person may");
}

#[test]
fn a_plan_waits_for_a_person_and_an_approval_is_for_one_step() {
    let ficus = start(&routes("drill = \"off\"\napprovals = 1\nauto = true", ""), "");
    let said = ficus.ok(&["approve", "customers.list", "--step", "10%", "--reason", "looked"]);
    assert!(said.starts_with("customers.list: approved for 10% (revision 2)\n"), "{said}");
    ficus.wait("the approved step", |ficus| standing(ficus) == "legacy, 10% rust");
    let gate = ficus.json(&["gate", "customers.list"])["gate"].clone();
    let approvals = gate["conditions"].as_array().unwrap().iter().find(|one| one["name"] == "approvals");
    assert_eq!(approvals.unwrap()["holds"], false, "{gate:#}");
    let history = ficus.ok(&["history", "customers.list"]);
    assert!(history.contains("approved for 10%") && history.contains("looked"), "{history}");
    let audit = ficus.json(&["audit", "--verify"]);
    assert_eq!(audit["audit"]["broken"], Value::Null);
}

#[test]
fn an_approval_survives_a_restart_and_ends_with_the_route_as_it_was() {
    let mut ficus = start(&routes("drill = \"off\"\napprovals = 1", ""), "");
    ficus.ok(&["approve", "customers.list"]);
    let approved = |ficus: &Ficus| {
        // As the plan would see it: whoever asks did not approve.
        let status = ficus.json(&["approve", "customers.list"]);
        let conditions = status["gate"]["conditions"].as_array().unwrap().clone();
        conditions.iter().find(|one| one["name"] == "approvals").unwrap()["sentence"].clone()
    };
    let before = approved(&ficus);
    assert!(before.as_str().unwrap().starts_with("1 of 1 approvals (by "), "{before}");
    ficus.terminate();
    ficus.run();
    let state = std::fs::read_to_string(ficus.path("state/routing.json")).unwrap();
    assert!(state.contains("\"step\":\"10%\""), "{state}");
    assert_eq!(approved(&ficus), before);
    let digest = |ficus: &Ficus| ficus.json(&["gate", "customers.list"])["gate"]["digest"].clone();
    let looked_at = digest(&ficus);
    assert!(state.contains(looked_at.as_str().unwrap()), "{state}");
    // Another guard is another route.
    ficus.edit(&ficus.routes_text().replace("guard = {}", "guard = { min_requests = 7 }"));
    ficus.wait("the edit is taken", |ficus| ficus.revision() > 2);
    assert_ne!(digest(&ficus), looked_at);
}

#[test]
fn a_rehearsal_goes_there_and_back_and_leaves_the_route_as_it_was() {
    let ficus = start(&routes("", ""), "");
    let missing = ficus.json(&["gate", "customers.list"])["gate"].clone();
    let drill = |gate: &Value| {
        gate["conditions"].as_array().unwrap().iter().find(|one| one["name"] == "drill").unwrap()["holds"]
            .clone()
    };
    assert_eq!(drill(&missing), false);
    let report = ficus.json(&["drill", "customers.list"]);
    assert_eq!((&report["passed"], &report["drill"]["by"]), (&true.into(), &"flip".into()), "{report:#}");
    assert!(report["drill"]["to_candidate_ms"].is_f64() && report["drill"]["back_ms"].is_f64());
    assert_eq!((report["drill"]["errors"].as_u64(), standing(&ficus)), (Some(0), "legacy".to_owned()));
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(drill(&ficus.json(&["gate", "customers.list"])["gate"]), true);
    ficus.ok(&["promote", "customers.list"]);
    let report = ficus.json(&["drill", "customers.list"]);
    assert_eq!((&report["passed"], &report["drill"]["by"]), (&true.into(), &"token".into()), "{report:#}");
    assert_eq!(standing(&ficus), "legacy, 10% rust");
    let list = ficus.ok(&["drill", "customers.list", "--list"]);
    assert!(list.lines().count() == 3 && list.contains("passed"), "{list}");
}

#[test]
fn a_rehearsal_that_finds_something_fails_and_closes_the_gate() {
    let ficus = start(&routes("", ""), "");
    std::fs::write(ficus.path("journey.txt"), "# both say their names\nGET /customers/\n").unwrap();
    let output = ficus.cli(&["drill", "customers.list", "--journey", "journey.txt"]);
    let (said, _) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("! line 2: `legacy` does not answer as `rust` does: "), "{said}");
    assert!(said.contains("0 writes through the candidate, 1 reads compared, 1 different"), "{said}");
    assert_eq!(standing(&ficus), "legacy");
    let gate = ficus.ok(&["gate", "customers.list"]);
    assert!(gate.contains("ago failed: line 2: `legacy` does not"), "{gate}");
    for (arguments, expected) in [
        (&["drill", "customers.list", "--path", "/elsewhere"][..], "does not belong to `customers.list`"),
        (&["drill", "customers.lst"][..], "there is no route `customers.lst`"),
    ] {
        let output = ficus.cli(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(texts(&output).1.contains(expected), "{output:?}");
    }
    ficus.ok(&["hold", "customers.list"]);
    assert_eq!(code(&ficus, &["drill", "customers.list"]), Some(3));
}

/// Takes posts and answers each with the next status; what came.
fn receiver(statuses: &'static [u16]) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut text, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                text.push_str(&line);
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            text.push_str(&String::from_utf8(body).unwrap());
            kept.lock().unwrap().push(text);
            let status = statuses.get(number).or(statuses.last()).unwrap();
            write!(reader.get_mut(), "HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    (port, received)
}

#[test]
fn a_webhook_may_say_no_to_more_and_never_to_a_rollback() {
    let (port, received) = receiver(&[500]);
    let settings = format!("[webhooks]\nbefore = \"http://127.0.0.1:{port}/before\"\n");
    let ficus = start(&routes("drill = \"off\"", "serve = \"rust\""), &settings);
    ficus.ok(&["rollback", "customers.list"]);
    ficus.ok(&["resume", "customers.list"]);
    assert_eq!(received.lock().unwrap().len(), 0, "nobody is asked about the way to safety");
    for arguments in [&["flip", "customers.list", "rust"][..], &["promote", "customers.list"]] {
        let output = ficus.cli(arguments);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(texts(&output).1.contains("the webhook before changes did not agree"), "{output:?}");
    }
    assert_eq!(standing(&ficus), "legacy");
    assert_eq!(received.lock().unwrap().len(), 2);
}

#[test]
fn a_webhook_is_told_of_every_change_and_can_check_who_says_so() {
    let (port, received) = receiver(&[503, 200]);
    let settings = format!(
        "[webhooks]\nafter = \"http://127.0.0.1:{port}/after\"\nsecret = {{ file = \"webhook.key\" }}\n"
    );
    let ficus = Ficus::prepare();
    std::fs::write(ficus.path("webhook.key"), "between us").unwrap();
    std::fs::write(ficus.routes(), routes("drill = \"off\"", "")).unwrap();
    ficus.configure(&settings);
    let ficus = ficus.started();
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    ficus.ok(&["rollback", "customers.list"]);
    // The first attempt of the first one was answered with 503.
    ficus.wait("both are told", |_| received.lock().unwrap().len() == 3);
    let received = received.lock().unwrap().clone();
    let body =
        |text: &String| -> Value { serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap() };
    assert_eq!(body(&received[0]), body(&received[1]));
    assert_eq!(
        (&body(&received[1])["action"], &body(&received[2])["action"]),
        (&"flip".into(), &"rollback".into())
    );
    assert_eq!(body(&received[1])["reason"], "CRM-812");
    assert_eq!(body(&received[2])["changes"][0]["after"], "legacy");
    let header = |name: &str| {
        let line = received[1].lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is not in {}", received[1])).to_owned()
    };
    assert!(header("x-ficus-timestamp: ").parse::<i64>().is_ok());
    assert_eq!(header("x-ficus-signature: sha256=").len(), 64);
}
