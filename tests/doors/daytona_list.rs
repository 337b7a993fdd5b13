//! The list of Daytona's door.

use std::time::Duration;

use modbox_tests::World;
use serde_json::{Value, json};

use super::daytona::{SANDBOX, at, created, is_sandbox, refusal};

fn ids(page: &Value) -> Value {
    page["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_list_is_read_page_after_page() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, created(&ann, json!({"ttlMinutes": 5})).await);
        world.pass(Duration::from_millis(3)).await;
    }
    ann.delete(&at(&created(&ann, json!({})).await, "")).await.expect(200);
    world.user("bob").await.create(json!({})).await;
    let (mut read, mut path, mut pages) = (Vec::new(), format!("{SANDBOX}?limit=2"), 0);
    loop {
        let page = ann.get(&path).await.expect(200);
        assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
        for sandbox in page["items"].as_array().unwrap() {
            is_sandbox(sandbox, &["errorReason", "env", "kvm"]);
            read.push(sandbox["id"].as_str().unwrap().to_owned());
        }
        pages += 1;
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("{SANDBOX}?limit=2&cursor={cursor}");
    }
    assert_eq!((read, pages), (made, 3));
}

#[tokio::test(start_paused = true)]
async fn each_filter_excludes_and_lets_pass() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let old = created(&ann, json!({"name": "Old", "labels": {"a": "1", "b": "2"}})).await;
    world.settle().await;
    world.pass(Duration::from_secs(10)).await;
    let between = ann.get(&at(&old, "")).await.expect(200)["createdAt"].as_str().unwrap().to_owned();
    let new = created(&ann, json!({"name": "newer", "labels": {"a": "1"}, "snapshot": "debian:12"})).await;
    let (both, only_old, only_new, none) = (vec![&new, &old], vec![&old], vec![&new], vec![]);
    for (query, expected) in [
        ("states=started".to_owned(), &only_old),
        ("states=creating".to_owned(), &only_new),
        ("states=creating&states=started".to_owned(), &both),
        ("states=stopped&states=archived".to_owned(), &none),
        ("states=destroyed".to_owned(), &none),
        ("name=ol".to_owned(), &only_old),
        ("name=NEW".to_owned(), &only_new),
        ("name=er".to_owned(), &none),
        (format!("id={}", &old[..8].to_uppercase()), &only_old),
        ("labels=%7B%22a%22:%221%22%7D".to_owned(), &both),
        ("labels=%7B%22a%22:%221%22,%22b%22:%222%22%7D".to_owned(), &only_old),
        ("labels=%7B%22a%22:%222%22%7D".to_owned(), &none),
        ("labels=%7B%7D".to_owned(), &both),
        ("snapshots=debian:12".to_owned(), &only_new),
        ("snapshots=daytona-small&snapshots=x".to_owned(), &only_old),
        ("regionIds=us-east-1".to_owned(), &both),
        ("regionIds=eu".to_owned(), &none),
        (format!("createdAtAfter={between}"), &only_new),
        (format!("createdAtBefore={between}"), &none),
        ("createdAtBefore=2199-01-01T00:00:00Z".to_owned(), &both),
        ("sort=createdAt&order=desc&includeWarm=false&includeErroredDeleted=false".to_owned(), &both),
        ("states=started&name=new".to_owned(), &none),
        ("somethingElse=1".to_owned(), &both),
    ] {
        let listed = ann.get(&format!("{SANDBOX}?{query}")).await.expect(200);
        assert_eq!(ids(&listed), json!(expected), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_listed_only_where_it_is_asked_for() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let destroyed = created(&ann, json!({})).await;
    world.settle().await;
    ann.delete(&at(&destroyed, "")).await.expect(200);
    world.settle().await;
    let destroying = created(&ann, json!({})).await;
    world.settle().await;
    let lives = created(&ann, json!({})).await;
    ann.delete(&at(&destroying, "")).await.expect(200);
    for (query, expected) in [
        ("", vec![&lives]),
        ("?states=destroying", vec![&destroying]),
        ("?states=destroyed", vec![&destroyed]),
        ("?states=destroyed&states=creating", vec![&lives, &destroyed]),
        ("?states=error", vec![]),
    ] {
        let listed = ann.get(&format!("{SANDBOX}{query}")).await.expect(200);
        assert_eq!(ids(&listed), json!(expected), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_not_supported_is_a_bad_request() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1&limit=2",
        "cursor=nonsense",
        "states=asleep",
        "states=started&states=asleep",
        "labels=nonsense",
        "labels=%5B%5D",
        "labels=%7B%22a%22:1%7D",
        "createdAtAfter=yesterday",
        "sort=name",
        "order=asc",
        "includeWarm=true",
        "includeErroredDeleted=true",
        "sandboxClasses=container",
        "minCpu=1",
        "maxMemoryGiB=1",
        "minDiskGiB=1",
        "maxGpu=1",
        "isPublic=false",
        "isRecoverable=true",
        "lastEventAfter=2026-01-01T00:00:00Z",
        "autoDestroyAtBefore=2026-01-01T00:00:00Z",
    ] {
        let why = refusal(&ann.get(&format!("{SANDBOX}?{query}")).await, 400);
        assert!(why.starts_with(query.split('=').next().unwrap()), "{query}: {why}");
    }
}
