use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use ureq::Agent;

use crate::api::{self, Api, Report};
use crate::settings::{Settings, Unusable};
use crate::watch::{Wake, hear};
use crate::{STOPPED_EXIT_CODE, refuse};

const FIRST_PROBE_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PROBE_PAUSE: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

const FIRST_REPORT_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_REPORT_PAUSE: Duration = Duration::from_secs(2);
const REPORT_FOR: Duration = Duration::from_secs(60);

/// The container that exits 0 once the sandbox answered, having tried to tell the API. That it exits is itself the
/// second way by which it becomes known, so it exits 0 when the API could not be told too.
pub(crate) fn run() -> ExitCode {
    match wait_until_reported() {
        Ok(Wake::Signal(_)) => ExitCode::from(STOPPED_EXIT_CODE),
        Ok(Wake::Done | Wake::Answer(_)) => ExitCode::SUCCESS,
        Err(unusable) => refuse(unusable),
    }
}

#[derive(Debug, thiserror::Error)]
enum NotStarted {
    #[error(transparent)]
    Settings(#[from] Unusable),
    #[error(transparent)]
    Thread(#[from] std::io::Error),
    #[error("the probing thread ended")]
    Lost(#[from] mpsc::RecvError),
}

/// The work has a thread of its own, so that a signal is answered while a request hangs.
fn wait_until_reported() -> Result<Wake, NotStarted> {
    let settings = Settings::default();
    let port = settings.readiness_port()?;
    let url = format!("http://{}:{port}/", settings.task_address());
    let (tell, wakes) = mpsc::channel();
    hear(&[SIGTERM, SIGINT], tell.clone())?;
    thread::Builder::new().name("probe".to_owned()).spawn(move || {
        probe_until_up(&url);
        if let Some(api) = settings.api() {
            report(&api, REPORT_FOR);
        }
        tell.send(Wake::Done)
    })?;
    Ok(wakes.recv()?)
}

fn probe_until_up(url: &str) {
    let agent = api::agent(PROBE_TIMEOUT);
    let mut pause = FIRST_PROBE_PAUSE;
    while !is_up(&agent, url) {
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(LONGEST_PROBE_PAUSE);
    }
}

fn is_up(agent: &Agent, url: &str) -> bool {
    // The probe is for this task's own network, whatever proxy the environment names.
    let probe = agent.get(url).config().proxy(None).build();
    probe.call().is_ok_and(|answer| answer.status().is_success())
}

fn report(api: &Api, limit: Duration) {
    let until = Instant::now() + limit;
    let mut pause = FIRST_REPORT_PAUSE;
    while api.report_ready() == Report::Again && Instant::now() + pause < until {
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_REPORT_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_that_cannot_be_reached_is_given_up() {
        let unreachable = Api::new("http://127.0.0.1:1", "a", "token");
        let begun = Instant::now();
        report(&unreachable, Duration::from_millis(400));
        assert!((Duration::from_millis(150)..Duration::from_secs(2)).contains(&begun.elapsed()));
    }
}
