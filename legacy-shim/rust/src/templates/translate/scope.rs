//! What has to be known of a whole template before its tags are rewritten: which names it binds, whether it changes
//! lists, which macros take more than they name.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::{Kind, Piece, Tag, Token};

/// Methods that change a list or a dictionary.
const CHANGES: [&str; 11] = [
    "append",
    "extend",
    "insert",
    "pop",
    "remove",
    "sort",
    "reverse",
    "clear",
    "update",
    "setdefault",
    "popitem",
];

/// Facts about a template.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// Whether free names are globals.
    alone: bool,
    /// Every name that is bound somewhere in the template.
    bound: BTreeSet<&'a str>,
    /// Whether literals have to be lists and dictionaries that can be changed.
    pub(super) changes: bool,
    /// Whether somebody looks at the attributes of macros.
    pub(super) looks_at_macros: bool,
    /// For a macro's tag (by its place among the pieces): the words of its body, and the place of its end.
    pub(super) macros: BTreeMap<usize, Body<'a>>,
}

/// The inside of a macro.
#[derive(Debug, Default)]
pub(super) struct Body<'a> {
    pub(super) words: BTreeSet<&'a str>,
}

impl<'a> Scope<'a> {
    pub(super) fn of(pieces: &[Piece<'a>], sees: Option<&'a str>) -> Self {
        let mut scope = Self {
            alone: sees.is_some(),
            bound: sees.into_iter().flat_map(|names| names.split(',')).collect(),
            changes: false,
            looks_at_macros: false,
            macros: BTreeMap::new(),
        };
        let mut open: Vec<usize> = Vec::new();
        for (place, piece) in pieces.iter().enumerate() {
            let tag = match piece {
                Piece::Kept(_) => continue,
                Piece::Print(tag) => tag,
                Piece::Block(tag) => {
                    scope.bind(tag);
                    tag
                }
            };
            let is_block = matches!(piece, Piece::Block(_));
            match tag.word() {
                "macro" if is_block => {
                    open.push(place);
                    scope.macros.insert(place, Body::default());
                }
                "endmacro" if is_block => drop(open.pop()),
                _ => {}
            }
            let words = tag.tokens.iter().filter(|token| token.kind == Kind::Name).map(|token| token.text);
            for place in &open {
                if let Some(body) = scope.macros.get_mut(place) {
                    body.words.extend(words.clone());
                }
            }
            scope.attributes(&tag.tokens);
        }
        scope
    }

    fn attributes(&mut self, tokens: &[Token<'a>]) {
        for pair in tokens.windows(3) {
            if !pair[0].is(".") || pair[1].kind != Kind::Name {
                continue;
            }
            self.changes |= pair[2].is("(") && CHANGES.contains(&pair[1].text);
            self.looks_at_macros |= matches!(pair[1].text, "arguments" | "catch_varargs" | "catch_kwargs");
        }
        if let [.., dot, name] = tokens
            && dot.is(".")
        {
            self.looks_at_macros |= matches!(name.text, "arguments" | "catch_varargs" | "catch_kwargs");
        }
    }

    /// The names that a tag binds.
    fn bind(&mut self, tag: &Tag<'a>) {
        let tokens = tag.tokens.get(1..).unwrap_or_default();
        let names = |tokens: &[Token<'a>]| -> Vec<&'a str> {
            tokens.iter().filter(|token| token.kind == Kind::Name).map(|token| token.text).collect()
        };
        let until =
            |end: &dyn Fn(&Token<'_>) -> bool| &tokens[..tokens.iter().position(end).unwrap_or(tokens.len())];
        match tag.word() {
            "for" => self.bound.extend(names(until(&|token| token.is_word("in")))),
            "set" => self.bound.extend(names(until(&|token| token.is("=") || token.is("|")))),
            "with" | "macro" | "call" | "trans" => self.bind_arguments(tokens),
            "import" | "from" => {
                // `import "x" as y`, `from "x" import a, b as c`
                let from =
                    tokens.iter().rposition(|token| token.is_word("import") || token.kind == Kind::Text);
                self.bound.extend(names(&tokens[from.map_or(0, |at| at + 1)..]));
            }
            _ => {}
        }
    }

    /// A name, what stands before `=`, and what is a whole argument.
    fn bind_arguments(&mut self, tokens: &[Token<'a>]) {
        for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Name) {
            let before = at.checked_sub(1).map(|before| &tokens[before]);
            let starts = before.is_none_or(|before| before.is("(") || before.is(","));
            let ends =
                tokens.get(at + 1).is_none_or(|after| [",", ")", "=", "("].iter().any(|sign| after.is(sign)));
            if starts && ends {
                self.bound.insert(token.text);
            }
        }
    }

    /// Whether a name can only be a global here.
    pub(super) fn is_global(&self, name: &str) -> bool {
        const SPECIAL: [&str; 6] = ["loop", "self", "super", "caller", "varargs", "kwargs"];
        self.alone && !self.bound.contains(name) && !SPECIAL.contains(&name)
    }

    /// The names that an included template sees, with commas.
    pub(super) fn bound(&self) -> String {
        self.bound.iter().copied().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(",")
    }

    /// Whether what this template includes stands alone as well.
    pub(super) fn stands_alone(&self) -> bool {
        self.alone
    }
}
