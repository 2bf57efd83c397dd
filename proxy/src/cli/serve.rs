//! `ficus serve`.

use crate::server;
use crate::settings::{self, Inputs, Settings};

use super::Done;
use super::arguments::{Common, Serve};
use super::exit::Exit;
use super::screen;

pub(super) fn run(common: &Common, flags: &Serve) -> Done {
    let mut inputs = common.inputs();
    let named = [
        ("listen.http", "--listen", &flags.listen),
        ("listen.admin", "--admin", &common.admin),
        ("backends.legacy", "--legacy", &flags.legacy),
        ("backends.rust", "--rust", &flags.rust),
    ];
    for (key, flag, value) in named {
        if let Some(value) = value {
            inputs.flags.push((key.to_owned(), flag.to_owned(), value.clone()));
        }
    }
    server::run(inputs, load).map_err(|error| Exit::failed(format!("{error:#}")))
}

/// Reads the settings and shows what is wrong with them.
fn load(inputs: &Inputs) -> anyhow::Result<Settings> {
    let (settings, report) = settings::load(inputs);
    if !report.findings().is_empty() {
        eprint!("{}", report.render(screen::colour_on_stderr()));
    }
    settings.ok_or_else(|| anyhow::anyhow!("the settings have {}", report.summary()))
}
