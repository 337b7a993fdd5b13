//! The product beside the model: each act is a request over HTTP, each answer is compared.

use std::time::Duration;

use modbox_sandbox::Timestamp;
use proptest_state_machine::StateMachineTest;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::reference::{Act, Answer, CLIENTS, Model, NAMES, Request, Status, Target, USERS, user};
use crate::{Client, World, client};

const MINUTE: Duration = Duration::from_secs(60);
/// Deadlines lie half a minute after the minute that the model counts, so that what settles takes no sandbox past one.
const HALF_MINUTE: Duration = Duration::from_secs(30);

/// A world, who calls it, and the ids of the sandboxes by the model's numbers.
pub(super) struct Product {
    runtime: Runtime,
    world: World,
    clients: Vec<Client>,
    ids: Vec<String>,
    started_at: Timestamp,
}

/// Holds the product against the model.
pub(super) struct Comparison;

impl StateMachineTest for Comparison {
    type SystemUnderTest = Product;
    type Reference = Model;

    fn init_test(_: &Model) -> Product {
        Product::start()
    }

    fn apply(mut product: Product, model: &Model, act: Act) -> Product {
        let answer = product.act(model, &act);
        if let (Some(expected), Some(answer)) = (&model.answer, answer) {
            product.compare(model, expected, &answer);
        }
        product
    }

    /// Who has which sandboxes, and whose names they are.
    fn check_invariants(product: &Product, model: &Model) {
        for owner in 0..USERS {
            let listed = product.get(owner, "/sandboxes").expect(200);
            product.is_list(model, &listed, &model.listed(owner, None));
            for name in 0..NAMES {
                let answer = product.get(owner, &format!("/sandboxes/{}", word(name)));
                match model.named(owner, name) {
                    Some(number) => product.is_shown(model, &answer.expect(200), number),
                    None => assert_eq!(answer.status, 404, "{}", answer.text()),
                }
            }
        }
    }

    /// After a last look of the schedule there is a task for each sandbox that lives, and for no other.
    fn teardown(product: Product, model: Model) {
        product.runtime.block_on(product.world.tick());
        let live = (0..model.sandboxes.len()).filter(|number| model.is_live(*number)).count();
        assert_eq!(product.world.engine.running().len(), live, "tasks, and sandboxes that live");
        assert!(product.world.dead_letters().is_empty());
    }
}

fn word(name: u8) -> String {
    format!("name-{name}")
}

fn in_words(status: Status) -> &'static str {
    match status {
        Status::Provisioning => "provisioning",
        Status::Running => "running",
        Status::Destroyed => "destroyed",
    }
}

fn seconds(minutes: u32) -> u64 {
    (MINUTE * minutes + HALF_MINUTE).as_secs()
}

impl Product {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime of one thread can be built");
        let (world, clients) = runtime.block_on(async {
            let world = World::start().await;
            let mut clients = Vec::new();
            for client in 0..CLIENTS {
                clients.push(world.user(["ann", "bob"][usize::from(user(client))]).await);
            }
            (world, clients)
        });
        let started_at = world.now();
        Self { runtime, world, clients, ids: Vec::new(), started_at }
    }

    /// Does it; what the world does by itself has no answer.
    fn act(&self, model: &Model, act: &Act) -> Option<client::Answer> {
        self.runtime.block_on(async {
            let caller = |client: &u8| &self.clients[usize::from(*client)];
            let path = |target: &Target| format!("/sandboxes/{}", self.segment(target));
            Some(match act {
                Act::Create(client, request, key) => create(caller(client), request, *key).await,
                Act::Get(client, target) => caller(client).get(&path(target)).await,
                Act::List(client, status) => {
                    let query =
                        status.map_or_else(String::new, |status| format!("?status={}", in_words(status)));
                    caller(client).get(&format!("/sandboxes{query}")).await
                }
                Act::Destroy(client, Target::Name(name)) => {
                    caller(client).post("/sandboxes/destroy", json!({"task_id": word(*name)})).await
                }
                Act::Destroy(client, target) => caller(client).delete(&path(target)).await,
                Act::Kill(client, target) => {
                    caller(client).post(&format!("{}/kill", path(target)), json!({})).await
                }
                Act::Extend(client, target, ttl) => {
                    let body = json!({"ttl_seconds": seconds(*ttl)});
                    caller(client).post(&format!("{}/extend", path(target)), body).await
                }
                Act::Tick => {
                    self.world.tick().await;
                    return None;
                }
                Act::Settle | Act::Pass(_) => {
                    self.pass_to(self.started_at + MINUTE * model.now).await;
                    return None;
                }
            })
        })
    }

    async fn pass_to(&self, to: Timestamp) {
        self.world.pass(to.since(self.world.now())).await;
        self.world.settle().await;
        assert!(self.world.now().since(to) < HALF_MINUTE, "the world is behind the model");
    }

    /// The id of that number, or one that nobody has.
    fn segment(&self, target: &Target) -> String {
        match *target {
            Target::Name(name) => word(name),
            Target::Id(number) => {
                let unknown = || format!("00000000-0000-4000-8000-{number:012}");
                self.ids.get(number).cloned().unwrap_or_else(unknown)
            }
        }
    }

    fn get(&self, owner: u8, path: &str) -> client::Answer {
        self.runtime.block_on(self.clients[usize::from(owner)].get(path))
    }

    fn compare(&mut self, model: &Model, expected: &Answer, answer: &client::Answer) {
        match expected {
            Answer::Nothing => {}
            Answer::Created(number) => {
                assert_eq!(*number, self.ids.len());
                self.ids.push(text(&answer.expect(201)["sandbox_id"]));
            }
            Answer::Replayed(number) => {
                assert_eq!(text(&answer.expect(200)["sandbox_id"]), self.ids[*number]);
            }
            Answer::Shown(number) => self.is_shown(model, &answer.expect(200), *number),
            Answer::Listed(numbers) => self.is_list(model, &answer.expect(200), numbers),
            Answer::Done => assert_eq!(answer.status, 200, "{}", answer.text()),
            Answer::Refused(status, code) => {
                answer.expect(*status);
                assert_eq!(answer.code(), *code);
            }
        }
    }

    /// Whether it is shown as the model has it.
    fn is_shown(&self, model: &Model, shown: &Value, number: usize) {
        let (status, reason) = model.status(number);
        assert_eq!(text(&shown["id"]), self.ids[number]);
        assert_eq!(shown["status"], in_words(status), "sandbox {number}");
        assert_eq!(shown["reason"].as_str(), reason, "sandbox {number}");
        let row = self.runtime.block_on(self.world.row(&self.ids[number]));
        let minutes = |at: Timestamp| at.since(self.started_at).as_secs() / 60;
        let until = model.sandboxes[number].until.map(u64::from);
        assert_eq!(row.sandbox.expires_at.map(minutes), until, "sandbox {number}");
    }

    /// Whether exactly these are listed, each in its state, the newest first.
    fn is_list(&self, model: &Model, list: &Value, numbers: &[usize]) {
        let shown = list["sandboxes"].as_array().expect("a list has sandboxes");
        let mut listed: Vec<_> = shown.iter().map(|one| (text(&one["id"]), text(&one["status"]))).collect();
        let expect =
            |number: &usize| (self.ids[*number].clone(), in_words(model.status(*number).0).to_owned());
        let mut expected: Vec<_> = numbers.iter().map(expect).collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
        assert!(shown.is_sorted_by_key(|one| std::cmp::Reverse(text(&one["created_at"]))));
    }
}

async fn create(client: &Client, request: &Request, key: Option<u8>) -> client::Answer {
    let Request { name, ttl } = request;
    let body = json!({"task_id": name.map(word), "ttl_seconds": ttl.map(seconds)});
    match key {
        Some(key) => {
            client.with_header("idempotency-key", format!("key-{key}")).post("/sandboxes", body).await
        }
        None => client.post("/sandboxes", body).await,
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is text").to_owned()
}
