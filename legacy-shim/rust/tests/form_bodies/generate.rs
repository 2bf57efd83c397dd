//! Random bodies, mostly multipart: well formed, then a little broken; some long enough to be read in pieces.

use super::case::{Case, Limits};

/// A small generator: the same case for the same seed, for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 >> 33) ^ self.0;
        mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const BOUNDARIES: [&str; 7] =
    ["b", "limit", "----WebKitFormBoundary7MA4YWxk", "a'b", "x y", "--", "bound.ary="];
const NAMES: [&str; 8] = ["title", "file", "csrf_token", "a b", "\u{c3}\u{a9}", "x-csrf_token", "", "name;x"];
const VALUES: [&str; 14] = [
    "",
    "text",
    "two\r\nlines",
    "end\r\n",
    "\r\nstart",
    "-- dashes",
    "--",
    "\u{c3}\u{a9}",
    "\u{ff}\u{fe}",
    "\n",
    "\r",
    "a\rb\nc",
    "&=;%20+",
    "\0\u{1}",
];
const DISPOSITIONS: [&str; 20] = [
    r#"form-data; name="NAME""#,
    r#"form-data; name="NAME"; filename="FILE""#,
    r#"form-data;name="NAME";filename="FILE""#,
    r#"form-data ; name = "NAME""#,
    "form-data; name=NAME",
    "form-data; name=NAME; filename=FILE",
    r#"form-data; filename="FILE"; name="NAME""#,
    r#"form-data; name="a\"b\\c"; filename="x%22y""#,
    r#"form-data; name="NAME"; filename*=UTF-8''%e2%82%ac%20rates"#,
    r#"form-data; name="NAME"; filename*=iso-8859-1'en'%A3%20rates; filename="FILE""#,
    r#"form-data; name="NAME"; filename*0="first"; filename*1=" second""#,
    r#"form-data; name="NAME"; filename*0*=UTF-8''a%20; filename*1="b"; filename*2*=%20c"#,
    r#"form-data; name="NAME"; filename"#,
    r#"form-data; NAME="NAME"; Name="other""#,
    r#"attachment; name="NAME""#,
    r#"form-data; name="NAME"; x="unclosed; filename="FILE""#,
    r#"form-data; name="NAME";; filename="FILE";"#,
    r#"; name="NAME""#,
    "form-data",
    "form-data; name=\"NAME\"; filename=\"C:\\dir\\FILE\"",
];
const FILES: [&str; 8] = [
    "a.txt",
    "",
    "r\u{c3}\u{a9}sum\u{c3}\u{a9}.pdf",
    "..\\..\\x",
    "C:\\a\\b.txt",
    "\\\\host\\c",
    "a;b",
    "x\"y",
];
const OTHERS: [&str; 14] = [
    "Content-Type: text/plain",
    "Content-Type: text/plain; charset=iso-8859-1",
    "Content-Type: text/plain; charset=\"UTF-8\"",
    "Content-Type: text/plain; charset=ascii",
    "Content-Type: text/plain; charset=nonsense",
    "content-type:application/octet-stream",
    "Content-Length: 3",
    "X-Other: a\r\n continued\r\n\tagain",
    "X-Bad \u{e9}: x",
    "no colon here",
    " leading: blank",
    "X:\u{b}y\u{c}",
    "Content-Disposition: form-data; name=\"second\"",
    "Content-Type: text/plain; charset",
];
const KINDS: [&str; 12] = [
    "multipart/form-data; boundary=@",
    "multipart/form-data; boundary=\"@\"",
    "Multipart/Form-Data; Boundary=@",
    "multipart/form-data; boundary=@; charset=utf-8",
    "multipart/form-data;boundary=@",
    "multipart/form-data; charset=\"a;b\"; boundary=\"@\"",
    "multipart/form-data, boundary=@",
    "multipart/form-data",
    "multipart/form-data; boundary",
    "multipart/form-data; boundary=",
    "multipart/form-data ; boundary=@",
    "multipart/mixed; boundary=@",
];
const URLENCODED: [&str; 5] = [
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-8",
    "application/x-url-encoded",
    "Application/X-WWW-Form-Urlencoded ;x",
    "text/plain",
];

/// Any case; now and then a long one.
pub(super) fn case(seed: u64) -> Case {
    let mut dice = Dice(seed.wrapping_mul(2_654_435_761).wrapping_add(7));
    dice.next();
    let long = dice.one_in(25);
    build(&mut dice, long)
}

/// One that is short enough to be kept.
pub(super) fn small_case(seed: u64) -> Case {
    let mut dice = Dice(seed.wrapping_mul(2_654_435_761).wrapping_add(7));
    dice.next();
    dice.one_in(25);
    build(&mut dice, false)
}

fn build(dice: &mut Dice, long: bool) -> Case {
    let (content_type, body) = if dice.one_in(12) { urlencoded(dice) } else { multipart(dice, long) };
    let length = body.chars().count() as u64;
    let content_length = (!dice.one_in(6)).then_some(length);
    let near = |dice: &mut Dice, many: u64| (many + 4).saturating_sub(dice.below(9) as u64);
    let limits = Limits {
        content_length: dice.one_in(12).then(|| near(dice, length)),
        memory: dice.one_in(5).then(|| {
            let most = if long { 70_000 } else { length.max(8) };
            if dice.one_in(2) { near(dice, length) as usize } else { dice.below(most as usize) + 1 }
        }),
        parts: (!dice.one_in(3)).then(|| if dice.one_in(4) { dice.below(4) } else { 1000 }),
    };
    Case { content_type, content_length, body, limits }
}

fn urlencoded(dice: &mut Dice) -> (String, String) {
    const PIECES: [&str; 14] = [
        "a=1",
        "&",
        "=",
        "b=two+words",
        "%C3%A9=%e9",
        "csrf_token=x",
        ";",
        "+",
        "%",
        "%zz",
        "\u{e9}",
        "a",
        "&&",
        "\u{c3}\u{a9}=1",
    ];
    let body = (0..dice.below(8)).map(|_| dice.pick(&PIECES)).collect::<String>();
    (dice.pick(&URLENCODED).to_owned(), body)
}

fn multipart(dice: &mut Dice, long: bool) -> (String, String) {
    let boundary = dice.pick(&BOUNDARIES).to_owned();
    let kind = if dice.one_in(3) { dice.pick(&KINDS) } else { KINDS[1] };
    let newline = if dice.one_in(5) { dice.pick(&["\n", "\r"]) } else { "\r\n" };
    let mut body = dice.pick(&["", "", "", "preamble\r\n", "\r\n", "\n \n", "x"]).to_owned();
    for _ in 0..dice.below(5) {
        part(dice, &mut body, &boundary, (newline, long));
    }
    body.push_str(&format!("--{boundary}"));
    body.push_str(dice.pick(&[
        "--\r\n",
        "--\r\n",
        "--\r\n",
        "--",
        "--\n",
        "-- \r\n",
        "",
        "\r\n",
        "--\r\nepilogue",
    ]));
    if dice.one_in(4) {
        damage(dice, &mut body);
    }
    (kind.replace('@', &boundary), body)
}

fn part(dice: &mut Dice, body: &mut String, boundary: &str, (newline, long): (&str, bool)) {
    let blank = if dice.one_in(15) { dice.pick(&[" ", "\t ", "\u{b}", "x"]) } else { "" };
    body.push_str(&format!("--{boundary}{blank}{newline}"));
    let mut headers = Vec::new();
    if !dice.one_in(40) {
        let disposition = if dice.one_in(2) { DISPOSITIONS[dice.below(2)] } else { dice.pick(&DISPOSITIONS) };
        let (name, file) = (dice.pick(&NAMES), dice.pick(&FILES));
        let disposition =
            disposition.replace("\"NAME\"", &format!("\"{name}\"")).replace("=NAME", &format!("={name}"));
        headers.push(format!("Content-Disposition: {}", disposition.replace("FILE", file)));
    }
    while dice.one_in(3) {
        let at = dice.below(headers.len() + 1);
        headers.insert(at, dice.pick(&OTHERS).to_owned());
    }
    headers.iter().for_each(|header| body.push_str(&format!("{header}{newline}")));
    body.push_str(newline);
    if long {
        // Around the size of a piece, so that boundaries and line breaks are torn apart.
        let filler = dice.pick(&["x", "x", "lines\r\n", "\r", "-", "ab\n"]);
        let size = [100, 65_000, 65_536 - body.len() % 65_536, 70_000, 131_000][dice.below(5)];
        let wanted = (size + dice.below(12)).saturating_sub(6);
        body.push_str(&filler.repeat(wanted / filler.len() + 1)[..wanted]);
    }
    body.push_str(dice.pick(&VALUES));
    if dice.one_in(12) {
        body.push_str(&format!("{newline}--{boundary}x"));
    }
    body.push_str(newline);
}

/// Cuts, doubles or changes something.
fn damage(dice: &mut Dice, body: &mut String) {
    let mut chars: Vec<char> = body.chars().collect();
    if chars.is_empty() {
        return;
    }
    let at = dice.below(chars.len());
    match dice.below(5) {
        0 => chars.truncate(at),
        1 => drop(chars.remove(at)),
        2 => chars.insert(at, ['\r', '\n', '-', ' ', '"', ';', ':', '\u{e9}'][dice.below(8)]),
        3 => {
            let end = (at + dice.below(12)).min(chars.len());
            let again: Vec<char> = chars[at..end].to_vec();
            chars.splice(at..at, again);
        }
        _ => chars[at] = ['\r', '\n', '-', '\u{ff}', '='][dice.below(5)],
    }
    *body = chars.into_iter().collect();
}
