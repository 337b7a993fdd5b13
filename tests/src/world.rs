use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use modbox_aws::table::Row;
use modbox_control::Keys;
use modbox_local::{
    cloud::Calls,
    ecs::Said,
    queue::Message,
    stack::{EVENT_BUS, Stack, TABLE},
};
use modbox_sandbox::{Clock, Ids, SandboxId, Timestamp, UserId};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{Builder, Client, Faults, Secrets, Simulated, secrets::Watch};

/// Longer than anything takes that goes by itself: every state of a task takes 15 ms.
const QUIET: Duration = Duration::from_millis(100);
/// By then everything is quiet, or never will be.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// A deployed stack, its callers, and whatever else a test must see or turn.
///
/// It fails the test at once where a caller's token, body or environment value can be read: in the log, in an event, in
/// the table.
#[derive(Debug)]
pub struct World {
    pub stack: Stack,
    /// What runs the containers: ends them, and counts tasks.
    pub engine: Simulated,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub keys: Keys,
    pub faults: Faults,
    pub(crate) secrets: Secrets,
    pub(crate) _watch: Watch,
}

impl World {
    /// A world whose tasks do as they are told, and whose schedule ticks by hand.
    ///
    /// The test must have paused tokio's time: `#[tokio::test(start_paused = true)]`.
    pub async fn start() -> Self {
        Self::build().start().await
    }

    /// A world that differs from that.
    pub fn build() -> Builder {
        Builder::default()
    }

    /// Lets a user in with a fresh token; the same user may come in twice.
    pub async fn user(&self, name: &str) -> Client {
        let token = self.fresh_token();
        self.stack.admit(name, &token).await.expect("a token can be stored");
        self.guest().with_token(&token)
    }

    /// Lets a user in with a token that is valid for that long.
    pub async fn user_for(&self, name: &str, lifetime: Duration) -> Client {
        self.user(name).await;
        let made = self.stack.admin.create_token(name, None, Some(lifetime)).await;
        self.guest().with_token(&made.expect("a token can be made").text)
    }

    /// The id of the user's workspace.
    pub async fn workspace(&self, name: &str) -> String {
        let user = self.stack.table.user(&UserId::new(name)).await.expect("the table can be read");
        user.unwrap_or_else(|| panic!("there is no user {name}")).workspace.to_string()
    }

    /// A caller without a token.
    pub fn guest(&self) -> Client {
        Client::new(self.stack.router()).watched(&self.secrets)
    }

    /// The sidecars of the sandbox's task.
    pub fn sidecar(&self, id: &str) -> Client {
        let token = self.keys.task_token(self.keys.current(), sandbox_id(id), 1);
        self.guest().with_token(&token.expect("the current key is known"))
    }

    fn fresh_token(&self) -> String {
        format!("mbx_{:032x}", self.ids.random())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass; whatever is due on the way happens in its turn.
    pub async fn pass(&self, time: Duration) {
        sleep(time).await;
    }

    /// Lets things take their course until nothing happens by itself any more, but for what waits for a later time.
    ///
    /// The stream has caught up, ECS's events are delivered, and no task is between two states. A container that takes
    /// longer than 100 ms over anything is not waited for.
    pub async fn settle(&self) {
        let quiet = async {
            loop {
                let before = self.calls();
                sleep(QUIET).await;
                self.stack.caught_up().await.expect("the stream can be read");
                self.stack.events_delivered().await;
                self.secrets.are_kept();
                if self.calls() == before {
                    return;
                }
            }
        };
        timeout(PATIENCE, quiet).await.expect("the world comes to rest");
    }

    /// Calls the reaper as the schedule does, lets things settle, and answers what it said.
    pub async fn tick(&self) -> Value {
        let said = self.stack.tick().await.expect("the reaper does not fail");
        self.settle().await;
        said
    }

    /// Has DynamoDB remove what its TTL says, lets things settle, and tells how many items it were.
    pub async fn sweep_ttl(&self) -> usize {
        let removed = self.stack.dynamo.sweep_ttl().expect("the table can be swept");
        self.settle().await;
        removed
    }

    /// How often each function has called each operation of AWS so far.
    pub fn calls(&self) -> Calls {
        self.stack.cloud.calls()
    }

    /// What the future answers, and how often `caller` called each operation meanwhile.
    pub async fn counting<T>(
        &self,
        caller: &str,
        work: impl Future<Output = T>,
    ) -> (T, BTreeMap<String, u64>) {
        let before = self.calls_of(caller);
        let answer = work.await;
        let mut calls = self.calls_of(caller);
        for (operation, count) in &mut calls {
            *count -= before.get(operation).copied().unwrap_or_default();
        }
        calls.retain(|_, count| *count > 0);
        (answer, calls)
    }

    fn calls_of(&self, caller: &str) -> BTreeMap<String, u64> {
        let of_caller = self.calls().into_iter().filter(|((by, _), _)| by == caller);
        of_caller.map(|((_, operation), count)| (operation, count)).collect()
    }

    /// Has a container of the sandbox's task say a line now.
    pub async fn say(&self, id: &str, container: &str, text: &str) {
        let row = self.row(id).await;
        let task = row.sandbox.task().unwrap_or_else(|| panic!("{id} has no task"));
        let task_id = task.arn.as_str().rsplit('/').next().unwrap_or_default();
        self.engine.say(task_id, container, Said { at: self.now(), text: text.to_owned() });
    }

    /// The lifecycle events that users' automation has received, oldest first.
    pub fn events(&self) -> Vec<Value> {
        self.stack.bus.events(EVENT_BUS)
    }

    /// The dead letters, oldest first.
    pub fn dead_letters(&self) -> Vec<Message> {
        self.stack.dead_letters()
    }

    /// The sandbox as it is stored.
    pub async fn row(&self, id: &str) -> Row {
        let row = self.stack.table.load(sandbox_id(id)).await.expect("the row can be read");
        row.unwrap_or_else(|| panic!("there is no row of {id}"))
    }

    /// Every item of the table, by its key, as DynamoDB's JSON.
    pub fn items(&self) -> BTreeMap<String, Value> {
        let scan = json!({"TableName": TABLE, "ConsistentRead": true});
        let mut answer = self.stack.dynamo.call("Scan", scan).expect("the table can be scanned");
        assert_eq!(answer.get("LastEvaluatedKey"), None, "the table is larger than a page");
        let items = answer["Items"].take();
        let items = items.as_array().into_iter().flatten();
        items.map(|item| (item["pk"]["S"].as_str().unwrap_or_default().to_owned(), item.clone())).collect()
    }

    /// The task that ECS knows for the sandbox, as DescribeTasks shows it; `Null` if it knows none.
    pub async fn task(&self, id: &str) -> Value {
        let Some(task) = self.row(id).await.sandbox.task().cloned() else {
            return Value::Null;
        };
        let body = json!({"tasks": [task.arn.as_str()]});
        let mut answer = self.stack.ecs.call("DescribeTasks", body).await.expect("ECS can be asked");
        answer["tasks"][0].take()
    }
}

fn sandbox_id(text: &str) -> SandboxId {
    text.parse().unwrap_or_else(|error| panic!("{text} is no id: {error}"))
}
