//! The one binary, `ficus`.

use std::process::ExitCode;

/// A request of a proxy is some hundred small allocations; what was measured is in docs/explanation/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ficus::cli::main()
}
