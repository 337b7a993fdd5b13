//! GET /sandboxes in pages, and of many.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use modbox_local::stack::TABLE;
use modbox_sandbox::SandboxId;
use modbox_tests::{Client, World};
use serde_json::{Value, json};

/// Names in the order of an answer, and where to go on.
async fn page(client: &Client, query: &str) -> (Vec<String>, Option<String>) {
    let answer = client.get(&format!("/sandboxes?{query}")).await.expect(200);
    let sandboxes = answer["sandboxes"].as_array().unwrap();
    assert_eq!(answer["total"], sandboxes.len(), "the total is of this answer");
    let names = sandboxes.iter().map(|sandbox| sandbox["name"].as_str().unwrap().to_owned()).collect();
    (names, answer["next_cursor"].as_str().map(ToOwned::to_owned))
}

/// All names, page after page, with a change of the world after each.
async fn pages(client: &Client, query: &str, mut between: impl AsyncFnMut(usize)) -> Vec<String> {
    let (mut all, mut cursor) = page(client, query).await;
    let mut count = 1;
    while let Some(at) = cursor {
        between(count).await;
        let (names, next) = page(client, &format!("{query}&cursor={at}")).await;
        all.extend(names);
        cursor = next;
        count += 1;
    }
    all
}

/// Writes copies of a sandbox straight into the table, each a millisecond older than the one before: `copy-1`, ….
fn copy(world: &World, id: &str, count: usize) {
    let original = world.items()[&format!("SANDBOX#{id}")].clone();
    let created_at: i64 = original["created_at"]["N"].as_str().unwrap().parse().unwrap();
    let copies: Vec<Value> = (1..=count)
        .map(|n| {
            let id = SandboxId::from_random(world.ids.random());
            let at = created_at - i64::try_from(n).unwrap();
            let mut item = original.clone();
            for key in ["pk", "sk"] {
                item[key] = json!({"S": format!("SANDBOX#{id}")});
            }
            item["id"] = json!({"S": id.to_string()});
            item["name"] = json!({"S": format!("copy-{n}")});
            item["created_at"] = json!({"N": at.to_string()});
            item["created"] = json!({"S": format!("{at:015}#{id}")});
            json!({"PutRequest": {"Item": item}})
        })
        .collect();
    for chunk in copies.chunks(25) {
        world.stack.dynamo.call("BatchWriteItem", json!({"RequestItems": {TABLE: chunk}})).unwrap();
    }
}

fn copies(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("copy-{n}")).collect()
}

/// A user with a running sandbox and that many copies of it.
async fn crowd(world: &World, count: usize) -> Client {
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "newest"})).await;
    world.settle().await;
    copy(world, &id, count);
    ann
}

#[tokio::test(start_paused = true)]
async fn an_answer_holds_a_thousand_and_tells_where_to_go_on() {
    let world = World::start().await;
    let ann = crowd(&world, 1_099).await;
    let began = Instant::now();
    let (first, cursor) = page(&ann, "").await;
    println!("1,000 of 1,100 sandboxes were listed in {:?}", began.elapsed());
    assert_eq!((first.len(), first[0].as_str(), first[999].as_str()), (1_000, "newest", "copy-999"));
    let (rest, end) = page(&ann, &format!("cursor={}", cursor.unwrap())).await;
    assert_eq!(rest, copies(1_099)[999..]);
    assert_eq!(end, None);
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_listed_whole_however_many_they_are() {
    let world = World::start().await;
    let ann = crowd(&world, 1_099).await;
    let began = Instant::now();
    let (running, cursor) = page(&ann, "status=running").await;
    println!("1,100 running sandboxes were listed in {:?}", began.elapsed());
    assert_eq!((running.len(), cursor), (1_100, None));
    assert_eq!(running[1..], copies(1_099));
    let (provisioning, cursor) = page(&ann, "status=provisioning").await;
    assert_eq!((provisioning.len(), cursor), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_history_of_more_than_a_thousand_hides_nothing_that_runs() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "oldest"})).await;
    world.settle().await;
    world.pass(std::time::Duration::from_secs(60)).await;
    let ended = ann.create(json!({"task_id": "newest"})).await;
    world.settle().await;
    ann.delete("/sandboxes/newest").await.expect(200);
    world.settle().await;
    copy(&world, &ended, 1_000);
    assert_eq!(page(&ann, "status=running").await, (vec!["oldest".to_owned()], None));
    let (destroyed, cursor) = page(&ann, "status=destroyed").await;
    assert_eq!(destroyed.len(), 1_000);
    let (last, end) = page(&ann, &format!("status=destroyed&cursor={}", cursor.unwrap())).await;
    assert_eq!((last, end), (vec!["copy-1000".to_owned()], None));
}

#[tokio::test(start_paused = true)]
async fn pages_of_any_size_make_up_the_list() {
    let world = World::start().await;
    let ann = crowd(&world, 24).await;
    let (whole, end) = page(&ann, "").await;
    assert_eq!((whole.len(), end), (25, None));
    for limit in [1, 7, 24, 25, 26, 1_000] {
        for status in ["", "&status=running"] {
            let mut turned = 0;
            let query = format!("limit={limit}{status}");
            let all = pages(&ann, &query, async |_| turned += 1).await;
            assert_eq!(all, whole, "{query}");
            assert_eq!(turned, 24 / limit, "{query}: no page is empty, and the last one says so");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_narrowed_by_a_status_may_hold_none_and_go_on() {
    let world = World::start().await;
    let ann = crowd(&world, 4).await;
    let (names, cursor) = page(&ann, "status=destroyed&limit=2").await;
    assert!(names.is_empty() && cursor.is_some());
    ann.delete("/sandboxes/newest").await.expect(200);
    let mut turned = 0;
    let all = pages(&ann, "status=destroyed&limit=2", async |_| turned += 1).await;
    assert_eq!((all, turned), (vec!["newest".to_owned()], 2));
}

/// What a reader of pages must have seen: none twice, none of the new ones, and all that were there throughout.
async fn check_turned(ann: &Client, query: &str, all: &[String]) {
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "one came twice: {all:?}");
    let (there_throughout, _) = page(ann, query).await;
    for name in there_throughout.iter().filter(|name| !name.starts_with("new-")) {
        assert!(distinct.contains(name), "{name} was skipped: {all:?}");
    }
    assert!(!all.iter().any(|name| name.starts_with("new-")), "{all:?}");
}

/// Of a page of four: the one where the cursor stands, one before it, and one that is yet to come.
fn about(turn: usize) -> [usize; 3] {
    [turn * 4 - 1, turn * 4 - 3, turn * 4 + 2]
}

#[tokio::test(start_paused = true)]
async fn turning_pages_neither_skips_nor_repeats_while_history_goes() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "newest"})).await;
    world.settle().await;
    ann.delete("/sandboxes/newest").await.expect(200);
    world.settle().await;
    copy(&world, &id, 30);
    let all = pages(&ann, "limit=4", async |turn| {
        ann.create(json!({"task_id": format!("new-{turn}")})).await;
        for n in about(turn) {
            remove(&world, &format!("copy-{n}"));
        }
    })
    .await;
    assert!(all.len() < 31, "some were gone before their page: {all:?}");
    check_turned(&ann, "", &all).await;
}

#[tokio::test(start_paused = true)]
async fn turning_pages_neither_skips_nor_repeats_while_sandboxes_end() {
    let world = World::start().await;
    let ann = crowd(&world, 30).await;
    let ids = ids_by_name(&world);
    let all = pages(&ann, "status=running&limit=4", async |turn| {
        ann.create(json!({"task_id": format!("new-{turn}")})).await;
        for n in about(turn) {
            if let Some(id) = ids.get(&format!("copy-{n}")) {
                ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
            }
        }
    })
    .await;
    assert!(all.len() < 31, "some had ended before their page: {all:?}");
    check_turned(&ann, "status=running", &all).await;
}

fn ids_by_name(world: &World) -> BTreeMap<String, String> {
    let rows = world.items().into_iter().filter(|(key, _)| key.starts_with("SANDBOX#"));
    let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap().to_owned();
    rows.map(|(_, item)| (text(&item, "name"), text(&item, "id"))).collect()
}

/// Removes a sandbox from the table, as the end of its retention does.
fn remove(world: &World, name: &str) {
    let Some(id) = ids_by_name(world).remove(name) else { return };
    let key = json!({"S": format!("SANDBOX#{id}")});
    let body = json!({"TableName": TABLE, "Key": {"pk": key, "sk": key}});
    world.stack.dynamo.call("DeleteItem", body).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cursor_leads_nobody_into_another_list() {
    let world = World::start().await;
    let ann = crowd(&world, 5).await;
    let bob = world.user("bob").await;
    bob.create(json!({"task_id": "his"})).await;
    let (_, hers) = page(&ann, "limit=2").await;
    let (names, end) = page(&bob, &format!("cursor={}", hers.unwrap())).await;
    assert_eq!((names, end), (vec![], None), "his only one is newer than that place");
    let (_, cursor) = page(&ann, "limit=1").await;
    assert!(!cursor.unwrap().contains("ann"));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_cannot_be_is_refused() {
    let world = World::start().await;
    let ann = crowd(&world, 1).await;
    let good = page(&ann, "limit=1").await.1.unwrap();
    let shifted: String = good.chars().skip(1).collect();
    for cursor in ["", "x", "0", "%7B%22pk%22%3A%22SANDBOX%23x%22%7D", "AAAA%00", &shifted, &good.repeat(2)] {
        let answer = ann.get(&format!("/sandboxes?cursor={cursor}")).await;
        answer.expect(422);
        assert_eq!(
            (answer.code(), answer.fields()),
            ("validation_error".to_owned(), vec!["query.cursor".to_owned()])
        );
    }
    for limit in ["0", "1001", "-1", "ten", "1.5", "", "99999999999999999999", "5&limit=5"] {
        let answer = ann.get(&format!("/sandboxes?limit={limit}")).await;
        answer.expect(422);
        assert_eq!(answer.fields(), ["query.limit"], "{limit}");
    }
    let all = ann.get("/sandboxes?limit=0&cursor=x&status=y").await;
    assert_eq!(all.fields(), ["query.status", "query.limit", "query.cursor"]);
}

#[tokio::test(start_paused = true)]
async fn a_page_costs_no_more_than_it_holds() {
    let world = World::start().await;
    let ann = crowd(&world, 1_000).await;
    let (_, calls) = world.counting("api", ann.get("/sandboxes?limit=100&status=destroyed")).await;
    assert_eq!((calls["Query"], calls["BatchGetItem"], calls["GetItem"]), (1, 1, 1));
}
