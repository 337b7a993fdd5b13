//! The lists of Vercel's door.

use std::time::Duration;

use modbox_tests::{Client, World};
use serde_json::{Value, json};

use super::vercel::{SANDBOXES, at, is_sandbox, is_session, made, refusal};

/// Reads a list page after page; tells the `field` of each and how many pages there were.
async fn pages(client: &Client, path: &str, (list, field): (&str, &str)) -> (Vec<String>, usize) {
    let (mut read, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = client.get(&format!("{path}{cursor}")).await.expect(200);
        assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
        let pagination = page["pagination"].as_object().unwrap();
        let ones = page[list].as_array().unwrap();
        assert_eq!((pagination.len(), &pagination["count"]), (2, &json!(ones.len())));
        for one in ones {
            if list == "sandboxes" {
                is_sandbox(one);
            } else {
                is_session(one);
            }
            read.push(one[field].as_str().unwrap().to_owned());
        }
        pages += 1;
        match &pagination["next"] {
            Value::Null => return (read, pages),
            next => cursor = format!("&cursor={}", next.as_str().unwrap()),
        }
    }
}

async fn names(client: &Client, query: &str) -> Vec<String> {
    pages(client, &format!("{SANDBOXES}?{query}"), ("sandboxes", "name")).await.0
}

#[tokio::test(start_paused = true)]
async fn a_list_is_read_page_after_page_in_each_order() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for name in ["b", "a", "d", "e", "c"] {
        made(&ann, json!({"name": name})).await;
        world.pass(Duration::from_millis(3)).await;
    }
    // The last one that ran was the first that was made.
    world.settle().await;
    made(&ann, json!({"name": "z"})).await;
    ann.delete(&at("z", "")).await.expect(200);
    world.user("bob").await.create(json!({"task_id": "bobs"})).await;
    let status_updated = {
        let listed = ann.get(SANDBOXES).await.expect(200);
        let mut ones = listed["sandboxes"].as_array().unwrap().clone();
        ones.sort_by_key(|one| one["statusUpdatedAt"].as_u64());
        ones.iter().map(|one| one["statusUpdatedAt"].clone()).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("project=prj", "cedab"),
        ("sortBy=createdAt&sortOrder=desc", "cedab"),
        ("sortBy=createdAt&sortOrder=asc", "badec"),
        ("sortBy=name", "edcba"),
        ("sortBy=name&sortOrder=asc", "abcde"),
    ] {
        let path = format!("{SANDBOXES}?limit=2&{query}");
        let (read, count) = pages(&ann, &path, ("sandboxes", "name")).await;
        assert_eq!((read.concat().as_str(), count), (expected, 3), "{query}");
    }
    let listed = ann.get(&format!("{SANDBOXES}?sortBy=statusUpdatedAt&sortOrder=asc")).await.expect(200);
    let ones = listed["sandboxes"].as_array().unwrap().iter();
    assert_eq!(ones.map(|one| one["statusUpdatedAt"].clone()).collect::<Vec<_>>(), status_updated);
    for order in ["asc", "desc"] {
        let path = format!("{SANDBOXES}?limit=2&sortBy=statusUpdatedAt&sortOrder={order}");
        let (mut read, count) = pages(&ann, &path, ("sandboxes", "name")).await;
        read.sort();
        assert_eq!((read.concat().as_str(), count), ("abcde", 3), "{order}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_filter_excludes_and_lets_pass() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (name, tags) in
        [("ci-1", json!({"env": "test"})), ("ci-2", json!({"env": "a:b"})), ("web", json!({}))]
    {
        made(&ann, json!({"name": name, "tags": tags})).await;
        world.pass(Duration::from_millis(3)).await;
    }
    for (query, expected) in [
        ("sortBy=name&namePrefix=ci-", vec!["ci-2", "ci-1"]),
        ("sortBy=name&namePrefix=x", vec![]),
        ("tags=env:test", vec!["ci-1"]),
        ("tags=env:a:b", vec!["ci-2"]),
        ("tags=env:", vec![]),
        ("tags=test:env", vec![]),
        ("tags=env:test&sortBy=name&namePrefix=ci-", vec!["ci-1"]),
        ("tags=env:test&sortBy=createdAt&sortOrder=asc", vec!["ci-1"]),
    ] {
        assert_eq!(names(&ann, query).await, expected, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_supported_is_a_bad_request() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for query in [
        "limit=0",
        "limit=51",
        "limit=x",
        "sortBy=currentSnapshotId",
        "sortBy=up",
        "sortOrder=up",
        "namePrefix=a",
        "namePrefix=a&sortBy=createdAt",
        "tags=env",
        "tags=a:1&tags=b:2",
        "cursor=nonsense",
        "cursor=_&sortBy=name",
    ] {
        let answer = ann.get(&format!("{SANDBOXES}?{query}")).await;
        assert_eq!(refusal(&answer, 400).0, "bad_request", "{query}");
    }
    for query in ["limit=51", "sortOrder=asc", "cursor=nonsense"] {
        let answer = ann.get(&at("sessions", &format!("?{query}"))).await;
        assert_eq!(refusal(&answer, 400).0, "bad_request", "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_list_shows_what_is_over_as_live() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let mut made_ids = Vec::new();
    for name in ["stops", "goes", "expires"] {
        made_ids.push(made(&ann, json!({"name": name, "timeout": 10_000})).await.1);
        world.pass(Duration::from_millis(3)).await;
    }
    world.settle().await;
    ann.post(&at("sessions", &format!("/{}/stop", made_ids[0])), json!({})).await.expect(200);
    ann.delete(&at("goes", "")).await.expect(200);
    assert_eq!(names(&ann, "").await, ["expires"]);
    world.pass(Duration::from_secs(10)).await;
    for query in ["", "sortBy=name", "sortBy=createdAt&sortOrder=asc"] {
        assert!(names(&ann, query).await.is_empty(), "{query}");
    }
    let path = format!("{}?", at("sessions", ""));
    let (statuses, _) = pages(&ann, &path, ("sessions", "status")).await;
    assert_eq!(statuses, ["stopped", "stopped"], "what was deleted is not there");
}

#[tokio::test(start_paused = true)]
async fn sessions_are_listed_by_their_sandbox() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let mut ids = Vec::new();
    for name in ["one", "two", "one", "one"] {
        let (_, id) = made(&ann, json!({"name": name})).await;
        ann.post(&at("sessions", &format!("/{id}/stop")), json!({})).await.expect(200);
        if name == "one" {
            ids.insert(0, id);
        }
        world.pass(Duration::from_millis(3)).await;
    }
    let path = format!("{}?name=one&project=p&limit=2&sortOrder=desc", at("sessions", ""));
    assert_eq!(pages(&ann, &path, ("sessions", "id")).await, (ids, 2));
}
