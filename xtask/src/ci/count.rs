//! How many tests passed, failed and were left out, read from what the runners print. Pure: text in, numbers out.

/// The result of one stage, and of all of them added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// Left out: skipped, ignored, expected to fail. `cargo ci` takes them for failures.
    pub(super) skipped: usize,
}

impl Count {
    /// A check that is one test in itself.
    pub(super) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };

    /// Adds two results.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// Tests that were there, run or not.
    pub(super) fn total(self) -> usize {
        self.passed + self.failed + self.skipped
    }
}

/// Sums the last lines of `cargo nextest`: `Summary [ 1.2s] 12 tests run: 10 passed (1 slow), 2 failed, 1 skipped`.
pub(super) fn nextest(output: &str) -> Count {
    let summary = output.lines().filter(|line| line.trim_start().starts_with("Summary ["));
    summary
        .filter_map(|line| line.split_once("run: "))
        .fold(Count::default(), |sum, (_, parts)| sum.plus(words(parts, ',')))
}

/// Sums the lines of `cargo test`: `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out`.
pub(super) fn cargo_test(output: &str) -> Count {
    let results = output.lines().filter_map(|line| line.split_once("test result: "));
    let results = results.filter_map(|(_, rest)| rest.split_once(". "));
    results.fold(Count::default(), |sum, (_, parts)| sum.plus(words(parts, ';')))
}

/// Sums pytest's last lines: `== 1 failed, 5 passed, 2 skipped, 1 error in 3.21s ==`.
pub(super) fn pytest(output: &str) -> Count {
    let ends = |line: &str| {
        let bare = line.trim_matches(|letter| letter == '=' || letter == ' ');
        let (parts, time) = bare.rsplit_once(" in ")?;
        let first = parts.split(' ').next()?;
        (time.starts_with(|letter: char| letter.is_ascii_digit()) && first.parse::<usize>().is_ok())
            .then(|| words(parts, ','))
    };
    output.lines().filter_map(ends).fold(Count::default(), Count::plus)
}

/// Sums the numbers that stand before these words: `werkzeug-1.0: 40000 answers agree`.
pub(super) fn sum_before(output: &str, words: &str) -> usize {
    let numbers = output
        .lines()
        .filter_map(|line| line.split_once(words)?.0.split_whitespace().next_back()?.parse::<usize>().ok());
    numbers.sum()
}

/// `5 passed, 1 failed (slow), 2 skipped`: every part begins with its number and its word.
fn words(parts: &str, separator: char) -> Count {
    let mut count = Count::default();
    for part in parts.split(separator) {
        let mut part = part.split_whitespace();
        let (Some(Ok(number)), Some(word)) = (part.next().map(str::parse::<usize>), part.next()) else {
            continue;
        };
        match word {
            "passed" => count.passed += number,
            "failed" | "error" | "errors" | "timed" | "xpassed" => count.failed += number,
            "skipped" | "ignored" | "xfailed" | "deselected" => count.skipped += number,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(passed: usize, failed: usize, skipped: usize) -> Count {
        Count { passed, failed, skipped }
    }

    #[test]
    fn reads_nextest() {
        let text = "    PASS [0.1s] a\n     Summary [   1.234s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped\n";
        assert_eq!(nextest(text), count(10, 2, 3));
        assert_eq!(nextest("Summary [ 0.1s] 5 tests run: 4 passed, 1 timed out, 0 skipped"), count(4, 1, 0));
    }

    #[test]
    fn reads_every_result_of_cargo_test() {
        let text = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s\n\
                    test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(cargo_test(text), count(7, 1, 1));
    }

    #[test]
    fn sums_what_the_differential_compared() {
        let text = "werkzeug-1.0: 40001 answers agree\nno answers agree\nwerkzeug-2.3: 2 answers agree\n";
        assert_eq!(sum_before(text, "answers agree"), 40_003);
    }

    #[test]
    fn reads_pytest_loud_and_quiet() {
        assert_eq!(pytest("=== 1 failed, 5 passed, 2 skipped, 1 error in 3.21s ==="), count(5, 2, 2));
        assert_eq!(pytest("12 passed, 3 warnings in 61.02s (0:01:01)"), count(12, 0, 0));
        assert_eq!(pytest("4 passed, 1 xfailed, 2 deselected in 0.1s"), count(4, 0, 3));
        assert_eq!(pytest("no tests ran in 0.01s"), Count::default());
        assert_eq!(pytest("it takes 5 minutes in 3 steps"), Count::default());
    }
}
