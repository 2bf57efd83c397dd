//! Small habits of Python's `str` that forms show: titles, `%(name)s` in messages.

/// `name.replace("_", " ").title()`: the label of a field that was given none.
pub(super) fn title_of(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut inside = false;
    for c in name.replace('_', " ").chars() {
        if !c.is_alphabetic() {
            out.push(c);
        } else if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

/// `message % {...}`: `%(name)s`, `%(name)d` and `%%`. Anything else stays as it is written.
pub(super) fn interpolate(message: &str, values: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        match placeholder(rest, values) {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => out.push('%'),
        }
    }
    out.push_str(rest);
    out
}

fn placeholder<'a, 'b>(text: &'a str, values: &'b [(&str, String)]) -> Option<(&'b str, &'a str)> {
    let (name, after) = text.strip_prefix('(')?.split_once(')')?;
    let after = after.strip_prefix(['s', 'd'])?;
    let value = values.iter().find(|(known, _)| *known == name)?;
    Some((&value.1, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_like_python() {
        assert_eq!(title_of("annual_revenue"), "Annual Revenue");
        assert_eq!(title_of("o2x_URL"), "O2X Url");
    }

    #[test]
    fn fills_messages() {
        let values = [("min", "2".to_owned()), ("max", "5".to_owned())];
        assert_eq!(
            interpolate("%(min)d to %(max)s, 100%% %(other)s 5%", &values),
            "2 to 5, 100% %(other)s 5%"
        );
    }
}
