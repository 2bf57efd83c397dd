//! How wrong a route may be, at most: the exact one-sided 95 % bound on a share, after Clopper and Pearson. Pure.
//!
//! Of `n` comparisons `k` were mismatches. The bound is the largest share of mismatches at which seeing `k` or fewer of
//! them still has a probability of 5 %. Without a mismatch it is `1 - 0.05^(1/n)`, a little below `3/n`.

/// What is left of certainty: 5 %.
const DOUBT: f64 = 0.05;

/// The bound on the share of mismatches, 0 to 1. Without a comparison nothing is known: 1.
pub fn upper_bound(comparisons: u64, mismatches: u64) -> f64 {
    if comparisons == 0 || mismatches >= comparisons {
        return 1.0;
    }
    let n = comparisons as f64;
    if mismatches == 0 {
        return -(DOUBT.ln() / n).exp_m1();
    }
    let k = mismatches as f64;
    // P(X <= k) falls while the share rises; it is above 5 % at k/n.
    let (mut low, mut high) = (k / n, 1.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        // P(X <= k) = I(1-p; n-k, k+1)
        if beta(1.0 - middle, n - k, k + 1.0) > DOUBT {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// How many comparisons without a mismatch bring the bound to this share.
pub fn clean_needed(share: f64) -> u64 {
    if share <= 0.0 {
        return u64::MAX;
    }
    if share >= 1.0 {
        return 1;
    }
    let needed = (DOUBT.ln() / (-share).ln_1p()).ceil();
    if needed >= u64::MAX as f64 { u64::MAX } else { needed as u64 }
}

/// The regularized incomplete beta function `I(x; a, b)`.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// Lentz' way through the continued fraction.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let safe = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..100_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / safe(1.0 + even * d);
        c = safe(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / safe(1.0 + odd * d);
        c = safe(1.0 + odd / c);
        value *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a positive number, by Stirling's series.
fn ln_gamma(x: f64) -> f64 {
    // The series wants large numbers; small ones are moved up.
    let (mut x, mut moved) = (x, 0.0);
    while x < 15.0 {
        moved += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series =
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1_260.0 - 1.0 / (1_680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // From 1 - 0.05^(1/n), and for k > 0 from the quantiles of the beta distribution.
        let cases = [
            (0, 0, 1.0),
            (1, 0, 0.95),
            (1, 1, 1.0),
            (5, 5, 1.0),
            (10, 0, 0.258_865_550_89),
            (10, 1, 0.394_163_302_44),
            (10, 2, 0.506_901_301_06),
            (10, 9, 0.994_883_803_11),
            (100, 0, 0.029_513_049_61),
            (100, 1, 0.046_559_811_45),
            (1_000, 0, 0.002_991_249_55),
            (1_000, 3, 0.007_735_244_72),
            (10_000, 0, 0.000_299_528_36),
        ];
        for (n, k, expected) in cases {
            let bound = upper_bound(n, k);
            assert!((bound - expected).abs() < 2e-9, "{k} of {n}: {bound:.11}, not {expected}");
        }
    }

    #[test]
    fn the_bound_is_where_the_binomial_sum_is_five_percent() {
        for (n, k) in [(3u32, 1u32), (7, 3), (20, 2), (50, 49), (80, 40), (250, 7), (900, 1)] {
            let p = upper_bound(u64::from(n), u64::from(k));
            let mut term = f64::from(n) * (1.0 - p).ln();
            let mut sum = term.exp();
            for i in 1..=k {
                term += (f64::from(n - i + 1) / f64::from(i)).ln() + p.ln() - (1.0 - p).ln();
                sum += term.exp();
            }
            assert!((sum - 0.05).abs() < 1e-8, "{k} of {n}: {sum}");
        }
    }

    #[test]
    fn more_comparisons_lower_it_and_more_mismatches_raise_it() {
        for k in [0, 1, 5, 90] {
            let mut last = 1.0;
            for n in [100, 1_000, 100_000, 10_000_000, 1_000_000_000] {
                let bound = upper_bound(n, k);
                assert!(bound < last && bound > k as f64 / n as f64, "{k} of {n}: {bound} after {last}");
                assert!(upper_bound(n, k + 1) > bound);
                last = bound;
            }
        }
    }

    #[test]
    fn as_many_clean_comparisons_as_are_said_to_be_needed_are_enough() {
        for (share, needed) in
            [(1.0, 1), (0.5, 5), (0.05, 59), (0.01, 299), (0.001, 2_995), (0.000_1, 29_956)]
        {
            assert_eq!(clean_needed(share), needed);
            assert!(upper_bound(needed, 0) <= share);
            assert!(needed == 1 || upper_bound(needed - 1, 0) > share);
        }
        assert_eq!(clean_needed(0.0), u64::MAX);
    }
}
