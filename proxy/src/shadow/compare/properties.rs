//! Properties: an answer matches itself, and no single change of a generated document goes unseen.

use chrono::DateTime;
use flask_compat::Profile;
use http::header::{CONTENT_TYPE, HeaderValue};
use proptest::prelude::*;

use super::{Answer, Asked, Case, Comparison, Design, Judge, Side, Verdict};

fn compare(media: &'static str, reference: &str, candidate: &str) -> Comparison {
    let answer = |body: &str| {
        let mut answer =
            Answer { status: 200, complete: true, body: body.to_owned().into(), ..Answer::default() };
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        answer
    };
    let side = Side::Flask(Profile::Werkzeug10);
    let case = Case {
        asked: &Asked { url: "http://crm.example/".to_owned(), cookies: Vec::new() },
        reference: &answer(reference),
        candidate: &answer(candidate),
        design: Design::of(side, side),
        rules: &[],
        now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    };
    Judge::new(Some("key"), "session", Profile::Werkzeug10).compare(&case)
}

/// A document that is easy to change in one place.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(u32),
    Branch(Vec<Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = (0u32..50).prop_map(Tree::Leaf);
    leaf.prop_recursive(4, 40, 6, |inner| prop::collection::vec(inner, 1..6).prop_map(Tree::Branch))
}

impl Tree {
    fn size(&self) -> usize {
        match self {
            Self::Leaf(_) => 1,
            Self::Branch(children) => 1 + children.iter().map(Self::size).sum::<usize>(),
        }
    }

    fn get(&mut self, mut index: usize) -> Option<&mut Tree> {
        if index == 0 {
            return Some(self);
        }
        index -= 1;
        let Self::Branch(children) = self else { return None };
        for child in children {
            let size = child.size();
            if index < size {
                return child.get(index);
            }
            index -= size;
        }
        None
    }

    /// One change that a reader would notice.
    fn mutate(&mut self, place: usize, how: u8) {
        let size = self.size();
        let Some(node) = self.get(place % size) else { return };
        match (node, how % 4) {
            (Self::Branch(children), 0) => children.insert(0, Self::Leaf(99)),
            (Self::Branch(children), 1) if children.len() > 1 => drop(children.pop()),
            (Self::Branch(children), 2) => children.push(Self::Leaf(99)),
            (node, _) => *node = Self::Leaf(77),
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Leaf(n) if n % 5 == 0 => format!("\"text {n}\""),
            Self::Leaf(n) => n.to_string(),
            Self::Branch(children) if children.len() % 2 == 0 => {
                let items: Vec<String> = children.iter().map(Self::json).collect();
                format!("[{}]", items.join(","))
            }
            Self::Branch(children) => {
                let pair = |(index, child): (usize, &Self)| format!("\"k{index}\":{}", child.json());
                format!("{{{}}}", children.iter().enumerate().map(pair).collect::<Vec<_>>().join(","))
            }
        }
    }

    fn html(&self, depth: usize) -> String {
        match self {
            Self::Leaf(n) if n % 3 == 0 => format!("<a href=\"/item/{n}\" class=\"b a\">{n}</a>"),
            Self::Leaf(n) => format!("<span>word {n}</span>"),
            Self::Branch(children) => {
                let name = ["div", "section", "ul"][depth % 3];
                let inner: Vec<String> = children.iter().map(|child| child.html(depth + 1)).collect();
                format!("<{name}>{}</{name}>", inner.join("\n"))
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_matches_itself_and_no_other(tree in tree(), place in 0usize..100, how in 0u8..4) {
        let text = tree.json();
        prop_assert_eq!(compare("application/json", &text, &text).verdict, Verdict::Match);
        let mut changed = tree.clone();
        changed.mutate(place, how);
        prop_assume!(changed.json() != text);
        let found = compare("application/json", &text, &changed.json());
        prop_assert_eq!(found.verdict, Verdict::Mismatch, "{} against {}", text, changed.json());
    }

    #[test]
    fn html_matches_itself_and_no_other(tree in tree(), place in 0usize..100, how in 0u8..4) {
        let text = tree.html(0);
        prop_assert_eq!(compare("text/html", &text, &text).verdict, Verdict::Match);
        let mut changed = tree.clone();
        changed.mutate(place, how);
        prop_assume!(changed.html(0) != text);
        let found = compare("text/html", &text, &changed.html(0));
        prop_assert_eq!(found.verdict, Verdict::Mismatch, "{} against {}", text, changed.html(0));
    }

    #[test]
    fn whatever_comes_is_compared_without_panic(one in ".{0,200}", other in ".{0,200}") {
        for media in ["application/json", "text/html", "text/plain", "image/png"] {
            prop_assert_eq!(compare(media, &one, &one).verdict == Verdict::Mismatch, false);
            compare(media, &one, &other);
        }
    }

    #[test]
    fn one_changed_letter_of_a_text_is_found(text in "[a-z ]{1,80}", place in 0usize..80) {
        let place = place % text.len();
        let mut changed = text.clone().into_bytes();
        changed[place] = b'#';
        let changed = String::from_utf8(changed).unwrap();
        for media in ["text/html", "text/plain", "application/octet-stream"] {
            prop_assert_eq!(compare(media, &text, &changed).verdict, Verdict::Mismatch, "{}", media);
        }
        let (one, other) = (format!("\"{text}\""), format!("\"{changed}\""));
        prop_assert_eq!(compare("application/json", &one, &other).verdict, Verdict::Mismatch);
    }
}

#[test]
fn what_is_nested_too_deep_is_never_a_match_unless_it_is_the_same() {
    for (media, open, close) in [("text/html", "<div>", "</div>"), ("application/json", "[", "]")] {
        let deep = |inner: &str| format!("{}{inner}{}", open.repeat(3_000), close.repeat(3_000));
        assert_eq!(compare(media, &deep("1"), &deep("2")).verdict, Verdict::Incomparable, "{media}");
        assert_eq!(compare(media, &deep("1"), &deep("1")).verdict, Verdict::Match, "{media}");
    }
}
