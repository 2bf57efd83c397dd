//! Files that stand in for those of users: of the same length and kind, and nothing of what was in them. A corpus names them,
//! `{{file png 20480}}`, and whoever plays it makes the bytes. A small text is written down as a text of the same form:
//! words of the application stay, other words are masked, and each digit is a 1, so that dates stay dates.

use super::mask::Masker;

/// Longest text that is written down.
const LONGEST_TEXT: usize = 16 << 10;
/// Longest file that is made.
const LONGEST: usize = 64 << 20;
/// Kinds that are recognised by how they begin.
const KINDS: &[(&str, &[u8])] = &[
    ("png", b"\x89PNG\r\n\x1a\n"),
    ("gif", b"GIF8"),
    ("jpeg", b"\xff\xd8\xff"),
    ("pdf", b"%PDF-"),
    ("zip", b"PK\x03\x04"),
];
/// A line of a text that is too long to be written down.
const LINE: &[u8] = b"a line of a text that stands in for another one\n";

/// What stands for a file.
pub(super) fn reference(masker: &Masker, media: Option<&str>, bytes: &[u8]) -> String {
    let length = bytes.len();
    if let Some((kind, _)) = KINDS.iter().find(|(_, begin)| bytes.starts_with(begin)) {
        return format!("{{{{file {kind} {length}}}}}");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if is_text(media, text) && length <= LONGEST_TEXT => {
            let text = serde_json::Value::String(masked(masker, text)).to_string();
            format!("{{{{file text {}}}}}", text.replace('{', "\\u007b").replace('}', "\\u007d"))
        }
        Ok(text) if is_text(media, text) => format!("{{{{file text {length}}}}}"),
        _ => format!("{{{{file bytes {length}}}}}"),
    }
}

/// The bytes that a reference means; `None`: it is none.
pub(in crate::shadow) fn file(reference: &str) -> Option<Result<Vec<u8>, String>> {
    let inside = reference.strip_prefix("{{file ")?.strip_suffix("}}")?;
    let (kind, what) = inside.split_once(' ').unwrap_or((inside, ""));
    if kind == "text" && what.starts_with('"') {
        let text = serde_json::from_str::<String>(what);
        return Some(
            text.map(String::into_bytes).map_err(|error| format!("`{{{{file text ..}}}}`: {error}")),
        );
    }
    Some(match what.parse::<usize>() {
        Ok(length) if length <= LONGEST => made(kind, length).ok_or_else(|| {
            format!(
                "`{{{{{inside}}}}}`: there is no kind `{kind}`; known: png, gif, jpeg, pdf, zip, text, bytes"
            )
        }),
        Ok(_) => Err(format!("`{{{{{inside}}}}}`: a file has at most 64 MiB")),
        Err(_) => Err(format!("`{{{{{inside}}}}}`: a file is `{{{{file KIND BYTES}}}}`")),
    })
}

fn made(kind: &str, length: usize) -> Option<Vec<u8>> {
    let (mut bytes, fill) = match kind {
        "png" => (png(length), 0),
        "gif" => (GIF.to_vec(), 0),
        "jpeg" => (jpeg(), 0),
        "pdf" => (pdf(length), b'\n'),
        "zip" => (zip(length), 0),
        "text" => (LINE.repeat(length / LINE.len() + 1), b' '),
        "bytes" => (b"\x01synthetic\x02".repeat(length / 11 + 1), 0),
        _ => return None,
    };
    // Behind their ends these kinds may have anything; what is too short for its kind is its beginning.
    bytes.resize(length, fill);
    Some(bytes)
}

/// Whether it is a text by what it says and by what it is.
fn is_text(media: Option<&str>, text: &str) -> bool {
    let media = media.unwrap_or_default().to_ascii_lowercase();
    let says =
        ["text/", "json", "xml", "csv", "octet-stream", "excel"].iter().any(|part| media.contains(part));
    (says || media.is_empty())
        && text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{c}'))
}

/// A text of as many bytes and the same form.
fn masked(masker: &Masker, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphabetic() {
            word.push(c);
            continue;
        }
        out.push_str(&masker.of_same_length(&std::mem::take(&mut word)));
        match c {
            c if c.is_ascii_digit() => out.push('1'),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&".".repeat(c.len_utf8())),
        }
    }
    out + &masker.of_same_length(&word)
}

/// One dot, with a chunk of nothing in front of its end.
fn png(length: usize) -> Vec<u8> {
    let mut out = KINDS[0].1.to_vec();
    out.extend(chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0"));
    out.extend(chunk(b"IDAT", b"\x78\x01\x01\x02\0\xfd\xff\0\0\0\x02\0\x01"));
    let end = chunk(b"IEND", b"");
    if let Some(rest) = length.checked_sub(out.len() + end.len() + 12) {
        out.extend(chunk(b"fiCs", &vec![0; rest]));
    }
    out.extend(end);
    out
}

fn chunk(name: &[u8], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(data);
    let length = u32::try_from(data.len()).unwrap_or_default();
    [&length.to_be_bytes()[..], name, data, &crc.sum().to_be_bytes()].concat()
}

/// One dot.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// One grey dot: tables of quantization, the frame, a code of one bit for each kind of coefficient, one block.
fn jpeg() -> Vec<u8> {
    let mut out = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
    out.extend([1; 64]);
    out.extend(b"\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0");
    for class in [b"\0", b"\x10"] {
        out.extend(b"\xff\xc4\0\x14");
        out.extend(class);
        out.extend(b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    out.extend(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\x3f\xff\xd9");
    out
}

/// An empty page, with a comment in front of its table.
fn pdf(length: usize) -> Vec<u8> {
    let objects = [
        "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n",
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n",
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n",
    ];
    let (mut out, mut table) = (String::from("%PDF-1.4\n"), String::from("xref\n0 4\n0000000000 65535 f \n"));
    for object in objects {
        table.push_str(&format!("{:010} 00000 n \n", out.len()));
        out.push_str(object);
    }
    let end = |at: usize| format!("trailer<</Size 4/Root 1 0 R>>\nstartxref\n{at:010}\n%%EOF\n");
    if let Some(rest) = length.checked_sub(out.len() + table.len() + end(0).len() + 2) {
        out.push_str(&format!("%{}\n", "x".repeat(rest)));
    }
    let at = out.len();
    (out + &table + &end(at)).into_bytes()
}

/// One file of nothing.
fn zip(length: usize) -> Vec<u8> {
    let (name, little) = (b"file", |number: usize| u32::try_from(number).unwrap_or_default().to_le_bytes());
    let data = vec![0; length.saturating_sub(30 + 46 + 22 + 2 * name.len())];
    let mut crc = flate2::Crc::new();
    crc.update(&data);
    let facts = [
        &b"\x14\0\0\0\0\0\0\0\x21\0"[..],
        &crc.sum().to_le_bytes(),
        &little(data.len()),
        &little(data.len()),
        &[4, 0, 0, 0],
    ]
    .concat();
    let local = [&b"PK\x03\x04"[..], &facts, name, &data].concat();
    let central = [&b"PK\x01\x02\x14\0"[..], &facts, &[0; 14], name].concat();
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &little(central.len()), &little(local.len()), &[0, 0]]
        .concat();
    [local, central, end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masker() -> Masker {
        Masker::new(b"key", ["name", "phone", "born"].map(str::to_owned).into()).live()
    }

    #[test]
    fn files_are_of_the_same_length_and_kind_and_hold_nothing() {
        let masker = masker();
        for (kind, begin) in KINDS {
            for length in [8, 40, 100, 135, 400, 70_000] {
                let mut real = begin.to_vec();
                real.resize(length, b'K');
                let reference = reference(&masker, Some("application/octet-stream"), &real);
                assert_eq!(reference, format!("{{{{file {kind} {length}}}}}"));
                let made = file(&reference).unwrap().unwrap();
                assert_eq!(made.len(), length, "{kind}");
                assert!(made.starts_with(begin) && !made.windows(3).any(|part| part == b"KKK"), "{kind}");
            }
        }
        let real = [b"\0\x01", &b"Kowalski".repeat(100)[..]].concat();
        let reference = reference(&masker, Some("application/x-own"), &real);
        assert_eq!(reference, "{{file bytes 802}}");
        assert_eq!(file(&reference).unwrap().unwrap().len(), 802);
    }

    #[test]
    fn small_texts_keep_their_form_and_long_ones_their_length() {
        let masker = masker();
        let text = "name,phone,born\r\nZoë {Kowalski},+41 44 668 18 00,1999-12-31\n";
        let reference = reference(&masker, Some("text/csv"), text.as_bytes());
        let made = String::from_utf8(file(&reference).unwrap().unwrap()).unwrap();
        assert_eq!(made.len(), text.len());
        assert!(
            made.starts_with("name,phone,born\r\n") && made.ends_with(",+11 11 111 11 11,1111-11-11\n"),
            "{made}"
        );
        assert!(!made.contains("Kowalski") && made.contains(&masker.of_same_length("Kowalski")), "{made}");
        assert!(!reference[2..reference.len() - 2].contains(['{', '}', '\n']), "{reference}");
        let long = super::reference(&masker, None, "Kowalski\n".repeat(3_000).as_bytes());
        assert_eq!(long, "{{file text 27000}}");
        assert_eq!(file(&long).unwrap().unwrap().len(), 27_000);
        assert_eq!(super::reference(&masker, Some("application/x-own"), b"Kowalski"), "{{file bytes 8}}");
    }

    #[test]
    fn what_is_no_file_says_so() {
        assert!(file("{{csrf}}").is_none() && file("text").is_none());
        for wrong in [
            "{{file png}}",
            "{{file png x}}",
            "{{file tiff 9}}",
            "{{file png 99999999999}}",
            "{{file text \"x}}",
        ] {
            assert!(file(wrong).unwrap().is_err(), "{wrong}");
        }
    }
}
