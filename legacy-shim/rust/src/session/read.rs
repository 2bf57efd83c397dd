//! Tagged JSON, reading: `TaggedJSONSerializer.loads`. A reader of its own, because numbers must survive unchanged and
//! because what Python reads and Rust cannot hold (NaN, lone surrogates) must be told from garbage-free input.

use super::{Map, TAGS, Value};
use crate::cookie::parse_http_date;
use crate::signing::base64::decode_standard;

/// Deeper nesting than any session has; stops stack exhaustion.
const DEEPEST: usize = 100;

/// Reads a dictionary; `None` for anything that is not one or that Rust cannot hold without loss.
#[must_use]
pub fn read_tagged_json(text: &str) -> Option<Map> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.blank();
    match value {
        Value::Map(map) if reader.rest.is_empty() => Some(map),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self) -> Option<Value> {
        self.blank();
        match self.rest.bytes().next()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(|reader| reader.list().map(Value::List)),
            b'"' => self.string().map(Value::Str),
            b'n' => self.take("null").map(|()| Value::Null),
            b't' => self.take("true").map(|()| Value::Bool(true)),
            b'f' => self.take("false").map(|()| Value::Bool(false)),
            _ => self.number(),
        }
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let value = inner(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Option<Vec<Value>> {
        self.take("[")?;
        let mut items = Vec::new();
        self.blank();
        if self.take("]").is_some() {
            return Some(items);
        }
        loop {
            items.push(self.value()?);
            self.blank();
            if self.take("]").is_some() {
                return Some(items);
            }
            self.take(",")?;
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.take("{")?;
        let mut map = Map::new();
        self.blank();
        if self.take("}").is_some() {
            return Some(Value::Map(map));
        }
        loop {
            self.blank();
            let key = self.string()?;
            self.blank();
            self.take(":")?;
            let value = self.value()?;
            map.insert(key, value);
            self.blank();
            if self.take("}").is_some() {
                return untag(map);
            }
            self.take(",")?;
        }
    }

    fn number(&mut self) -> Option<Value> {
        let end =
            self.rest.bytes().position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let first = digits.bytes().next()?;
        if !first.is_ascii_digit() || (first == b'0' && digits[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            return None;
        }
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(text.parse().map_or_else(|_| Value::BigInt(text.to_owned()), Value::Int));
        }
        let valid =
            digits.split_once('.').is_none_or(|(_, after)| after.starts_with(|c: char| c.is_ascii_digit()));
        let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        valid.then_some(Value::Float(number))
    }

    fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut out = String::new();
        loop {
            let end = self.rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
            out.push_str(&self.rest[..end]);
            let stop = self.rest.as_bytes().get(end).copied();
            self.rest = &self.rest[end + 1..];
            match stop {
                Some(b'"') => return Some(out),
                Some(b'\\') => out.push(self.escape()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let kind = self.rest.chars().next()?;
        self.rest = &self.rest[kind.len_utf8()..];
        Some(match kind {
            '"' | '\\' | '/' => kind,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => return self.unicode(),
            _ => return None,
        })
    }

    fn unicode(&mut self) -> Option<char> {
        let high = self.hex4()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        self.take("\\u")?;
        let low = self.hex4()?;
        if !(0xdc00..0xe000).contains(&low) {
            return None;
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
    }

    fn hex4(&mut self) -> Option<u32> {
        let hex = self.rest.get(..4).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(hex, 16).ok()
    }
}

/// Resolves a one-key object that is a tag. `None` if the tag's content is not what Flask writes.
fn untag(mut map: Map) -> Option<Value> {
    let tag = match map.first() {
        Some((key, _)) if map.len() == 1 => TAGS.iter().find(|tag| *tag == key),
        _ => None,
    };
    let (Some(tag), Some((_, content))) = (tag, tag.and_then(|_| map.pop())) else {
        return Some(Value::Map(map));
    };
    match (*tag, content) {
        (" t", Value::List(items)) => Some(Value::Tuple(items)),
        (" b", Value::Str(text)) => decode_standard(text.as_bytes()).map(Value::Bytes),
        (" m", Value::Str(text)) => Some(Value::Markup(text)),
        (" u", Value::Str(text)) => read_uuid(&text).map(Value::Uuid),
        (" d", Value::Str(text)) => parse_http_date(&text).map(Value::DateTime),
        (" di", Value::Map(mut inner)) if inner.len() == 1 => {
            let (key, value) = inner.pop()?;
            let key = key.strip_suffix("__")?.to_owned();
            Some(Value::Map(Map::from_iter([(key, value)])))
        }
        _ => None,
    }
}

fn read_uuid(text: &str) -> Option<u128> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    (hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| u128::from_str_radix(&hex, 16).ok())
        .flatten()
}
