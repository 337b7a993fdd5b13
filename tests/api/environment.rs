//! `env_vars`: what reaches the sandbox, and what cannot.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use modbox_local::ecs::Launch;
use modbox_tests::{Answer, Client, Script, World};
use serde_json::{Value, json};

type Environment = BTreeMap<String, String>;

/// A world that remembers the environment of each main container it starts.
async fn watched() -> (World, Arc<Mutex<Vec<Environment>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let started = Arc::clone(&seen);
    let script = move |launch: &Launch| {
        started.lock().unwrap().push(launch.container("main").unwrap().environment.clone());
        Script::default().exit("ready", Duration::from_millis(5), 0)
    };
    (World::build().script(script).start().await, seen)
}

#[tokio::test(start_paused = true)]
async fn variables_reach_the_sandbox_as_they_were_given() {
    let (world, seen) = watched().await;
    let ann = world.user("ann").await;
    let odd = "a \"quoted\" line\nand another\t– ü 🦀 \\ \u{1}\u{7f}";
    ann.create(json!({"env_vars": {"A": "1", "_b2": "", "ODD": odd, "UNSET": null}})).await;
    world.settle().await;
    let seen = seen.lock().unwrap();
    let environment = &seen[0];
    assert_eq!(environment["A"], "1");
    assert_eq!(environment["_b2"], "");
    assert_eq!(environment["ODD"], odd);
    assert!(!environment.contains_key("UNSET"));
}

#[tokio::test(start_paused = true)]
async fn a_callers_own_key_is_the_access_token() {
    let (world, seen) = watched().await;
    let ann = world.user("ann").await;
    let own = ann.post("/sandboxes", json!({"env_vars": {"SANDBOX_API_KEY": "own"}})).await.expect(201);
    let derived = ann.post("/sandboxes", json!({"env_vars": {"SANDBOX_API_KEY": null}})).await.expect(201);
    world.settle().await;
    assert_eq!(own["endpoint"]["access_token"], "own");
    let derived = derived["endpoint"]["access_token"].as_str().unwrap();
    let mut keys: Vec<String> =
        seen.lock().unwrap().iter().map(|environment| environment["SANDBOX_API_KEY"].clone()).collect();
    keys.sort();
    assert_eq!(keys, ["own", derived]);
}

#[tokio::test(start_paused = true)]
async fn values_do_not_rest_readable_and_leave_the_row_once_they_are_used() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"env_vars": {"PASSWORD": "hunter2"}})).await;
    assert!(world.row(&id).await.env.is_some());
    assert!(!format!("{:?}", world.items()).contains("hunter2"));
    world.settle().await;
    assert_eq!(world.row(&id).await.env, None);
}

/// What a create with one variable of so many times `text` is answered.
async fn with_value(client: &Client, text: &str, times: usize) -> Answer {
    client.post("/sandboxes", json!({"env_vars": {"BIG": text.repeat(times)}})).await
}

/// The characters of the overrides that RunTask was given for the sandbox.
async fn overrides(world: &World, id: &str) -> usize {
    let mut overrides = world.task(id).await["overrides"].take();
    overrides.as_object_mut().unwrap().remove("inferenceAcceleratorOverrides");
    overrides.to_string().chars().count()
}

#[tokio::test(start_paused = true)]
async fn what_ecs_carries_is_accepted_and_starts_and_what_it_does_not_is_refused() {
    // ECS counts characters of JSON, in which some cost two and some six.
    for (text, cost) in [("x", 1), ("ü", 1), ("🦀", 1), ("\"", 2), ("\n", 2), ("\u{1}", 6)] {
        let world = World::start().await;
        let ann = world.user("ann").await;
        let empty = with_value(&ann, text, 0).await.expect(201);
        world.settle().await;
        let room = 8_192 - overrides(&world, empty["sandbox_id"].as_str().unwrap()).await;
        // Addresses differ in their length, so that it is not the same for each sandbox.
        let (about, around) = (room / cost, 12 / cost + 1);
        let (mut largest, mut refused) = (0, 0);
        for times in about - around..=about + around {
            let before = world.items();
            let answer = with_value(&ann, text, times).await;
            if answer.status.as_u16() == 201 {
                let id = answer.json()["sandbox_id"].as_str().unwrap().to_owned();
                world.settle().await;
                assert_eq!(ann.detail(&id).await["status"], "running", "{times} of {text:?}");
                largest = largest.max(overrides(&world, &id).await);
            } else {
                answer.expect(422);
                assert_eq!(answer.fields(), ["body.env_vars"]);
                assert_eq!(world.items(), before);
                refused += 1;
            }
        }
        assert!(largest <= 8_192 && largest > 8_192 - 4 * cost, "{largest} of {text:?}");
        assert!(refused > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn many_small_variables_are_too_many_too() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let variables: serde_json::Map<String, Value> = (0..400).map(|n| (format!("V{n}"), json!(""))).collect();
    let answer = ann.post("/sandboxes", json!({"env_vars": variables})).await;
    answer.expect(422);
    assert_eq!(answer.fields(), ["body.env_vars"]);
}

#[tokio::test(start_paused = true)]
async fn a_callers_own_key_must_be_one_that_can_be_sent() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for bad in ["", " ", "two words", "ключ", "line\nbreak"] {
        let answer = ann.post("/sandboxes", json!({"env_vars": {"SANDBOX_API_KEY": bad}})).await;
        assert_eq!(
            (answer.status.as_u16(), answer.fields()),
            (422, vec!["body.env_vars".to_owned()]),
            "{bad:?}"
        );
    }
}
