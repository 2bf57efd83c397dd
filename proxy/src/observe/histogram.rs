//! A histogram of durations: atomic counters, and for each bucket the trace of one request that fell into it.
//!
//! The library's own histogram takes a lock per observation, and its exemplars cannot be made outside of it.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bounds in microseconds: those of OpenTelemetry's HTTP metrics, and two below for fast handlers.
const BOUNDS: [(u64, &str); 16] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (75_000, "0.075"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (750_000, "0.75"),
    (1_000_000, "1.0"),
    (2_500_000, "2.5"),
    (5_000_000, "5.0"),
    (7_500_000, "7.5"),
    (10_000_000, "10.0"),
];
const BUCKETS: usize = BOUNDS.len() + 1;

/// Durations, counted by bucket.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    micros: AtomicU64,
    /// Only made when a request that is traced comes by.
    exemplars: OnceLock<Box<Mutex<[Option<Exemplar>; BUCKETS]>>>,
}

#[derive(Debug, Clone)]
struct Exemplar {
    trace: String,
    micros: u64,
    at: Duration,
}

impl Histogram {
    /// Counts a duration; `trace` is the id of its trace, if that is kept somewhere.
    pub(super) fn observe(&self, duration: Duration, trace: Option<&str>) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|(bound, _)| *bound < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(trace) = trace {
            self.keep(bucket, trace, micros);
        }
    }

    /// Nobody waits for an exemplar: if two come at once, one of them is enough.
    fn keep(&self, bucket: usize, trace: &str, micros: u64) {
        let exemplars = self.exemplars.get_or_init(Box::default);
        if let Ok(mut exemplars) = exemplars.try_lock() {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            exemplars[bucket] = Some(Exemplar { trace: trace.to_owned(), micros, at });
        }
    }

    /// Writes the samples; `labels` are rendered already, such as `a="1",b="2"`.
    pub(super) fn write(&self, text: &mut String, name: &str, labels: &str, exemplars: bool) {
        let kept = self.exemplars.get().filter(|_| exemplars);
        let kept = kept.map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let micros = self.micros.load(Ordering::Relaxed);
        let mut sum = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            sum += bucket.load(Ordering::Relaxed);
            let bound = BOUNDS.get(index).map_or("+Inf", |(_, bound)| *bound);
            let _ = write!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {sum}");
            if let Some(Some(exemplar)) = kept.as_ref().map(|kept| &kept[index]) {
                exemplar.write(text);
            }
            text.push('\n');
        }
        let _ = writeln!(text, "{name}_sum{{{labels}}} {}", seconds(micros));
        let _ = writeln!(text, "{name}_count{{{labels}}} {sum}");
    }
}

impl Exemplar {
    fn write(&self, text: &mut String) {
        let (trace, value, at) = (&self.trace, seconds(self.micros), self.at.as_secs_f64());
        let _ = write!(text, " # {{trace_id=\"{trace}\"}} {value} {at:.3}");
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

/// Adds a label to others; its value may hold anything.
pub(super) fn label(labels: &mut String, name: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(name);
    labels.push_str("=\"");
    for character in value.chars() {
        match character {
            '\\' => labels.push_str("\\\\"),
            '"' => labels.push_str("\\\""),
            '\n' => labels.push_str("\\n"),
            other => labels.push(other),
        }
    }
    labels.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_bounds_belong_to_the_bucket_below() {
        let histogram = Histogram::default();
        for micros in [1, 1_000, 1_001, 60_000_000] {
            histogram.observe(Duration::from_micros(micros), None);
        }
        let mut text = String::new();
        histogram.write(&mut text, "x", "a=\"b\"", true);
        for line in [
            "x_bucket{a=\"b\",le=\"0.001\"} 2",
            "x_bucket{a=\"b\",le=\"0.0025\"} 3",
            "x_bucket{a=\"b\",le=\"10.0\"} 3",
            "x_bucket{a=\"b\",le=\"+Inf\"} 4",
            "x_sum{a=\"b\"} 60.002002",
            "x_count{a=\"b\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains('#'));
    }

    #[test]
    fn a_bucket_names_the_trace_of_one_of_its_requests() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(3), Some("0af7651916cd43dd8448eb211c80319c"));
        let mut text = String::new();
        histogram.write(&mut text, "x", "a=\"b\"", true);
        let marked: Vec<&str> = text.lines().filter(|line| line.contains(" # ")).collect();
        assert_eq!(marked.len(), 1, "{text}");
        assert!(
            marked[0].starts_with(
                "x_bucket{a=\"b\",le=\"0.005\"} 1 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.003 "
            ),
            "{text}"
        );
        let mut plain = String::new();
        histogram.write(&mut plain, "x", "a=\"b\"", false);
        assert!(!plain.contains('#'));
    }

    #[test]
    fn a_label_may_hold_anything() {
        let mut labels = String::new();
        label(&mut labels, "rule", "/<regex(\"\\d+\"):id>\n");
        label(&mut labels, "b", "c");
        assert_eq!(labels, "rule=\"/<regex(\\\"\\\\d+\\\"):id>\\n\",b=\"c\"");
    }
}
