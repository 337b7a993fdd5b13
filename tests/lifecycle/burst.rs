//! A burst of creates against an ECS that throttles: all are accepted, each is launched once, and no destroy waits.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use modbox_local::ecs;
use modbox_tests::{Client, World};
use serde_json::json;

use super::{running, status};

const BURST: usize = 1000;
/// How many tasks ECS starts in a second, and at once: RunTask on Fargate.
const RATE: u32 = 20;
/// How many are destroyed while the burst waits, one a second.
const DESTROYED: usize = 10;
/// What a destroy may take from its answer to the end of its task; with nothing else to do it is 100 ms.
const PROMPT: Duration = Duration::from_millis(500);
/// By then all must run: in time for the launch's own limit, with what ECS itself takes.
const LAUNCHED_BY: Duration = Duration::from_secs(5 * 60);

/// A world as slow as AWS is: ECS's rates, and a schedule that calls each minute.
async fn world() -> World {
    let ecs = ecs::Settings { launch_burst: RATE, launches_per_second: RATE, ..ecs::Settings::default() };
    World::build().ecs(ecs).tick_every(Duration::from_secs(60)).start().await
}

/// Creates that many at once; each must be accepted.
async fn burst(user: &Client, size: usize) -> Vec<String> {
    join_all((0..size).map(|_| user.create(json!({"ttl_seconds": 3600})))).await
}

/// Destroys it, and tells how long its task ran on.
async fn stopped_after(world: &World, user: &Client, id: &str) -> Duration {
    let arn = world.row(id).await.sandbox.task().expect("it has a task").arn.as_str().to_owned();
    let asked = world.now();
    user.delete(&format!("/sandboxes/{id}")).await.expect(200);
    assert_eq!(status(user, id).await, "destroyed");
    while world.engine.running().contains(&arn) {
        assert!(world.now().since(asked) < Duration::from_secs(60), "{id} is not stopped");
        world.pass(Duration::from_millis(5)).await;
    }
    world.now().since(asked)
}

/// The tasks of the rows of those sandboxes, which all must run.
async fn tasks(world: &World, ids: &[String]) -> BTreeSet<String> {
    let mut arns = BTreeSet::new();
    for id in ids {
        let row = world.row(id).await;
        let state = &row.sandbox.state;
        assert!(matches!(state, modbox_sandbox::State::Running(_)), "{id}: {state:?}");
        arns.extend(row.sandbox.task().map(|task| task.arn.as_str().to_owned()));
    }
    arns
}

#[tokio::test(start_paused = true)]
async fn a_thousand_creates_at_once_are_launched_once_each_and_delay_no_destroy() {
    let world = world().await;
    let ann = world.user("ann").await;
    let mut others = Vec::new();
    for number in 0..DESTROYED {
        others.push(running(&world, &ann, &format!("other-{number}")).await);
    }
    let began = world.now();
    let ids = burst(&ann, BURST).await;
    for (number, id) in others.iter().enumerate() {
        world.pass(Duration::from_secs(1)).await;
        let took = stopped_after(&world, &ann, id).await;
        assert!(took < PROMPT, "destroy {number} took {took:?}");
    }
    let started = usize::try_from(world.engine.started()).expect("a count");
    assert!(started - DESTROYED < BURST / 2, "the burst was over before the destroys");

    while world.engine.running().len() < BURST {
        let took = world.now().since(began);
        assert!(took < LAUNCHED_BY, "after {took:?} {} of {BURST} run", world.engine.running().len());
        world.pass(Duration::from_secs(1)).await;
    }
    world.settle().await;
    assert_eq!(tasks(&world, &ids).await, world.engine.running().into_iter().collect());
    assert_eq!(world.engine.started(), u32::try_from(BURST + DESTROYED).expect("a count"));
    assert_eq!(world.dead_letters().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_destroyed_while_it_waits_for_its_launch_is_never_seen_again() {
    let world = world().await;
    let ann = world.user("ann").await;
    let ids = burst(&ann, 200).await;
    // The newest are last in the queue.
    let (kept, given_up) = ids.split_at(150);
    for id in given_up {
        ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    }
    world.pass(Duration::from_secs(60)).await;
    world.settle().await;
    assert_eq!(tasks(&world, kept).await, world.engine.running().into_iter().collect());
    for id in given_up {
        assert_eq!(status(&ann, id).await, "destroyed");
    }
}
