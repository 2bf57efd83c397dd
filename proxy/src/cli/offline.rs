//! What commands need that read the files themselves.

use crate::settings::{self, Settings};

use super::arguments::Common;
use super::exit::Exit;
use super::screen;

/// The settings, without the secrets that only a serving ficus needs; what is wrong with them is printed.
pub(super) fn settings(common: &Common) -> Result<Settings, Exit> {
    let mut inputs = common.inputs();
    inputs.secrets_optional = true;
    let (settings, report) = settings::load(&inputs);
    settings.ok_or_else(|| {
        eprint!("{}", report.render(screen::colour_on_stderr()));
        Exit::failed(format!("the settings have {}", report.summary()))
    })
}
