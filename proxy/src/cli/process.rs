//! `ficus reload` and `ficus upgrade`: what concerns the running process itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::client::Client;
use super::screen;

/// Longer than any `timeouts.upgrade` that makes sense.
const UPGRADE: Duration = Duration::from_secs(600);

pub(super) fn reload(common: &Common) -> Done {
    let answer = Client::new(common).post("/v1/reload", &json!({}))?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let keys = |name: &str| -> Vec<&str> {
        answer["settings"][name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    if answer["changed"] == true {
        screen::print(&format!("routing file taken: revision {}\n", answer["revision"]));
    }
    for key in keys("applied") {
        screen::print(&format!("{key}: holds now\n"));
    }
    for key in keys("need_upgrade") {
        screen::print(&format!(
            "{key}: needs a new process; `ficus upgrade` starts one without an interruption\n"
        ));
    }
    if answer["changed"] != true && keys("applied").is_empty() && keys("need_upgrade").is_empty() {
        screen::print("nothing has changed; certificates were read again\n");
    }
    Ok(())
}

pub(super) fn upgrade(common: &Common) -> Done {
    let answer = Client::new(common).patient(UPGRADE).post("/v1/upgrade", &json!({}))?;
    if common.json {
        screen::print_json(&answer);
    } else {
        let process = &answer["process"];
        screen::print(&format!("process {process} has taken over; the old one answers what it has begun\n"));
    }
    Ok(())
}
