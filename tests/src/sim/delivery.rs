//! What calls the functions: the stream's two mappings, ECS's events, the schedule, and DynamoDB's TTL, each late,
//! twice or in another order as AWS may be.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use modbox_local::{
    dynamo::{Dynamo, StreamRecord},
    plumbing::{
        Handler, INVOCATION_TIMEOUT,
        mapping::{Mapping, Outcome},
        schedule::Schedule,
    },
    stack::TABLE,
};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{choice::Kind, invocation::Invocation, mutant::Mutant, network::Network};

/// Between a change and its delivery where nothing is late.
const PROMPT: Duration = Duration::from_millis(5);
/// Before what failed is delivered again.
const REDELIVERY: Duration = Duration::from_secs(1);
/// How late a record or an event may come.
const LATE: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(20), Duration::from_secs(150)];
/// How long after its first delivery something may come once more.
const AGAIN: Duration = Duration::from_secs(40);
/// The second instance of the api.
const OTHER_API: &str = "api2";
/// Until when a delivery that fails may be felt.
const FELT: Duration = Duration::from_secs(70);

/// Calls the functions of one run. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Deliveries {
    network: Arc<Network>,
    skews: Arc<BTreeMap<&'static str, i64>>,
    /// Everything is delivered again at once, and once more later.
    thrice: bool,
    /// The schedule does not come before the faults are over.
    unscheduled: bool,
    /// What is under way or waits.
    open: Arc<AtomicUsize>,
}

/// Counts as open until it is dropped.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One shard of one mapping.
struct Lane {
    mapping: Mapping,
    name: String,
    waiting: Mutex<VecDeque<Arc<StreamRecord>>>,
    arrived: Notify,
}

impl Deliveries {
    pub fn new(network: &Arc<Network>) -> Self {
        let ahead = |function: &'static str| {
            let skew = match network.choices.decide(Kind::Clock, &format!("clock.{function}"), &[1, 1, 1]) {
                0 => 0,
                1 => 2_500,
                2 => -2_500,
                _ => 1_000,
            };
            (function, skew)
        };
        let skews = ["api", OTHER_API, "launcher", "reaper", "observer"].map(ahead);
        let apart = skews.iter().map(|(_, skew)| i64::unsigned_abs(*skew)).max().unwrap_or_default();
        network.checks.apart(Duration::from_millis(apart * 2));
        let thrice = network.choices.decide(Kind::Delivery, "all.thrice", &[1]) == 1;
        let unscheduled = network.choices.decide(Kind::Delivery, "schedule.out", &[1]) == 1;
        let (skews, open) = (Arc::new(skews.into()), Arc::default());
        Self { network: Arc::clone(network), skews, thrice, unscheduled, open }
    }

    /// Whether anything is under way or waits.
    pub fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Where a function runs: the api has two instances, each with a clock of its own.
    fn instance<'a>(&self, function: &'a str, invocation: &str) -> &'a str {
        let is_other = || self.network.choices.decide(Kind::Clock, &format!("{invocation}@"), &[1]) == 1;
        if function == "api" && is_other() { OTHER_API } else { function }
    }

    /// Runs an invocation; none if it was killed or took too long.
    pub async fn invoke<T>(&self, function: &str, name: String, code: impl Future<Output = T>) -> Option<T> {
        let skew = self.skews.get(self.instance(function, &name)).copied().unwrap_or(0);
        let _open = self.open();
        // A panic would end the function, and the next delivery would hide it.
        let code = AssertUnwindSafe(code).catch_unwind();
        let run = Invocation::new(name.clone(), skew).run(code);
        let answer = timeout(INVOCATION_TIMEOUT, run).await.ok().flatten().and_then(|answer| {
            answer.map_err(|_| self.network.checks.fail(|| format!("{name} panicked"))).ok()
        });
        if answer.is_none() {
            self.network.note(|| format!("{name} was killed"));
        }
        answer
    }

    /// Reads the stream, for ever, and has each mapping deliver what it wants of it.
    pub async fn stream(self, dynamo: Arc<Dynamo>, mappings: Vec<Mapping>) {
        let stream = dynamo.stream(TABLE);
        let mut written = stream.written();
        let lanes: Vec<Vec<Arc<Lane>>> = mappings.into_iter().map(|mapping| self.lanes(&mapping)).collect();
        let mut read_to = 0;
        loop {
            written.mark_unchanged();
            let records = stream.read_after(read_to, 1000).expect("a stream in memory can be read");
            for record in records {
                read_to = record.sequence;
                let now = self.network.now();
                self.network.checks.changed(&record.event, now);
                self.network.indexes.changed(&record.event, now);
                let record = Arc::new(record);
                for lanes in &lanes {
                    self.push(lanes, &record);
                }
            }
            if written.changed().await.is_err() {
                return;
            }
        }
    }

    fn lanes(&self, mapping: &Mapping) -> Vec<Arc<Lane>> {
        let lane = |shard: usize| {
            let name = format!("{}{shard}", mapping.name);
            let (waiting, arrived) = (Mutex::default(), Notify::new());
            let lane = Arc::new(Lane { mapping: mapping.clone(), name, waiting, arrived });
            tokio::spawn(self.clone().work(Arc::clone(&lane)));
            lane
        };
        (0..mapping.shards).map(lane).collect()
    }

    fn push(&self, lanes: &[Arc<Lane>], record: &Arc<StreamRecord>) {
        let Some(first) = lanes.first() else { return };
        let undelivered = self.network.tampering.is(Mutant::StopsUndelivered)
            || (self.network.tampering.is(Mutant::StartsUndelivered) && begins(&record.event));
        if first.mapping.name == "reaper" && undelivered {
            return;
        }
        if first.mapping.wants(record)
            && let Some(lane) = lanes.get(first.mapping.shard_of(&record.key))
        {
            // Closed when it is acknowledged.
            self.open.fetch_add(1, Ordering::Relaxed);
            lane.waiting().push_back(Arc::clone(record));
            lane.arrived.notify_one();
        }
    }

    /// Delivers the records of a shard, in their order, until each was handled.
    async fn work(self, lane: Arc<Lane>) {
        for number in 1.. {
            lane.arrival().await;
            let name = format!("{}.{number}", lane.name);
            let most = if self.decide(&format!("{name}.one"), &[1], PROMPT) == 1 { 1 } else { 100 };
            sleep(PROMPT + self.late(&format!("{name}.late"))).await;
            let batch: Vec<_> = lane.waiting().iter().take(most).cloned().collect();
            let done = self.deliver(&lane, name.clone(), &batch).await;
            let done =
                if self.network.tampering.is(Mutant::FailureAcknowledged) { batch.len() } else { done };
            lane.waiting().drain(..done);
            self.open.fetch_sub(done, Ordering::Relaxed);
            let again = self.decide(&format!("{name}.again"), &[2, 1], AGAIN + FELT);
            if again == 1 || self.thrice {
                self.deliver(&lane, format!("{name}b"), &batch).await;
            }
            if again == 2 || self.thrice {
                tokio::spawn(self.clone().once_more(Arc::clone(&lane), name, batch.clone()));
            }
            if done < batch.len() {
                sleep(REDELIVERY).await;
            }
        }
    }

    /// Delivers what was handled before, when other records have come since.
    async fn once_more(self, lane: Arc<Lane>, name: String, batch: Vec<Arc<StreamRecord>>) {
        let _open = self.open();
        sleep(AGAIN).await;
        self.deliver(&lane, format!("{name}c"), &batch).await;
    }

    /// Delivers a batch once, and tells how many records are done.
    async fn deliver(&self, lane: &Lane, name: String, batch: &[Arc<StreamRecord>]) -> usize {
        let mut events: Vec<&Value> = batch.iter().map(|record| &record.event).collect();
        if self.network.tampering.is(Mutant::BatchReversed) {
            events.reverse();
        }
        let event = json!({"Records": events});
        let call = (lane.mapping.function)(event);
        let Some(Ok(answer)) = self.invoke(&lane.mapping.name, name, call).await else { return 0 };
        let mut sequences: Vec<String> =
            batch.iter().map(|record| StreamRecord::sequence_number(record.sequence)).collect();
        if self.network.tampering.is(Mutant::BatchReversed) {
            sequences.reverse();
        }
        match Outcome::of(&answer, &sequences) {
            Outcome::Done => batch.len(),
            Outcome::FailedFrom(place) => place,
            Outcome::Failed => 0,
        }
    }

    /// Delivers ECS's events, for ever, in any order.
    pub async fn events(self, mut changed: mpsc::UnboundedReceiver<Value>, observer: Handler) {
        for number in 1.. {
            let Some(event) = changed.recv().await else { return };
            self.network.checks.task_changed(&event, self.network.now());
            self.network.note(|| {
                let detail = &event["detail"];
                format!("event{number}: {} is {}", detail["taskArn"], detail["lastStatus"])
            });
            if self.network.tampering.is(Mutant::EventsDropped) {
                continue;
            }
            let open = self.open();
            let (deliveries, observer) = (self.clone(), Arc::clone(&observer));
            tokio::spawn(async move {
                let _open = open;
                deliveries.event(number, event, observer).await;
            });
        }
    }

    async fn event(&self, number: usize, event: Value, observer: Handler) {
        let name = format!("event{number}");
        sleep(PROMPT + self.late(&format!("{name}.late"))).await;
        let mut attempt = 1;
        while !self.observed(format!("{name}.{attempt}"), &event, &observer).await {
            attempt += 1;
            sleep(REDELIVERY).await;
        }
        if self.decide(&format!("{name}.again"), &[1], AGAIN + FELT) == 1 || self.thrice {
            sleep(AGAIN).await;
            self.observed(format!("{name}.again"), &event, &observer).await;
        }
    }

    async fn observed(&self, name: String, event: &Value, observer: &Handler) -> bool {
        matches!(self.invoke("observer", name, observer(event.clone())).await, Some(Ok(_)))
    }

    /// Calls the reaper each minute, for ever, but for the ticks that are lost.
    pub async fn schedule(self, schedule: Schedule) {
        for number in 1_u32.. {
            sleep(schedule.period).await;
            if self.is_unscheduled() {
                self.network.checks.disturb(self.network.now() + schedule.period + FELT);
                continue;
            }
            match self.decide(&format!("tick{number}.way"), &[2, 1, 1], schedule.period * 2) {
                0 => self.tick(number.to_string(), &schedule).await,
                1 => {}
                2 => {
                    tokio::join!(
                        self.tick(format!("{number}a"), &schedule),
                        self.tick(format!("{number}b"), &schedule)
                    );
                }
                _ => {
                    sleep(Duration::from_secs(25)).await;
                    self.tick(number.to_string(), &schedule).await;
                }
            }
        }
    }

    /// Whether the schedule is out of order.
    pub fn is_unscheduled(&self) -> bool {
        self.unscheduled && !self.network.choices.is_calm()
    }

    /// Calls the reaper once.
    pub async fn tick(&self, number: String, schedule: &Schedule) {
        // One that fails waits for the next.
        drop(self.invoke("reaper", format!("tick{number}"), schedule.call()).await);
        self.network.checks.look(self.network.now());
    }

    /// Removes what the TTL says, now and then, for ever.
    pub async fn expire(self, dynamo: Arc<Dynamo>) {
        for number in 1.. {
            sleep(Duration::from_secs(13 * 60)).await;
            if self.decide(&format!("ttl{number}"), &[1], PROMPT) == 0 {
                let removed = dynamo.sweep_ttl().expect("a table in memory can be swept");
                self.network.note(|| format!("ttl{number} removed {removed}"));
            }
        }
    }

    fn late(&self, name: &str) -> Duration {
        let decision = self.decide(name, &[4, 2, 1], LATE.iter().sum());
        let place = usize::try_from(decision).ok().and_then(|decision| decision.checked_sub(1));
        place.and_then(|place| LATE.get(place)).copied().unwrap_or(Duration::ZERO)
    }

    fn decide(&self, name: &str, weights: &[u32], felt: Duration) -> u32 {
        self.network.decide(Kind::Delivery, name, weights, felt)
    }

    fn open(&self) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(&self.open))
    }
}

impl Lane {
    /// Waits until there are records.
    async fn arrival(&self) {
        while self.waiting().is_empty() {
            self.arrived.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arc<StreamRecord>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a sandbox runs by this change.
fn begins(event: &Value) -> bool {
    let state = |image: &str| event["dynamodb"][image]["state"]["S"].as_str();
    (state("OldImage"), state("NewImage")) == (Some("provisioning"), Some("running"))
}
