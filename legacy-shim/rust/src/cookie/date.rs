//! Dates in headers: `Thu, 01 Jan 1970 00:00:00 GMT`, and the dashed form Werkzeug 1.0 gives to cookies.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::Profile;

/// The HTTP date of a unix time stamp, as `werkzeug.http.http_date` writes it.
///
/// Times that no calendar holds (far outside of years 1 to 9999) are written as the epoch.
#[must_use]
pub fn http_date(unix: i64) -> String {
    stamp(unix).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The date of a cookie's `Expires`: dashes between day, month and year in Werkzeug 1.0, spaces later.
#[must_use]
pub fn cookie_date(unix: i64, profile: Profile) -> String {
    match profile {
        Profile::Werkzeug10 => stamp(unix).format("%a, %d-%b-%Y %H:%M:%S GMT").to_string(),
        _ => http_date(unix),
    }
}

/// Reads the date form that [`http_date`] writes; anything else is `None`.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<i64> {
    NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT")
        .ok()
        .map(|date| date.and_utc().timestamp())
}

fn stamp(unix: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(unix, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_dashes_only_in_cookies_of_werkzeug_1() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(cookie_date(0, Profile::Werkzeug10), "Thu, 01-Jan-1970 00:00:00 GMT");
        assert_eq!(cookie_date(1_600_000_000, Profile::Werkzeug23), "Sun, 13 Sep 2020 12:26:40 GMT");
        assert_eq!(parse_http_date("Sun, 13 Sep 2020 12:26:40 GMT"), Some(1_600_000_000));
        assert_eq!(parse_http_date("yesterday"), None);
        assert_eq!(http_date(i64::MAX), http_date(0));
    }
}
