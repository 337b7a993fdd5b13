//! The lifecycle: the only place that decides how a sandbox changes.
//!
//! ```text
//!             Ready / Running without a readiness port
//! Provisioning ───────────────────────────────────────► Running
//!      │  destroy, kill, stop, expiry, refused, too late   │  destroy, kill, stop, expiry
//!      ├───────────────────► Destroying ◄──────────────────┤
//!      │                         │ seen stopped, or no task │
//!      │  seen stopped           ▼        seen stopped      │
//!      └───────────────────► Destroyed ◄────────────────────┘   absorbing
//! ```

use std::time::Duration;

use crate::{
    Change, Deadline, Effect, End, EndReason, Ending, Event, Labels, Launch, LaunchRefusal, Name,
    Provisioning, Refusal, Running, Sandbox, SandboxId, Spec, State, Stop, Task, TaskArn, TaskPhase,
    TaskSeen, Timestamp, UserId, Wants,
};

/// How long a sandbox may take from its creation to running.
pub const LAUNCH_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// How often RunTask is tried after a definite no that may pass.
pub const MAX_ATTEMPTS: u32 = 5;
/// How long a sandbox that ended without a task is watched for one: twice the launcher's function timeout of 60 s,
/// and a minute (rule 5).
pub const SETTLE: Duration = Duration::from_secs(2 * 60 + 60);
/// How long before the deadline it is too late to move it: the task's own sidecar asks for the last time a second before,
/// and clocks may be apart by the rest. So an extension that was granted is never overtaken by the expiry.
pub const CLOSING: Duration = Duration::from_secs(5);
/// How long after its last change an unfinished row is looked at again.
pub const RECHECK: Duration = Duration::from_secs(30);
/// How often a running sandbox is compared with what ECS says, when nothing was heard.
const RUNNING_RECHECK: Duration = Duration::from_secs(60 * 60);
/// How long ECS may take to know a task that it has started (rule 5).
const UNKNOWN_TASK_GRACE: Duration = Duration::from_secs(10 * 60);
/// The wait before the second attempt to launch; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(10);

/// Makes the row of a new sandbox, whose launch the stream will see.
pub fn create(
    id: SandboxId,
    owner: UserId,
    name: Option<Name>,
    spec: Spec,
    (now, ttl): (Timestamp, Option<Duration>),
) -> Sandbox {
    let mut sandbox = Sandbox {
        id,
        owner,
        name: name.unwrap_or_else(|| Name::generated(id)),
        spec,
        labels: Labels::default(),
        incarnation: 1,
        version: 1,
        created_at: now,
        updated_at: now,
        expires_at: ttl.map(|ttl| now + ttl),
        extended_at: None,
        look_at: None,
        state: State::Provisioning(Provisioning {
            launch_by: now + LAUNCH_TIMEOUT,
            launch: Launch::Wanted { attempt: 1 },
        }),
    };
    sandbox.look_at = look_at(&sandbox, now);
    sandbox
}

/// Says what the sandbox becomes by the event at `now`, and what follows from it.
///
/// A passed deadline takes effect first: whatever the event, the sandbox it meets has expired. An event that is
/// already true changes nothing and is no error; one that does not fit is a [`Refusal`].
pub fn apply(sandbox: &Sandbox, event: Event, now: Timestamp) -> Result<Change, Refusal> {
    let mut next = expire(sandbox, now);
    let mut changed = next.state != sandbox.state;
    let mut effects = Vec::new();
    // By when it is looked at in any case: what its owner writes says nothing of how its task fares.
    let mut look_by = None;
    match step(&next, &event, now) {
        Ok(Step::Keep) => {}
        Ok(Step::Touch) => changed = true,
        Ok(Step::To(state)) => {
            changed |= state != next.state;
            next.state = state;
        }
        Ok(Step::Expires(at)) => {
            changed = true;
            next.expires_at = at;
            next.extended_at = Some(now);
            look_by = sandbox.look_at;
        }
        Ok(Step::Labels(labels)) => {
            changed |= labels != next.labels;
            next.labels = labels;
            look_by = sandbox.look_at;
        }
        Ok(Step::StopOther(arn)) => effects.push(Effect::Stop(arn)),
        Err(Misfit) => {
            return Err(Refusal { state: next.state, event });
        }
    }
    if changed {
        next.version += 1;
        next.updated_at = now;
        next.look_at = look_at(&next, now).map(|at| look_by.map_or(at, |by| by.min(at)));
        effects.extend(follow(sandbox, &next));
    }
    Ok(Change { sandbox: next, effects })
}

/// What one event does to a sandbox that has not expired, or whose expiry is already in its state.
enum Step {
    Keep,
    /// Nothing but the time of the next look changes; the write makes the stream see the row again.
    Touch,
    To(State),
    Expires(Option<Timestamp>),
    Labels(Labels),
    /// The event speaks of a second task, which must not be.
    StopOther(TaskArn),
}

struct Misfit;

fn step(sandbox: &Sandbox, event: &Event, now: Timestamp) -> Result<Step, Misfit> {
    use State::{Destroyed, Destroying, Provisioning, Running};
    let to = |state| Ok(Step::To(state));
    match (&sandbox.state, event) {
        (_, Event::TaskSeen(TaskSeen { incarnation, .. }) | Event::Ready { incarnation })
            if *incarnation != sandbox.incarnation =>
        {
            Err(Misfit)
        }
        (_, Event::TaskSeen(seen)) => Ok(task_seen(sandbox, seen, now)),
        (_, Event::Tick) => Ok(tick(sandbox, now)),

        (Provisioning(_) | Running(_), Event::Destroy { by }) => {
            to(destroying(sandbox, End { reason: EndReason::Requested, by: Some(by.clone()), at: now }, now))
        }
        (Provisioning(_) | Running(_), Event::Kill { by }) => {
            to(destroying(sandbox, End { reason: EndReason::Killed, by: Some(by.clone()), at: now }, now))
        }
        (Provisioning(_) | Running(_), Event::Stop { by }) => {
            to(destroying(sandbox, End { reason: EndReason::Stopped, by: Some(by.clone()), at: now }, now))
        }
        (Destroying(_) | Destroyed(_), Event::Stop { .. }) => Ok(Step::Keep),
        (Destroying(ending) | Destroyed(ending), Event::Destroy { .. } | Event::Kill { .. }) => {
            let dismissed = || sandbox.with_ending(Ending { dismissed: true, ..ending.clone() });
            Ok(if sandbox.is_dismissed() { Step::Keep } else { Step::To(dismissed()) })
        }

        (Provisioning(_) | Running(_), Event::RowRemoved) => {
            let reason = EndReason::Failed { message: "its row was removed from the table".to_owned() };
            to(destroying(sandbox, End { reason, by: None, at: now }, now))
        }
        (Destroying(_) | Destroyed(_), Event::RowRemoved) => Ok(Step::Keep),

        (Provisioning(_) | Running(_), Event::Extend { to }) => extend(sandbox, *to, now),
        (Provisioning(_) | Running(_), Event::Label { labels }) => Ok(Step::Labels(labels.clone())),
        (Destroying(_) | Destroyed(_), Event::Extend { .. } | Event::Label { .. } | Event::Ready { .. }) => {
            Err(Misfit)
        }

        (Provisioning(provisioning), Event::Ready { .. }) => match &provisioning.launch {
            Launch::Started(task) => to(running(task.clone(), now)),
            Launch::Wanted { .. } | Launch::Refused { .. } => Err(Misfit),
        },
        (Running(_), Event::Ready { .. }) => Ok(Step::Keep),

        (Provisioning(provisioning), Event::LaunchRefused(refusal)) => {
            Ok(launch_refused(sandbox, provisioning, refusal, now))
        }
        (Running(_) | Destroying(_) | Destroyed(_), Event::LaunchRefused(_)) => Ok(Step::Keep),

        (Provisioning(_) | Running(_), Event::StopSent { .. }) => Err(Misfit),
        (Destroying(ending) | Destroyed(ending), Event::StopSent { arn }) => {
            let ours =
                ending.stop == Stop::Wanted && ending.task.as_ref().is_some_and(|task| task.arn == *arn);
            let sent = || sandbox.with_ending(Ending { stop: Stop::Sent, ..ending.clone() });
            Ok(if ours { Step::To(sent()) } else { Step::Keep })
        }

        (_, Event::TaskMissing { arn }) => Ok(task_missing(sandbox, arn, now)),
        (Destroying(ending), Event::NoTask) if ending.task.is_none() && now.since(ending.since) >= SETTLE => {
            to(Destroyed(Ending { stop: Stop::Done, ..ending.clone() }))
        }
        (_, Event::NoTask) => Ok(Step::Keep),
    }
}

/// Folds in what was seen of a task (rule 4): in any state, recorded once, and never going backwards.
fn task_seen(sandbox: &Sandbox, seen: &TaskSeen, now: Timestamp) -> Step {
    let known = sandbox.task();
    match known {
        Some(task) if task.arn != seen.arn => {
            return match seen.phase {
                TaskPhase::Stopped(_) => Step::Keep,
                _ => Step::StopOther(seen.arn.clone()),
            };
        }
        Some(task) if task.version > seen.version => return Step::Keep,
        Some(task) if task.version == seen.version && !is_news(&sandbox.state, &seen.phase) => {
            return Step::Keep;
        }
        Some(_) if is_on_its_way(sandbox, &seen.phase) => return Step::Keep,
        _ => {}
    }
    let recorded_at = known.map_or(now, |task| task.recorded_at);
    let task = Task { arn: seen.arn.clone(), version: seen.version, recorded_at };
    let runs = means_running(sandbox, &seen.phase);
    Step::To(match (&sandbox.state, &seen.phase) {
        (State::Provisioning(_) | State::Running(_), TaskPhase::Stopped(reason)) => {
            State::Destroyed(Ending {
                end: End { reason: reason.clone(), by: None, at: now },
                since: now,
                task: Some(task),
                stop: Stop::Done,
                dismissed: false,
            })
        }
        (State::Provisioning(_), _) if runs => running(task, now),
        (State::Provisioning(provisioning), _) => {
            State::Provisioning(Provisioning { launch: Launch::Started(task), ..provisioning.clone() })
        }
        (State::Running(running), _) => State::Running(Running { task, ..running.clone() }),
        (State::Destroying(ending) | State::Destroyed(ending), TaskPhase::Stopped(_)) => {
            State::Destroyed(Ending { task: Some(task), stop: Stop::Done, ..ending.clone() })
        }
        (State::Destroying(ending) | State::Destroyed(ending), _) => {
            // StopTask reached this very task if it was sent; a task first heard of now is still to be stopped.
            let stop = if ending.stop == Stop::Sent { Stop::Sent } else { Stop::Wanted };
            sandbox.with_ending(Ending { task: Some(task), stop, ..ending.clone() })
        }
    })
}

/// Moves the deadline, unless it is to be later and so near that its expiry is under way (see [`CLOSING`]).
fn extend(sandbox: &Sandbox, to: Deadline, now: Timestamp) -> Result<Step, Misfit> {
    let before = sandbox.expires_at;
    let life = |time: Duration| (sandbox.created_at + time).max(now);
    let after = match to {
        Deadline::In(time) => Some(now + time),
        Deadline::Later(time) => before.map(|at| at + time),
        Deadline::Planned(time) => match (&sandbox.state, before) {
            (State::Running(_), Some(before)) => Some(life(time).min(before)),
            _ => Some(life(time)),
        },
        Deadline::Never => None,
    };
    let is_closing = before.is_some_and(|at| at.since(now) < CLOSING);
    let is_later = after.is_none_or(|after| before.is_some_and(|before| before < after));
    let is_same = before == after && (after.is_none() || matches!(to, Deadline::Planned(_)));
    match is_closing && is_later {
        true => Err(Misfit),
        false if is_same => Ok(Step::Keep),
        false => Ok(Step::Expires(after)),
    }
}

fn means_running(sandbox: &Sandbox, phase: &TaskPhase) -> bool {
    match phase {
        TaskPhase::Ready => true,
        TaskPhase::Running => sandbox.spec.readiness_port.is_none(),
        TaskPhase::Starting | TaskPhase::Stopping | TaskPhase::Stopped(_) => false,
    }
}

/// Whether a task that is known was only seen where it is expected to be: a write would change its version and nothing
/// else, and a start passes through five such sightings. The version is written with the next one that matters.
fn is_on_its_way(sandbox: &Sandbox, phase: &TaskPhase) -> bool {
    match (&sandbox.state, phase) {
        (_, TaskPhase::Stopping | TaskPhase::Stopped(_))
        | (State::Destroying(_) | State::Destroyed(_), _) => false,
        (State::Provisioning(_), _) => !means_running(sandbox, phase),
        (State::Running(_), _) => true,
    }
}

/// Whether a sighting with the version already known still tells something: ECS numbers task changes, and the
/// readiness of a container or the launcher's own answer may share a number with what was seen before.
fn is_news(state: &State, phase: &TaskPhase) -> bool {
    match (state, phase) {
        (State::Provisioning(_), TaskPhase::Running | TaskPhase::Ready) => true,
        (State::Destroyed(ending), phase) => {
            ending.stop != Stop::Done && matches!(phase, TaskPhase::Stopped(_))
        }
        (_, TaskPhase::Stopped(_)) => true,
        _ => false,
    }
}

fn launch_refused(
    sandbox: &Sandbox,
    provisioning: &Provisioning,
    refusal: &LaunchRefusal,
    now: Timestamp,
) -> Step {
    let attempt = match provisioning.launch {
        Launch::Wanted { attempt } if attempt == refusal.attempt => attempt,
        Launch::Wanted { .. } | Launch::Refused { .. } | Launch::Started(_) => return Step::Keep,
    };
    let retry_at = now + FIRST_RETRY * 2u32.saturating_pow(attempt.saturating_sub(1));
    let message = refusal.message.clone();
    Step::To(if refusal.retryable && attempt < MAX_ATTEMPTS && retry_at < provisioning.launch_by {
        let launch = Launch::Refused { attempt: attempt + 1, retry_at, message };
        State::Provisioning(Provisioning { launch, ..provisioning.clone() })
    } else {
        destroying(sandbox, End { reason: EndReason::Failed { message }, by: None, at: now }, now)
    })
}

fn task_missing(sandbox: &Sandbox, arn: &TaskArn, now: Timestamp) -> Step {
    let Some(task) = sandbox.task().filter(|task| task.arn == *arn) else {
        return Step::Keep;
    };
    if now.since(task.recorded_at) < UNKNOWN_TASK_GRACE {
        return Step::Keep;
    }
    // Should it be seen after all, every sighting is news.
    let task = Some(Task { version: 0, ..task.clone() });
    Step::To(State::Destroyed(match &sandbox.state {
        State::Provisioning(_) | State::Running(_) => Ending {
            end: End { reason: EndReason::Lost, by: None, at: now },
            since: now,
            task,
            stop: Stop::Done,
            dismissed: false,
        },
        State::Destroying(ending) | State::Destroyed(ending) => {
            Ending { task, stop: Stop::Done, ..ending.clone() }
        }
    }))
}

fn tick(sandbox: &Sandbox, now: Timestamp) -> Step {
    if sandbox.look_at.is_none_or(|at| at > now) {
        return Step::Keep;
    }
    match &sandbox.state {
        State::Provisioning(provisioning) if provisioning.launch_by <= now => Step::To(destroying(
            sandbox,
            End { reason: too_late(&provisioning.launch), by: None, at: now },
            now,
        )),
        State::Provisioning(provisioning) => match &provisioning.launch {
            Launch::Refused { attempt, retry_at, .. } if *retry_at <= now => {
                Step::To(State::Provisioning(Provisioning {
                    launch: Launch::Wanted { attempt: *attempt },
                    ..provisioning.clone()
                }))
            }
            Launch::Wanted { .. } | Launch::Refused { .. } | Launch::Started(_) => Step::Touch,
        },
        State::Running(_) => Step::Touch,
        State::Destroying(ending) | State::Destroyed(ending) => match ending.stop {
            // What was sent may have been lost between ECS's answer and the task: send it again.
            Stop::Sent => Step::To(sandbox.with_ending(Ending { stop: Stop::Wanted, ..ending.clone() })),
            Stop::Wanted => Step::Touch,
            Stop::Done => Step::Keep,
        },
    }
}

fn too_late(launch: &Launch) -> EndReason {
    let waited_for = match launch {
        Launch::Wanted { .. } => "no task was started".to_owned(),
        Launch::Refused { message, .. } => format!("no task could be started: {message}"),
        Launch::Started(_) => "the task was not ready".to_owned(),
    };
    EndReason::Failed { message: format!("{waited_for} within {} seconds", LAUNCH_TIMEOUT.as_secs()) }
}

fn expire(sandbox: &Sandbox, now: Timestamp) -> Sandbox {
    let mut next = sandbox.clone();
    if let (true, Some(at)) = (sandbox.is_live(), sandbox.expires_at.filter(|at| *at <= now)) {
        next.state = destroying(sandbox, End { reason: EndReason::Expired, by: None, at }, now);
    }
    next
}

fn destroying(sandbox: &Sandbox, end: End, now: Timestamp) -> State {
    let (since, task, stop) = (now, sandbox.task().cloned(), Stop::Wanted);
    State::Destroying(Ending { end, since, task, stop, dismissed: false })
}

fn running(task: Task, now: Timestamp) -> State {
    State::Running(Running { task, ready_at: now })
}

/// When the schedule is to look at the sandbox next; never, once nothing remains to be done.
fn look_at(sandbox: &Sandbox, now: Timestamp) -> Option<Timestamp> {
    let at = match &sandbox.state {
        State::Provisioning(provisioning) => match provisioning.launch {
            Launch::Refused { retry_at, .. } => retry_at.min(provisioning.launch_by),
            Launch::Wanted { .. } | Launch::Started(_) => (now + RECHECK).min(provisioning.launch_by),
        },
        State::Running(_) => now + RUNNING_RECHECK,
        State::Destroyed(_) if sandbox.is_final() => return None,
        State::Destroying(Ending { task: None, since, .. }) => (now + RECHECK).max(*since + SETTLE),
        State::Destroying(_) | State::Destroyed(_) => now + RECHECK,
    };
    Some(match sandbox.expires_at {
        Some(expires_at) if sandbox.is_live() => at.min(expires_at),
        _ => at,
    })
}

/// The effects of a change, read off its two ends.
fn follow(before: &Sandbox, after: &Sandbox) -> Vec<Effect> {
    let mut effects = Vec::new();
    match (after.wants(), after.task()) {
        (Some(Wants::Task), _) => effects.push(Effect::Launch),
        (Some(Wants::Stop), Some(task)) => effects.push(Effect::Stop(task.arn.clone())),
        (Some(Wants::Stop), None) | (None, _) => {}
    }
    match (&before.state, &after.state) {
        (State::Provisioning(_), State::Running(_)) => effects.push(Effect::PublishRunning),
        _ if before.is_live() && !after.is_live() => effects.push(Effect::PublishEnded),
        _ => {}
    }
    effects
}

impl Sandbox {
    /// The same ending state with other facts.
    fn with_ending(&self, ending: Ending) -> State {
        match self.state {
            State::Destroyed(_) => State::Destroyed(ending),
            State::Provisioning(_) | State::Running(_) | State::Destroying(_) => State::Destroying(ending),
        }
    }
}
