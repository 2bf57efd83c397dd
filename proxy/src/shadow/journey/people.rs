//! Who may log in while a session is played: the users' file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Given;
use crate::shadow::corpus::Masker;

/// The users' file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// Where one logs in; needed for sessions that begin logged in.
    pub login: Option<LoginForm>,
    /// The people.
    #[serde(default, rename = "user")]
    pub users: Vec<Person>,
    /// Knows masked names.
    #[serde(skip)]
    pub masker: Option<Masker>,
    /// What is sent in place of masks.
    #[serde(skip)]
    pub given: Given,
}

/// The form of the login page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginForm {
    /// Its path.
    pub page: String,
    /// Its fields: `{ email = "{{login}}", password = "{{password}}" }`.
    pub fields: BTreeMap<String, String>,
}

/// One of them.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// How a corpus calls this person; a recorded one also knows the login itself.
    #[serde(rename = "as")]
    pub name: Option<String>,
    /// The id in the session.
    pub id: Option<String>,
    /// What is typed in beside the password.
    pub login: String,
    /// The password.
    pub password: Option<String>,
    /// The variable that holds it.
    pub password_env: Option<String>,
    /// A token of an API.
    pub token: Option<String>,
    /// The variable that holds it.
    pub token_env: Option<String>,
}

/// Secrets stay out of dumps.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("as", &self.name).finish_non_exhaustive()
    }
}

impl People {
    /// Reads the users' file.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
            format!("{}:{line}: {}", path.display(), error.message())
        })
    }

    pub(super) fn find(&self, name: &str) -> Result<&Person, String> {
        let fits = |person: &&Person| {
            person.name.as_deref() == Some(name)
                || (name.starts_with("id:") && person.id.as_deref() == name.strip_prefix("id:"))
                || self.masker.as_ref().is_some_and(|masker| {
                    [Some(&person.login), person.id.as_ref()]
                        .into_iter()
                        .flatten()
                        .any(|own| masker.reference(own) == name)
                })
        };
        self.users.iter().find(fits).ok_or_else(|| {
            format!("the users' file has nobody for `{name}`: add `[[user]]` with `as = \"{name}\"`, `login` and `password`")
        })
    }

    pub(super) fn password(&self, name: &str) -> Result<String, String> {
        let person = self.find(name)?;
        secret(person.password.as_ref(), person.password_env.as_ref()).ok_or_else(|| {
            format!("the users' file has no `password` for `{name}`, or its `password_env` is not set")
        })
    }

    pub(super) fn token(&self, name: &str) -> Result<String, String> {
        let token = |person: &Person| secret(person.token.as_ref(), person.token_env.as_ref());
        let fits =
            |token: &String| self.masker.as_ref().is_some_and(|masker| masker.reference(token) == name);
        let by_token = self.users.iter().filter_map(token).find(fits);
        by_token.or_else(|| self.find(name).ok().and_then(token)).ok_or_else(|| {
            format!(
                "the users' file has no token `{name}`: add `as = \"{name}\"` and `token` to a `[[user]]`"
            )
        })
    }
}

fn secret(value: Option<&String>, variable: Option<&String>) -> Option<String> {
    value.cloned().or_else(|| std::env::var(variable?).ok())
}
