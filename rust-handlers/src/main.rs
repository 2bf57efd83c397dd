//! Starts the handlers: configuration, schema check, Unix socket, graceful stop.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use flask_compat::web::guarded;
use rust_handlers::app::{App, application, router};
use rust_handlers::config::Config;
use rust_handlers::schema;
use sqlx::postgres::PgPoolOptions;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    start_log();
    let config = match Config::read(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(errors) => {
            for error in errors {
                eprintln!("error: {error}");
            }
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served =
        runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(serve(&config)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For people at a terminal, JSON for everything else; with the ids of the request, as the proxy and Flask have them.
fn start_log() {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,sqlx=warn".into());
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().with_span_list(false).init();
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let pool = guarded(PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(3)))
        .connect(&config.database_url)
        .await
        .context("cannot connect to the database of `DATABASE_URL`")?;
    schema::check(&pool).await?;
    let routes = std::fs::read_to_string(&config.routes_file)
        .with_context(|| format!("cannot read `{}` of `ROUTES_FILE`", config.routes_file.display()))?;
    let application = application(config, &routes)?;
    let router = router(App::new(config, pool)?, application);
    let listener = listen(&config.socket).await?;
    tracing::info!(socket = %config.socket.display(), "handlers are ready");
    axum::serve(listener, router).with_graceful_shutdown(stop()).await.context("cannot serve")?;
    std::fs::remove_file(&config.socket).ok();
    tracing::info!("handlers have stopped");
    Ok(())
}

/// Listens on the socket. One that an earlier process left behind is replaced; one that answers is not.
async fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    if UnixStream::connect(path).await.is_ok() {
        bail!("another process answers on `{}` of `HANDLERS_SOCKET`", path.display());
    }
    if path.exists() {
        std::fs::remove_file(path)
            .with_context(|| format!("cannot remove the old socket `{}`", path.display()))?;
    }
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen on `{}`", path.display()))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
    std::fs::set_permissions(path, mode)
        .with_context(|| format!("cannot set the mode of `{}`", path.display()))?;
    Ok(listener)
}

/// Returns on SIGTERM or SIGINT.
async fn stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
