//! Forms with files, as clients send them and as a corpus has them: the same parts, with lines that end with CRLF there and
//! with LF here. Only what a browser sends is read; anything else is `None`.

use std::sync::LazyLock;

use memchr::memmem;
use regex::Regex;

/// What stands between the parts of a recorded form.
pub(super) const BOUNDARY: &str = "ficus-part";
/// Most parts.
const MOST: usize = 1_000;

/// A part of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::shadow) struct Part {
    /// The name of the field.
    pub(in crate::shadow) name: String,
    /// The name of the file, if it is one; empty: none was chosen.
    pub(in crate::shadow) file: Option<String>,
    /// What it says it is.
    pub(in crate::shadow) media: Option<String>,
    /// Its bytes.
    pub(in crate::shadow) value: Vec<u8>,
}

/// Whether a `Content-Type` is that of such a form.
pub(in crate::shadow) fn is_multipart(content_type: &str) -> bool {
    let name = content_type.split(';').next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case("multipart/form-data")
}

/// What a `Content-Type` says stands between the parts.
pub(in crate::shadow) fn boundary(content_type: &str) -> Option<String> {
    let parameters = content_type.split(';').skip(1).filter_map(|part| part.split_once('='));
    let mut named = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
    let boundary = named.next()?.1.trim().trim_matches('"');
    (!boundary.is_empty() && boundary.len() <= 200).then(|| boundary.to_owned())
}

/// The parts of a body.
pub(in crate::shadow) fn read(content_type: &str, body: &[u8]) -> Option<Vec<Part>> {
    let first = format!("--{}", boundary(content_type)?);
    let after = body.strip_prefix(first.as_bytes())?;
    let end: &[u8] = if after.starts_with(b"\r\n") { b"\r\n" } else { b"\n" };
    let delimiter = [end, first.as_bytes()].concat();
    let blank = [end, end].concat();
    let (mut rest, mut parts) = (after, Vec::new());
    while let Some(part) = rest.strip_prefix(end) {
        let (head, value) = match part.strip_prefix(end) {
            // A part without a head has no name.
            Some(_) => return None,
            None => part.split_at(memmem::find(part, &blank)?),
        };
        let value = &value[blank.len()..];
        let (value, next) = match value.strip_prefix(first.as_bytes()) {
            // Nothing at all, as people write it.
            Some(next) => (&value[..0], next),
            None => {
                let length = memmem::find(value, &delimiter)?;
                (&value[..length], &value[length + delimiter.len()..])
            }
        };
        parts.push(Part { value: value.to_vec(), ..named(std::str::from_utf8(head).ok()?)? });
        rest = next;
        if parts.len() > MOST {
            return None;
        }
    }
    rest.starts_with(b"--").then_some(parts)
}

/// What the head of a part says.
fn named(head: &str) -> Option<Part> {
    static PARAMETER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i);\s*(name|filename)(\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))"#).ok()
    });
    let (mut part, mut has_name) = (Part::default(), false);
    for line in head.lines() {
        let (name, value) = line.split_once(':')?;
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" => part.media = Some(value.trim().to_owned()),
            "content-transfer-encoding" if !is_plain(value.trim()) => return None,
            "content-disposition" => {
                for found in PARAMETER.as_ref()?.captures_iter(value) {
                    let text = found.get(3).or(found.get(4))?.as_str();
                    let text = if found[2].is_empty() { unescaped(text) } else { extended(text) };
                    if found[1].eq_ignore_ascii_case("name") {
                        (part.name, has_name) = (text, true);
                    } else {
                        part.file = Some(text);
                    }
                }
            }
            _ => {}
        }
    }
    has_name.then_some(part)
}

fn is_plain(encoding: &str) -> bool {
    ["binary", "8bit", "7bit"].iter().any(|plain| plain.eq_ignore_ascii_case(encoding))
}

fn unescaped(text: &str) -> String {
    text.replace("\\\"", "\"").replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

/// `utf-8''na%C3%AFve.txt`.
fn extended(text: &str) -> String {
    let text = text.splitn(3, '\'').last().unwrap_or_default();
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A body with these parts; `end` ends its lines.
pub(in crate::shadow) fn write(boundary: &str, parts: &[Part], end: &str) -> Vec<u8> {
    let quoted = |text: &str| text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let mut out = Vec::new();
    for part in parts {
        let mut head =
            format!("--{boundary}{end}Content-Disposition: form-data; name=\"{}\"", quoted(&part.name));
        if let Some(file) = &part.file {
            head.push_str(&format!("; filename=\"{}\"", quoted(file)));
        }
        if let Some(media) = &part.media {
            head.push_str(&format!("{end}Content-Type: {media}"));
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(end.repeat(2).as_bytes());
        out.extend_from_slice(&part.value);
        out.extend_from_slice(end.as_bytes());
    }
    out.extend_from_slice(format!("--{boundary}--").as_bytes());
    if end == "\r\n" {
        out.extend_from_slice(end.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, value: &[u8]) -> Part {
        Part { name: name.to_owned(), value: value.to_vec(), ..Part::default() }
    }

    #[test]
    fn what_is_written_is_read_again_with_either_end_of_lines() {
        let file = Part {
            file: Some("a \"b\".png".to_owned()),
            media: Some("image/png".to_owned()),
            ..part("file", b"\x89PNG\r\n\x1a\n--x")
        };
        let parts = [part("title", b""), part("no\"te", b"one\n\ntwo"), file, part("last", b"")];
        for end in ["\r\n", "\n"] {
            let media = "multipart/form-data; charset=utf-8; boundary=\"x y\"";
            assert_eq!(read(media, &write("x y", &parts, end)).as_deref(), Some(&parts[..]), "{end:?}");
        }
        assert_eq!(read("multipart/form-data; boundary=x", b"--x--").as_deref(), Some(&[][..]));
    }

    #[test]
    fn names_are_read_as_browsers_and_others_write_them() {
        for (line, name, file) in [
            ("form-data; name=\"a\"; filename=\"C:\\x\\Ana.txt\"", "a", Some("C:\\x\\Ana.txt")),
            ("form-data; name=a; filename*=utf-8''na%C3%AFve.txt", "a", Some("naïve.txt")),
            ("form-data; filename=\"\"; name=\"a;b\"", "a;b", Some("")),
            ("form-data; name=\"%22q%22\"", "\"q\"", None),
        ] {
            let body = format!("--x\r\ncontent-disposition: {line}\r\nX-Other: 1\r\n\r\nv\r\n--x--\r\n");
            let parts = read("multipart/form-data; boundary=x", body.as_bytes()).unwrap();
            assert_eq!((parts[0].name.as_str(), parts[0].file.as_deref()), (name, file), "{line}");
            assert_eq!(parts[0].value, b"v");
        }
    }

    #[test]
    fn what_is_no_such_form_is_none() {
        let media = "multipart/form-data; boundary=x";
        for body in [
            "",
            "--y\r\n",
            "preamble\r\n--x--\r\n",
            "--x\r\n\r\nv\r\n--x--\r\n",
            "--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--\r\n",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64\r\n\r\nv\r\n--x--",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x",
        ] {
            assert_eq!(read(media, body.as_bytes()), None, "{body}");
        }
        assert_eq!(read("multipart/form-data", b"--x--"), None);
        assert!(
            is_multipart("Multipart/Form-Data; boundary=x") && !is_multipart("multipart/mixed; boundary=x")
        );
    }
}
