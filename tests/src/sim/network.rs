//! Between the functions and AWS: calls that take their time, fail, lose their answers, or are the last of their
//! function.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use modbox_local::{
    aws_json::{Answer, AwsError},
    cloud::{Call, Gate, Service},
    dynamo::Dynamo,
    ecs::Ecs,
};
use modbox_sandbox::{Clock as _, SandboxId, Timestamp};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    checks::Checks,
    choice::{Choices, Kind},
    indexes::Indexes,
    invocation::Invocation,
    mutant::Tampering,
    trace::{Trace, digest},
};
use crate::{TestClock, Used, faults::outage};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done and answered.
    Done,
    /// It is not done: AWS is out of order.
    Down,
    /// It is done: AWS is out of order after that.
    Lost,
    /// It is not done, and neither is any further call of this invocation.
    Outage,
    /// It is done, its answer is lost, and no further call of this invocation is done.
    LostAndOutage,
    Throttled,
    /// It is throttled, and so is every further call of this invocation about the same sandbox, and of no other.
    Hot,
    /// It is not done: somebody else's transaction holds the item.
    Conflict,
    /// ECS has no room now.
    Capacity,
    /// It is done only after the caller has given it up.
    Ghost,
    /// The function is killed before it is done.
    KilledBefore,
    /// The function is killed after it is done.
    KilledAfter,
    /// ECS answers as if it had not heard of the newest tasks.
    Unheard,
    /// The index answers as it was some seconds ago.
    Lagging,
}

impl Fate {
    /// In the order in which decisions name them, from 1 on, with how likely each is among the faults.
    pub const AWS: [(Self, u32); 8] = [
        (Self::Down, 4),
        (Self::Lost, 4),
        (Self::Outage, 2),
        (Self::LostAndOutage, 4),
        (Self::Throttled, 3),
        (Self::Conflict, 3),
        (Self::Ghost, 2),
        (Self::Hot, 4),
    ];
    pub const KILL: [(Self, u32); 2] = [(Self::KilledBefore, 1), (Self::KilledAfter, 2)];

    fn of(table: &[(Self, u32)], decision: u32) -> Option<Self> {
        let place = usize::try_from(decision).ok()?.checked_sub(1)?;
        table.get(place).map(|(fate, _)| *fate)
    }
}

/// How long a call may take there and back together, beside the plain 2 ms.
const LATENCIES: [Duration; 4] = [
    Duration::from_millis(15),
    Duration::from_millis(120),
    Duration::from_millis(900),
    Duration::from_millis(2500),
];
/// When a call is done that its caller has given up after 3 s.
const GHOST: Duration = Duration::from_secs(5);
/// How long ECS may not have heard of a task, and an index may be behind.
const LAG: Duration = Duration::from_secs(20);
/// Until when a fault may be felt: the function's whole time, and a redelivery.
const FELT: Duration = Duration::from_secs(70);

/// What a run knows of its calls.
#[derive(Debug)]
pub struct Network {
    pub choices: Choices,
    pub checks: Checks,
    pub trace: Trace,
    pub clock: Arc<TestClock>,
    pub indexes: Indexes,
    pub tampering: Tampering,
    pub calls: AtomicU64,
    /// Every call that a fault might have met, in its order.
    pub points: Mutex<Vec<String>>,
    /// What IAM would have been asked for.
    pub used: Used,
    /// What does a call that nobody waits for any more.
    pub services: OnceLock<(Arc<Dynamo>, Ecs)>,
}

/// The network as a gate. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Wire(pub Arc<Network>);

impl Gate for Wire {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Answer> {
        match Invocation::current() {
            // The run's own look at the table.
            None => call.perform(),
            Some(invocation) => self.pass(invocation, call).boxed(),
        }
    }
}

/// "Later", in the words that AWS has for it: for a task definition, and for everything else.
pub const LATER: [&str; 2] =
    ["Too many concurrent attempts to create a new revision of the specified family.", "Rate exceeded"];

fn throttled(operation: &str) -> AwsError {
    match operation {
        "RegisterTaskDefinition" => AwsError::client("ClientException", LATER[0]),
        _ => AwsError::client("ThrottlingException", LATER[1]),
    }
}

impl Wire {
    async fn pass(&self, invocation: Arc<Invocation>, mut call: Call<'_>) -> Answer {
        let network = &*self.0;
        if invocation.is_killed() {
            return std::future::pending().await;
        }
        network.calls.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}/{}", invocation.name, invocation.next_call());
        network.point(&name);
        network.used.note(&call);
        let (operation, sent) = (call.operation.to_owned(), digest(&call.body));
        let fate = network.fate(&name, &invocation, &call);
        let latency = network.latency(&name);
        sleep(latency / 2).await;
        if invocation.is_killed() {
            return std::future::pending().await;
        }
        let known = network.tampering.request(call.caller, &operation, &mut call.body);
        if matches!(call.operation, "PutEvents" | "SendMessage") {
            // Whatever becomes of the call: what leaves the function can be read.
            network.checks.readable("an event", &call.body.to_string());
        }
        let answer = self.meet(fate, &invocation, call, known).await;
        let said = match &answer {
            Ok(answer) => digest(answer),
            Err(error) => error.code.clone(),
        };
        network.note(|| format!("{name} {operation} {sent} {fate:?}: {said}"));
        sleep(latency / 2).await;
        answer
    }

    async fn meet(
        &self,
        fate: Fate,
        invocation: &Invocation,
        call: Call<'_>,
        known: Option<Answer>,
    ) -> Answer {
        let (operation, body) = (call.operation.to_owned(), call.body.clone());
        let perform = async {
            let answer = match known {
                Some(answer) => answer,
                None => perform(call.service, &operation, body.clone()).await,
            };
            if matches!(&*operation, "PutEvents" | "SendMessage") && answer.is_ok() {
                self.0.checks.published(&operation, &body);
            }
            self.0.tampering.answer(call.caller, &operation, answer)
        };
        let refused = || Err(outage());
        match fate {
            Fate::Done => perform.await,
            Fate::Down => refused(),
            Fate::Outage => {
                invocation.cut_off();
                refused()
            }
            Fate::Lost => perform.map(|_| refused()).await,
            Fate::LostAndOutage => {
                invocation.cut_off();
                perform.map(|_| refused()).await
            }
            Fate::Throttled => Err(throttled(&operation)),
            Fate::Hot => {
                invocation.heat(about(&body));
                Err(throttled(&operation))
            }
            Fate::Conflict => Err(conflict(&operation, &body)),
            Fate::Capacity => no_room(&body),
            Fate::Ghost => {
                self.haunt(operation.clone(), body.clone());
                std::future::pending().await
            }
            Fate::KilledBefore => {
                invocation.kill();
                std::future::pending().await
            }
            Fate::KilledAfter => {
                drop(perform.await);
                invocation.kill();
                std::future::pending().await
            }
            Fate::Unheard => self.0.unheard(perform.await, &operation, &body),
            Fate::Lagging => {
                perform.await.map(|answer| self.0.indexes.as_of(self.0.now(), LAG, &body, answer))
            }
        }
    }
}

impl Wire {
    /// Has the call done when nobody waits for it any more.
    fn haunt(&self, operation: String, body: Value) {
        let Some((dynamo, ecs)) = self.0.services.get().cloned() else { return };
        let network = Arc::clone(&self.0);
        tokio::spawn(async move {
            sleep(GHOST).await;
            let service: &dyn Service = if operation.contains("Task") { &ecs } else { &*dynamo };
            let answer = service.call(&operation, body).await;
            network.note(|| {
                format!("{operation} that was given up: {}", answer.map_or_else(|e| e.code, |a| digest(&a)))
            });
        });
    }
}

/// By the true clock, whatever the caller's says.
async fn perform(service: &dyn Service, operation: &str, body: Value) -> Answer {
    Invocation::outside(async { service.call(operation, body).await }).await
}

impl Network {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn point(&self, name: &str) {
        if !self.choices.is_calm() {
            self.points.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        }
    }

    /// Writes a line of the trace.
    pub fn note(&self, line: impl FnOnce() -> String) {
        self.trace.line(format!("{:>9} {}", self.now().millis() - crate::clock::START.millis(), line()));
    }

    /// Decides, and says that what comes may be late if the decision is not the plain one.
    pub fn decide(&self, kind: Kind, name: &str, weights: &[u32], felt: Duration) -> u32 {
        let decision = self.choices.decide(kind, name, weights);
        if decision > 0 {
            self.checks.disturb(self.now() + felt);
        }
        decision
    }

    fn latency(&self, name: &str) -> Duration {
        // Calls that take their time are no excuse for what comes late.
        let decision = self.choices.decide(Kind::Latency, &format!("{name}~"), &[8, 4, 2, 1]);
        let place = usize::try_from(decision).ok().and_then(|decision| decision.checked_sub(1));
        place.and_then(|place| LATENCIES.get(place)).copied().unwrap_or(Duration::from_millis(2))
    }

    fn fate(&self, name: &str, invocation: &Invocation, call: &Call<'_>) -> Fate {
        if invocation.is_cut_off() {
            return Fate::Down;
        }
        if invocation.is_hot(&call.body) {
            return Fate::Throttled;
        }
        let kill = Fate::KILL.map(|(_, weight)| weight);
        if let Some(fate) = Fate::of(&Fate::KILL, self.decide(Kind::Kill, &format!("{name}!"), &kill, FELT)) {
            return fate;
        }
        let aws = Fate::AWS.map(|(fate, weight)| if suits(fate, call) { weight } else { 0 });
        let decided = Fate::of(&Fate::AWS, self.decide(Kind::Aws, name, &aws, FELT));
        if let Some(fate) = decided.filter(|fate| suits(*fate, call)) {
            return fate;
        }
        if call.operation == "RunTask" && self.decide(Kind::Capacity, &format!("{name}#"), &[1], FELT) == 1 {
            return Fate::Capacity;
        }
        let lags = match call.operation {
            "ListTasks" | "DescribeTasks" | "StopTask" => Fate::Unheard,
            "Query" if call.body.get("IndexName").is_some() => Fate::Lagging,
            _ => return Fate::Done,
        };
        if self.decide(Kind::Lag, &format!("{name}?"), &[1], FELT) == 1 { lags } else { Fate::Done }
    }

    /// What ECS says when it has not heard of the tasks that it has just started.
    fn unheard(&self, answer: Answer, operation: &str, body: &Value) -> Answer {
        let is_new =
            |arn: &str| self.checks.task_created(arn).is_some_and(|created| self.now().since(created) < LAG);
        match operation {
            "StopTask" if body["task"].as_str().is_some_and(is_new) => {
                Err(AwsError::client("InvalidParameterException", "The referenced task was not found."))
            }
            "ListTasks" => answer.map(|mut answer| {
                if let Some(arns) = answer["taskArns"].as_array_mut() {
                    arns.retain(|arn| !arn.as_str().is_some_and(is_new));
                }
                answer
            }),
            "DescribeTasks" => answer.map(|mut answer| {
                let arn = |task: &Value| task["taskArn"].as_str().unwrap_or_default().to_owned();
                let tasks = answer["tasks"].as_array().cloned().unwrap_or_default();
                let (new, old): (Vec<Value>, Vec<Value>) =
                    tasks.into_iter().partition(|task| is_new(&arn(task)));
                answer["tasks"] = Value::Array(old);
                if let Some(failures) = answer["failures"].as_array_mut() {
                    failures.extend(new.iter().map(|task| json!({"arn": arn(task), "reason": "MISSING"})));
                }
                answer
            }),
            _ => answer,
        }
    }
}

/// The sandbox that a call is about: the first id in it.
fn about(body: &Value) -> Option<String> {
    let text = body.to_string();
    let mut words = text.split(|char: char| !char.is_ascii_hexdigit() && char != '-');
    words.find(|word| word.parse::<SandboxId>().is_ok()).map(ToOwned::to_owned)
}

/// Whether a call can end so.
fn suits(fate: Fate, call: &Call<'_>) -> bool {
    match fate {
        Fate::Conflict => matches!(call.operation, "PutItem" | "UpdateItem" | "TransactWriteItems"),
        Fate::Ghost => !matches!(call.operation, "PutEvents" | "SendMessage"),
        _ => true,
    }
}

/// What is said while a transaction holds the first item.
fn conflict(operation: &str, body: &Value) -> AwsError {
    let ongoing = "Transaction is ongoing for the item";
    if operation != "TransactWriteItems" {
        return AwsError::client("TransactionConflictException", ongoing);
    }
    let items = body["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); items];
    if let Some(first) = reasons.first_mut() {
        *first = json!({"Code": "TransactionConflict", "Message": ongoing});
    }
    let mut error = AwsError::client("TransactionCanceledException", "Transaction cancelled");
    error.members.insert("Message".to_owned(), json!("Transaction cancelled"));
    error.members.insert("CancellationReasons".to_owned(), json!(reasons));
    error
}

/// Both ways in which ECS says it, by the parity of the request.
fn no_room(body: &Value) -> Answer {
    if digest(body).ends_with(['0', '2', '4', '6', '8', 'a', 'c', 'e']) {
        return Ok(json!({"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]}));
    }
    Err(AwsError::client("ClientException", "Capacity is unavailable at this time. Please try again later"))
}
