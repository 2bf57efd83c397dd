//! URL-encoded bodies, and a form of every kind of field opened with them.

use flask_compat::csrf::Csrf;
use flask_compat::url::{decode_pairs, encode_pairs};

use super::PROFILES;

/// Any bytes as a form body: read, written, read again; every field validates and shows without a panic, and markup in a
/// value stays text.
pub(crate) fn form(data: &[u8]) {
    for profile in PROFILES {
        let pairs = decode_pairs(data, profile);
        assert!(pairs.0.len() <= data.len() + 1);
        let text: usize = pairs.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(text <= 3 * data.len(), "{profile:?}: {text} bytes of {}", data.len());
        let written = encode_pairs(pairs.0.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let again = decode_pairs(written.as_bytes(), profile);
        let filled = |(name, value): &&(String, String)| !(name.is_empty() && value.is_empty());
        assert!(pairs.0.iter().filter(filled).eq(again.0.iter().filter(filled)), "{profile:?}: {written}");
        let names = pairs.names();
        assert!(names.iter().all(|name| pairs.contains(name)));
        if let Some(token) = Csrf::new(&["secret"], profile).find_token(&pairs, |_| None) {
            assert!(!token.is_empty() && pairs.0.iter().any(|(_, value)| value == token));
        }
        #[cfg(feature = "templates")]
        fields::check(data, profile);
    }
}

#[cfg(feature = "templates")]
mod fields {
    use std::sync::OnceLock;

    use flask_compat::Profile;
    use flask_compat::forms::{
        Coerce, FormData, FormSpec, Opening, boolean, data_required, date, date_time, decimal, email,
        email_field, equal_to, hidden, input_required, integer, length, number_range, optional, password,
        regexp, select, string, text_area, url, url_field,
    };
    use minijinja::{Environment, context};

    const NAMES: [&str; 13] =
        ["s", "t", "h", "p", "again", "i", "d", "day", "at", "b", "pick", "mail", "site"];
    const TAGS: [&str; 7] =
        ["<input ", "<textarea ", "</textarea>", "<select ", "</select>", "<option ", "</option>"];

    fn spec() -> &'static FormSpec {
        static SPEC: OnceLock<FormSpec> = OnceLock::new();
        SPEC.get_or_init(|| {
            let fields = [
                string("s").validators([data_required(), length(1, 40), regexp("^[a-z <>&]+$")]),
                text_area("t").validators([optional(), length(None, 5000)]),
                hidden("h").validators([input_required()]),
                password("p"),
                password("again").validators([equal_to("p")]),
                integer("i").validators([optional(), number_range(-5, 5)]),
                decimal("d").validators([optional()]),
                date("day").validators([optional()]),
                date_time("at").validators([optional()]),
                boolean("b"),
                select("pick").coerce(Coerce::Integer).choices([(1, "One"), (2, "Two")]),
                email_field("mail").validators([optional(), email()]),
                url_field("site").validators([optional(), url()]),
            ];
            FormSpec::new(fields).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
        })
    }

    fn page() -> &'static Environment<'static> {
        static PAGE: OnceLock<Environment<'static>> = OnceLock::new();
        PAGE.get_or_init(|| {
            let mut env = flask_compat::templates::environment(Profile::Werkzeug10);
            let fields: String =
                NAMES.iter().map(|name| format!("{{{{ form.{name}(class='c') }}}}\n")).collect();
            env.add_template_owned("form.html", fields).unwrap_or_else(|error| panic!("{error:?}"));
            env
        })
    }

    pub(super) fn check(data: &[u8], profile: Profile) {
        let mut form = spec().open(Opening::new(profile).submitted(FormData::parse(data, profile)));
        let valid = form.validate_on_submit();
        assert_eq!(
            valid,
            form.errors().next().is_none(),
            "{profile:?}: valid with errors, or not valid without"
        );
        let template = page().get_template("form.html").unwrap_or_else(|error| panic!("{error:?}"));
        let shown = template.render(context! { form => form.to_template() });
        let shown = shown.unwrap_or_else(|error| panic!("{error:?}"));
        for (at, _) in shown.match_indices('<') {
            assert!(TAGS.iter().any(|tag| shown[at..].starts_with(tag)), "{profile:?}: markup in {shown}");
        }
    }
}
