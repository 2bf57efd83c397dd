//! Requests that somebody really made, from an access log: Ficus' own (JSON, one object a line), or the common and combined
//! formats of gunicorn, nginx and Apache.

use std::collections::BTreeSet;

use super::requests::Question;

/// The different requests of a log, in order of their first appearance, and how many lines were no requests. Their values
/// of query strings are left out: routing does not look at them, and they may be nobody's business.
#[must_use]
pub fn recorded(log: &str, host: &str) -> (Vec<Question>, usize) {
    let (mut questions, mut seen, mut strange) = (Vec::new(), BTreeSet::new(), 0);
    for line in log.lines().filter(|line| !line.trim().is_empty()) {
        let Some((method, target)) = request(line) else {
            strange += 1;
            continue;
        };
        let path = target.split(['?', '#']).next().unwrap_or_default().to_owned();
        let question = Question { method, host: host.to_owned(), path, query: String::new() };
        if seen.insert(question.clone()) {
            questions.push(question);
        }
    }
    (questions, strange)
}

/// Method and target of a line.
fn request(line: &str) -> Option<(String, String)> {
    if line.starts_with('{') {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| line.get(key)?.as_str().map(str::to_owned);
        return Some((text("method")?, text("path").filter(|path| path.starts_with('/'))?));
    }
    line.split('"').find_map(|part| {
        let mut words = part.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let fits = !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_uppercase())
            && target.starts_with('/')
            && words.next().is_none_or(|version| version.starts_with("HTTP/"));
        fits.then(|| (method.to_owned(), target.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_read_and_repeats_are_dropped() {
        let log = r#"
{"ts":"2026-01-01T00:00:00Z","method":"GET","route":null,"path":"/customers/7","status":200}
127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "POST /customers/new?x=secret HTTP/1.1" 302 0 "http://x/" "curl/8"
127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /customers/7 HTTP/1.1" 200 12
127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "\x16\x03" 400 0
"#;
        let (questions, strange) = recorded(log, "crm.example.com");
        let texts: Vec<String> =
            questions.iter().map(|q| format!("{} {}{}", q.method, q.host, q.path)).collect();
        assert_eq!(texts, ["GET crm.example.com/customers/7", "POST crm.example.com/customers/new"]);
        assert!(questions.iter().all(|question| question.query.is_empty()));
        assert_eq!(strange, 1);
    }
}
