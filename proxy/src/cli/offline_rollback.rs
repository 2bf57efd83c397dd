//! `ficus rollback --offline`: the same change by this process, on the files. A ficus that still watches takes it over.

use serde_json::{Value, json};

use crate::admin::Problem;
use crate::control::{Change, Control, Edit};

use super::arguments::Common;
use super::change_flags::Rollback;
use super::exit::Exit;
use super::offline;

pub(super) fn run(common: &Common, flags: &Rollback) -> Result<Value, Exit> {
    let settings = offline::settings(common)?;
    let control = Control::start(&settings).map_err(|error| Exit::failed(error.to_string()))?;
    let author = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).ok().flatten();
    let lasts = flags.lasts.as_deref().map(crate::diagnostic::duration).transpose().map_err(Exit::failed)?;
    let change = Change {
        author: author.map_or_else(|| "unknown".to_owned(), |user| user.name),
        reason: flags.reason.clone(),
        based_on: None,
        edit: Edit::Rollback { route: flags.route.clone(), lasts },
    };
    let applied = control.apply(&change).map_err(|refused| Exit::refused(Problem::from(refused)))?;
    let mut answer = serde_json::to_value(applied).map_err(|error| Exit::failed(error.to_string()))?;
    answer["schema"] = json!(1);
    Ok(answer)
}
