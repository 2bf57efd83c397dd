//! Base64 as Python reads it: URL-safe and standard alphabet at once, characters of neither are skipped, unused bits and
//! surplus padding do not matter. Signatures stay safe with this, as they are compared as bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `itsdangerous.encoding.base64_encode`: URL-safe alphabet, no padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `itsdangerous.encoding.base64_decode`, which pads the text to a multiple of four and hands it to
/// `base64.urlsafe_b64decode`. `None` where Python raises.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.len().wrapping_neg() % 4;
    decode_padded(text.iter().copied().chain(std::iter::repeat_n(b'=', padding)), text.len())
}

/// `base64.b64decode` of a text that brings its own padding (Flask's ` b` tag).
#[must_use]
pub fn decode_standard(text: &[u8]) -> Option<Vec<u8>> {
    decode_padded(text.iter().copied(), text.len())
}

/// `binascii.a2b_base64` in its default, lenient mode.
fn decode_padded(text: impl Iterator<Item = u8>, length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(length / 4 * 3 + 3);
    let (mut quad, mut left, mut pads) = (0u8, 0u8, 0u8);
    for byte in text {
        if byte == b'=' {
            pads = pads.saturating_add(1);
            if quad >= 2 && quad.saturating_add(pads) >= 4 {
                return Some(out);
            }
            continue;
        }
        let Some(six) = value(byte) else { continue };
        pads = 0;
        match quad {
            0 => left = six,
            1 => {
                out.push((left << 2) | (six >> 4));
                left = six & 0x0f;
            }
            2 => {
                out.push((left << 4) | (six >> 2));
                left = six & 0x03;
            }
            _ => out.push((left << 6) | six),
        }
        quad = (quad + 1) % 4;
    }
    (quad == 0).then_some(out)
}

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_reads() {
        assert_eq!(decode(b"YQ").unwrap(), b"a");
        assert_eq!(decode(b"YR").unwrap(), b"a", "the low bits do not matter");
        assert_eq!(decode(b"YQ==").unwrap(), b"a");
        assert_eq!(decode(b"-_-_").unwrap(), decode(b"+/+/").unwrap());
        assert_eq!(decode(b"Y"), None);
        assert_eq!(decode(b"YQ!").as_deref(), None, "one piece of garbage spoils the padding");
        assert_eq!(decode(b"YQ!!!!").unwrap(), b"a", "four pieces do not");
        assert_eq!(decode(b"").unwrap(), b"");
    }
}
