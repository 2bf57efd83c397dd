//! Values for the variables of a rule, as they stand in a path: good ones, and those at the edges of what is good.

use super::dice::Dice;

/// Texts that most converters of text take.
const TEXTS: &[&str] = &["ana", "7", "a-b", "x_y", "%C3%A9", "a%20b", "new", "A", "edit", "a.b"];
/// Texts that are read differently by those who are not careful.
const ODD_TEXTS: &[&str] = &[
    "",
    "%2F",
    "a%2Fb",
    "%2f",
    "%25",
    "%2525",
    "%00",
    "%FF",
    "%C3",
    "%E2%82%AC",
    "%F0%9F%8C%B1",
    ".",
    "..",
    "%2e%2e",
    "a;b=c",
    "a+b",
    "a,b",
    "~",
    "*",
    "%7E",
    "%0A",
    "a%0A",
    "%0Da",
    "|",
    "%7C",
    "a:b",
    "@",
    "%3F",
    "%23",
    "%G1",
    "%",
    "a%",
    "\u{e9}",
    "%C2%A0",
    "%E2%80%A8",
    "ABC12",
    "1,2",
];
const NUMBERS: &[&str] = &["0", "1", "7", "42", "100", "4711"];
const ODD_NUMBERS: &[&str] = &[
    "007",
    "0007",
    "-1",
    "-0",
    "+1",
    "1_0",
    "%D9%A3",
    "%EF%BC%97",
    "2147483648",
    "9223372036854775808",
    "99999999999999999999",
    "1.0",
    "1e3",
    "%207",
    "7%20",
    "7%0A",
    "0x7",
    "%37",
    "",
    "-",
    "--1",
    "7a",
    "%C2%B2",
];
const FLOATS: &[&str] = &["0.0", "1.5", "42.25", "100.0", "3.14159"];
const ODD_FLOATS: &[&str] = &[
    "1",
    "1.",
    ".5",
    "-1.5",
    "+1.5",
    "1e5",
    "nan",
    "inf",
    "01.50",
    "1.5.5",
    "%D9%A3.%D9%A3",
    "0.1234567890123456789",
    "123456789012345678901234567890.5",
    "1.5%0A",
    "1,5",
    "1_0.5",
];
const UUIDS: &[&str] = &["12345678-1234-5678-1234-567812345678", "00000000-0000-0000-0000-000000000000"];
const ODD_UUIDS: &[&str] = &[
    "ABCDEF01-1234-5678-1234-56781234ABCD",
    "12345678123456781234567812345678",
    "12345678-1234-5678-1234-56781234567",
    "12345678-1234-5678-1234-5678123456789",
    "{12345678-1234-5678-1234-567812345678}",
    "g2345678-1234-5678-1234-567812345678",
];
const PATHS: &[&str] = &["a", "a/b", "css/site.css", "a/b/c", "%C3%A9/b", "7/x"];
const ODD_PATHS: &[&str] = &[
    "", "/", "a/", "/a", "a//b", "a///b", "../a", "a/../b", "./a", "a%2Fb", "%2F", "a/%2F/b", "a/b%0A",
    "a/%20", "//",
];

/// A value for a variable; `words` are the static words of the map, which its rules fight over.
pub(super) fn value(converter: &str, arguments: &str, words: &[String], dice: &mut Dice) -> String {
    let odd = dice.percent(35);
    if let Some(value) = edge_of_arguments(converter, arguments, odd, dice) {
        return value;
    }
    let of = |good: &'static [&'static str], bad: &'static [&'static str]| if odd { bad } else { good };
    match converter {
        "int" => dice.pick(of(NUMBERS, ODD_NUMBERS)).to_owned(),
        "float" => dice.pick(of(FLOATS, ODD_FLOATS)).to_owned(),
        "uuid" => dice.pick(of(UUIDS, ODD_UUIDS)).to_owned(),
        "path" if dice.percent(75) => dice.pick(of(PATHS, ODD_PATHS)).to_owned(),
        _ if dice.percent(25) && !words.is_empty() => dice.pick(words).to_owned(),
        _ if dice.percent(10) => "x".repeat(1 + dice.below(300)),
        _ => dice.pick(of(TEXTS, ODD_TEXTS)).to_owned(),
    }
}

/// Values that the arguments of the converter speak of, and their neighbours.
fn edge_of_arguments(converter: &str, arguments: &str, odd: bool, dice: &mut Dice) -> Option<String> {
    if arguments.is_empty() || dice.percent(20) {
        return None;
    }
    if converter == "any" {
        let items: Vec<&str> =
            arguments.split(',').map(|item| item.trim().trim_matches(['"', '\''])).collect();
        let item = super::requests::encoded(dice.pick(&items));
        return Some(if odd { item + "x" } else { item });
    }
    let numbers: Vec<&str> = arguments
        .split(|c: char| !c.is_ascii_digit())
        .filter(|number| !number.is_empty() && number.len() < 4)
        .collect();
    let number: usize = dice.pick(&numbers).parse().ok()?;
    let near = (number + dice.below(3)).saturating_sub(1);
    Some(match converter {
        "default" | "string" => "abcdefghij".chars().cycle().take(near).collect(),
        "int" if arguments.contains("fixed_digits") => format!("{:0near$}", dice.below(100)),
        "int" => near.to_string(),
        "float" => format!("{near}.{}", dice.below(10)),
        _ => return None,
    })
}
