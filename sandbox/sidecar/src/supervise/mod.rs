//! The sidecar as parent of a sandbox's processes on one machine. It is their subreaper, so that none leaves its
//! tree, and it ends all of them before it ends itself.

mod lines;
mod log;
mod output;
mod report;
mod spec;
mod start;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use modbox_tree::{Identity, descendants_in, kill_pass, signal, snapshot};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, set_child_subreaper, setsid, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use crate::clock::WallClock;
use crate::refuse;
use crate::settings::{Settings, Unusable};
use crate::watch::{Event, Watch};
pub use log::{LOG_LIMIT, LogLine, Stream};
use output::{Ends, Output};
use report::Report;
pub use report::{Ending, ReportLine, UnreadableLine};
use spec::NoTask;
pub use spec::{ContainerSpec, TaskSpec, Variables};

/// How often it is looked whether everything is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(15);
/// How long killed processes have to go. What is left then cannot be ended by anybody.
const KILL_BOUND: Duration = Duration::from_millis(1_500);

/// The signals it hears. A terminal that closes (SIGHUP) ends nothing, an interrupt ends the task as SIGTERM does.
const SIGNALS: [i32; 5] = [SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGCHLD];

#[derive(Debug, thiserror::Error)]
enum NotStarted {
    #[error(transparent)]
    Task(#[from] NoTask),
    #[error(transparent)]
    Settings(#[from] Unusable),
    #[error("failed to take over the task's processes")]
    System(#[from] io::Error),
}

pub(crate) fn run() -> ExitCode {
    match Task::take_over() {
        Ok(task) => task.run(),
        Err(reason) => refuse(reason),
    }
}

struct Task {
    spec: TaskSpec,
    watch: Watch,
    report: Report,
    /// One for each container, until it is started.
    ends: Vec<Ends>,
    output: Output,
    /// The containers that run, by their place in `spec`.
    running: Vec<(Pid, usize)>,
    essential_exited: bool,
}

impl Task {
    fn take_over() -> Result<Self, NotStarted> {
        let mut document = Vec::new();
        io::stdin().lock().read_to_end(&mut document)?;
        let spec = TaskSpec::read(&document)?;
        let settings = Settings::with(spec.env.0.clone());
        let expires_at = settings.expires_at()?;
        // It fails where the sidecar leads a group already; then there is nothing to leave.
        let _ = setsid();
        set_child_subreaper(Some(getpid())).map_err(io::Error::from)?;
        let watch = Watch::start(&settings, expires_at, &SIGNALS, Box::new(WallClock))?;
        let mut report = Report::open(&spec.report)?;
        report.tell(&ReportLine::Sidecar(Identity::own()?));
        let (ends, output) = Output::capture(&spec)?;
        Ok(Self { spec, watch, report, ends, output, running: Vec::new(), essential_exited: false })
    }

    fn run(mut self) -> ExitCode {
        if !self.watch.is_over() {
            self.start_all();
        }
        let ending = self.wait();
        let grace = if ending == Ending::Killed { Duration::ZERO } else { self.spec.stop_timeout() };
        let is_gone = self.end_everything(grace);
        self.output.finish();
        // Unless it is true, whoever reads the report must look for what is left.
        if is_gone {
            self.report.tell(&ReportLine::Ended(ending));
        }
        ExitCode::from(u8::try_from(ending.exit_code()).unwrap_or(u8::MAX))
    }

    /// Nothing is reaped meanwhile, so that the group of the first stays joinable even if it has ended.
    fn start_all(&mut self) {
        let mut group = None;
        let ends = std::mem::take(&mut self.ends);
        for ((place, container), ends) in self.spec.containers.iter().enumerate().zip(ends) {
            let name = container.name.clone();
            match start::start(container, ends, group) {
                Ok(pid) => {
                    group.get_or_insert(pid);
                    self.running.push((pid, place));
                    let pid = pid.as_raw_nonzero().get();
                    self.report.tell(&ReportLine::Started { name, pid });
                }
                Err(error) => {
                    self.essential_exited |= container.essential;
                    let code = start::code_for(&error);
                    self.report.tell(&ReportLine::Exited { name, code });
                }
            }
        }
    }

    fn wait(&mut self) -> Ending {
        loop {
            self.reap();
            if self.essential_exited {
                return Ending::Exited;
            }
            match self.watch.next() {
                Event::Expired => return Ending::Expired,
                Event::Signal(SIGTERM | SIGINT) => return Ending::Stopped,
                Event::Signal(SIGUSR1) => return Ending::Killed,
                Event::Signal(_) | Event::Nothing => {}
            }
        }
    }

    /// Takes leave of whatever has ended: containers, and orphans that came to the subreaper. Answers whether there
    /// is any child left.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.exited(pid, status),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn exited(&mut self, pid: Pid, status: WaitStatus) {
        let Some(at) = self.running.iter().position(|(running, _)| *running == pid) else {
            return;
        };
        let (_, place) = self.running.swap_remove(at);
        if let Some(container) = self.spec.containers.get(place) {
            self.essential_exited |= container.essential;
            let name = container.name.clone();
            self.report.tell(&ReportLine::Exited { name, code: exit_code(status) });
        }
    }

    /// Returns when nothing is left below the sidecar, at the latest after the grace and [`KILL_BOUND`]; answers
    /// whether nothing is.
    fn end_everything(&mut self, grace: Duration) -> bool {
        if !grace.is_zero() && self.ask_all(grace) {
            return true;
        }
        let own = getpid();
        let until = Instant::now() + KILL_BOUND;
        loop {
            let found = kill_pass(|all| descendants_in(all, own));
            if found == 0 && !self.reap() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            self.watch.hear_within(LOOK_AGAIN);
            self.reap();
        }
    }

    /// Asks everything to end and answers whether it did within the grace. SIGUSR1 cuts the grace short.
    fn ask_all(&mut self, grace: Duration) -> bool {
        let until = Instant::now() + grace;
        for process in descendants_in(&snapshot(), getpid()) {
            signal(&process, Signal::TERM);
            // A stopped process hears nothing until it goes on.
            signal(&process, Signal::CONT);
        }
        while self.reap() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.watch.hear_within(left.min(LOOK_AGAIN)) == Some(SIGUSR1) {
                return false;
            }
        }
        true
    }
}

/// As a shell would give it: 128 and the signal's number where a signal ended the process.
fn exit_code(status: WaitStatus) -> i32 {
    let by_signal = || status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or_else(by_signal).unwrap_or(-1)
}
