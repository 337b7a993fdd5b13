//! What must hold in every run, checked while it goes on.
//!
//! It looks from outside: at what clients were answered, at what the table's stream and ECS say, and at what is logged
//! and published. It decodes nothing with the product's own code.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use modbox_sandbox::Timestamp;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{figures::Figures, network::LATER, rows::RowView};
use crate::secrets::legible;

/// What a sandbox's environment holds, and nobody but its task may see.
pub const ENVIRONMENT_SECRET: &str = "do-not-tell-4711";

/// How long after its deadline a task may run whose sidecar works: its `stopTimeout`, and 3 s.
const LATEST_BY_SIDECAR: Duration = Duration::from_secs(2 + 3);
/// How long after its end any other task may run that its row knows, counted from the last fault: a tick more.
const LATEST_KNOWN: Duration = Duration::from_secs(2 + 3 + 60);
/// How long any task at all, counted likewise: the orphans are looked for every five minutes, by a tick that comes each
/// minute.
const LATEST: Duration = Duration::from_secs(7 * 60);
/// How long an answer may be on its way, beside what clocks are apart.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

/// A request on its way: what was known for certain when it left.
#[derive(Clone, Debug)]
pub struct Asked {
    at: Timestamp,
    known: BTreeMap<String, Rank>,
}

/// How far a sandbox has come, as clients see it; it only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Provisioning,
    Running,
    Destroyed,
}

impl Rank {
    /// The rank of a status of the API.
    pub fn of(status: &str) -> Option<Self> {
        match status {
            "provisioning" => Some(Self::Provisioning),
            "running" => Some(Self::Running),
            "destroyed" => Some(Self::Destroyed),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    violation: Option<String>,
    rows: BTreeMap<String, RowView>,
    tasks: BTreeMap<String, TaskView>,
    known: BTreeMap<String, Rank>,
    /// What an owner's key was first answered.
    keys: BTreeMap<(String, String), Value>,
    accepted: BTreeSet<String>,
    /// Deadlines that an extension was answered with, of their sandboxes.
    extended: BTreeSet<(String, Timestamp)>,
    /// Whose sidecar has asked in vain.
    unanswered: BTreeSet<String>,
    secrets: BTreeSet<String>,
    /// What users' automation was told: sandbox and kind of event.
    published: BTreeSet<(String, String)>,
    disturbed_until: Option<Timestamp>,
    skew: Duration,
    figures: Figures,
}

#[derive(Clone, Debug)]
struct TaskView {
    sandbox: String,
    created_at: Timestamp,
    running_at: Option<Timestamp>,
    gone_at: Option<Timestamp>,
    /// Since when its row knows it.
    recorded_at: Option<Timestamp>,
    /// It had a deadline from its start, and its sidecar does what it should.
    guarded: bool,
    /// What ECS itself takes to stop a task.
    stopping: Duration,
}

/// The checks of one run. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Checks(Arc<Mutex<Seen>>);

impl Checks {
    /// The first thing that was not as it must be.
    pub fn violation(&self) -> Option<String> {
        self.seen().violation.clone()
    }

    /// Says that something is not as it must be.
    pub fn fail(&self, what: impl FnOnce() -> String) {
        self.seen().fail(what);
    }

    pub fn figures(&self) -> Figures {
        self.seen().figures
    }

    /// What happens until then may be late.
    pub fn disturb(&self, until: Timestamp) {
        let mut seen = self.seen();
        seen.disturbed_until = seen.disturbed_until.max(Some(until));
    }

    /// Clocks are so far apart at most.
    pub fn apart(&self, skew: Duration) {
        self.seen().skew = skew + ON_ITS_WAY;
    }

    /// What must appear nowhere.
    pub fn secret(&self, text: &str) {
        self.seen().secrets.insert(text.to_owned());
    }

    /// Looks for secrets in what anybody may read.
    pub fn readable(&self, place: &str, text: &str) {
        self.seen().readable(place, text);
    }

    /// A change of the table, as its stream tells it.
    pub fn changed(&self, record: &Value, now: Timestamp) {
        let (old, new) = (RowView::old(record), RowView::new(record));
        let mut seen = self.seen();
        seen.readable("the table", &legible(&record["dynamodb"]["NewImage"]));
        match (old, new) {
            (old, Some(new)) => seen.row_changed(old.as_ref(), new, now),
            (Some(old), None) => seen.row_removed(&old, now),
            (None, None) => {}
        }
    }

    /// A task is to run, and does or does not mind its deadline.
    pub fn launched(&self, arn: &str, (guarded, stopping): (bool, Duration)) {
        if let Some(task) = self.seen().tasks.get_mut(arn) {
            task.guarded &= guarded;
            task.stopping = stopping;
        }
    }

    /// What ECS says of a task.
    pub fn task_changed(&self, event: &Value, now: Timestamp) {
        let detail = &event["detail"];
        let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        let (arn, status) = (text("taskArn"), text("lastStatus"));
        let sandbox = text("startedBy").rsplit('/').next().unwrap_or_default().to_owned();
        let mut seen = self.seen();
        if !seen.tasks.contains_key(&arn) {
            seen.task_started(&arn, &sandbox, now);
        }
        let Some(task) = seen.tasks.get_mut(&arn) else { return };
        match status.as_str() {
            "RUNNING" => task.running_at = task.running_at.or(Some(now)),
            "DEPROVISIONING" | "STOPPED" if task.gone_at.is_none() => {
                task.gone_at = Some(now);
                let task = task.clone();
                seen.check_age(&arn, &task, now);
            }
            _ => {}
        }
    }

    /// Since when ECS knows that task.
    pub fn task_created(&self, arn: &str) -> Option<Timestamp> {
        self.seen().tasks.get(arn).map(|task| task.created_at)
    }

    /// Looks at every task that runs.
    pub fn look(&self, now: Timestamp) {
        let mut seen = self.seen();
        let tasks: Vec<_> = seen
            .tasks
            .iter()
            .filter(|(_, task)| task.gone_at.is_none())
            .map(|(a, t)| (a.clone(), t.clone()))
            .collect();
        for (arn, task) in tasks {
            seen.check_age(&arn, &task, now);
        }
    }

    /// A request leaves.
    pub fn asked(&self, now: Timestamp) -> Asked {
        Asked { at: now, known: self.seen().known.clone() }
    }

    /// An answer said how far a sandbox has come.
    pub fn told(&self, asked: &Asked, sandbox: &str, rank: Rank) {
        let mut seen = self.seen();
        if let Some(known) = asked.known.get(sandbox)
            && rank < *known
        {
            seen.fail(|| format!("reads went backwards: {sandbox} is {rank:?} after it was {known:?}"));
        }
        let known = seen.known.entry(sandbox.to_owned()).or_insert(rank);
        *known = (*known).max(rank);
    }

    /// A create was accepted with this answer.
    pub fn accepted(&self, owner: &str, key: Option<&str>, sandbox: &str, answer: &Value) {
        let mut seen = self.seen();
        seen.accepted.insert(sandbox.to_owned());
        let Some(key) = key else { return };
        let first =
            seen.keys.entry((owner.to_owned(), key.to_owned())).or_insert_with(|| answer.clone()).clone();
        if first != *answer {
            seen.fail(|| format!("key {key} of {owner} answered with {answer} after {first}"));
        }
    }

    /// An extension was answered.
    pub fn extended(&self, sandbox: &str, expires_at: &str) {
        let at = OffsetDateTime::parse(expires_at, &Rfc3339).ok();
        let millis = at.and_then(|at| i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok());
        let Some(millis) = millis else {
            return self.fail(|| format!("{sandbox} was extended, until {expires_at:?}"));
        };
        self.seen().extended.insert((sandbox.to_owned(), Timestamp::from_millis(millis)));
    }

    /// The sidecar of a sandbox asked for its deadline and was not answered: it ends on time by what it knows.
    pub fn unanswered(&self, sandbox: &str) {
        self.seen().unanswered.insert(sandbox.to_owned());
    }

    /// A create was told that its name is taken.
    pub fn name_taken(&self, asked: &Asked, (owner, name): (&str, &str), now: Timestamp) {
        let mut seen = self.seen();
        let skew = seen.skew;
        let held = seen.rows.values().any(|row| {
            row.owner == owner
                && row.name == name
                && row.created_at <= now + skew
                && row.freed_at.is_none_or(|at| asked.at <= at)
                && row.expires_at.is_none_or(|at| asked.at <= at + skew)
        });
        if !held {
            seen.fail(|| format!("name {name} of {owner} is free, but a create was told that it is taken"));
        }
    }

    /// A sandbox that was accepted is not known; it must not be kept any more.
    pub fn unknown(&self, sandbox: &str) {
        let mut seen = self.seen();
        if seen.accepted.contains(sandbox) {
            seen.fail(|| format!("{sandbox} was accepted and is not known"));
        }
    }

    /// Every sandbox that the owner ever had under a name, and whether it lives.
    pub fn holders(&self, owner: &str, name: &str) -> BTreeMap<String, bool> {
        let seen = self.seen();
        let held = seen.rows.values().filter(|row| row.owner == owner && row.name == name);
        held.map(|row| (row.id.clone(), row.live)).collect()
    }

    /// At rest a list is whole: it shows what lives, or all that is kept, and nothing else.
    pub fn listed(&self, owner: &str, ids: &BTreeSet<String>, only_live: bool, now: Timestamp) {
        let mut seen = self.seen();
        // What ends about now, by one clock or another, may be there or not.
        let (earliest, latest) = (now - seen.skew, now + seen.skew);
        let rows = seen
            .rows
            .values()
            .filter(|row| row.owner == owner && row.is_due_after(earliest) == row.is_due_after(latest));
        let wrong: Vec<String> = rows
            .filter(|row| ids.contains(&row.id) != (!only_live || (row.live && row.is_due_after(now))))
            .map(|row| row.id.clone())
            .collect();
        if !wrong.is_empty() {
            seen.fail(|| format!("a list of {owner} (live only: {only_live}) is wrong about {wrong:?}"));
        }
    }

    /// What is not at rest: rows that wait for something. Empty once everything has converged.
    pub fn unsettled(&self) -> Vec<String> {
        let seen = self.seen();
        let rows =
            seen.rows.values().filter_map(|row| row.unsettled().map(|why| format!("{}: {why}", row.id)));
        let tasks = seen.tasks.iter().filter(|(_, task)| task.gone_at.is_none()).filter_map(|(arn, task)| {
            let wanted = seen.rows.get(&task.sandbox).is_some_and(|row| row.is_running_as(arn));
            (!wanted).then(|| format!("{}: {arn} runs and nobody wants it", task.sandbox))
        });
        rows.chain(tasks).collect()
    }

    /// Everything was at rest after so many ticks.
    pub fn rested(&self, ticks: u64) {
        let mut seen = self.seen();
        seen.figures.ticks_to_rest = seen.figures.ticks_to_rest.max(ticks);
    }

    /// What must hold once everything has converged.
    pub fn at_rest(&self) {
        let mut seen = self.seen();
        for sandbox in seen.accepted.clone() {
            let lost = match seen.rows.get(&sandbox) {
                None => Some("was accepted and is not in the table".to_owned()),
                Some(row) if row.state == "running" => {
                    let task = row.task_arn.as_ref().and_then(|arn| seen.tasks.get(arn));
                    let runs = task.is_some_and(|task| task.gone_at.is_none());
                    (!runs).then(|| format!("runs by its row, but its task {:?} does not", row.task_arn))
                }
                Some(row) => (row.end_reason.is_none() || row.destroyed_at.is_none())
                    .then(|| "has ended, and its row does not say why and when".to_owned()),
            };
            if let Some(lost) = lost {
                seen.fail(|| format!("{sandbox} {lost}"));
            }
        }
        let rows: Vec<_> = seen.rows.values().map(|row| (row.id.clone(), row.ran, !row.live)).collect();
        for (id, ran, ended) in rows {
            let moments = [("Sandbox Accepted", true), ("Sandbox Running", ran), ("Sandbox Ended", ended)];
            for (kind, happened) in moments {
                if happened && !seen.published.contains(&(id.clone(), kind.to_owned())) {
                    seen.fail(|| format!("nobody was told {kind} of {id}"));
                }
            }
        }
    }

    /// A sandbox of which nobody asked otherwise, and with which nothing went wrong, runs.
    pub fn runs(&self, sandbox: &str) {
        let mut seen = self.seen();
        let state = seen.rows.get(sandbox).map(|row| row.state.clone()).unwrap_or_default();
        if state != "running" {
            seen.fail(|| format!("{sandbox} is {state}, though nothing kept it from running"));
        }
    }

    /// Owner and id of every sandbox that lives.
    pub fn live(&self) -> Vec<(String, String)> {
        let seen = self.seen();
        let live = seen.rows.values().filter(|row| row.live);
        live.map(|row| (row.owner.clone(), row.id.clone())).collect()
    }

    /// Something was published, or kept with the dead letters.
    pub fn published(&self, operation: &str, body: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let parsed = |value: &Value| serde_json::from_str::<Value>(&text(value)).unwrap_or_default();
        let mut seen = self.seen();
        seen.readable("an event", &body.to_string());
        if operation == "SendMessage" {
            let letter = parsed(&body["MessageBody"]);
            seen.published.insert((text(&letter["detail"]["id"]), text(&letter["detail-type"])));
        }
        for entry in body["Entries"].as_array().into_iter().flatten() {
            let detail = parsed(&entry["Detail"]);
            seen.published.insert((text(&detail["id"]), text(&entry["DetailType"])));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn fail(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(what());
        }
    }

    fn readable(&mut self, place: &str, text: &str) {
        let found = self.secrets.iter().find(|secret| text.contains(secret.as_str())).cloned();
        if let Some(secret) = found {
            self.fail(|| format!("a secret can be read in {place}: {secret}"));
        }
    }

    fn row_changed(&mut self, old: Option<&RowView>, new: RowView, now: Timestamp) {
        if let Some(wrong) = old.and_then(|old| new.contradicts(old)) {
            self.fail(|| format!("{}: {wrong}", new.id));
        }
        if let Some(last) = self.rows.get(&new.id)
            && new.version <= last.version
        {
            let (last, id) = (last.version, new.id.clone());
            self.fail(|| format!("{id}: version {} was written after {last}", new.version));
        }
        let skew = self.skew;
        if new.live && new.is_due_after(now + skew) {
            let other = self.rows.values().find(|row| {
                row.id != new.id
                    && row.live
                    && row.is_due_after(now + skew)
                    && (&row.owner, &row.name) == (&new.owner, &new.name)
            });
            if let Some(other) = other.map(|other| other.id.clone()) {
                self.fail(|| format!("name {} belongs to {} and to {other}", new.name, new.id));
            }
        }
        if new.end_reason.as_deref() == Some("expired") {
            self.check_extension(&new);
        }
        if let Some(message) =
            new.end_message.as_ref().filter(|message| LATER.iter().any(|words| message.contains(words)))
        {
            self.fail(|| format!("{} ended by what means later: {message}", new.id));
        }
        self.figures.changes += 1;
        let last = self.rows.get(&new.id);
        let shortened = last.is_some_and(|last| last.shortened || last.is_due_after_that_of(&new));
        let timed = last.map_or(new.expires_at.is_some(), |last| last.timed);
        let ran = new.state == "running" || last.is_some_and(|last| last.ran);
        let freed_at = last.and_then(|last| last.freed_at).or((!new.live).then_some(now));
        if let Some(task) = new.task_arn.as_ref().and_then(|arn| self.tasks.get_mut(arn)) {
            task.recorded_at = task.recorded_at.or(Some(now));
        }
        self.rows.insert(new.id.clone(), RowView { shortened, timed, freed_at, ran, ..new });
    }

    /// An extension that was answered is not overtaken by the deadline before it.
    fn check_extension(&mut self, row: &RowView) {
        let (Some(expires_at), Some(ended_at)) = (row.expires_at, row.end_since) else { return };
        let granted = self.extended.contains(&(row.id.clone(), expires_at));
        if granted && ended_at + self.skew < expires_at && !self.unanswered.contains(&row.id) {
            self.fail(|| format!("{} was extended, and ended by the deadline before it", row.id));
        }
    }

    /// Only the TTL removes rows: what has ended long ago, or a live one that everybody forgot.
    fn row_removed(&mut self, old: &RowView, now: Timestamp) {
        let due = old.ttl.is_some_and(|ttl| ttl <= now);
        if !due {
            self.fail(|| format!("{} was removed before its time", old.id));
        }
        self.rows.remove(&old.id);
        self.accepted.remove(&old.id);
        self.figures.rows_removed += 1;
    }

    fn task_started(&mut self, arn: &str, sandbox: &str, now: Timestamp) {
        let first = self.tasks.iter().find(|(_, task)| task.sandbox == sandbox).map(|(arn, _)| arn.clone());
        if let Some(first) = first {
            self.fail(|| format!("{sandbox} has a second task {arn} after {first}"));
        }
        self.figures.tasks += 1;
        let (running_at, gone_at, recorded_at, stopping) = (None, None, None, Duration::ZERO);
        let guarded = self.rows.get(sandbox).is_some_and(|row| row.timed && row.expires_at.is_some());
        let sandbox = sandbox.to_owned();
        let task = TaskView { sandbox, created_at: now, running_at, gone_at, recorded_at, guarded, stopping };
        self.tasks.insert(arn.to_owned(), task);
    }

    /// Whether a task that runs, or has just ended, had to be gone by now.
    fn check_age(&mut self, arn: &str, task: &TaskView, now: Timestamp) {
        let row = self.rows.get(&task.sandbox);
        let over_at = match row {
            None => Some(task.created_at),
            Some(row) => row.over_at(),
        };
        let Some(over_at) = over_at.filter(|at| *at < now) else { return };
        let expired = row.and_then(|row| row.expires_at).filter(|at| *at <= over_at);
        let by_sidecar = task.guarded
            && !row.is_some_and(|row| row.shortened)
            && expired.is_some()
            && task.running_at.is_some_and(|at| at + Duration::from_secs(1) < over_at);
        let undisturbed = over_at.max(task.created_at).max(self.disturbed_until.unwrap_or(over_at));
        let (since, bound, figure) = if by_sidecar {
            (over_at, LATEST_BY_SIDECAR + task.stopping, &mut self.figures.latest_by_sidecar)
        } else if let Some(recorded_at) = task.recorded_at.filter(|_| row.is_some()) {
            (undisturbed.max(recorded_at), LATEST_KNOWN + task.stopping, &mut self.figures.latest_known)
        } else {
            (undisturbed, LATEST, &mut self.figures.latest)
        };
        let late = now.since(since);
        *figure = (*figure).max(late);
        if late > bound {
            self.fail(|| format!("{} was over {late:?} ago, and its task {arn} runs still", task.sandbox));
        }
    }
}
