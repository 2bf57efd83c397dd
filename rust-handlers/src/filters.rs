//! The template filters that the Flask application registers (`crm/filters.py`): date, datetime, money, filesize.
//!
//! Values arrive as the rows serialise them: dates and decimals as text, absent ones as none.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use minijinja::{Environment, Error, ErrorKind, Value};
use rust_decimal::{Decimal, RoundingStrategy};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const NOTHING: &str = "–";

/// Registers the filters.
pub(crate) fn register(environment: &mut Environment<'_>) {
    environment.add_filter("date", date);
    environment.add_filter("datetime", datetime);
    environment.add_filter("money", money);
    environment.add_filter("filesize", filesize);
}

fn date(value: &Value) -> Result<String, Error> {
    if value.is_none() {
        return Ok(NOTHING.to_owned());
    }
    let text = text_of(value);
    let day = text
        .get(..10)
        .and_then(|day| day.parse::<NaiveDate>().ok())
        .ok_or_else(|| unusable("date", &text))?;
    Ok(format_day(day))
}

fn datetime(value: &Value) -> Result<String, Error> {
    if value.is_none() {
        return Ok(NOTHING.to_owned());
    }
    let text = text_of(value);
    let time = text.parse::<NaiveDateTime>().map_err(|_| unusable("datetime", &text))?;
    Ok(format!("{}, {:02}:{:02}", format_day(time.date()), time.hour(), time.minute()))
}

fn money(value: &Value) -> Result<String, Error> {
    if value.is_none() {
        return Ok(NOTHING.to_owned());
    }
    let text = text_of(value);
    let amount = text.parse::<Decimal>().map_err(|_| unusable("money", &text))?;
    Ok(format_money(amount))
}

fn filesize(value: &Value) -> Result<String, Error> {
    if value.is_none() {
        return Ok(NOTHING.to_owned());
    }
    let bytes = f64::try_from(value.clone()).map_err(|_| unusable("filesize", &text_of(value)))?;
    if bytes < 1000.0 {
        return Ok(format!("{bytes:.0} bytes"));
    }
    let mut size = bytes / 1000.0;
    for unit in ["kB", "MB"] {
        if size < 1000.0 {
            return Ok(format!("{size:.1} {unit}"));
        }
        size /= 1000.0;
    }
    Ok(format!("{size:.1} GB"))
}

/// `€1,234.50`, rounded as Python's `format` rounds a Decimal: half to even.
fn format_money(amount: Decimal) -> String {
    let rounded = amount.abs().round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven);
    let digits = format!("{rounded:.2}");
    let (whole, cents) = digits.split_once('.').unwrap_or((digits.as_str(), "00"));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if amount.is_sign_negative() && !amount.is_zero() { "-" } else { "" };
    format!("{sign}€{grouped}.{cents}")
}

fn format_day(day: NaiveDate) -> String {
    format!("{} {} {}", day.day(), MONTHS[day.month0() as usize], day.year())
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn unusable(filter: &str, text: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("filter `{filter}` cannot use `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_and_rounded_like_python() {
        let cases = [
            ("0", "€0.00"),
            ("1234.5", "€1,234.50"),
            ("999999999999.99", "€999,999,999,999.99"),
            ("-12.345", "-€12.34"),
            ("0.125", "€0.12"),
            ("0.135", "€0.14"),
        ];
        for (amount, shown) in cases {
            assert_eq!(money(&Value::from(amount)).unwrap(), shown);
        }
    }

    #[test]
    fn dates_have_no_leading_zero_and_times_have() {
        assert_eq!(date(&Value::from("2024-03-05")).unwrap(), "5 Mar 2024");
        assert_eq!(date(&Value::from("2024-03-05T09:07:00")).unwrap(), "5 Mar 2024");
        assert_eq!(datetime(&Value::from("2024-03-05T09:07:00.123456")).unwrap(), "5 Mar 2024, 09:07");
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let cases = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (3449, "3.4 kB"),
            (1_200_000, "1.2 MB"),
            (5_000_000_000_i64, "5.0 GB"),
        ];
        for (size, shown) in cases {
            assert_eq!(filesize(&Value::from(size)).unwrap(), shown);
        }
    }

    #[test]
    fn none_is_a_dash() {
        for filter in [date, datetime, money, filesize] {
            assert_eq!(filter(&Value::from(())).unwrap(), "–");
        }
    }
}
