//! A deployed stack in one process: the table, the functions, and what calls them.

mod deployed;
mod filters;
mod settings;
mod table;

use std::{sync::Arc, time::Duration};

use axum::Router;
use futures::future::BoxFuture;
use modbox_aws::table::Table;
use modbox_control::{Admin, AdminError, Keys, settings::InvalidSetting};
use modbox_sandbox::{Clock, Ids};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use deployed::Deployed;
pub use filters::{LAUNCHER as LAUNCHER_FILTERS, REAPER as REAPER_FILTERS};
pub use settings::variables;
pub use table::{TTL as TTL_ATTRIBUTE, definition as table_definition, ensure as ensure_table};

use crate::{
    aws_json::{Answer, AwsError},
    bus::Bus,
    cloud::{Cloud, Gate, Service},
    dynamo::{Dynamo, StorageError},
    ecs::{self, Ecs, Engine},
    plumbing::{self, Running, events::Events, handler, pump::Pump, schedule::Schedule},
    queue::{self, Queue},
};

/// The name of the table.
pub const TABLE: &str = "modbox";
/// The name of the deployment.
pub const STACK: &str = "local";
/// The name of the bus on which lifecycle events are published.
pub const EVENT_BUS: &str = "modbox";
/// The log group that keeps what tasks say.
pub const LOG_GROUP: &str = "modbox";
/// The image of a sandbox whose caller names none.
pub const DEFAULT_IMAGE: &str = "modbox/sandbox-lite";
/// The image of the two sidecars.
pub const SIDECAR_IMAGE: &str = "modbox/sidecar";
const DEAD_LETTERS: &str = "modbox-dead-letters";

/// What a stack is made of.
#[derive(Debug)]
pub struct Parts {
    pub dynamo: Arc<Dynamo>,
    pub engine: Arc<dyn Engine>,
    pub ecs: ecs::Settings,
    /// What ECS knows from an earlier run and is to know in the next; none: its tasks are over with this one.
    pub memory: Option<ecs::Memory>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub keys: Keys,
    /// How long an ended sandbox is kept as history.
    pub retention: Duration,
    /// How often the schedule calls; a minute in AWS.
    pub tick: Duration,
    /// How often DynamoDB removes the items whose TTL has passed; AWS promises a few days.
    pub ttl_sweep: Duration,
    /// Between the functions and the cloud: [`Open`](crate::cloud::Open), unless something is to fail.
    pub gate: Arc<dyn Gate>,
}

/// A running stack.
#[derive(Debug)]
pub struct Stack {
    pub cloud: Arc<Cloud>,
    pub dynamo: Arc<Dynamo>,
    pub ecs: Ecs,
    pub bus: Arc<Bus>,
    pub queue: Arc<Queue>,
    pub table: Table,
    /// Who may call: users and their tokens.
    pub admin: Admin,
    router: Router,
    pump: Pump,
    sweep: Schedule,
    schedule: Running,
    ttl: Running,
    observer: Events,
    forward: CancellationToken,
}

/// Why a stack cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the table cannot be made: {0}")]
    Table(#[from] AwsError),
    #[error("the table's stream cannot be read: {0}")]
    Stream(#[from] StorageError),
    #[error("the tasks of the run before cannot be known again: {0}")]
    Memory(#[from] ecs::MemoryError),
    #[error("a filter cannot be read: {0}")]
    Filter(#[from] plumbing::filter::InvalidFilter),
    #[error("a function cannot be set up: {0}")]
    Setting(#[from] InvalidSetting),
}

impl Service for Ecs {
    fn call<'a>(&'a self, operation: &'a str, body: Value) -> BoxFuture<'a, Answer> {
        Box::pin(Ecs::call(self, operation, body))
    }
}

impl Stack {
    /// Makes the table if it is not there, and starts everything that calls the functions.
    pub fn start(parts: Parts) -> Result<Self, StartError> {
        let ttl = expire_items(&parts);
        let Deployed {
            cloud,
            dynamo,
            ecs,
            bus,
            queue,
            table,
            admin,
            router,
            mappings,
            schedule,
            observer,
            changed,
        } = Deployed::new(parts)?;
        let (events, delivered) = mpsc::unbounded_channel();
        let forward = CancellationToken::new();
        tokio::spawn(forward_until(forward.clone(), changed, events));
        Ok(Self {
            pump: Pump::start(dynamo.stream(TABLE), mappings),
            schedule: schedule.clone().start(),
            sweep: schedule,
            ttl: ttl.start(),
            observer: plumbing::events::start(delivered, observer),
            forward,
            router,
            table,
            admin,
            ecs,
            bus,
            queue,
            dynamo,
            cloud,
        })
    }

    /// The API, as the `api` function serves it.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Lets a user in with an API token, beside the tokens that the user has.
    pub async fn admit(&self, user: &str, token: &str) -> Result<(), AdminError> {
        self.admin.admit(user, token, "admitted").await.map(drop)
    }

    /// Lets a user in with this token in place of the one that was let in so before; tokens made by others stay.
    pub async fn admit_instead(&self, user: &str, token: &str) -> Result<(), AdminError> {
        const DESCRIPTION: &str = "the token of modbox-local";
        let admitted = self.admin.admit(user, token, DESCRIPTION).await?;
        for earlier in self.admin.list_tokens(user).await? {
            let replaced =
                earlier.description.as_deref() == Some(DESCRIPTION) && earlier.hash != admitted.hash;
            if replaced && earlier.revoked_at.is_none() {
                self.admin.revoke_token(earlier.hash.id()).await?;
            }
        }
        Ok(())
    }

    /// The dead letters, as they were sent.
    pub fn dead_letters(&self) -> Vec<queue::Message> {
        self.queue.messages(&queue::url(DEAD_LETTERS))
    }

    /// Waits until every record of the stream so far has been handled.
    pub async fn caught_up(&self) -> Result<(), StorageError> {
        self.pump.caught_up().await
    }

    /// Waits until every event that ECS has sent so far is with the observer and was taken by it.
    pub async fn events_delivered(&self) {
        self.observer.delivered().await;
    }

    /// Calls the reaper as the schedule does, now: for those who do not want to wait for the next tick.
    pub async fn tick(&self) -> Result<Value, String> {
        self.sweep.call().await
    }

    /// Ends every task and sees to it that the rows say so. Launches that are not under way wait for the next start.
    pub async fn shutdown(self, why: &str, grace: Duration) {
        drop(self.ttl);
        // The tasks first of all: ECS takes no further one, whatever is still being handled meanwhile.
        tokio::join!(self.ecs.stop_all(why, grace), self.pump.shutdown(), self.schedule.shutdown());
        self.forward.cancel();
        self.observer.finished().await;
    }
}

/// DynamoDB's TTL, which in AWS nobody has to call.
fn expire_items(parts: &Parts) -> Schedule {
    let dynamo = Arc::clone(&parts.dynamo);
    // It reads the whole table, so it is kept off the threads that answer.
    let sweep = handler(move |_| {
        let dynamo = Arc::clone(&dynamo);
        let swept = tokio::task::spawn_blocking(move || dynamo.sweep_ttl());
        async move {
            let removed = swept.await.map_err(|error| error.to_string())?;
            removed.map(Value::from).map_err(|error| error.to_string())
        }
    });
    Schedule {
        name: "dynamodb-ttl".to_owned(),
        period: parts.ttl_sweep,
        function: sweep,
        clock: Arc::clone(&parts.clock),
        ids: Arc::clone(&parts.ids),
    }
}

/// Hands ECS's events on until it is told to stop, and then what is left: the observer's queue ends with them.
async fn forward_until(
    stop: CancellationToken,
    mut from: mpsc::UnboundedReceiver<Value>,
    to: mpsc::UnboundedSender<Value>,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            event = from.recv() => match event.map(|event| to.send(event)) {
                Some(Ok(())) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
    while let Ok(event) = from.try_recv() {
        if to.send(event).is_err() {
            return;
        }
    }
}
