//! What may stand behind the size of a chunk (RFC 9112, 7.1.1): `;name`, `;name=token`, `;name="quoted text"`.
//!
//! Nobody reads it, and it is not passed on. But two programs that disagree where it ends disagree about the body, so
//! each of its bytes is held against the grammar. Pure.

use super::characters::is_token;

/// How far the extensions of a chunk have come. Blanks may stand around each `;` and `=`, as the grammar says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    /// Behind a semicolon: a name must come.
    Nameless,
    Name,
    /// Blanks behind a name: only `=` or another extension may follow.
    Named,
    /// Behind `=`: a value must come.
    Valueless,
    Value,
    /// In quotes.
    Quoted,
    /// Behind a backslash in quotes.
    Escaped,
    /// Behind the closing quote.
    Unquoted,
    /// Blanks behind a value: only another extension may follow.
    Valued,
    /// From a server whose extensions are not looked at.
    Any,
}

impl Extension {
    /// After this byte, which is not the line's end; `None`: it is not allowed here.
    pub(super) fn after(self, byte: u8) -> Option<Self> {
        let blank = matches!(byte, b' ' | b'\t');
        Some(match (self, byte) {
            (Self::Any, b'\t' | b' '..=b'~' | 0x80..) => Self::Any,
            (Self::Nameless | Self::Valueless, _) if blank => self,
            (Self::Nameless | Self::Name, _) if is_token(byte) => Self::Name,
            (Self::Name | Self::Named, _) if blank => Self::Named,
            (Self::Name | Self::Named, b'=') => Self::Valueless,
            (Self::Valueless, b'"') => Self::Quoted,
            (Self::Valueless | Self::Value, _) if is_token(byte) => Self::Value,
            (Self::Quoted, b'"') => Self::Unquoted,
            (Self::Quoted, b'\\') => Self::Escaped,
            (Self::Quoted | Self::Escaped, b'\t' | b' '..=b'~' | 0x80..) => Self::Quoted,
            (Self::Value | Self::Unquoted | Self::Valued, _) if blank => Self::Valued,
            (Self::Name | Self::Named | Self::Value | Self::Unquoted | Self::Valued, b';') => Self::Nameless,
            _ => return None,
        })
    }

    /// Whether the line may end here.
    pub(super) fn is_complete(self) -> bool {
        matches!(self, Self::Name | Self::Value | Self::Unquoted | Self::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this may stand between a size and the line's end.
    fn is_good(text: &str) -> bool {
        let mut bytes = text.bytes();
        assert_eq!(bytes.next(), Some(b';'));
        bytes.try_fold(Extension::Nameless, Extension::after).is_some_and(Extension::is_complete)
    }

    #[test]
    fn extensions_are_as_the_grammar_says() {
        for good in [
            ";a",
            "; a",
            ";a=b",
            ";a = b",
            ";a;b=c ; d",
            ";a=\"\"",
            ";a=\"x;\\\"=y\" ;b",
            ";~=|",
            ";a=\"\u{e9}\\\u{e9}\"",
        ] {
            assert!(is_good(good), "{good:?}");
        }
        for bad in [
            ";",
            "; ",
            ";;",
            ";=b",
            ";a=",
            ";a= ",
            ";a b",
            ";a=b c",
            ";a ",
            ";a=b ",
            ";a;",
            ";a=\"b",
            ";a=\"b\\\"",
            ";a=\"b\"c",
            ";a[=b",
            ";a=b=c",
            ";a=[",
            ";\u{e9}",
            ";a=\"\u{7f}\"",
            ";a=\"\0\"",
            ";a=\"\n\"",
            ";a\n",
        ] {
            assert!(!is_good(bad), "{bad:?}");
        }
    }
}
