//! What create, get and destroy cost under sixteen concurrent clients, beside the DynamoDB calls that they make.
//!
//! Both sides run in turns on one engine: the API as the `api` function serves it, and the same reads and writes of
//! the table through the AWS SDK alone. What lies between their medians is our own share. Nothing else runs: in AWS
//! the other functions are other machines.
//!
//! Each side's median is that of its best round: whatever else the machine does meanwhile only ever adds, to either side
//! alike, so that a round on a busy machine measures the machine. For the same reason there are more rounds where the
//! share is too large after the first; one that is ours is in every round.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use modbox_aws::{
    Connection,
    table::{Committed, Created, Row, Table, TokenHash},
};
use modbox_control::{Admin, Api, Control, Deployment, Keys, SystemClock, SystemIds, UrlTemplate};
use modbox_local::{
    aws_json::{Answer, AwsError},
    cloud::{Cloud, Service},
    dynamo::Dynamo,
    stack::{TABLE, ensure_table},
};
use modbox_sandbox::{Clock as _, Event, Ids as _, Sandbox, SandboxId, Spec, UserId, apply};
use modbox_tests::Client;
use serde_json::{Value, json};

const CLIENTS: usize = 16;
const ROUNDS: usize = 5;
/// So many where the share is too large after fewer.
const MOST_ROUNDS: usize = 15;
/// What each client does of each operation in a round.
const EACH: usize = 20;
/// The most that may lie between the medians.
const OWN_SHARE: Duration = Duration::from_millis(1);

const TOKEN: &str = "mbx_benchmark";
const USER: &str = "benchmark";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Create,
    Get,
    Destroy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Table,
    Api,
}

const OPERATIONS: [Operation; 3] = [Operation::Create, Operation::Get, Operation::Destroy];

/// How long the calls took, by round.
type Times = BTreeMap<(Operation, Side), Vec<Vec<Duration>>>;

fn main() -> ExitCode {
    // A filter, or `--list`, asks for tests by name; there is none here.
    if std::env::args().skip(1).any(|argument| argument == "--list" || !argument.starts_with('-')) {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    report(&runtime.expect("a runtime starts").block_on(measure()))
}

async fn measure() -> Times {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let bench = Bench::start(&folder.path().join("modbox.db")).await;
    // The first round warms both sides.
    bench.round(&mut Times::new()).await;
    let mut times = Times::new();
    for round in 1..=MOST_ROUNDS {
        bench.round(&mut times).await;
        if round >= ROUNDS && OPERATIONS.iter().all(|operation| own_share(&times, *operation) < OWN_SHARE) {
            break;
        }
    }
    times
}

fn own_share(times: &Times, operation: Operation) -> Duration {
    let median = |side| best_median(&times[&(operation, side)]);
    median(Side::Api).saturating_sub(median(Side::Table))
}

/// The least of the rounds' medians.
fn best_median(rounds: &[Vec<Duration>]) -> Duration {
    rounds.iter().map(|taken| percentile(taken.clone(), 50)).min().expect("a round was measured")
}

struct Bench {
    table: Table,
    client: Client,
}

impl Bench {
    async fn start(path: &std::path::Path) -> Self {
        let dynamo = Arc::new(Dynamo::open(path).expect("a database opens"));
        ensure_table(&dynamo).expect("the table can be made");
        let nothing = || Arc::new(Nothing);
        let cloud = Cloud::new(dynamo, nothing(), nothing(), nothing(), nothing());
        let table = |caller| {
            let connection = Connection::through(SharedHttpClient::new(cloud.connector(caller)));
            Table::new(&connection, TABLE, Duration::from_secs(60 * 60))
        };
        let control = Control::new(table("api"), Arc::new(SystemClock), Arc::new(SystemIds));
        let admin = Admin::new(control.clone());
        let keys: Keys = Keys::generate("k1", [1, 2]).parse().expect("a generated key can be read");
        let deployment = Deployment {
            sandbox_url: UrlTemplate::loopback(),
            default_image: "modbox/sandbox-lite".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let api = Api::new(control, keys, deployment, None);
        let table = table("table");
        admin.admit(USER, TOKEN, "of the benchmark").await.expect("a token can be stored");
        Self { table, client: Client::new(modbox_http::router(api)).with_token(TOKEN) }
    }

    /// Lets each side do every operation, all clients at once.
    async fn round(&self, times: &mut Times) {
        for side in [Side::Table, Side::Api] {
            let mut ids = vec![Vec::new(); CLIENTS];
            for operation in OPERATIONS {
                let clients = ids.iter_mut().map(|ids| self.run(side, operation, ids));
                let taken = join_all(clients).await.concat();
                times.entry((operation, side)).or_default().push(taken);
            }
        }
    }

    /// Does the operation [`EACH`] times, one after the other, and says how long each took.
    async fn run(&self, side: Side, operation: Operation, ids: &mut Vec<SandboxId>) -> Vec<Duration> {
        let mut taken = Vec::new();
        for turn in 0..EACH {
            let work = async |id: Option<SandboxId>| match side {
                Side::Table => self.by_table(operation, id).await,
                Side::Api => self.by_api(operation, id).await,
            };
            let id = ids.get(turn).copied();
            let begun = Instant::now();
            let id = work(id).await;
            taken.push(begun.elapsed());
            if operation == Operation::Create {
                ids.push(id);
            }
        }
        taken
    }

    async fn by_api(&self, operation: Operation, id: Option<SandboxId>) -> SandboxId {
        let path = || format!("/sandboxes/{}", id.expect("created before"));
        let answer = match operation {
            Operation::Create => {
                self.client.post("/sandboxes", json!({"ttl_seconds": 600})).await.expect(201)
            }
            Operation::Get => self.client.get(&path()).await.expect(200),
            Operation::Destroy => self.client.delete(&path()).await.expect(200),
        };
        let created = || answer["sandbox_id"].as_str().and_then(|id| id.parse().ok());
        id.or_else(created).expect("an answer names its sandbox")
    }

    async fn by_table(&self, operation: Operation, id: Option<SandboxId>) -> SandboxId {
        let token = self.table.token(&TokenHash::of(TOKEN)).await.expect("the table answers");
        assert!(token.is_some_and(|token| token.user.as_str() == USER));
        let Some(id) = id else {
            let row = row();
            let created = self.table.create(&row, None, row.sandbox.created_at).await;
            assert!(matches!(created, Ok(Created::Done)), "{created:?}");
            return row.sandbox.id;
        };
        let row = self.table.load(id).await.expect("the table answers").expect("the row is there");
        if operation == Operation::Destroy {
            let event = Event::Destroy { by: UserId::new(USER) };
            let ended = apply(&row.sandbox, event, SystemClock.now()).expect("it lives").sandbox;
            let committed = self.table.commit(&row, ended, "benchmark").await;
            assert!(matches!(committed, Ok(Committed::Done(_))), "{committed:?}");
        }
        id
    }
}

/// A row like those that the API writes.
fn row() -> Row {
    let id = SandboxId::from_random(SystemIds.random());
    let spec = Spec {
        image: "modbox/sandbox-lite".to_owned(),
        readiness_port: Some(8080),
        memory_mb: 1024,
        url: "http://127.1.2.3:8080".to_owned(),
        api_url: "http://api.modbox.test".to_owned(),
        client_reference: None,
    };
    let ttl = Some(Duration::from_secs(600));
    let sandbox: Sandbox =
        modbox_sandbox::create(id, UserId::new(USER), None, spec, (SystemClock.now(), ttl));
    Row { sandbox, key_id: "k1".to_owned(), env: Some(vec![0; 42]), write: "benchmark".to_owned() }
}

/// What the api function never calls.
#[derive(Debug)]
struct Nothing;

impl Service for Nothing {
    fn call<'a>(&'a self, operation: &'a str, _: Value) -> BoxFuture<'a, Answer> {
        let error = AwsError::client("UnknownOperationException", format!("{operation} is not there"));
        std::future::ready(Err(error)).boxed()
    }
}

/// Prints every figure; fails where our own share is more than it may be.
#[expect(clippy::print_stdout, reason = "figures are for whoever runs the benchmark")]
fn report(times: &Times) -> ExitCode {
    let rounds = times.values().map(Vec::len).max().unwrap_or_default();
    println!("{CLIENTS} concurrent clients, {} calls each side", CLIENTS * rounds * EACH);
    println!(
        "{:<9} {:>10} {:>10} {:>13} {:>13} {:>11}",
        "", "p50", "p99", "DynamoDB p50", "DynamoDB p99", "own share"
    );
    let mut is_within = true;
    for operation in OPERATIONS {
        let side = |side| {
            let rounds = &times[&(operation, side)];
            (best_median(rounds), percentile(rounds.concat(), 99))
        };
        let ((table50, table99), (api50, api99)) = (side(Side::Table), side(Side::Api));
        let own = own_share(times, operation);
        is_within &= own < OWN_SHARE;
        let name = format!("{operation:?}").to_lowercase();
        println!("{name:<9} {api50:>10.2?} {api99:>10.2?} {table50:>13.2?} {table99:>13.2?} {own:>11.2?}");
    }
    if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}
