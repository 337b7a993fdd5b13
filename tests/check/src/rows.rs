use std::{collections::HashMap, time::Duration};

use modbox_sandbox::{
    Deadline, Effect, End, EndReason, Ending, Event, LaunchRefusal, Name, Sandbox, SandboxId, Spec, State,
    Stop, TaskArn, TaskPhase, TaskSeen, Timestamp, UserId, apply, create,
};

use crate::rules::{Rule, Rules};

/// Seconds since the sandbox was created: the clock of the check.
pub(super) type Second = u16;

/// A row, by its place among all that the check has met. Equal rows have equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RowId(u32);

impl RowId {
    pub(super) const FIRST: Self = Self(0);
    /// No row at all.
    pub(super) const NONE: Self = Self(u32::MAX);
}

/// What ECS says of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Starting,
    Running,
    Stopped,
}

impl Phase {
    pub(super) const ALL: [Self; 3] = [Self::Starting, Self::Running, Self::Stopped];

    /// ECS's version of the task in this phase.
    pub(super) fn version(self) -> u64 {
        match self {
            Self::Starting => 1,
            Self::Running => 2,
            Self::Stopped => 3,
        }
    }
}

/// What happens to the sandbox, as an event of the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Happening {
    Destroy,
    Kill,
    /// Move the deadline there.
    Extend(Second),
    Seen(Phase),
    /// RunTask answered with ConflictException, which tells the ARN and nothing else.
    Adopted,
    Refused {
        attempt: u32,
        retryable: bool,
    },
    StopSent,
    Missing,
    NoTask,
    Tick,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    Refused,
    /// The row after it, which may be the one before; and whether the task is to be stopped now.
    Row(RowId, bool),
}

/// Every row that was met, and what `apply` said of it: the same question is asked many thousand times.
pub(super) struct Rows {
    rules: Rules,
    rows: Vec<Sandbox>,
    ids: HashMap<String, RowId>,
    applied: HashMap<(RowId, Happening, Second), Applied>,
}

pub(super) fn at(second: Second) -> Timestamp {
    Timestamp::from_millis(i64::from(second) * 1000)
}

pub(super) fn second(at: Timestamp) -> Second {
    Second::try_from(at.millis() / 1000).expect("the check ends before its clock does")
}

fn task_arn() -> TaskArn {
    TaskArn::new("task")
}

impl Rows {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, rows: Vec::new(), ids: HashMap::new(), applied: HashMap::new() }
    }

    pub(super) fn get(&self, id: RowId) -> &Sandbox {
        &self.rows[id.0 as usize]
    }

    /// The row of a sandbox that was created a moment ago.
    pub(super) fn created(&mut self, ttl: Option<Second>) -> RowId {
        let spec = Spec {
            image: "image".to_owned(),
            readiness_port: None,
            memory_mb: 1024,
            url: String::new(),
            api_url: String::new(),
            client_reference: None,
        };
        let ttl = ttl.map(|ttl| Duration::from_secs(ttl.into()));
        let name = Name::new("name").expect("it is a name");
        let sandbox = create(SandboxId::from_random(1), UserId::new("ann"), Some(name), spec, (at(0), ttl));
        self.id_of(sandbox)
    }

    fn id_of(&mut self, sandbox: Sandbox) -> RowId {
        let next = RowId(u32::try_from(self.rows.len()).expect("the check ends before its ids do"));
        let id = *self.ids.entry(format!("{sandbox:?}")).or_insert(next);
        if id == next {
            self.rows.push(sandbox);
        }
        id
    }

    /// What the domain makes of it at `now`, but for the rule that is broken.
    pub(super) fn apply(&mut self, row: RowId, happening: Happening, now: Second) -> Applied {
        let key = (row, happening, now);
        if let Some(known) = self.applied.get(&key) {
            return *known;
        }
        let before = self.get(row).clone();
        let applied = match apply(&before, event(happening, now), at(now)) {
            Err(_) => Applied::Refused,
            Ok(change) => {
                let stop = change.effects.contains(&Effect::Stop(task_arn()));
                self.bend(&before, (change.sandbox, stop), (happening, now))
            }
        };
        self.applied.insert(key, applied);
        applied
    }

    /// Breaks what the broken rule is about.
    fn bend(
        &mut self,
        before: &Sandbox,
        (mut after, mut stop): (Sandbox, bool),
        (happening, now): (Happening, Second),
    ) -> Applied {
        let recorded = before.task().is_none() && after.task().is_some();
        if !self.rules.hold(Rule::RecordArnWhenOver) && recorded && !before.is_live() {
            (after, stop) = (before.clone(), false);
        }
        if !self.rules.hold(Rule::StopWhatIsRecorded) && recorded && !after.is_live() {
            finish(&mut after, Destroyed::IfItWas);
            stop = false;
        }
        let unwatched = matches!(&after.state, State::Destroying(Ending { task: None, .. }));
        if !self.rules.hold(Rule::WaitForTask) && unwatched {
            finish(&mut after, Destroyed::Now);
        }
        let missing = happening == Happening::Missing && !before.is_live();
        if !self.rules.hold(Rule::NotFoundIsNotGone) && missing && after == *before {
            finish(&mut after, Destroyed::Now);
            after.version += 1;
            after.updated_at = at(now);
        }
        Applied::Row(self.id_of(after), stop)
    }
}

/// Whether a row that nothing is to be done about any more becomes destroyed by it.
#[derive(PartialEq, Eq)]
enum Destroyed {
    Now,
    IfItWas,
}

/// Has nothing be done about the task of a row that is over.
fn finish(sandbox: &mut Sandbox, destroyed: Destroyed) {
    let (State::Destroying(ending) | State::Destroyed(ending)) = &sandbox.state else {
        return;
    };
    let ending = Ending { stop: Stop::Done, ..ending.clone() };
    sandbox.state = if destroyed == Destroyed::Now || matches!(sandbox.state, State::Destroyed(_)) {
        sandbox.look_at = None;
        State::Destroyed(ending)
    } else {
        State::Destroying(ending)
    };
}

fn event(happening: Happening, now: Second) -> Event {
    let by = UserId::new("ann");
    let seen = |version, phase| Event::TaskSeen(TaskSeen { incarnation: 1, arn: task_arn(), version, phase });
    match happening {
        Happening::Destroy => Event::Destroy { by },
        Happening::Kill => Event::Kill { by },
        Happening::Extend(until) => {
            Event::Extend { to: Deadline::In(Duration::from_secs(until.saturating_sub(now).into())) }
        }
        Happening::Adopted => seen(0, TaskPhase::Starting),
        Happening::Seen(phase) => {
            let word = match phase {
                Phase::Starting => TaskPhase::Starting,
                Phase::Running => TaskPhase::Running,
                Phase::Stopped => TaskPhase::Stopped(EndReason::Exited { code: Some(0) }),
            };
            seen(phase.version(), word)
        }
        Happening::Refused { attempt, retryable } => {
            Event::LaunchRefused(LaunchRefusal { attempt, message: "no".to_owned(), retryable })
        }
        Happening::StopSent => Event::StopSent { arn: task_arn() },
        Happening::Missing => Event::TaskMissing { arn: task_arn() },
        Happening::NoTask => Event::NoTask,
        Happening::Tick => Event::Tick,
    }
}

/// A row in few words, for a trace.
pub(super) fn words(sandbox: &Sandbox) -> String {
    let state = match &sandbox.state {
        State::Provisioning(provisioning) => format!("Provisioning({:?})", provisioning.launch),
        State::Running(_) => "Running".to_owned(),
        State::Destroying(Ending { end: End { reason, .. }, stop, task, .. }) => {
            format!("Destroying({reason:?}, task: {}, stop: {stop:?})", task.is_some())
        }
        State::Destroyed(Ending { end: End { reason, .. }, stop, task, .. }) => {
            format!("Destroyed({reason:?}, task: {}, stop: {stop:?})", task.is_some())
        }
    };
    format!("v{} {state}", sandbox.version)
}
