//! `ficus certificate`: what the comparisons of a route prove, and what is missing.

use clap::Args;
use serde_json::Value;

use super::Done;
use super::arguments::Common;
use super::client::{Client, query};
use super::exit::Exit;
use super::screen;

/// `certificate`.
#[derive(Debug, Args)]
#[command(after_help = "\
The bound is exact and one-sided: with 95 % certainty at most this share of the answers differs. Without a mismatch it is \
about 3 / comparisons. Counting begins anew when the handlers, the legacy code or the rules change.

Examples:
  ficus certificate customers.list
  ficus certificate customers.list --exit-code --at-most 0.1%")]
pub(super) struct Flags {
    /// The route
    route: String,
    /// Exit with 3 unless the certificate stands: not expired, tested, with comparisons and without a mismatch
    #[arg(long)]
    exit_code: bool,
    /// With --exit-code also unless every stratum's bound is at most this
    #[arg(long, value_name = "SHARE", requires = "exit_code", value_parser = share)]
    at_most: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    crate::diagnostic::percent(text).map(|buckets| f64::from(buckets) / 100_000.0)
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let path = format!("/v1/certificate{}", query(&[("route", Some(flags.route.clone()))]));
    let answer = Client::new(common).get(&path)?;
    let certificate = &answer["certificate"];
    let bound = certificate["worst_bound"].as_f64().unwrap_or(1.0);
    let too_wide = flags.at_most.is_some_and(|most| bound > most);
    if common.json {
        screen::print_json(&answer);
    } else {
        screen::print(&text(&flags.route, &answer));
        if let Some(most) = flags.at_most.filter(|_| too_wide) {
            let needed = crate::shadow::clean_needed(most);
            let line = format!(
                "not enough: the worst bound is {}, not {}; {needed} comparisons without a mismatch are, in each stratum",
                percent(bound),
                percent(most)
            );
            screen::print(&format!("{}\n", screen::bad(&line)));
        }
    }
    let clean = certificate["mismatches"] == 0 && certificate["rows"]["different"] == 0;
    let good = answer["stands"] == true && clean && !too_wide;
    if flags.exit_code && !good { Err(Exit::silent(3)) } else { Ok(()) }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A share as people read it, with three digits that count.
pub(super) fn percent(share: f64) -> String {
    let share = share * 100.0;
    let decimals = match share {
        share if share >= 10.0 => 1,
        share if share >= 1.0 => 2,
        share if share >= 0.1 => 3,
        share if share >= 0.01 => 4,
        _ => 5,
    };
    format!("{share:.decimals$} %")
}

fn text(route: &str, answer: &Value) -> String {
    let certificate = &answer["certificate"];
    let missing: Vec<&str> = answer["missing"].as_array().into_iter().flatten().map(word).collect();
    let mut lines = Vec::new();
    if certificate.is_null() {
        lines.push(format!("{route}: no certificate"));
    } else {
        lines.extend(facts(route, answer));
    }
    lines.extend(missing.iter().map(|line| screen::bad(&format!("! {line}"))));
    for old in answer["history"].as_array().into_iter().flatten() {
        lines.push(format!(
            "before: {} to {}, compared {}, mismatches {}: {}",
            screen::time(word(&old["since"])),
            screen::time(word(&old["expired"]["at"])),
            old["comparisons"],
            old["mismatches"],
            word(&old["expired"]["reason"])
        ));
    }
    lines.join("\n") + "\n"
}

fn facts(route: &str, answer: &Value) -> Vec<String> {
    let certificate = &answer["certificate"];
    let stands = if answer["stands"] == true { "stands" } else { "does not stand" };
    let bound = |key: &str| percent(certificate[key].as_f64().unwrap_or(1.0));
    let mut lines = vec![
        format!(
            "{route}: the certificate {stands}, counting since {}",
            screen::time(word(&certificate["since"]))
        ),
        format!(
            "  compared   {}, mismatches {}, allowed by rules {}, from recordings {}",
            certificate["comparisons"],
            certificate["mismatches"],
            certificate["ignored"],
            certificate["replayed"]
        ),
        format!("  uncounted  {}", uncounted(&certificate["uncounted"])),
        format!(
            "  bound      at most {} differ, in the worst stratum {}",
            bound("overall_bound"),
            bound("worst_bound")
        ),
    ];
    for (name, key) in [("reference", "reference"), ("candidate", "candidate")] {
        if let Some(latency) = certificate[key].as_object() {
            let ms = |name: &str| latency[name].as_f64().unwrap_or_default() / 1_000.0;
            lines.push(format!(
                "  {name}  p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms",
                ms("p50"),
                ms("p95"),
                ms("p99")
            ));
        }
    }
    let rows = &certificate["rows"];
    lines
        .push(format!("  writes     rows compared of {}, different {}", rows["compared"], rows["different"]));
    lines.push(format!("  self-test  {}", self_test(&certificate["self_test"])));
    lines.extend(provenance(&certificate["provenance"]));
    let strata: Vec<Vec<String>> =
        certificate["strata"].as_array().into_iter().flatten().map(stratum).collect();
    if !strata.is_empty() {
        let table = screen::table(&["METHOD", "STATUS", "ROLE", "COMPARED", "DIFFER", "AT MOST"], &strata);
        lines.push(table.trim_end().to_owned());
    }
    lines
}

fn uncounted(uncounted: &Value) -> String {
    let kinds = ["empty", "incomparable", "unanswered", "deferred", "raced"];
    kinds.map(|kind| format!("{kind} {}", uncounted[kind])).join(", ")
}

/// `passed at ..`, `never`, `failed at ..: why`.
pub(super) fn self_test(state: &Value) -> String {
    let at = screen::time(word(&state["at"]));
    match word(&state["state"]) {
        "passed" => format!("passed at {at}"),
        "failed" => format!("failed at {at}: {}", word(&state["why"])),
        _ => "never".to_owned(),
    }
}

fn provenance(of: &Value) -> Vec<String> {
    let known = |key: &str| of[key].as_str().unwrap_or("unknown").to_owned();
    let heads: Vec<&str> = of["known_heads"].as_array().into_iter().flatten().map(word).collect();
    let heads = if heads.is_empty() { "unknown".to_owned() } else { heads.join(", ") };
    vec![
        format!("  build      {}", known("build")),
        format!("  code       {}", known("code")),
        format!("  rules      {}", known("rules")),
        format!("  schema     {}, the handlers know {heads}", known("head")),
    ]
}

fn stratum(stratum: &Value) -> Vec<String> {
    vec![
        word(&stratum["method"]).to_owned(),
        word(&stratum["status"]).to_owned(),
        word(&stratum["role"]).to_owned(),
        stratum["n"].to_string(),
        stratum["k"].to_string(),
        percent(stratum["bound"].as_f64().unwrap_or(1.0)),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn shares_have_three_digits_that_count() {
        for (share, text) in [
            (1.0, "100.0 %"),
            (0.0299, "2.99 %"),
            (0.002_991, "0.299 %"),
            (0.000_299_5, "0.0300 %"),
            (0.000_03, "0.00300 %"),
        ] {
            assert_eq!(super::percent(share), text);
        }
    }
}
