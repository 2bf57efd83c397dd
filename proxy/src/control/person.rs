//! Which person is behind the name of an author.
//!
//! The same person may come over the socket, where the kernel says who they are, and with a token. An author's name tells: a
//! token that was made for a user of the system says so, and any other is that of the user by whose name it goes. All nodes
//! of a fleet, and all revisions of the past, are judged by the name alone.

const TOKEN: &str = "token ";
const OF: &str = " of ";

/// The author's name of whoever comes with a token: by its name, and by the user that it was made for.
pub fn token_author(name: &str, user: Option<&str>) -> String {
    match user.filter(|user| *user != name) {
        Some(user) => format!("{TOKEN}{name}{OF}{user}"),
        None => format!("{TOKEN}{name}"),
    }
}

/// The person behind an author's name. In doubt two authors are one person: then an approval is missing, and none is given by
/// somebody to themselves.
pub fn person(author: &str) -> &str {
    let Some(token) = author.strip_prefix(TOKEN) else { return author };
    token.rsplit_once(OF).map_or(token, |(_, user)| user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_user_that_it_is_for_or_goes_by() {
        let of = |name, user| token_author(name, Some(user));
        for (author, expected) in [
            ("ana".to_owned(), "ana"),
            ("uid 1007".to_owned(), "uid 1007"),
            (token_author("ana", None), "ana"),
            (of("ana", "ana"), "ana"),
            (of("phone", "ana"), "ana"),
            // Whatever the token is called.
            (of("list of routes", "ana"), "ana"),
            (of("ben", "ana"), "ana"),
            (token_author("phone", None), "phone"),
            ("guard".to_owned(), "guard"),
        ] {
            assert_eq!(person(&author), expected, "{author}");
        }
        assert_eq!(of("phone", "ana"), "token phone of ana");
        assert_eq!(token_author("ana", None), of("ana", "ana"));
    }
}
