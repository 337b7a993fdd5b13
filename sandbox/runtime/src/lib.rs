//! The main container of a sandbox: an HTTP server that runs commands, and keeps files, for whoever has the sandbox's
//! token.
//!
//! One thread serves everything, since the work is done by the commands; what waits for a disk has threads of its own.
//! The server is the subreaper of the commands: a process that one of them left behind comes to it, lives on, and is
//! reaped when it ends.

mod auth;
mod body;
pub mod exec;
mod failure;
mod files;
mod log;
mod orphans;
mod router;
mod settings;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use axum::serve::ListenerExt;
use rustix::process::{getpid, set_child_subreaper};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use auth::Tokens;
use exec::Commands;
use files::Workspace;
use log::Log;
use settings::Settings;

/// Exit code after SIGTERM, as a shell would give it.
pub const STOPPED_EXIT_CODE: u8 = 143;

/// The most threads that wait for a disk at a time.
const DISK_THREADS: usize = 16;

/// What the routes share.
pub(crate) struct Runtime {
    tokens: Tokens,
    commands: Commands,
    workspace: Arc<Workspace>,
    log: Log,
}

/// Serves until SIGTERM or SIGINT; what it returns is the program's exit code. The environment is read once, here,
/// and the folder it is started in is the workspace. After the signal it is gone at once: connections are cut, and
/// commands are left to whoever ends the container.
pub fn run() -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(DISK_THREADS).build();
    let served = runtime.and_then(|runtime| {
        let served = runtime.block_on(serve(Settings::from_environment()));
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(error),
    }
}

async fn serve(settings: Settings) -> io::Result<u8> {
    // Before the port answers, so that there is no moment at which it could be reached and not be stopped.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    set_child_subreaper(Some(getpid()))?;
    let address = settings.address?;
    let runtime = Arc::new(Runtime {
        tokens: settings.tokens,
        commands: Commands::new(settings.environment, &settings.sandbox_id),
        workspace: Arc::new(Workspace::open(std::env::current_dir()?)?),
        log: Log::start(),
    });
    tokio::spawn(orphans::reap(signal(SignalKind::child())?, runtime.clone()));
    let listener = TcpListener::bind(address).await?;
    runtime.log.say(format!("listening on {address}"));
    let listener = listener.tap_io(|connection| {
        // Without it an answer may wait for the acknowledgement of its own first half.
        let _ = connection.set_nodelay(true);
    });
    tokio::select! {
        _ = terminate.recv() => Ok(STOPPED_EXIT_CODE),
        _ = interrupt.recv() => Ok(130),
        ended = async { axum::serve(listener, router::routes(runtime)).await } => ended.map(|()| 0),
    }
}

fn failed(reason: impl Display) -> ExitCode {
    // Where stderr is closed there is still the exit code.
    let _ = writeln!(io::stderr(), "modbox-runtime: failed to serve: {reason}");
    ExitCode::FAILURE
}
