//! The one binary, `ficus`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ficus::cli::main()
}
