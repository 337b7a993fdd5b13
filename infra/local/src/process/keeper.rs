use std::{collections::BTreeSet, fs, time::Duration};

use modbox_sandbox::contract;
use modbox_sidecar::{
    Ending, ReportLine,
    tree::{self, Signal},
};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    address::Claim, leftovers, leftovers::Traces, report::Reader, scratch::Scratch, sidecar::Sidecar,
};
use crate::ecs::{Cancelled, Exit, Launch, StartError, Stop};

/// How often the report is looked at while something is expected in it.
const POLL: Duration = Duration::from_millis(20);
/// How long the sidecar may take to start the containers.
const START_BOUND: Duration = Duration::from_secs(10);
/// How long the sidecar may take beyond what it was given, before it counts as hung.
const GRACE: Duration = Duration::from_secs(1);
/// The exit code of what SIGKILL ended.
const KILLED: i32 = 137;

/// Looks after one task from outside of it: passes on orders, reports exits, and cleans up.
///
/// A task of an earlier run is looked after as one of this run is: what it reported is read from the beginning.
#[derive(Debug)]
pub(super) struct Keeper {
    launch: Launch,
    sidecar: Sidecar,
    scratch: Scratch,
    address: Claim,
    report: Reader,
    exits: mpsc::UnboundedSender<Exit>,
    /// Containers that have started and not exited.
    running: BTreeSet<String>,
    started: usize,
    /// Of the containers' processes.
    group: Option<i32>,
    /// Set once the sidecar said that nothing is left.
    ended: Option<Ending>,
    /// A container that could not be started.
    failed: Option<(String, i32)>,
}

impl Keeper {
    pub(super) fn new(
        launch: Launch,
        sidecar: Sidecar,
        scratch: Scratch,
        address: Claim,
        exits: mpsc::UnboundedSender<Exit>,
    ) -> Self {
        Self {
            launch,
            sidecar,
            report: Reader::new(scratch.report()),
            scratch,
            address,
            exits,
            running: BTreeSet::new(),
            started: 0,
            group: None,
            ended: None,
            failed: None,
        }
    }

    /// Resolves when each container was started, or with why they were not.
    ///
    /// A task that is over by then, because its deadline has passed, was started too: its exit says the rest.
    pub(super) async fn wait_until_started(&mut self) -> Result<(), StartError> {
        let started = timeout(START_BOUND, self.started()).await;
        started.unwrap_or_else(|_| Err(self.cannot_start("it does not answer")))
    }

    /// As [`wait_until_started`](Self::wait_until_started), unless it is cancelled, which fails it.
    pub(super) async fn wait_unless(&mut self, mut cancelled: Cancelled) -> Result<(), StartError> {
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(StartError::new("the start was given up")),
            started = self.wait_until_started() => started,
        }
    }

    /// Whether its sidecar is gone.
    pub(super) fn is_over(&mut self) -> bool {
        self.sidecar.has_ended()
    }

    async fn started(&mut self) -> Result<(), StartError> {
        let below = self.launch.containers.iter().filter(|container| container.name != contract::DEADLINE);
        let expected = below.count();
        loop {
            // Looked at before the report, so that its last lines are not missed.
            let over = self.sidecar.has_ended();
            self.read_report();
            if let Some((name, code)) = &self.failed {
                let reason = format!("CannotStartContainerError: {name} could not be executed ({code})");
                return Err(StartError { reason, container: Some(name.clone()) });
            }
            if self.started == expected || self.ended.is_some() {
                return Ok(());
            }
            if over {
                return Err(self.cannot_start("it ended at once"));
            }
            sleep(POLL).await;
        }
    }

    fn cannot_start(&self, what: &str) -> StartError {
        let log = fs::read_to_string(self.scratch.sidecar_log()).unwrap_or_default();
        let said = log.lines().last().unwrap_or_default();
        StartError::new(format!("CannotStartContainerError: the task's sidecar failed: {what}: {said}"))
    }

    /// Ends what was begun of a start that failed.
    pub(super) async fn abandon(self) {
        let (stop, stops) = mpsc::unbounded_channel();
        // No order can come: that is the order to end by force.
        drop(stop);
        self.run(stops).await;
    }

    /// Follows the task to its end. The channel of the exits ends last, when nothing is left, the folder included.
    pub(super) async fn run(mut self, mut stops: mpsc::UnboundedReceiver<Stop>) {
        let code = self.follow(&mut stops).await;
        self.read_report();
        if self.ended.is_none() {
            self.kill_leftovers().await;
        }
        for container in std::mem::take(&mut self.running) {
            self.tell(container, KILLED);
        }
        if self.launch.container(contract::DEADLINE).is_some() {
            let code = self.ended.map(Ending::exit_code).or(code).unwrap_or(KILLED);
            self.tell(contract::DEADLINE.to_owned(), code);
        }
        self.scratch.remove().await;
    }

    /// Resolves when the sidecar has ended, with its exit code if that is known.
    async fn follow(&mut self, stops: &mut mpsc::UnboundedReceiver<Stop>) -> Option<i32> {
        // When the sidecar counts as hung; set by the first order.
        let mut patience: Option<Instant> = None;
        let mut listening = true;
        loop {
            tokio::select! {
                biased;
                code = self.sidecar.ended() => return code,
                stop = stops.recv(), if listening => {
                    listening = stop.is_some();
                    let until = self.order(stop.unwrap_or(Stop::ByForce));
                    patience = Some(patience.map_or(until, |before| before.min(until)));
                }
                () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => {
                    self.kill_tree().await;
                    patience = Some(Instant::now() + GRACE);
                }
                () = sleep(POLL), if self.expects_news() => self.read_report(),
            }
        }
    }

    /// Whether a container runs that may exit without the sidecar, whose own end is noticed anyway.
    fn expects_news(&self) -> bool {
        let optional =
            |name: &String| self.launch.container(name).is_some_and(|container| !container.essential);
        self.running.iter().any(optional)
    }

    /// Passes an order on; gives the time by which the sidecar should be gone.
    fn order(&self, stop: Stop) -> Instant {
        let (signal, time) = match stop {
            Stop::Gracefully => (Signal::TERM, self.launch.stop_timeout()),
            Stop::ByForce => (Signal::USR1, Duration::ZERO),
        };
        self.sidecar.signal(signal);
        Instant::now() + time + GRACE
    }

    async fn kill_tree(&self) {
        let Some(identity) = self.sidecar.identity() else {
            return;
        };
        let gone = spawn_blocking(move || tree::kill_tree(&identity)).await;
        tracing::warn!(task.arn = self.launch.task_arn, gone = ?gone.ok(), "a task's sidecar hung and was killed");
    }

    async fn kill_leftovers(&self) {
        // The number of a group that nobody has watched may be another's by now.
        let group = self.group.filter(|_| !matches!(self.sidecar, Sidecar::Gone));
        let traces = Traces { address: Some(self.address.ip()), group, scratch: self.scratch.clone() };
        let gone = spawn_blocking(move || leftovers::kill(&traces)).await;
        tracing::warn!(task.arn = self.launch.task_arn, gone = ?gone.ok(), "a task's sidecar died before it");
    }

    fn read_report(&mut self) {
        for line in self.report.news() {
            match line {
                ReportLine::Started { name, pid } => {
                    self.group.get_or_insert(pid);
                    self.started += 1;
                    self.running.insert(name);
                }
                ReportLine::Exited { name, code } if self.running.remove(&name) => self.tell(name, code),
                ReportLine::Exited { name, code } => self.failed = Some((name, code)),
                ReportLine::Ended(ending) => self.ended = Some(ending),
                // Whoever made this keeper has found it.
                ReportLine::Sidecar(_) => {}
            }
        }
    }

    fn tell(&self, container: String, code: i32) {
        let reason = None;
        // Nobody listening any more means that the whole stand-in was dropped.
        let _ = self.exits.send(Exit { container, code, reason });
    }
}
