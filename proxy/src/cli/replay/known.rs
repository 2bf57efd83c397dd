//! What is known before a session is played: how it was masked, who logs in, what is sent in place of masks.

use std::path::Path;

use crate::cli::exit::Exit;
use crate::cli::screen;
use crate::settings::Settings;
use crate::shadow::corpus::{Manifest, Masker, Session, VOCABULARY, words};
use crate::shadow::journey::{Given, People};

/// Who logs in; recordings know them by their masks.
pub(super) fn people(path: Option<&Path>, masker: &Masker) -> Result<People, Exit> {
    let people = path.map(People::load).transpose().map_err(Exit::failed)?.unwrap_or_default();
    Ok(People { masker: Some(masker.clone()), ..people })
}

/// What is sent in place of masks. A line whose mask stands nowhere is worth a word: it may be a slip.
pub(in crate::cli) fn given(
    path: Option<&Path>,
    sessions: &[Session],
    masker: &Masker,
) -> Result<Given, Exit> {
    let Some(path) = path else { return Ok(Given::default()) };
    let given = Given::load(path, masker).map_err(Exit::failed)?;
    let exchanges = sessions.iter().flat_map(|session| &session.exchanges);
    let asked = exchanges.map(|one| format!("{}\n{}\n", one.target, String::from_utf8_lossy(&one.body)));
    for (line, mask) in given.missing_in(&asked.collect::<String>()) {
        let place = path.display();
        eprintln!(
            "{} {place}:{line}: `{mask}` stands in no request of these sessions",
            screen::warning_word()
        );
    }
    Ok(given)
}

/// Masks as the recording did: with the application's secret key, and its words.
pub(super) fn masker(
    settings: &Settings,
    corpus: &Path,
    (vocabulary, writes): (Option<&Path>, bool),
) -> Result<Masker, Exit> {
    let folder = folder_of(corpus);
    let vocabulary = vocabulary.map_or_else(|| folder.join(VOCABULARY), Path::to_path_buf);
    let vocabulary = if vocabulary.exists() {
        words(&vocabulary)
            .map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", vocabulary.display())))?
    } else {
        std::collections::BTreeSet::default()
    };
    let manifest = Manifest::read(folder).map_err(Exit::failed)?;
    let secret = match &settings.flask.secret_key {
        Some(key) => key.0.clone(),
        None if writes || manifest.is_some() => {
            return Err(Exit::failed(
                "`flask.secret_key` is not set: the masks of a corpus are made with it; without it anybody could take them \
                 off again, and no later replay could compare anything. Set it in ficus.toml or FICUS_FLASK_SECRET_KEY",
            ));
        }
        None => String::new(),
    };
    let masker = Masker::new(secret.as_bytes(), vocabulary);
    let Some(manifest) = manifest else { return Ok(masker) };
    live(masker, &manifest, folder)
}

/// For a recording of users' traffic.
fn live(masker: Masker, manifest: &Manifest, folder: &Path) -> Result<Masker, Exit> {
    if manifest.key != masker.key_id() {
        return Err(Exit::failed(format!(
            "`{}` was recorded with another `flask.secret_key`: its masks are others, so nothing could be compared",
            folder.display()
        )));
    }
    let mut masker = masker.live();
    manifest.host.iter().for_each(|host| masker.learn_host(host));
    Ok(masker)
}

/// Knows who is meant in a recording of users' traffic; `None`: it is none, and names people itself.
pub(in crate::cli) fn masker_of_recording(
    secret: Option<&str>,
    corpus: &Path,
) -> Result<Option<Masker>, Exit> {
    let folder = folder_of(corpus);
    let Some(manifest) = Manifest::read(folder).map_err(Exit::failed)? else { return Ok(None) };
    let secret =
        secret.ok_or_else(|| Exit::failed("the secret key is not set, with which a recording was masked"))?;
    let path = folder.join(VOCABULARY);
    let vocabulary =
        words(&path).map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", path.display())))?;
    live(Masker::new(secret.as_bytes(), vocabulary), &manifest, folder).map(Some)
}

/// The folder of a corpus, or of one of its sessions.
pub(super) fn folder_of(corpus: &Path) -> &Path {
    let parent = corpus.parent().filter(|parent| !parent.as_os_str().is_empty());
    if corpus.is_dir() { corpus } else { parent.unwrap_or(Path::new(".")) }
}

/// A folder for a new corpus, with the words of the application.
pub(super) fn prepare(folder: &Path, vocabulary: Option<&Path>) -> Result<(), Exit> {
    let cannot =
        |error: std::io::Error| Exit::failed(format!("cannot write `{}`: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    if let Some(path) = vocabulary {
        let words: Vec<String> = words(path)
            .map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", path.display())))?
            .into_iter()
            .collect();
        std::fs::write(folder.join(VOCABULARY), words.join("\n") + "\n").map_err(cannot)?;
    }
    Ok(())
}
