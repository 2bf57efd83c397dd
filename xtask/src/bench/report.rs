//! The tables: medians over the rounds, and ratios to bare pingora of the same run. Markdown, for docs/benchmarks.md.

use std::fmt::Write;

use super::contestants::Contestant;
use super::load::{Sample, Scenario};
use super::memory::Memory;

/// All samples of a run.
#[derive(Default)]
pub(super) struct Results(Vec<(Scenario, Contestant, Sample)>);

impl Results {
    pub(super) fn add(&mut self, scenario: Scenario, who: Contestant, sample: Sample) {
        self.0.push((scenario, who, sample));
    }

    /// The median of one number, if there is a sample.
    fn median(&self, scenario: Scenario, who: Contestant, number: fn(&Sample) -> f64) -> Option<f64> {
        let of = |(s, w, sample): &(Scenario, Contestant, Sample)| {
            (*s == scenario && *w == who).then(|| number(sample))
        };
        median(self.0.iter().filter_map(of).collect())
    }

    /// One table for each scenario.
    pub(super) fn render(&self, scenarios: &[Scenario], contestants: &[Contestant]) -> String {
        let mut text = String::new();
        for scenario in scenarios {
            let _ = write!(
                text,
                "\n{}\n\n| | CPU µs | to bare | requests/s | paced: CPU µs | to bare | p50 µs | p99 µs |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
                scenario.title()
            );
            for who in contestants {
                let cell = |number| self.median(*scenario, *who, number).unwrap_or(f64::NAN);
                let bare = |number| self.median(*scenario, Contestant::Bare, number).unwrap_or(f64::NAN);
                let (cpu, paced) = (cell(|s| s.cpu), cell(|s| s.cpu_paced));
                let _ = writeln!(
                    text,
                    "| {} | {cpu:.1} | {:.2} | {:.0} | {paced:.1} | {:.2} | {:.0} | {:.0} |",
                    who.name(),
                    cpu / bare(|s| s.cpu),
                    cell(|s| s.rate),
                    paced / bare(|s| s.cpu_paced),
                    cell(|s| s.p50),
                    cell(|s| s.p99),
                );
            }
        }
        text
    }
}

/// The table of memory.
pub(super) fn memory(rows: &[(Contestant, Memory)]) -> String {
    let connections = rows.first().map_or(0, |(_, memory)| memory.connections);
    let mut text = format!(
        "\nMemory\n\n| | warmed up, MiB | each of {connections} idle connections, KiB |\n|---|---:|---:|\n"
    );
    for (who, memory) in rows {
        let _ = writeln!(text, "| {} | {:.1} | {:.1} |", who.name(), memory.base_mib, memory.each_kib);
    }
    text
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        return values.get(middle).copied();
    }
    Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outlier_does_not_move_a_median() {
        assert_eq!(median(vec![5.0, 1.0, 900.0]), Some(5.0));
        assert_eq!(median(vec![1.0, 3.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
