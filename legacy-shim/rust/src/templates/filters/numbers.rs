//! Filters on numbers.

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value};

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("filesizeformat", filesizeformat);
    env.add_filter("round", round);
    env.add_filter("int", int);
    env.add_filter("float", float);
}

/// `1.5 kB`, `123.5 MB`, `1 Byte`.
fn filesizeformat(value: &Value, binary: Option<bool>) -> Result<String, Error> {
    let bytes = f64::try_from(float(value, None, Kwargs::from_iter(Vec::<(&str, Value)>::new()))?)?;
    let binary = binary.unwrap_or(false);
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    let units = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    #[allow(clippy::float_cmp)] // Python compares exactly as well
    if bytes == 1.0 {
        return Ok("1 Byte".to_owned());
    }
    if bytes < base {
        return Ok(format!("{bytes:.0} Bytes"));
    }
    let mut unit = base;
    for name in units {
        unit *= base;
        if bytes < unit {
            return Ok(format!("{:.1} {name}", base * bytes / unit));
        }
    }
    Ok(format!("{:.1} {}", base * bytes / unit, units[7]))
}

/// `round(precision=0, method='common')`: half to even as Python's `round`; integers stay integers.
fn round(
    value: &Value,
    precision: Option<i32>,
    method: Option<String>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let precision = precision.or(kwargs.get("precision")?).unwrap_or(0);
    let method = method.or(kwargs.get("method")?).unwrap_or_else(|| "common".to_owned());
    if method == "common" && value.is_integer() && precision >= 0 {
        return Ok(value.clone());
    }
    let rounded = round_float(f64::try_from(value.clone())?, precision, &method)?;
    #[allow(clippy::cast_possible_truncation)] // an integer before, and still one
    let whole = rounded as i64;
    Ok(if method == "common" && value.is_integer() { Value::from(whole) } else { Value::from(rounded) })
}

fn round_float(value: f64, precision: i32, method: &str) -> Result<f64, Error> {
    let factor = 10f64.powi(precision);
    match method {
        "common" if (0..=15).contains(&precision) => {
            // Formatting rounds the exact binary value half to even, as Python does.
            let places = usize::try_from(precision).unwrap_or(0);
            format!("{value:.places$}")
                .parse()
                .map_err(|_| Error::new(ErrorKind::InvalidOperation, "not a number"))
        }
        "common" if precision > 15 => Ok(value),
        "common" => {
            let unit = 10f64.powi(-precision);
            Ok((value / unit).round_ties_even() * unit)
        }
        "ceil" => Ok((value * factor).ceil() / factor),
        "floor" => Ok((value * factor).floor() / factor),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "method must be common, ceil or floor")),
    }
}

/// `int(default=0, base=10)`.
#[allow(clippy::cast_possible_truncation)] // a float beyond i64 saturates
fn int(value: &Value, default: Option<Value>, base: Option<u32>, kwargs: Kwargs) -> Result<Value, Error> {
    defined(value)?;
    let default = default.or(kwargs.get("default")?).unwrap_or_else(|| Value::from(0));
    let base = base.or(kwargs.get("base")?).unwrap_or(10);
    if let Some(text) = value.as_str() {
        let text = text.trim().replace('_', "");
        let digits = match base {
            16 => text.trim_start_matches("0x").trim_start_matches("0X"),
            8 => text.trim_start_matches("0o"),
            2 => text.trim_start_matches("0b"),
            _ => text.as_str(),
        };
        if (2..=36).contains(&base)
            && let Ok(number) = i128::from_str_radix(digits, base)
        {
            return Ok(Value::from(number));
        }
        return Ok(text.parse::<f64>().map_or(default, |number| Value::from(number.trunc() as i128)));
    }
    if value.is_integer() {
        return Ok(value.clone());
    }
    if let Ok(flag) = bool::try_from(value.clone()) {
        return Ok(Value::from(i64::from(flag)));
    }
    Ok(f64::try_from(value.clone()).map_or(default, |number| Value::from(number.trunc() as i128)))
}

/// Undefined names have no number.
fn defined(value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::UndefinedError, "a number of what is not defined"));
    }
    Ok(())
}

/// `float(default=0.0)`.
fn float(value: &Value, default: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = default.or(kwargs.get("default")?).unwrap_or_else(|| Value::from(0.0));
    let number = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => {
            f64::try_from(value.clone()).ok().or_else(|| bool::try_from(value.clone()).ok().map(f64::from))
        }
    };
    Ok(number.map_or(default, Value::from))
}
