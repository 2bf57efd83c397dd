//! `ficus schema`: what an editor must know about the two files.

use clap::{Args, ValueEnum};

use crate::{route, settings};

use super::{Done, screen};

/// `schema`.
#[derive(Debug, Args)]
#[command(after_help = "\
An editor that knows JSON Schema completes keys and marks mistakes: with Taplo or Tombi, write \
`#:schema ./routes.schema.json` as the first line of routes.toml.

Examples:
  ficus schema routes > routes.schema.json
  ficus schema ficus > ficus.schema.json")]
pub(super) struct Flags {
    /// The file
    file: File,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum File {
    /// routes.toml
    Routes,
    /// ficus.toml
    Ficus,
}

pub(super) fn run(flags: &Flags) -> Done {
    screen::print_json(&match flags.file {
        File::Routes => route::schema(),
        File::Ficus => settings::schema(),
    });
    Ok(())
}
