//! URL-encoded bodies, and a form of every kind of field opened with them; multipart bodies.

use flask_compat::csrf::Csrf;
use flask_compat::form_body::{ContentType, FormError, FormLimits, read};
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

/// A content type, a line feed, and a body: what comes out was in the body, limits hold, and a limit is never a reason to
/// read more.
pub(crate) fn multipart(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (kind, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    for profile in PROFILES {
        let Some(kind) = ContentType::parse(kind, profile) else { continue };
        let mut limits = FormLimits::new(profile);
        let length = Some(body.len() as u64);
        let Ok(form) = read(&kind, length, body, &limits) else { continue };
        let text: usize = form.form.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        let files: usize = form.files.iter().map(|(_, file)| file.content.len()).sum();
        assert!(text + files <= 6 * body.len() + 16, "{profile:?}: {text} and {files} of {}", body.len());
        for (_, file) in &form.files {
            assert!(
                file.content.is_empty() || body.windows(file.content.len()).any(|part| part == file.content)
            );
        }
        limits.max_content_length = Some(body.len() as u64 / 2);
        if !body.is_empty() && (kind.is_form() || profile != flask_compat::Profile::Werkzeug10) {
            assert_eq!(read(&kind, length, body, &limits), Err(FormError::TooLarge), "{profile:?}");
        }
        limits.max_content_length = None;
        limits.max_form_memory_size = Some(3);
        let small = read(&kind, length, body, &limits).unwrap_or_default();
        assert!(small.form.0.iter().all(|pair| form.form.0.contains(pair)), "{profile:?}");
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
