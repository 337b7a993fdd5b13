//! The sinks of every test: what they would find if it were there.

use modbox_tests::{Fault, World};
use serde_json::json;

const MARKER: &str = "mbx_do-not-tell-4711";

#[tokio::test(start_paused = true)]
#[should_panic(expected = "can be read in the log")]
async fn a_token_in_the_log_fails_a_test() {
    let world = World::start().await;
    let stranger = world.guest().with_token(MARKER);
    stranger.get("/sandboxes").await.expect(401);
    tracing::info!("somebody came with {MARKER}");
    world.settle().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "can be read in the table")]
async fn an_environment_value_in_the_table_fails_a_test() {
    let world = World::start().await;
    world.guest().post("/nowhere", json!({"env_vars": {"PASSWORD": MARKER}})).await.expect(404);
    // Whoever is let in is stored by name.
    world.user(MARKER).await;
    world.settle().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "can be read in an event")]
async fn an_environment_value_in_an_event_fails_a_test() {
    let world = World::start().await;
    let user = world.user(MARKER).await;
    user.create(json!({"task_id": "web"})).await;
    // It is written already, and not yet published: nothing but the bus is written from here on.
    world.faults.set(|call| if call.operation == "RunTask" { Fault::Hangs } else { Fault::None });
    user.post("/nowhere", json!({"env_vars": {"PASSWORD": MARKER}})).await.expect(404);
    world.settle().await;
}
