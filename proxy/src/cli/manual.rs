//! `ficus completions` and `ficus man`: made from the same description of the command line that parses it.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Done;
use super::arguments::Arguments;
use super::exit::Exit;
use super::screen;

/// `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus completions bash > /etc/bash_completion.d/ficus
  ficus completions zsh > ~/.zfunc/_ficus")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus man | man -l -
  ficus man flip > /usr/local/share/man/man1/ficus-flip.1")]
pub(super) struct Man {
    /// The page of this command; else the one of ficus itself
    command: Option<String>,
}

pub(super) fn completions(flags: &Completions) -> Done {
    let mut text = Vec::new();
    clap_complete::generate(flags.shell, &mut Arguments::command(), "ficus", &mut text);
    screen::print(&String::from_utf8_lossy(&text));
    Ok(())
}

pub(super) fn man(flags: &Man) -> Done {
    let mut all = Arguments::command();
    all.build();
    let command = match &flags.command {
        None => all,
        Some(name) => {
            let found = all.find_subcommand(name).cloned();
            let found = found.ok_or_else(|| {
                Exit::failed(format!("there is no command `{name}`; `ficus --help` lists them"))
            })?;
            found.display_name(format!("ficus-{name}"))
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Exit::failed(format!("cannot write the page: {error}")))?;
    screen::print(&String::from_utf8_lossy(&page));
    Ok(())
}
