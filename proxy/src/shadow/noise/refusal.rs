//! Which differences are not proposed as noise without a word of a person: where a mistake would cost money, rights or
//! the wrong row. Judged by the names in the path and by what the values look like. Pure.

use crate::shadow::compare::{Difference, HtmlPart, Path};

const AMOUNTS: &[&str] = &[
    "amount", "amounts", "total", "totals", "subtotal", "sum", "price", "prices", "cost", "costs", "balance",
    "tax", "taxes", "vat", "fee", "fees", "discount", "net", "gross", "paid", "payment", "debit", "credit",
    "currency", "salary", "revenue", "quantity", "qty", "stock",
];
const PERMISSIONS: &[&str] = &[
    "role",
    "roles",
    "permission",
    "permissions",
    "perm",
    "perms",
    "admin",
    "staff",
    "superuser",
    "scope",
    "scopes",
    "allow",
    "allowed",
    "can",
    "grant",
    "grants",
    "access",
    "owner",
    "group",
    "groups",
    "acl",
    "privilege",
    "privileges",
    "auth",
    "authenticated",
    "fresh",
    "enabled",
    "disabled",
    "locked",
];
const IDS: &[&str] =
    &["id", "ids", "uuid", "guid", "pk", "ref", "reference", "href", "action", "src", "sku", "iban"];

/// Why a difference is not proposed: `amount`, `permission`, `id` or `outcome`.
pub(super) fn refused(difference: &Difference) -> Option<&'static str> {
    let names = match &difference.path {
        Path::Status | Path::Redirect | Path::Csrf | Path::Body => return Some("outcome"),
        // Classes and ids of elements say what a text is.
        Path::Html { part: HtmlPart::Attribute(name), .. } if IDS.contains(&name.as_str()) => {
            return Some("id");
        }
        path => words(&path.signature()),
    };
    let named = |list: &[&str]| names.iter().any(|word| list.contains(&word.as_str()));
    let values = [&difference.reference, &difference.candidate];
    if named(AMOUNTS) || values.iter().any(|value| value.as_deref().is_some_and(is_money)) {
        Some("amount")
    } else if named(PERMISSIONS) {
        Some("permission")
    } else if named(IDS) {
        Some("id")
    } else {
        None
    }
}

/// `json $.customerId` holds the words `json`, `customer`, `id`.
fn words(path: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in path.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        lower = c.is_lowercase();
    }
    words
}

/// A number with exactly two decimals, or a sign of a currency.
fn is_money(text: &str) -> bool {
    let text = text.trim_matches('"').trim();
    if text.contains(['€', '$', '£', '¥', '₹']) {
        return text.contains(|c: char| c.is_ascii_digit());
    }
    let number = text.trim_start_matches(['-', '+']);
    match number.rsplit_once(['.', ',']) {
        Some((whole, cents)) => {
            cents.len() == 2
                && cents.bytes().all(|byte| byte.is_ascii_digit())
                && !whole.is_empty()
                && whole.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'' | ' '))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::compare::{CookiePart, Element, Step};

    fn json(key: &str) -> Path {
        Path::Json(vec![Step::Key("data".to_owned()), Step::Key(key.to_owned())])
    }

    fn cell(class: &str, part: HtmlPart) -> Path {
        let (name, classes) = ("td".to_owned(), vec![class.to_owned()]);
        Path::Html { steps: vec![Element { name, id: None, classes, number: None }], part }
    }

    #[test]
    fn what_costs_money_rights_or_rows_is_refused() {
        let session = |key: &str| {
            let part = CookiePart::Session(vec![Step::Key(key.to_owned())]);
            Path::Cookie { name: "session".to_owned(), part }
        };
        let cases = [
            (json("rendered_at"), "\"2026-01-01T00:00:00Z\"", None),
            (json("request_token"), "\"abc\"", None),
            (json("uptime"), "17", None),
            (json("total"), "3", Some("amount")),
            (json("orderTotal"), "3", Some("amount")),
            (json("x"), "12.50", Some("amount")),
            (json("x"), "\"1'234,50\"", Some("amount")),
            (json("x"), "\"€ 3\"", Some("amount")),
            (json("x"), "12.5", None),
            (json("is_admin"), "true", Some("permission")),
            (json("canEdit"), "true", Some("permission")),
            (json("id"), "7", Some("id")),
            (json("customerId"), "7", Some("id")),
            (json("customer_id"), "7", Some("id")),
            (json("idle"), "7", None),
            (cell("last-contact", HtmlPart::Text), "3 minutes ago", None),
            (cell("amount", HtmlPart::Text), "3", Some("amount")),
            (cell("x", HtmlPart::Attribute("href".to_owned())), "/customers/7", Some("id")),
            (session("_user_id"), "7", Some("id")),
            (session("_fresh"), "true", Some("permission")),
            (Path::Status, "200", Some("outcome")),
            (Path::Redirect, "/a", Some("outcome")),
            (Path::Csrf, "", Some("outcome")),
            (Path::Header("x-runtime".to_owned()), "0.123", None),
        ];
        for (path, value, expected) in cases {
            let difference = Difference::changed(path.clone(), value, "other");
            assert_eq!(refused(&difference), expected, "{} {value}", path.text());
        }
    }
}
