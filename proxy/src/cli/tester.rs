//! `ficus tester-token`: a token by which a tester chooses a side.

use serde_json::json;

use super::Done;
use super::arguments::{Common, TesterToken};
use super::client::Client;
use super::screen;

pub(super) fn run(common: &Common, flags: &TesterToken) -> Done {
    let question = json!({ "scope": flags.scope, "side": flags.side, "lasts": flags.lasts });
    let answer = Client::new(common).post("/v1/tester-token", &question)?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let token = text("token");
    let routes: Vec<&str> =
        answer["routes"].as_array().into_iter().flatten().filter_map(|r| r.as_str()).collect();
    screen::print(&format!(
        "header  X-Ficus-Tester: {token}\ncookie  {}={token}\nsays    {} for {} until {}\n",
        text("cookie"),
        text("side"),
        routes.join(", "),
        screen::time(&text("expires"))
    ));
    Ok(())
}
