//! Masks forms, with files and without, and remembers what they send: answers show it again.

use super::mask::{Masker, is_csrf_name, is_login_name, is_secret_name};
use super::mask_body::looks_secret;
use super::multipart::{self, BOUNDARY, Part};
use super::{Exchange, synthetic};

/// Shortest file that is recognised where somebody gets it.
const SHORTEST_FILE: usize = 8;
/// Most files that are remembered.
const MOST_FILES: usize = 1_000;
/// Names and values of a form or a query, decoded.
type Pairs = Vec<(String, Option<String>)>;

impl Masker {
    /// Names and values, as a form or a query has them.
    pub(super) fn form(&self, text: &str) -> String {
        let pairs = pairs(text);
        let shown = |((name, _), value): (&(String, Option<String>), Option<String>)| match value {
            Some(value) => format!("{}={}", encode(name), encode(&value)),
            None => encode(name),
        };
        pairs.iter().zip(self.values(&pairs)).map(shown).collect::<Vec<_>>().join("&")
    }

    /// A form with files, in the lines of a corpus.
    pub(super) fn parts(&self, parts: Vec<Part>) -> Vec<u8> {
        let text = |part: &Part| match &part.file {
            Some(_) => String::new(),
            None => String::from_utf8_lossy(&part.value).replace("\r\n", "\n").replace('\r', "\n"),
        };
        let pairs: Pairs = parts.iter().map(|part| (part.name.clone(), Some(text(part)))).collect();
        let masked = |(part, value): (Part, Option<String>)| {
            let media = part.media.as_deref().map(plain_media);
            if let Some(file) = &part.file {
                let value = match part.value.is_empty() {
                    true => String::new(),
                    false => synthetic::reference(self, part.media.as_deref(), &part.value),
                };
                return Part { file: Some(self.text(file)), media, value: value.into_bytes(), ..part };
            }
            let json = part.media.as_deref().is_some_and(|media| media.contains("json"));
            let document = json.then(|| serde_json::from_slice(&part.value).ok()).flatten();
            let document = document.map(|document| self.document("", document, true).to_string());
            let value = document.or(value).unwrap_or_default();
            // Nothing that somebody typed in may end a part.
            let value = value.replace(&format!("--{BOUNDARY}"), &format!("-- {BOUNDARY}"));
            Part { media, value: value.into_bytes(), ..part }
        };
        let values = self.values(&pairs);
        let parts: Vec<Part> = parts.into_iter().zip(values).map(masked).collect();
        multipart::write(BOUNDARY, &parts, "\n")
    }

    /// What stands for the values of a form: whose password it is, the field beside it says.
    fn values(&self, pairs: &Pairs) -> Vec<Option<String>> {
        let has_password = pairs.iter().any(|(name, _)| name.to_ascii_lowercase().contains("passw"));
        let login = pairs.iter().find(|(name, _)| has_password && is_login_name(name));
        let login_value = login.and_then(|(_, value)| value.clone());
        let person = login_value.as_deref().map_or_else(|| "self".to_owned(), |login| self.reference(login));
        let shown = |(name, value): &(String, Option<String>)| {
            let value = value.as_ref()?;
            Some(if value.is_empty() {
                String::new()
            } else if is_csrf_name(name) {
                "{{csrf}}".to_owned()
            } else if name.to_ascii_lowercase().contains("passw") {
                format!("{{{{password {person}}}}}")
            } else if login_value.as_ref() == Some(value) && is_login_name(name) {
                format!("{{{{login {person}}}}}")
            } else if is_secret_name(name) {
                format!("{{{{token {}}}}}", self.reference(value))
            } else if looks_secret(value) {
                format!("{{{{field {name}}}}}")
            } else {
                self.value(name, value)
            })
        };
        pairs.iter().map(shown).collect()
    }

    /// Remembers the files that a user sends: whoever gets one of them again gets what stands for it.
    pub fn learn_uploads(&mut self, exchange: &Exchange) {
        for part in files_of(exchange) {
            if let Some(Ok(made)) =
                synthetic::file(&synthetic::reference(self, part.media.as_deref(), &part.value))
            {
                self.learn_file(&part.value, &made);
            }
        }
    }

    fn learn_file(&mut self, real: &[u8], made: &[u8]) {
        if real.len() >= SHORTEST_FILE && self.files.len() < MOST_FILES {
            self.files.insert(self.fingerprint(real), self.fingerprint(made));
        }
    }

    /// Remembers what a request of a corpus sends: answers will show it again.
    pub fn learn_request(&mut self, exchange: &Exchange) {
        let query = exchange.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let body = String::from_utf8_lossy(&exchange.body);
        let content_type = exchange.header("content-type").unwrap_or_default();
        let form = if exchange.is_form() { &*body } else { "" };
        for (_, value) in pairs(query).into_iter().chain(pairs(form)) {
            self.learn_mask(value.as_deref().unwrap_or_default());
        }
        if multipart::is_multipart(content_type) {
            for part in multipart::read(content_type, &exchange.body).unwrap_or_default() {
                self.learn_mask(part.file.as_deref().unwrap_or_default());
                self.learn_sent(&String::from_utf8_lossy(&part.value));
            }
        } else if !exchange.is_form() {
            self.learn_sent(&body);
        }
    }

    /// A text, or what stands for a file.
    fn learn_sent(&mut self, text: &str) {
        match synthetic::file(text) {
            Some(Ok(made)) => {
                self.learn_file(&made, &made);
                self.learn_mask(std::str::from_utf8(&made).unwrap_or_default());
            }
            Some(Err(_)) => {}
            None => self.learn_mask(text),
        }
    }
}

/// The files among the parts of a form.
fn files_of(exchange: &Exchange) -> impl Iterator<Item = Part> {
    let content_type = exchange.header("content-type").unwrap_or_default();
    let parts = multipart::is_multipart(content_type).then(|| multipart::read(content_type, &exchange.body));
    parts.flatten().into_iter().flatten().filter(|part| part.file.is_some())
}

/// What a part says it is, if that is a word of programs.
fn plain_media(media: &str) -> String {
    let name = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let calm = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte));
    let known = ["application", "audio", "font", "image", "message", "model", "text", "video"];
    match name.split_once('/') {
        Some((kind, own)) if known.contains(&kind) && own.len() <= 80 && calm(own) => name,
        _ => "application/octet-stream".to_owned(),
    }
}

pub(in crate::shadow) fn pairs(text: &str) -> Pairs {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (decode(name), Some(decode(value))),
            None => (decode(pair), None),
        })
        .collect()
}

/// As forms encode; `{{..}}` stays readable.
pub(in crate::shadow) fn encode(text: &str) -> String {
    if text.starts_with("{{") && text.ends_with("}}") {
        return text.to_owned();
    }
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::corpus::Recorded;

    fn header(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn upload(file: &[u8]) -> Exchange {
        let part = |name: &str, value: &[u8]| Part {
            name: name.to_owned(),
            value: value.to_vec(),
            ..Part::default()
        };
        let file = Part {
            file: Some("Kowalski cv.PNG".to_owned()),
            media: Some("image/png; name=kowalski".to_owned()),
            ..part("file", file)
        };
        let none = Part { file: Some(String::new()), ..part("other", b"") };
        let note = part("note", b"Ana Kowalski\r\n--ficus-part\r\nnew");
        let parts = [
            part("csrf_token", b"IjI0"),
            part("status", b"new"),
            note,
            part("password", b"hunter2"),
            file,
            none,
        ];
        Exchange {
            method: "POST".to_owned(),
            target: "/files".to_owned(),
            headers: vec![header(
                "Content-Type",
                "multipart/form-data; boundary=----WebKitFormBoundaryKowalski",
            )],
            body: multipart::write("----WebKitFormBoundaryKowalski", &parts, "\r\n"),
            ..Exchange::default()
        }
    }

    fn masker() -> Masker {
        Masker::new(b"key", ["new", "file", "ficus", "part"].map(str::to_owned).into()).live()
    }

    #[test]
    fn of_an_upload_the_parts_stay_and_nothing_of_anybody() {
        let png = [&b"\x89PNG\r\n\x1a\n"[..], &[b'K'; 500]].concat();
        let masked = masker().request(&upload(&png));
        let text = String::from_utf8(masked.body.clone()).unwrap();
        for secret in ["Kowalski", "kowalski", "Ana", "hunter2", "IjI0", "KKK", "\r"] {
            assert!(
                !text.contains(secret) && !format!("{:?}", masked.headers).contains(secret),
                "{secret}: {text}"
            );
        }
        let parts = multipart::read(masked.header("content-type").unwrap(), &masked.body).unwrap();
        let values: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(&part.value)).collect();
        assert_eq!((&*values[0], &*values[1], &*values[3]), ("{{csrf}}", "new", "{{password self}}"));
        assert!(values[2].contains("\n-- ficus-part\nnew"), "{text}");
        assert_eq!((&*values[4], &*values[5]), ("{{file png 508}}", ""));
        assert!(parts[4].file.as_deref().is_some_and(|name| name.to_lowercase().ends_with(".png")), "{text}");
        assert_eq!((parts[4].media.as_deref(), parts[5].file.as_deref()), (Some("image/png"), Some("")));
    }

    #[test]
    fn a_file_that_comes_back_is_the_one_that_a_replay_sends() {
        for file in [&b"\x89PNG\r\n\x1a\nKowalski"[..], b"name,Kowalski,1999-12-31", b"\0\0Kowalski"] {
            let mut recorder = masker();
            let sent = upload(file);
            recorder.learn_uploads(&sent);
            let headers = vec![header("Content-Type", "text/csv")];
            let shown =
                recorder.answer(&Recorded { status: 200, headers: headers.clone(), body: file.to_vec() });
            let recorded = recorder.request(&sent);
            let mut player = masker();
            player.learn_request(&recorded);
            let parts = multipart::read(recorded.header("content-type").unwrap(), &recorded.body).unwrap();
            let body = synthetic::file(&String::from_utf8_lossy(&parts[4].value)).unwrap().unwrap();
            assert_eq!(player.answer(&Recorded { status: 200, headers, body }), shown);
        }
    }

    #[test]
    fn only_media_types_of_programs_stay() {
        for (media, kept) in [
            ("image/PNG", "image/png"),
            ("application/vnd.ms-excel; x=1", "application/vnd.ms-excel"),
            ("kowalski/cv", "application/octet-stream"),
            ("image/ana kowalski", "application/octet-stream"),
        ] {
            assert_eq!(plain_media(media), kept);
        }
    }
}
