//! `ficus diff`: where the routing file and what is running differ.

use serde_json::Value;

use super::Done;
use super::arguments::{Common, Diff};
use super::client::Client;
use super::exit::Exit;
use super::screen::{self, word};

pub(super) fn run(common: &Common, flags: &Diff) -> Done {
    let answer = Client::new(common).get("/v1/diff")?;
    let routes: Vec<&Value> = answer["routes"].as_array().into_iter().flatten().collect();
    let diff = answer["diff"].as_str().unwrap_or_default();
    let refused = answer["refused"].as_str();
    let differs = !routes.is_empty() || !diff.is_empty();
    if common.json {
        screen::print_json(&answer);
    } else if !differs {
        screen::print(&format!(
            "no difference: the file is what is running (revision {})\n",
            answer["revision"]
        ));
    } else {
        for route in &routes {
            let (running, file) = (word(&route["before"]), word(&route["after"]));
            screen::print(&format!("{}: running {running}, the file says {file}\n", word(&route["route"])));
        }
        if !diff.is_empty() {
            screen::print(&format!("--- running, revision {}\n+++ on disk\n{diff}", answer["revision"]));
        }
        if let Some(refused) = refused {
            eprintln!("{} {refused}: it is not taken", screen::warning_word());
        }
    }
    if differs && flags.exit_code { Err(Exit::silent(3)) } else { Ok(()) }
}
