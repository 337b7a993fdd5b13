//! Five thousand sandboxes, one wave after the other: memory stays flat, and old rows go.
//!
//! What runs is all of `modbox-local` but its sockets and its processes: those of a task end with it.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use modbox_control::{Keys, SystemClock, SystemIds};
use modbox_local::{
    cloud::Open,
    dynamo::Dynamo,
    ecs::{self, Timings},
    stack::{Parts, Stack, TABLE},
};
use modbox_sandbox::contract;
use modbox_tests::{Client, Script, Simulated};
use serde_json::json;
use tokio::time::{sleep, timeout};

const WAVE: usize = 100;
const WAVES: usize = 50;
/// By then everything that is kept once is there: caches, pools, the pages of the table.
const WARM: usize = 15;
/// How much more memory the rest may leave in use, that of what DynamoDB knows of transactions for ten minutes included:
/// about a kilobyte a sandbox.
const GROWTH: u64 = 4 << 20;

const RETENTION: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "mbx_endurance";

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_flat_over_five_thousand_sandboxes_and_old_rows_go() {
    let folder = tempfile::tempdir().unwrap();
    let (stack, engine) = start(folder.path());
    stack.admit("ann", TOKEN).await.unwrap();
    let ann = Client::new(stack.router()).with_header("host", "api.modbox.test").with_token(TOKEN);
    let mut warm = 0;
    for wave in 1..=WAVES {
        pass_a_wave(&ann).await;
        if wave == WARM {
            settle(&stack, &engine).await;
            warm = in_use();
        }
    }
    settle(&stack, &engine).await;
    let grown = in_use().saturating_sub(warm);
    report(&format!("{} sandboxes: {warm} bytes in use, {grown} more after {}", WARM * WAVE, WAVES * WAVE));
    old_rows_go(&stack).await;
    assert!(grown < GROWTH, "{grown} bytes more than {warm}");
}

fn start(folder: &Path) -> (Stack, Simulated) {
    let script = |_: &ecs::Launch| Script::default().exit(contract::READY, Duration::ZERO, 0);
    let engine = Simulated::new(script);
    let timings = Timings::each(Duration::from_millis(1));
    let stack = Stack::start(Parts {
        dynamo: Arc::new(Dynamo::open(&folder.join("modbox.db")).unwrap()),
        memory: Some(ecs::Memory::open(&folder.join("ecs.db")).unwrap()),
        engine: Arc::new(engine.clone()),
        ecs: ecs::Settings {
            timings,
            launch_burst: 1000,
            launches_per_second: 1000,
            ..ecs::Settings::default()
        },
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        keys: Keys::generate("k1", [1, 2]).parse().unwrap(),
        retention: RETENTION,
        tick: Duration::from_secs(1),
        ttl_sweep: Duration::from_secs(1),
        gate: Arc::new(Open),
    });
    (stack.unwrap(), engine)
}

/// Waits until the tasks have ended and everybody was told: what is measured is what is kept.
async fn settle(stack: &Stack, engine: &Simulated) {
    let over = async {
        while !engine.running().is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, over).await.expect("every task ends");
    stack.caught_up().await.unwrap();
    stack.events_delivered().await;
}

/// Creates many at once, waits until they run, and destroys them at once.
async fn pass_a_wave(ann: &Client) {
    let create = |ann: Client| async move { ann.create(json!({"env_vars": {"A": "1"}})).await };
    let created = at_once((0..WAVE).map(|_| create(ann.clone()))).await;
    let begun = Instant::now();
    while count(ann, "running").await < WAVE {
        assert!(begun.elapsed() < PATIENCE, "{} run", count(ann, "running").await);
        sleep(Duration::from_millis(200)).await;
    }
    let destroy =
        |ann: Client, id: String| async move { ann.delete(&format!("/sandboxes/{id}")).await.expect(200) };
    at_once(created.into_iter().map(|id| destroy(ann.clone(), id))).await;
}

async fn at_once<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    join_all(work.map(tokio::spawn)).await.into_iter().map(Result::unwrap).collect()
}

async fn count(ann: &Client, status: &str) -> usize {
    let listed = ann.get(&format!("/sandboxes?status={status}")).await.expect(200);
    listed["sandboxes"].as_array().unwrap().len()
}

/// Waits until the table holds nothing of any sandbox, and the stream nothing but its newest record.
async fn old_rows_go(stack: &Stack) {
    let begun = Instant::now();
    let gone = async {
        loop {
            let scan = json!({"TableName": TABLE, "ConsistentRead": true});
            let answer = stack.dynamo.call("Scan", scan).unwrap();
            let of_sandboxes = answer["Items"].as_array().into_iter().flatten().filter(|item| {
                let key = item["pk"]["S"].as_str().unwrap_or_default();
                key.starts_with("SANDBOX#") || key.starts_with("NAME#")
            });
            if of_sandboxes.count() == 0 && answer["LastEvaluatedKey"].is_null() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("old rows go");
    stack.caught_up().await.unwrap();
    let trimmed = async {
        while stack.dynamo.stream(TABLE).read_after(0, 2).unwrap().len() > 1 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, trimmed).await.expect("the stream is trimmed");
    report(&format!("the last of their rows were gone after {:.1?}", begun.elapsed()));
}

/// Bytes of memory in use, SQLite's included, as the allocator counts them. What the system counts is said as well: it
/// has what the allocator keeps beside that, three times as much, and the more the busier the machine was at any moment.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nobody offers a safe way to ask the allocator")]
fn in_use() -> u64 {
    /// glibc's `struct mallinfo2`.
    #[repr(C)]
    struct Counts {
        before: [usize; 4],
        mapped: usize,
        between: [usize; 2],
        used: usize,
        after: [usize; 2],
    }
    unsafe extern "C" {
        fn mallinfo2() -> Counts;
    }
    // SAFETY: it takes nothing, its answer has ten members of this type, and every thread may call it at any time.
    let counts = unsafe { mallinfo2() };
    report(&format!("{} bytes are resident", resident()));
    (counts.used + counts.mapped) as u64
}

#[cfg(not(target_env = "gnu"))]
fn in_use() -> u64 {
    resident()
}

/// Bytes of memory that the system counts for this process.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1024
}

#[expect(clippy::print_stdout, reason = "a measurement is for whoever runs the test")]
fn report(text: &str) {
    println!("{text}");
}
