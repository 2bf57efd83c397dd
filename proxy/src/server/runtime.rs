//! The runtimes of the process: one for requests, one for the admin API, one for copies.

use anyhow::Context;
use tokio::runtime::Runtime;

/// One worker for each processor.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Starts one, its threads by this name.
pub(super) fn runtime(name: &str, threads: usize) -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .with_context(|| format!("cannot start the `{name}` runtime"))
}
