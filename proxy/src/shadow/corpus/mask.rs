//! Masks: the same one for the same value, of the same form, and nothing leads back without the key.
//!
//! Words keep their length and their capitals, e-mail addresses stay addresses (`@masked.example`), telephone numbers
//! keep their signs and their first digit. Words of the application itself (its vocabulary) and codes that its pages offer
//! for choice stay: a replay must be able to choose them. Secrets are not masked but replaced by where they come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use sha2::{Digest, Sha256};

/// Names of fields whose values are never written.
const SECRET: &[&str] =
    &["password", "passwd", "pwd", "passphrase", "secret", "token", "otp", "pin", "api_key", "apikey"];
/// Names of fields whose values are somebody's, whatever they look like.
const PERSONAL: &[&str] = &[
    "name", "mail", "phone", "mobile", "tel", "fax", "address", "street", "city", "zip", "postal", "birth",
    "iban", "card", "ssn", "note", "comment", "message", "user", "login",
];
/// Names of the field beside a password that says who logs in.
const LOGIN: &[&str] = &["email", "mail", "username", "user", "login", "name"];

/// Masks values with one key.
#[derive(Clone)]
pub struct Masker {
    key: [u8; 32],
    vocabulary: BTreeSet<String>,
    /// Values that pages offer for choice.
    pub(super) codes: BTreeSet<String>,
    /// Words and numbers that are masks already: a replay sends them, and answers show them.
    done: BTreeSet<String>,
    /// What stands for files that users sent, by what would stand for them as answers.
    pub(super) files: BTreeMap<String, String>,
    /// What comes in is users' traffic: what is not known to be the application's own is somebody's.
    pub(super) live: bool,
}

/// The key stays out of dumps.
impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masker").field("vocabulary", &self.vocabulary.len()).finish_non_exhaustive()
    }
}

/// Words that programs send and nobody is called, and those of the pages that Werkzeug makes by itself: they stay in users'
/// traffic.
const COMMON: &str = "active all any api asc at auth back by cancel closed created csv date default delete desc done edit en export \
    false filter first format high html http https id inactive index json key last limit list localhost login logout lost low \
    medium name new next no none normal null off ok on open order page pdf pending per prev previous public private query \
    remove reset save search show size sort static status submit tab text title true type undefined updated user users utf \
    value view won www xml yes \
    png jpg jpeg gif webp svg bmp tif tiff heic ico txt md rtf log doc docx xls xlsx ppt pptx odt ods odp zip gz tar mp3 mp4 wav webm mov avi eml ics \
    redirecting you should be redirected automatically to target url if not click the link found bad request method allowed \
    forbidden unauthorized internal server error gone unprocessable entity too many requests conflict service unavailable";
/// Shortest word of which a mask is not another word by chance.
const SHORTEST_ORIGINAL: usize = 5;
/// Most codes that are remembered.
const MOST_CODES: usize = 20_000;

/// Whether a field's value must never be written.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET
        .iter()
        .any(|secret| name == *secret || name.ends_with(secret) || name.starts_with(&format!("{secret}_")))
}

/// Whether a field holds a CSRF token.
pub(super) fn is_csrf_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("csrf") || name.contains("xsrf") || name == "authenticity_token"
}

impl Masker {
    /// With a key made from this secret, and the words of the application.
    pub fn new(secret: &[u8], vocabulary: BTreeSet<String>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ficus corpus mask\0");
        hash.update(secret);
        let (codes, done, files) = Default::default();
        Self { key: hash.finalize().into(), vocabulary, codes, done, files, live: false }
    }

    /// The same for users' traffic: every word that is not the application's own is masked, wherever it stands.
    #[must_use]
    pub fn live(mut self) -> Self {
        self.vocabulary.extend(COMMON.split_whitespace().map(str::to_owned));
        self.live = true;
        self
    }

    /// The application's own host is nobody's secret.
    pub fn learn_host(&mut self, host: &str) {
        self.vocabulary
            .extend(parts(host).into_iter().flat_map(|part| part.split('.')).map(str::to_lowercase));
    }

    /// Whether it is for users' traffic.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Tells one key from another, and nothing about it.
    pub fn key_id(&self) -> String {
        let digest = self.digest("key id", "");
        digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The words of a text that are masked, each with its mask; short ones could be anything.
    pub fn originals(&self, text: &str) -> Vec<(String, String)> {
        let long = |part: &&str| part.len() >= SHORTEST_ORIGINAL && part.chars().all(char::is_alphanumeric);
        let mut pairs = Vec::new();
        for part in parts(text).into_iter().filter(long) {
            for word in [part.to_owned(), part.to_lowercase()] {
                let mask = self.part(&word);
                if mask != word && !self.vocabulary.contains(&mask.to_lowercase()) {
                    pairs.push((mask, word));
                }
            }
        }
        pairs
    }

    /// Whether all words of a text are the application's own, or masks already.
    fn knows_all(&self, text: &str) -> bool {
        let known = |part: &str| {
            !part.chars().any(char::is_alphabetic)
                || part.chars().count() < 2
                || self.done.contains(part)
                || self.vocabulary.contains(&part.to_lowercase())
        };
        let personal = text.contains('@') || has_address(text) || parts(text).into_iter().any(is_telephone);
        !personal && pieces(text).all(known)
    }

    /// Remembers a value that a page offers for choice.
    pub(super) fn learn_code(&mut self, code: &str) {
        if self.codes.len() < MOST_CODES && (!self.live || self.knows_all(code)) {
            self.codes.insert(code.to_owned());
        }
    }

    /// Remembers that all words of a text are masks.
    pub(super) fn learn_mask(&mut self, text: &str) {
        for part in parts(text) {
            self.done.insert(part.to_owned());
        }
    }

    /// How a corpus calls the person who logs in with this.
    pub fn reference(&self, login: &str) -> String {
        let digest = self.digest("login", &login.trim().to_lowercase());
        format!("u{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
    }

    /// What stands for bytes that nobody could mask.
    pub(super) fn fingerprint(&self, bytes: &[u8]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(bytes);
        let hex: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        format!("{{{{bytes {hex}}}}}")
    }

    /// A text that anybody may have written.
    pub fn text(&self, text: &str) -> String {
        static PARTS: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(&format!(r"\{{\{{[^{{}}]*\}}\}}|{PART}")).ok());
        let Some(parts) = PARTS.as_ref() else { return self.word(text) };
        // What users write must not look like a reference of ours.
        let text = if self.live { text.replace("{{", "{ {") } else { text.to_owned() };
        parts.replace_all(&text, |found: &Captures<'_>| self.part(&found[0])).into_owned()
    }

    /// The value of a field in a request, as a replay can send it.
    pub(super) fn value(&self, name: &str, value: &str) -> String {
        let personal = PERSONAL.iter().any(|part| name.to_ascii_lowercase().contains(part));
        let is_code = || !personal && is_code(value) && (!self.live || self.knows_all(value));
        let is_plain = || is_plain(value) && !(self.live && has_address(value));
        if value.is_empty() || self.codes.contains(value) || is_code() || is_plain() {
            return value.to_owned();
        }
        self.text(value)
    }

    /// A number under a name: what is dialled, or a person's own.
    pub(super) fn number(&self, name: &str, number: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        let personal = name != "id" && PERSONAL.iter().any(|part| name.contains(part));
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let whole = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        (self.live && whole && !name.ends_with("_id") && (digits >= 13 || (personal && digits >= 4)))
            .then(|| self.digits(number))
    }

    /// One part of a path.
    pub(super) fn segment(&self, segment: &str) -> String {
        let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned();
        if is_uuid(&decoded) {
            return segment.to_owned();
        }
        let masked = self.text(&decoded);
        if masked == decoded {
            return segment.to_owned();
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@:,;=+".contains(&byte);
        masked.bytes().fold(String::new(), |mut out, byte| {
            if plain(byte) {
                out.push(char::from(byte))
            } else {
                out.push_str(&format!("%{byte:02X}"))
            }
            out
        })
    }

    fn part(&self, part: &str) -> String {
        if part.starts_with("{{") || self.done.contains(part) {
            return part.to_owned();
        }
        if part.contains('@') {
            let digest = self.digest("mail", &part.to_lowercase());
            return format!("{}@masked.example", letters(&digest, "aaaaaaaaaa"));
        }
        if part.chars().any(char::is_alphabetic) {
            return self.word(part);
        }
        let hidden = is_telephone(part) || (self.live && has_address(part));
        if hidden { self.digits(part) } else { part.to_owned() }
    }

    fn word(&self, word: &str) -> String {
        if self.live && word.contains('_') {
            return word.split('_').map(|piece| self.one_word(piece)).collect::<Vec<_>>().join("_");
        }
        self.one_word(word)
    }

    fn one_word(&self, word: &str) -> String {
        let known = word.to_lowercase();
        if word.chars().count() < 2 || self.vocabulary.contains(&known) || self.done.contains(word) {
            return word.to_owned();
        }
        letters(&self.digest("word", &known), word)
    }

    /// A word of as many bytes, unless it is the application's own.
    pub(super) fn of_same_length(&self, word: &str) -> String {
        let known = word.to_lowercase();
        if word.len() < 2 || self.vocabulary.contains(&known) {
            return word.to_owned();
        }
        let mut mask = letters(&self.digest("word", &known), word);
        mask.push_str(&"x".repeat(word.len().saturating_sub(mask.len())));
        mask
    }

    /// The words of what somebody typed in, as it stands in a recording, that are masks.
    pub fn masks_in(&self, value: &str) -> Vec<String> {
        let is_mask = |part: &&str| {
            part.contains('@')
                || (part.chars().any(char::is_alphabetic)
                    && part.chars().count() > 1
                    && !part.split('_').all(|word| self.vocabulary.contains(&word.to_lowercase())))
        };
        let found = if value.contains("{{") { Vec::new() } else { parts(value) };
        found.into_iter().filter(is_mask).map(str::to_owned).collect()
    }

    fn digits(&self, number: &str) -> String {
        let plain: String = number.chars().filter(char::is_ascii_digit).collect();
        let digest = self.digest("number", &plain);
        let mut index = 0;
        let digit = |c: char| {
            if !c.is_ascii_digit() {
                return c;
            }
            index += 1;
            if index == 1 { c } else { char::from(b'0' + digest[index % digest.len()] % 10) }
        };
        number.chars().map(digit).collect()
    }

    fn digest(&self, kind: &str, value: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(kind.as_bytes());
        hash.update([0]);
        hash.update(value.as_bytes());
        hash.finalize().into()
    }
}

/// An address, a word with its digits, or a number with its signs.
const PART: &str = r"[\p{L}\p{N}._%+-]+@[\p{L}\p{N}.-]+|[\p{L}\p{N}_]*\p{L}[\p{L}\p{N}_]*|[+(]?[0-9][0-9 ()/.:,-]*[0-9]|[0-9]";

fn parts(text: &str) -> Vec<&str> {
    static PARTS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PART).ok());
    PARTS
        .as_ref()
        .map(|parts| parts.find_iter(text).map(|found| found.as_str()).collect())
        .unwrap_or_default()
}

/// The same, with the pieces of names that programs give: `created_at` is `created` and `at`.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    parts(text).into_iter().flat_map(|part| part.split('_'))
}

/// The address of a machine, which may be somebody's.
fn has_address(text: &str) -> bool {
    parts(text).into_iter().any(|part| part.parse::<std::net::IpAddr>().is_ok())
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Letters and digits of the same kinds as those of `form`.
fn letters(digest: &[u8; 32], form: &str) -> String {
    let mut out = String::new();
    for (index, c) in form.chars().enumerate() {
        let byte = digest[index % 32].wrapping_add(u8::try_from(index / 32).unwrap_or_default());
        let letter = char::from(b'a' + byte % 26);
        out.push(match c {
            '_' => '_',
            c if c.is_numeric() => char::from(b'0' + byte % 10),
            c if c.is_uppercase() => letter.to_ascii_uppercase(),
            _ => letter,
        });
    }
    out
}

/// A number as it is dialled, of a card or an account: not an amount, a date or a time.
fn is_telephone(number: &str) -> bool {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let dialled = number.starts_with(['+', '0', '(']) || number.contains([' ', '(', '/']);
    !is_date(number) && !number.contains(',') && (digits >= 13 || (digits >= 7 && dialled))
}

fn is_date(text: &str) -> bool {
    static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(?:[0-9]{4}-[0-9]{2}(?:-[0-9]{2}(?: [0-9]{1,2}(?::[0-9]{2}){0,2}(?:\.[0-9]+)?)?)?|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}|[0-9:.]+)$").ok()
    });
    DATE.as_ref().is_some_and(|date| date.is_match(text))
        // Of digits alone it is an id; one that long is a card, an account or a telephone.
        && !((text.starts_with('0') || text.len() >= 13) && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A number, a date, a time, a sign.
fn is_plain(value: &str) -> bool {
    !value.chars().any(char::is_alphabetic)
        && !value.contains('@')
        && !parts(value).into_iter().any(is_telephone)
}

/// One word of a programmer: `active`, `-created_at`, `true`, `2026-11-25T10:00`.
fn is_code(value: &str) -> bool {
    let calm =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.');
    (value.len() <= 24 && value.bytes().all(calm))
        || value.split_once('T').is_some_and(|(day, time)| is_date(day) && is_plain(time))
}

/// Whether a field beside a password says who logs in.
pub(super) fn is_login_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    LOGIN.iter().any(|login| name == *login || name.ends_with(&format!("_{login}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masker() -> Masker {
        Masker::new(b"key", ["customers", "new", "active"].map(str::to_owned).into())
    }

    #[test]
    fn masks_are_the_same_for_the_same_value_and_keep_its_form() {
        let masker = masker();
        assert_ne!(masker.text("4242424242424242"), "4242424242424242");
        let text = "New customers: Zoë Kowalski <zoe@example.com>, +41 44 668 18 00, Kowalski, 1,250,000.50, 2026-11-25 10:30";
        let masked = masker.text(text);
        for secret in ["Zoë", "Kowalski", "zoe@", "example.com", "668 18"] {
            assert!(!masked.contains(secret), "{masked}");
        }
        assert!(masked.starts_with("New customers: "), "{masked}");
        assert!(masked.ends_with(", 1,250,000.50, 2026-11-25 10:30"), "{masked}");
        assert!(masked.contains("@masked.example>, +4"), "{masked}");
        assert_eq!(masked.matches(&masker.text("Kowalski")).count(), 2);
        assert_eq!(masker.text("kowalski"), masker.text("Kowalski").to_lowercase());
        assert_ne!(masked, Masker::new(b"other", BTreeSet::new()).text(text));
    }

    #[test]
    fn what_a_replay_must_send_stays() {
        let mut masker = masker();
        masker.learn_code("Food & Drink");
        for (name, value) in [
            ("status", "active"),
            ("owner_id", "17"),
            ("industry", "Food & Drink"),
            ("due", "2026-11-25T10:00"),
            ("amount", "1250000.00"),
            ("sort", "-created_at"),
            ("flag", ""),
        ] {
            assert_eq!(masker.value(name, value), value);
        }
        for (name, value) in [
            ("name", "ana"),
            ("q", "Kowalski"),
            ("phone", "0446681800"),
            ("to", "ana@example.com"),
            ("notes", "call her"),
        ] {
            assert_ne!(masker.value(name, value), value);
        }
    }

    #[test]
    fn masks_are_not_masked_again_where_a_replay_sent_them() {
        let mut masker = masker();
        let once = masker.text("Ana Kowalski, ana@example.com, +41 44 668 18 00");
        masker.learn_mask(&once);
        assert_eq!(masker.text(&once), once);
    }

    #[test]
    fn of_users_traffic_nothing_stays_but_the_words_of_the_application() {
        let mut masker = Masker::new(b"key", ["customers".to_owned()].into()).live();
        masker.learn_code("kowalski");
        masker.learn_code("active");
        for (name, value) in [
            ("q", "kowalski"),
            ("owner", "ana_kowalski"),
            ("q", "{{kowalski}}"),
            ("ip", "203.0.113.77"),
            ("sort", "kowalski"),
        ] {
            let masked = masker.value(name, value);
            assert!(masked != value && !masked.contains("kowalski") && !masked.contains("{{"), "{masked}");
        }
        for (name, value) in
            [("status", "active"), ("sort", "-created_at"), ("page", "2"), ("due", "2026-11-25")]
        {
            assert_eq!(masker.value(name, value), value);
        }
        assert_eq!(masker.segment("customers"), "customers");
        assert_eq!(
            masker.segment("0b9c1c6e-7d3f-4f0e-9a63-0f2f3c1b5a77"),
            "0b9c1c6e-7d3f-4f0e-9a63-0f2f3c1b5a77"
        );
        assert!(!masker.segment("Zo%C3%AB%20Kowalski").contains("Zo%C3"));
        assert_eq!(masker.number("id", "1234567"), None);
        assert!(masker.number("phone", "41446681800").is_some_and(|masked| masked != "41446681800"));
        let pairs = masker.originals("<td>Kowalski</td>");
        assert!(pairs.contains(&(masker.text("Kowalski"), "Kowalski".to_owned())), "{pairs:?}");
        assert_eq!(masker.key_id(), Masker::new(b"key", BTreeSet::new()).key_id());
        assert_ne!(masker.key_id(), Masker::new(b"other", BTreeSet::new()).key_id());
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in
            ["password", "new_password", "Password", "api-key", "access_token", "token", "password_confirm"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["name", "tokens_left", "spinner", "passport"] {
            assert!(!is_secret_name(name) || name == "tokens_left", "{name}");
        }
    }
}
