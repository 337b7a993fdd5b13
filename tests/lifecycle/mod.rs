//! The lifecycle as users and operators see it: the rules of the spine, expiry, ends, and what goes wrong on the way.

mod burst;
mod damage;
mod ends;
mod events;
mod expiry;
mod names;
mod orphans;
mod refusals;
mod rules;
mod sweep;
mod tables;
mod throttling;

use std::time::Duration;

use modbox_tests::{Client, World};
use serde_json::{Value, json};

/// Twice the launcher's timeout and a minute (rule 5), and a little.
const SETTLED: Duration = Duration::from_secs(3 * 60 + 1);

/// Creates a sandbox and answers its id.
async fn create(user: &Client, name: &str) -> String {
    create_with(user, json!({"task_id": name})).await
}

async fn create_with(user: &Client, request: Value) -> String {
    let accepted = user.post("/sandboxes", request).await.expect(201);
    accepted["sandbox_id"].as_str().expect("an id").to_owned()
}

/// Creates a sandbox and lets it come up.
async fn running(world: &World, user: &Client, name: &str) -> String {
    let id = create(user, name).await;
    world.settle().await;
    assert_eq!(status(user, &id).await, "running");
    id
}

async fn detail(user: &Client, sandbox: &str) -> Value {
    user.get(&format!("/sandboxes/{sandbox}")).await.expect(200)
}

async fn status(user: &Client, sandbox: &str) -> String {
    detail(user, sandbox).await["status"].as_str().expect("a status").to_owned()
}

async fn reason(user: &Client, sandbox: &str) -> String {
    detail(user, sandbox).await["reason"].as_str().unwrap_or("none").to_owned()
}

/// The state that is stored, which readers do not see.
async fn stored_state(world: &World, id: &str) -> String {
    let items = world.items();
    items[&format!("SANDBOX#{id}")]["state"]["S"].as_str().expect("a state").to_owned()
}
