//! What keeps a node out of the shared store before the first question: certificates, passwords, hosts. Each with what to look
//! at, in words that people find in their settings.

/// The file of the authority that `sslrootcert` names.
pub(super) fn authority(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let named = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        matches!(key, "sslrootcert" | "ssl-root-cert" | "ssl-ca").then(|| value.replace("%2F", "/"))
    };
    query.split('&').find_map(named)
}

/// Whether that file can be read: the driver would not say which one it is.
pub(super) fn readable(authority: Option<&str>) -> Result<(), sqlx::Error> {
    let Some(path) = authority else { return Ok(()) };
    match std::fs::File::open(path) {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = format!("cannot read `{path}`, which `sslrootcert` in `store.url` names: {error}");
            Err(sqlx::Error::Configuration(message.into()))
        }
    }
}

/// What to look at.
pub(super) fn remedy(error: &sqlx::Error, line: &str) -> Option<&'static str> {
    let code = match error {
        sqlx::Error::Database(error) => error.code().map(std::borrow::Cow::into_owned),
        _ => None,
    };
    match code.as_deref() {
        Some("28P01") => return Some("look at `store.password`"),
        Some("28000") => {
            return Some(
                "the server lets nobody in like that (pg_hba.conf): look at user and `sslmode` in `store.url`",
            );
        }
        Some("3D000") => return Some("look at the name of the database in `store.url`"),
        _ => {}
    }
    let of_certificate = [
        (
            "UnknownIssuer",
            "the server's certificate is not of an authority that counts: `sslrootcert` in `store.url` names it",
        ),
        (
            "BadSignature",
            "another authority of the same name signed the server's certificate: see `sslrootcert` in `store.url`",
        ),
        ("not valid for name", "the server's certificate is for another name than the host in `store.url`"),
        ("NotValidForName", "the server's certificate is for another name than the host in `store.url`"),
        ("Expired", "the server's certificate has ended"),
        ("does not support TLS", "`sslmode` in `store.url` asks for TLS, and the server has none"),
    ];
    of_certificate.iter().find(|(word, _)| line.contains(word)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_found_in_the_address() {
        let url = "postgres://ficus@db/ficus?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem";
        assert_eq!(authority(url).as_deref(), Some("/etc/ssl/db.pem"));
        assert_eq!(authority("postgres://ficus@db/ficus"), None);
        let error = readable(Some("/nowhere/db.pem")).unwrap_err().to_string();
        assert!(error.contains("`/nowhere/db.pem`"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_with_what_to_look_at() {
        let error = sqlx::Error::WorkerCrashed;
        for (line, expected) in [
            ("invalid peer certificate: UnknownIssuer", Some("sslrootcert")),
            ("certificate not valid for name \"db\"", Some("host")),
            ("connection refused", None),
        ] {
            let said = remedy(&error, line);
            assert_eq!(said.is_some(), expected.is_some(), "{line}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{line}");
        }
    }
}
