use std::process::ExitCode;

use modbox_sandbox::contract::EXPIRED_EXIT_CODE;
use rustix::process::{WaitOptions, waitpid};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::clock::WallClock;
use crate::settings::Settings;
use crate::usage::{Source, print_usage};
use crate::watch::{Event, Watch};
use crate::{STOPPED_EXIT_CODE, refuse};

/// The essential container that exits at the deadline, which makes ECS stop the task it is in.
pub(crate) fn run() -> ExitCode {
    let settings = Settings::default();
    let expires_at = match settings.expires_at() {
        Ok(expires_at) => expires_at,
        Err(unusable) => return refuse(unusable),
    };
    let mut watch = match Watch::start(&settings, expires_at, &[SIGTERM, SIGINT], Box::new(WallClock)) {
        Ok(watch) => watch,
        Err(error) => return refuse(error),
    };
    if let Some(source) = Source::of(settings.task_metadata()) {
        print_usage(source);
    }
    loop {
        match watch.next() {
            Event::Expired => return expired(),
            Event::Signal(_) => return ExitCode::from(STOPPED_EXIT_CODE),
            Event::Nothing => reap(),
        }
    }
}

/// Reaps what has ended and was left to it, as the first process of a PID namespace has to; elsewhere there is nothing.
fn reap() {
    while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
}

/// The exit code by which an expired task is known from one that was stopped.
fn expired() -> ExitCode {
    ExitCode::from(u8::try_from(EXPIRED_EXIT_CODE).unwrap_or(u8::MAX))
}
