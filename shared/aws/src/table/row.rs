//! A sandbox as an item. Exhaustive both ways: what cannot be is an error, never a default.

use std::time::Duration;

use modbox_sandbox::{
    End, EndReason, Ending, Labels, Launch, Name, Provisioning, Running, Sandbox, SandboxId, Spec, State,
    Stop, Task, TaskArn, Timestamp, UserId, Wants,
};

use super::attributes::{Item, Reader, Writer};
use crate::Error;

/// How long past its deadline a live row may stand before DynamoDB's TTL removes it: layer 3, an alarm.
pub(super) const TTL_GRACE: Duration = Duration::from_secs(60 * 60);
/// Among how many shards the attention index is spread.
pub const ATTENTION_SHARDS: u32 = 4;

/// A sandbox with what is stored beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub sandbox: Sandbox,
    /// Which of the deployment's keys its tokens and its environment were made with.
    pub key_id: String,
    /// The sealed environment, as long as a launch may need it.
    pub env: Option<Vec<u8>>,
    /// Names the write that made this version, by which a retry knows its own.
    pub write: String,
}

pub(super) fn key(id: SandboxId) -> String {
    format!("SANDBOX#{id}")
}

/// The sandbox that a key names, if it names one.
pub(crate) fn id_of(key: &str) -> Option<SandboxId> {
    key.strip_prefix("SANDBOX#")?.parse().ok()
}

pub(super) fn attention_shard(shard: u32) -> String {
    format!("ATTENTION#{shard}")
}

/// The range key of the two owner indexes.
pub(super) const CREATED: &str = "created";

/// By creation, then by id: no two are equal.
pub(super) fn created_key(created_at: Timestamp, id: SandboxId) -> String {
    format!("{:015}#{id}", created_at.millis())
}

impl Row {
    /// Renders the item; `retention` is how long an ended row is kept as history.
    pub(super) fn item(&self, retention: Duration) -> Item {
        let Self { sandbox, key_id, env, write } = self;
        let spec = &sandbox.spec;
        let writer = Writer::new(&key(sandbox.id))
            .string("id", sandbox.id.to_string())
            .string("owner", sandbox.owner.as_str())
            .string("name", sandbox.name.as_str())
            .string("image", &spec.image)
            .with(spec.readiness_port, |w, port| w.number("readiness_port", port))
            .number("memory_mb", spec.memory_mb)
            .string("url", &spec.url)
            .string("api_url", &spec.api_url)
            .with(spec.client_reference.as_ref(), |w, reference| w.string("client_reference", reference))
            .number("incarnation", sandbox.incarnation)
            .number("version", sandbox.version)
            .string("write", write)
            .string("key_id", key_id)
            .time("created_at", sandbox.created_at)
            .string(CREATED, created_key(sandbox.created_at, sandbox.id))
            .time("updated_at", sandbox.updated_at)
            .with(sandbox.expires_at, |w, at| w.time("expires_at", at))
            .with(sandbox.extended_at, |w, at| w.time("extended_at", at))
            .with((!sandbox.labels.is_empty()).then_some(&sandbox.labels), |w, labels| {
                w.strings("labels", labels.as_map())
            })
            .with(sandbox.look_at, |w, at| w.time("look_at", at).string("attention", shard_of(sandbox.id)))
            .with(sandbox.is_live().then_some(&sandbox.owner), |w, owner| w.string("live", owner.as_str()))
            .with(sandbox.wants(), |w, wants| w.string("wants", wants_word(wants)))
            .with(sandbox.task(), |w, task| {
                w.string("task_arn", task.arn.as_str())
                    .number("task_version", task.version)
                    .time("task_recorded_at", task.recorded_at)
            })
            .with(self.ttl(retention), |w, ttl| w.number("ttl", ttl.seconds_ceil()))
            .with(env.as_deref(), |w, env| w.bytes("env", env));
        write_state(writer, &sandbox.state).item()
    }

    /// When DynamoDB may remove the row: a live one only long after its deadline, an ended one after the retention. One
    /// that is ending has longer, however short the retention is, since its task is stopped for what the row says.
    fn ttl(&self, retention: Duration) -> Option<Timestamp> {
        match &self.sandbox.state {
            State::Provisioning(_) | State::Running(_) => self.sandbox.expires_at.map(|at| at + TTL_GRACE),
            State::Destroying(ending) => Some(ending.since + retention + TTL_GRACE),
            State::Destroyed(ending) => Some(ending.since + retention),
        }
    }

    pub(crate) fn read(table: &str, item: &Item) -> Result<Self, Error> {
        let reader = Reader::new(table, item)?;
        let sandbox = Sandbox {
            id: reader.parsed("id")?,
            owner: UserId::new(reader.string("owner")?),
            name: Name::new(reader.string("name")?)
                .map_err(|error| reader.corrupt(format!("its name {error}")))?,
            spec: Spec {
                image: reader.string("image")?.to_owned(),
                readiness_port: reader.opt_number("readiness_port")?,
                memory_mb: reader.number("memory_mb")?,
                url: reader.string("url")?.to_owned(),
                api_url: reader.string("api_url")?.to_owned(),
                client_reference: reader.opt_string("client_reference")?.map(ToOwned::to_owned),
            },
            labels: Labels::new(reader.strings("labels")?)
                .map_err(|error| reader.corrupt(format!("its labels {error}")))?,
            incarnation: reader.number("incarnation")?,
            version: reader.number("version")?,
            created_at: reader.time("created_at")?,
            updated_at: reader.time("updated_at")?,
            expires_at: reader.opt_time("expires_at")?,
            extended_at: reader.opt_time("extended_at")?,
            look_at: reader.opt_time("look_at")?,
            state: read_state(&reader)?,
        };
        agree(&reader, "wants", sandbox.wants().map(wants_word))?;
        agree(&reader, "live", sandbox.is_live().then_some(sandbox.owner.as_str()))?;
        if sandbox.look_at.is_none() != sandbox.is_final() {
            return Err(reader.corrupt("attribute look_at contradicts its state"));
        }
        agree(&reader, "task_arn", sandbox.task().map(|task| task.arn.as_str()))?;
        Ok(Self {
            sandbox,
            key_id: reader.string("key_id")?.to_owned(),
            env: reader.opt_bytes("env")?.map(ToOwned::to_owned),
            write: reader.string("write")?.to_owned(),
        })
    }
}

/// Derived attributes drive the stream and the indexes: one that contradicts the state is damage.
fn agree(reader: &Reader<'_>, name: &str, derived: Option<&str>) -> Result<(), Error> {
    if reader.opt_string(name)? == derived {
        return Ok(());
    }
    Err(reader.corrupt(format!("attribute {name} contradicts its state")))
}

fn shard_of(id: SandboxId) -> String {
    let shards = u128::from(ATTENTION_SHARDS);
    attention_shard(u32::try_from(id.as_u128() % shards).unwrap_or(0))
}

fn wants_word(wants: Wants) -> &'static str {
    match wants {
        Wants::Task => "task",
        Wants::Stop => "stop",
    }
}

fn write_state(writer: Writer, state: &State) -> Writer {
    match state {
        State::Provisioning(provisioning) => {
            write_launch(writer.string("state", "provisioning"), &provisioning.launch)
                .time("launch_by", provisioning.launch_by)
        }
        State::Running(running) => writer.string("state", "running").time("ready_at", running.ready_at),
        State::Destroying(ending) => write_ending(writer.string("state", "destroying"), ending),
        State::Destroyed(ending) => write_ending(writer.string("state", "destroyed"), ending),
    }
}

fn write_launch(writer: Writer, launch: &Launch) -> Writer {
    match launch {
        Launch::Wanted { attempt } => writer.string("launch", "wanted").number("attempt", attempt),
        Launch::Refused { attempt, retry_at, message } => writer
            .string("launch", "refused")
            .number("attempt", attempt)
            .time("retry_at", *retry_at)
            .string("refusal", message),
        Launch::Started(_) => writer.string("launch", "started"),
    }
}

fn write_ending(writer: Writer, ending: &Ending) -> Writer {
    let writer = match &ending.end.reason {
        EndReason::Requested => writer.string("end_reason", "requested"),
        EndReason::Killed => writer.string("end_reason", "killed"),
        EndReason::Stopped => writer.string("end_reason", "stopped"),
        EndReason::Expired => writer.string("end_reason", "expired"),
        EndReason::Failed { message } => writer.string("end_reason", "failed").string("end_message", message),
        EndReason::Exited { code } => {
            writer.string("end_reason", "exited").with(*code, |w, code| w.number("exit_code", code))
        }
        EndReason::Lost => writer.string("end_reason", "lost"),
    };
    let stop = match ending.stop {
        Stop::Wanted => "wanted",
        Stop::Sent => "sent",
        Stop::Done => "done",
    };
    writer
        .with(ending.end.by.as_ref(), |w, by| w.string("end_by", by.as_str()))
        .time("destroyed_at", ending.end.at)
        .time("end_since", ending.since)
        .string("stop", stop)
        .with(ending.dismissed.then_some(true), |w, yes| w.flag("dismissed", yes))
}

fn read_state(reader: &Reader<'_>) -> Result<State, Error> {
    Ok(match reader.string("state")? {
        "provisioning" => State::Provisioning(Provisioning {
            launch_by: reader.time("launch_by")?,
            launch: read_launch(reader)?,
        }),
        "running" => State::Running(Running { task: some_task(reader)?, ready_at: reader.time("ready_at")? }),
        "destroying" => State::Destroying(read_ending(reader)?),
        "destroyed" => match read_ending(reader)? {
            Ending { task: None, stop: Stop::Wanted | Stop::Sent, .. } => {
                return Err(reader.corrupt("it is destroyed, and a task that it never had is to be stopped"));
            }
            ending => State::Destroyed(ending),
        },
        other => return Err(reader.corrupt(format!("state {other} is unknown"))),
    })
}

fn read_launch(reader: &Reader<'_>) -> Result<Launch, Error> {
    Ok(match reader.string("launch")? {
        "wanted" => Launch::Wanted { attempt: reader.number("attempt")? },
        "refused" => Launch::Refused {
            attempt: reader.number("attempt")?,
            retry_at: reader.time("retry_at")?,
            message: reader.string("refusal")?.to_owned(),
        },
        "started" => Launch::Started(some_task(reader)?),
        other => return Err(reader.corrupt(format!("launch {other} is unknown"))),
    })
}

fn read_ending(reader: &Reader<'_>) -> Result<Ending, Error> {
    let reason = match reader.string("end_reason")? {
        "requested" => EndReason::Requested,
        "killed" => EndReason::Killed,
        "stopped" => EndReason::Stopped,
        "expired" => EndReason::Expired,
        "failed" => EndReason::Failed { message: reader.string("end_message")?.to_owned() },
        "exited" => EndReason::Exited { code: reader.opt_number("exit_code")? },
        "lost" => EndReason::Lost,
        other => return Err(reader.corrupt(format!("end_reason {other} is unknown"))),
    };
    let stop = match reader.string("stop")? {
        "wanted" => Stop::Wanted,
        "sent" => Stop::Sent,
        "done" => Stop::Done,
        other => return Err(reader.corrupt(format!("stop {other} is unknown"))),
    };
    Ok(Ending {
        end: End {
            reason,
            by: reader.opt_string("end_by")?.map(UserId::new),
            at: reader.time("destroyed_at")?,
        },
        since: reader.time("end_since")?,
        task: read_task(reader)?,
        stop,
        dismissed: reader.flag("dismissed")?,
    })
}

fn read_task(reader: &Reader<'_>) -> Result<Option<Task>, Error> {
    let Some(arn) = reader.opt_string("task_arn")? else {
        return Ok(None);
    };
    Ok(Some(Task {
        arn: TaskArn::new(arn),
        version: reader.number("task_version")?,
        recorded_at: reader.time("task_recorded_at")?,
    }))
}

fn some_task(reader: &Reader<'_>) -> Result<Task, Error> {
    read_task(reader)?.ok_or_else(|| reader.corrupt("a task has started but task_arn is missing"))
}

#[cfg(test)]
mod tests;
