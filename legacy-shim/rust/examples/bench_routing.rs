//! Nanoseconds per lookup for maps of 100, 1,000 and 10,000 rules, both algorithms:
//! `cargo run --release -p flask-compat --example bench_routing [RULES...]`. Numbers are printed, nothing is asserted.
//!
//! The map is shaped like a Flask application: for each resource a list, a detail page, a form, an action, an item by slug, a
//! nested collection, a file below a path, and a page with a mixed segment. Hits and misses (other method, unknown
//! path, unfit value) are measured apart, spread over the whole map.

use std::hint::black_box;
use std::time::Instant;

use flask_compat::Profile;
use flask_compat::routing::{Map, MapOptions, Match, RuleSpec};

const SHAPES: [(&str, &[&str]); 8] = [
    ("/{}/", &["GET"]),
    ("/{}/<int:id>", &["GET"]),
    ("/{}/new", &["GET", "POST"]),
    ("/{}/<int:id>/edit", &["POST"]),
    ("/{}/<slug>", &["GET"]),
    ("/{}/<int:id>/notes/<int:note>", &["GET", "DELETE"]),
    ("/{}/files/<path:name>", &["GET"]),
    ("/{}/report-<year>.<kind>", &["GET"]),
];
const HITS: [(&str, &str); 8] = [
    ("GET", "/{}/"),
    ("GET", "/{}/4711"),
    ("POST", "/{}/new"),
    ("POST", "/{}/4711/edit"),
    ("GET", "/{}/some-slug"),
    ("DELETE", "/{}/4711/notes/12"),
    ("GET", "/{}/files/2024/05/invoice.pdf"),
    ("GET", "/{}/report-2024.csv"),
];
const MISSES: [(&str, &str); 4] =
    [("PUT", "/{}/4711"), ("GET", "/{}/4711/unknown"), ("GET", "/nobody/{}"), ("GET", "/{}/4711/notes/x")];

fn main() {
    println!("{:<14} {:>7} {:>12} {:>12} {:>12}", "profile", "rules", "hit ns", "miss ns", "build map ms");
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let counts = if given.is_empty() { vec![100, 1_000, 10_000] } else { given };
    for profile in Profile::ALL {
        let hits: Vec<Option<f64>> = counts.iter().map(|&count| measure(profile, count)).collect();
        for (pair, sizes) in hits.windows(2).zip(counts.windows(2)) {
            if let [Some(small), Some(large)] = pair {
                let rules = sizes[1] as f64 / sizes[0] as f64;
                println!(
                    "{:<14} {rules:.0} times the rules, {:.2} times the time of a hit",
                    "",
                    large / small
                );
            }
        }
    }
}

/// Prints a line; the nanoseconds of a hit.
fn measure(profile: Profile, count: usize) -> Option<f64> {
    let resources: Vec<String> =
        (0..count / SHAPES.len()).map(|number| format!("resource{number}")).collect();
    let specs: Vec<RuleSpec> = resources
        .iter()
        .flat_map(|resource| {
            SHAPES.iter().enumerate().map(move |(shape, (rule, methods))| {
                let rule = rule.replace("{}", resource);
                RuleSpec::new(rule, format!("{resource}.{shape}")).methods(methods.iter().copied())
            })
        })
        .collect();
    let start = Instant::now();
    let map = match Map::new(MapOptions::new(profile), &specs) {
        Ok(map) => map,
        Err(errors) => {
            eprintln!("{errors:?}");
            return None;
        }
    };
    let built = start.elapsed().as_secs_f64() * 1000.0;
    let hits = requests(&resources, &HITS);
    let misses = requests(&resources, &MISSES);
    let (hit, miss) = (nanoseconds(&map, &hits), nanoseconds(&map, &misses));
    println!("{:<14} {:>7} {:>12.0} {:>12.0} {:>12.1}", profile.name(), specs.len(), hit, miss, built);
    Some(hit)
}

fn requests(resources: &[String], shapes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    // A step that shares no factor with the number of resources visits them in a scattered order.
    (0..4_000)
        .map(|number| {
            let (method, path) = shapes[number % shapes.len()];
            (method, path.replace("{}", &resources[number * 7_919 % resources.len()]))
        })
        .collect()
}

/// Best of two hundred rounds, each short enough to fit between two interruptions.
fn nanoseconds(map: &Map, requests: &[(&'static str, String)]) -> f64 {
    let round = || {
        let start = Instant::now();
        let found = requests
            .iter()
            .filter(|(method, path)| {
                matches!(map.find(black_box("crm.example.com"), method, path), Match::Rule(_))
            })
            .count();
        black_box(found);
        start.elapsed().as_secs_f64() * 1e9 / requests.len() as f64
    };
    (0..200).map(|_| round()).fold(f64::INFINITY, f64::min)
}
