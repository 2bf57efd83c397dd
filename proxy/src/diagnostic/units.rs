//! Durations, sizes and percentages as people write them.

use std::time::Duration;

/// `250ms`, `5s`, `1m`, `2h`, `30d`, `1m30s`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("`{text}` is not a duration: write a number and a unit, such as `250ms`, `5s`, `1m` or `2h`")
    };
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let milliseconds = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        let part = number.checked_mul(milliseconds).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_millis(part)).ok_or_else(wrong)?;
    }
    Ok(total)
}

/// `65536`, `64KiB`, `1 GiB`, `10MB`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("`{text}` is not a size: write bytes such as `65536`, or a unit such as `64KiB` or `10MB`")
    };
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let factor: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

/// `5`, `5%`, `0.125 %` as a number of buckets of 100,000.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn percent(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a share: write a percentage such as `5` or `0.125%`");
    let number = text.trim().trim_end_matches('%').trim_end();
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !all_digits(whole) || !all_digits(part) {
        return Err(wrong());
    }
    if part.trim_end_matches('0').len() > 3 {
        return Err(format!("`{text}` is finer than a share can be: at most 3 decimals"));
    }
    let thousandths: u32 = format!("{part:0<3.3}").parse().map_err(|_| wrong())?;
    let buckets = whole.parse::<u32>().map_err(|_| wrong())? * 1_000 + thousandths;
    if buckets > 100_000 { Err(format!("`{text}` is more than 100 percent")) } else { Ok(buckets) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "5", "s", "5 s", "-1s", "5w", "1.5s", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("10 MB"), Ok(10_000_000));
        assert!(bytes("ten").is_err());
        assert!(bytes("1XB").is_err());
    }

    #[test]
    fn shares_have_three_decimals() {
        assert_eq!(percent("5"), Ok(5_000));
        assert_eq!(percent("0.125%"), Ok(125));
        assert_eq!(percent("100.0"), Ok(100_000));
        assert_eq!(percent("12.5000"), Ok(12_500));
        for wrong in ["", "%", "0.1234", "100.001", "-1", "1e2", "5%%x", ".5"] {
            assert!(percent(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
