//! Where templates come from: the application's folders, unmodified, rewritten on their way in ([`super::translate`]).

use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use minijinja::{Error, ErrorKind, TemplateSource};

use super::translate::{standing, translate};

/// Jinja2 templates from folders, the first that has one wins (Flask asks the application's folder, then those of its
/// blueprints): for [`minijinja::Environment::set_loader`]. Use it, not minijinja's own loader: that one does not know what
/// `"%s" % x`, `{% do list.append(x) %}`, `varargs` and imports without context mean to Jinja2.
pub fn folder_loader<P: AsRef<Path>>(
    folders: impl IntoIterator<Item = P>,
) -> impl Fn(&str) -> Result<Option<TemplateSource>, Error> + Send + Sync + 'static {
    let folders: Vec<PathBuf> = folders.into_iter().map(|folder| folder.as_ref().to_owned()).collect();
    move |name| {
        let Some(file) = inside(standing(name).1) else { return Ok(None) };
        for path in folders.iter().map(|folder| folder.join(&file)) {
            // Looked at before it is read: a change in between is noticed later.
            let stamp = stamp(&path);
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    let source = TemplateSource::new(translate(name, &text)?);
                    return Ok(Some(match stamp {
                        Some(seen) => source.with_uptodate_check(move || self::stamp(&path) == Some(seen)),
                        None => source,
                    }));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let message = format!("cannot read the template `{}`", file.display());
                    return Err(Error::new(ErrorKind::InvalidOperation, message).with_source(error));
                }
            }
        }
        Ok(None)
    }
}

/// Jinja2 templates from anywhere: `find` gives the source of a name.
pub fn source_loader(
    find: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<Option<TemplateSource>, Error> + Send + Sync + 'static {
    move |name| {
        let source = find(standing(name).1).map(|source| translate(name, &source)).transpose()?;
        Ok(source.map(TemplateSource::new))
    }
}

/// The name as a path that stays in its folder.
fn inside(name: &str) -> Option<PathBuf> {
    let path: PathBuf = name.split('/').filter(|part| !part.is_empty()).collect();
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    (stays && !name.contains(['\\', '\0']) && path.components().next().is_some()).then_some(path)
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
