//! Streams, events and the schedule, calling functions.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use modbox_local::dynamo::Dynamo;
use modbox_local::plumbing::filter::Filter;
use modbox_local::plumbing::mapping::Mapping;
use modbox_local::plumbing::pump::Pump;
use modbox_local::plumbing::schedule::Schedule;
use modbox_local::plumbing::{Handler, events, handler};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::world::{Counted, Hand, with_table};

fn put(dynamo: &Dynamo, key: &str, state: &str) {
    let item = json!({"pk": {"S": key}, "state": {"S": state}});
    dynamo.call("PutItem", json!({"TableName": "modbox", "Item": item})).unwrap();
}

/// What a function was called with: the key and state of each record, batch by batch.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<Batch>>>);

type Batch = Vec<(String, String)>;

impl Seen {
    fn batch(&self, event: &Value) -> Batch {
        let text = |record: &Value, name: &str| {
            let image = &record["dynamodb"]["NewImage"];
            image[name]["S"].as_str().unwrap().to_owned()
        };
        let records = event["Records"].as_array().unwrap();
        let batch: Batch = records.iter().map(|record| (text(record, "pk"), text(record, "state"))).collect();
        self.0.lock().unwrap().push(batch.clone());
        batch
    }

    fn batches(&self) -> Vec<Batch> {
        self.0.lock().unwrap().clone()
    }

    fn states(&self, key: &str) -> Vec<String> {
        let all = self.batches().into_iter().flatten();
        all.filter(|(of, _)| of == key).map(|(_, state)| state).collect()
    }

    fn sizes(&self) -> Vec<usize> {
        self.batches().iter().map(Vec::len).collect()
    }

    /// A function that only looks.
    fn handler(&self) -> Handler {
        let seen = self.clone();
        handler(move |event| {
            seen.batch(&event);
            async { Ok(Value::Null) }
        })
    }
}

fn failed(event: &Value, places: &[usize]) -> Value {
    let number = |place: &usize| event["Records"][*place]["dynamodb"]["SequenceNumber"].clone();
    let failures: Vec<Value> = places.iter().map(|place| json!({"itemIdentifier": number(place)})).collect();
    json!({"batchItemFailures": failures})
}

fn one_shard(function: Handler) -> Mapping {
    Mapping { shards: 1, ..Mapping::new("test", Vec::new(), function) }
}

async fn table() -> Arc<Dynamo> {
    with_table(Dynamo::in_memory().unwrap()).await.0
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_items_records_arrive_in_order_and_only_those_that_pass_a_filter() {
    let dynamo = table().await;
    let seen = Seen::default();
    let wants =
        |state: &str| Filter::parse(&json!({"dynamodb": {"NewImage": {"state": {"S": [state]}}}})).unwrap();
    let filters = (0..50).filter(|number| number % 2 == 0).map(|number| wants(&number.to_string())).collect();
    let pump = Pump::start(dynamo.stream("modbox"), vec![Mapping::new("test", filters, seen.handler())]);
    for state in 0..50 {
        for key in ["a", "b", "c", "d", "e"] {
            put(&dynamo, key, &state.to_string());
        }
        tokio::task::yield_now().await;
    }
    pump.caught_up().await.unwrap();

    let even: Vec<String> = (0..50).step_by(2).map(|number: usize| number.to_string()).collect();
    for key in ["a", "b", "c", "d", "e"] {
        assert_eq!(seen.states(key), even);
    }
    assert!(dynamo.stream("modbox").read_after(0, 10).unwrap().is_empty(), "everything is trimmed");
}

#[tokio::test(start_paused = true)]
async fn the_lowest_failed_record_and_all_after_it_are_delivered_again() {
    let dynamo = table().await;
    for state in 0..5 {
        put(&dynamo, "a", &state.to_string());
    }
    let (seen, recorder) = (Seen::default(), Seen::default());
    let function = {
        let (seen, calls) = (seen.clone(), AtomicUsize::new(0));
        handler(move |event| {
            seen.batch(&event);
            let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            let answer = if first { failed(&event, &[3, 1]) } else { Value::Null };
            async { Ok(answer) }
        })
    };
    let start = Instant::now();
    let mappings = vec![one_shard(function), one_shard(recorder.handler())];
    let pump = Pump::start(dynamo.stream("modbox"), mappings);
    pump.caught_up().await.unwrap();

    assert_eq!(seen.sizes(), [5, 4]);
    assert_eq!(seen.states("a"), [numbers(0..5), numbers(1..5)].concat());
    assert_eq!(recorder.sizes(), [5], "another mapping is not concerned");
    assert!(start.elapsed() >= Duration::from_millis(100), "it waits before it tries again");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_panics_or_hangs_gets_its_batch_again() {
    let dynamo = table().await;
    put(&dynamo, "a", "1");
    let (seen, calls) = (Seen::default(), AtomicUsize::new(0));
    let looked = seen.clone();
    let function = handler(move |event| {
        seen.batch(&event);
        let call = calls.fetch_add(1, Ordering::Relaxed);
        async move {
            match call {
                0 => Err("no".to_owned()),
                1 => panic!("on purpose"),
                2 => std::future::pending().await,
                3 => Ok(json!({"batchItemFailures": [{"itemIdentifier": "unknown"}]})),
                _ => Ok(Value::Null),
            }
        }
    });
    let pump = Pump::start(dynamo.stream("modbox"), vec![one_shard(function)]);
    pump.caught_up().await.unwrap();
    assert_eq!(looked.sizes(), [1; 5]);
}

#[tokio::test(start_paused = true)]
async fn one_bad_record_does_not_hold_up_those_before_it() {
    let dynamo = table().await;
    for state in 0..60 {
        put(&dynamo, "a", &state.to_string());
    }
    let good = Arc::new(Mutex::new(HashSet::new()));
    let (repaired, mended) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let function = {
        let (seen, good, mended, repaired) =
            (Seen::default(), good.clone(), mended.clone(), repaired.clone());
        handler(move |event| {
            let batch = seen.batch(&event);
            let bad = batch.iter().any(|(_, state)| state == "41") && mended.load(Ordering::Relaxed) == 0;
            if !bad {
                good.lock().unwrap().extend(batch.into_iter().map(|(_, state)| state));
            }
            if good.lock().unwrap().len() == 41 {
                repaired.notify_one();
            }
            async move { if bad { Err("a bad record".to_owned()) } else { Ok(Value::Null) } }
        })
    };
    let pump = Pump::start(dynamo.stream("modbox"), vec![one_shard(function)]);
    let before = tokio::time::timeout(Duration::from_secs(60), repaired.notified()).await;
    assert!(before.is_ok(), "all 41 before it get through");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(good.lock().unwrap().len(), 41, "what comes after it keeps its order");

    mended.store(1, Ordering::Relaxed);
    pump.caught_up().await.unwrap();
    assert_eq!(good.lock().unwrap().len(), 60);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_fails_does_not_hold_up_other_shards() {
    let dynamo = table().await;
    let keys: Vec<String> = (0..40).map(|key| format!("item-{key}")).collect();
    let done = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
    let function = {
        let (seen, done) = (Seen::default(), done.clone());
        handler(move |event| {
            let batch = seen.batch(&event);
            let bad = batch.iter().position(|(key, _)| key == "item-0");
            let mut done = done.lock().unwrap();
            for (key, _) in batch.iter().take(bad.unwrap_or(batch.len())) {
                *done.entry(key.clone()).or_default() += 1;
            }
            let answer = bad.map_or(Value::Null, |place| failed(&event, &[place]));
            async { Ok(answer) }
        })
    };
    for key in &keys {
        put(&dynamo, key, "1");
    }
    let _pump = Pump::start(dynamo.stream("modbox"), vec![Mapping::new("test", Vec::new(), function)]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let done = done.lock().unwrap();
    assert!(!done.contains_key("item-0"));
    assert!(done.len() >= 20, "most shards are free: {}", done.len());
    assert!(done.values().all(|count| *count == 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_finished_is_delivered_after_a_restart_and_what_was_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("modbox.db");
    let (dynamo, cloud, client) = with_table(Dynamo::open(&file).unwrap()).await;
    for state in 0..4 {
        put(&dynamo, "a", &state.to_string());
    }
    let reached = Arc::new(Notify::new());
    let stuck = {
        let reached = reached.clone();
        handler(move |event| {
            let first = event["Records"].as_array().unwrap().len() == 4;
            let answer = failed(&event, if first { &[2] } else { &[0] });
            if !first {
                reached.notify_one();
            }
            async { Ok(answer) }
        })
    };
    let quick = Seen::default();
    let mappings = vec![one_shard(stuck), one_shard(quick.handler())];
    let pump = Pump::start(dynamo.stream("modbox"), mappings);
    reached.notified().await;
    pump.shutdown().await;
    assert_eq!(quick.states("a"), numbers(0..4));
    drop((dynamo, cloud, client));

    let dynamo = Arc::new(Dynamo::open(&file).unwrap());
    let again = Seen::default();
    let pump = Pump::start(dynamo.stream("modbox"), vec![one_shard(again.handler())]);
    pump.caught_up().await.unwrap();
    assert_eq!(again.states("a"), numbers(2..4));
}

#[tokio::test(start_paused = true)]
async fn the_pump_reads_ten_thousand_records_ahead_and_no_more() {
    let dynamo = table().await;
    for batch in 0..404 {
        let request = |number| json!({"PutRequest": {"Item": {"pk": {"S": format!("{batch}-{number}")}, "state": {"S": "1"}}}});
        let requests: Vec<Value> = (0..25).map(request).collect();
        dynamo.call("BatchWriteItem", json!({"RequestItems": {"modbox": requests}})).unwrap();
    }
    let (seen, gate) = (Seen::default(), Arc::new(tokio::sync::Semaphore::new(0)));
    let stuck = {
        let gate = gate.clone();
        handler(move |_| {
            let gate = gate.clone();
            async move {
                let _open = gate.acquire().await;
                Ok(Value::Null)
            }
        })
    };
    let stuck = Mapping { timeout: Duration::from_secs(1_000_000), ..one_shard(stuck) };
    let pump = Pump::start(dynamo.stream("modbox"), vec![stuck, one_shard(seen.handler())]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(seen.sizes().iter().sum::<usize>(), 10_000);
    gate.close();
    pump.caught_up().await.unwrap();
    assert_eq!(seen.sizes().iter().sum::<usize>(), 10_100);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_invocation_in_flight_and_starts_no_other() {
    let dynamo = table().await;
    put(&dynamo, "a", "1");
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let function = {
        let (begun, ended) = (begun.clone(), ended.clone());
        handler(move |_| {
            let ended = ended.clone();
            begun.notify_one();
            async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                ended.fetch_add(1, Ordering::Relaxed);
                Ok(Value::Null)
            }
        })
    };
    let pump = Pump::start(dynamo.stream("modbox"), vec![one_shard(function)]);
    begun.notified().await;
    put(&dynamo, "b", "1");
    pump.shutdown().await;
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    assert_eq!(
        dynamo.stream("modbox").read_after(0, 10).unwrap().len(),
        1,
        "only the finished one is trimmed"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_fails_is_repeated_and_keeps_none_waiting() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let seen = Arc::new(Mutex::new(Vec::<(u64, Duration)>::new()));
    let begin = Instant::now();
    let function = {
        let seen = seen.clone();
        handler(move |event| {
            let number = event["n"].as_u64().unwrap();
            let mut seen = seen.lock().unwrap();
            seen.push((number, begin.elapsed()));
            let tries = seen.iter().filter(|(other, _)| *other == number).count();
            async move { if number < 20 && tries < 3 { Err("no".to_owned()) } else { Ok(Value::Null) } }
        })
    };
    let running = events::start(receiver, function);
    for number in 0..100 {
        sender.send(json!({"n": number})).unwrap();
    }
    drop(sender);
    running.finished().await;
    let seen = seen.lock().unwrap();
    let tries = |number: u64| seen.iter().filter(|(other, _)| *other == number).count();
    assert!((0..20).all(|number| tries(number) == 3));
    assert!((20..100).all(|number| tries(number) == 1));
    let waited = seen.iter().any(|(number, at)| *number >= 20 && !at.is_zero());
    assert!(!waited, "those that fail give up their slots meanwhile");
}

#[tokio::test(start_paused = true)]
async fn sixteen_events_at_most_are_in_the_function() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let function = {
        let (inside, most) = (inside.clone(), most.clone());
        handler(move |_| {
            let (inside, most) = (inside.clone(), most.clone());
            async move {
                most.fetch_max(inside.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(10)).await;
                inside.fetch_sub(1, Ordering::Relaxed);
                Ok(Value::Null)
            }
        })
    };
    let running = events::start(receiver, function);
    for number in 0..100 {
        sender.send(json!({"n": number})).unwrap();
    }
    drop(sender);
    running.finished().await;
    assert_eq!(most.load(Ordering::Relaxed), 16);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_calls_each_period_and_never_twice_at_a_time() {
    let starts = Arc::new(Mutex::new(Vec::new()));
    let begin = Instant::now();
    let function = {
        let starts = starts.clone();
        handler(move |event| {
            let mut starts = starts.lock().unwrap();
            starts.push((begin.elapsed().as_millis(), event));
            let slow = starts.len() == 2;
            async move {
                tokio::time::sleep(Duration::from_millis(if slow { 2500 } else { 0 })).await;
                Err("which is only logged".to_owned())
            }
        })
    };
    let schedule = Schedule {
        name: "reaper".to_owned(),
        period: Duration::from_secs(1),
        function,
        clock: Hand::at(1_800_000_000),
        ids: Arc::new(Counted::default()),
    };
    let running = schedule.start();
    tokio::time::sleep(Duration::from_millis(5500)).await;
    running.shutdown().await;
    tokio::time::sleep(Duration::from_secs(10)).await;

    let starts = starts.lock().unwrap();
    let times: Vec<u128> = starts.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 1000, 3500, 4000, 5000]);
    assert_eq!(
        starts[0].1,
        json!({
            "version": "0", "id": starts[0].1["id"], "detail-type": "Scheduled Event", "source": "aws.events",
            "account": "000000000000", "time": "2027-01-15T08:00:00Z", "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:000000000000:rule/reaper"], "detail": {},
        })
    );
}
