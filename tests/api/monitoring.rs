//! GET /sandboxes/{sandbox}/monitoring and GET /sandbox/monitoring/{sandbox}.

use std::time::Duration;

use insta::assert_json_snapshot;
use modbox_tests::{Client, Fault, World};
use serde_json::{Value, json};

/// A running sandbox of ann's, called one.
async fn running(world: &World) -> (Client, String) {
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    (ann, id)
}

async fn monitoring(client: &Client, query: &str) -> Value {
    client.get(&format!("/sandboxes/one/monitoring{query}")).await.expect(200)
}

/// The lines that an answer holds, in its order.
async fn lines(client: &Client, query: &str) -> Vec<String> {
    let answer = monitoring(client, query).await;
    let logs = answer["logs"].as_array().unwrap();
    logs.iter().map(|entry| entry["log"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_running_sandbox_shows_what_it_says_and_uses() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    world.say(&id, "deadline", r#"{"cpu_seconds":0.25,"memory_bytes":52428800}"#).await;
    world.say(&id, "main", "listening").await;
    world.pass(Duration::from_millis(1_500)).await;
    world.say(&id, "main", "ü \"done\" \u{1b}[0m").await;
    world.say(&id, "ready", "not of interest").await;
    let answer = monitoring(&ann, "").await;
    assert_eq!(answer["sandbox_id"], id);
    let paths = [
        format!("/sandboxes/{id}/monitoring"),
        format!("/sandbox/monitoring/{id}"),
        "/sandbox/monitoring/one".to_owned(),
    ];
    for path in paths {
        assert_eq!(ann.get(&path).await.expect(200), answer, "{path}");
    }
    assert_json_snapshot!(answer, {".sandbox_id" => "[id]"}, @r#"
    {
      "logs": [
        {
          "log": "listening",
          "stream": "stdout",
          "timestamp": "2027-01-15T08:00:00.400Z"
        },
        {
          "log": "ü \"done\" \u001b[0m",
          "stream": "stdout",
          "timestamp": "2027-01-15T08:00:01.900Z"
        }
      ],
      "metrics": [
        {
          "cpu_usage": 0.25,
          "memory_usage": 52428800,
          "timestamp": "2027-01-15T08:00:00.400Z"
        }
      ],
      "sandbox_id": "[id]",
      "sandbox_name": "one"
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_has_no_task_yet_or_is_silent_shows_nothing() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    let nothing = json!({"sandbox_id": id, "sandbox_name": "one", "logs": [], "metrics": []});
    assert_eq!(monitoring(&ann, "").await, nothing);
    world.settle().await;
    assert_eq!(monitoring(&ann, "").await, nothing);
}

#[tokio::test(start_paused = true)]
async fn what_an_ended_sandbox_has_said_is_still_shown() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    world.say(&id, "main", "hello").await;
    ann.delete("/sandboxes/one").await.expect(200);
    assert_eq!(lines(&ann, "").await, ["hello"]);
    world.settle().await;
    assert_eq!(lines(&ann, "").await, ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn it_goes_an_hour_back_unless_told_otherwise() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    let start = world.now();
    for line in ["zero", "thirty", "sixty", "ninety"] {
        world.say(&id, "main", line).await;
        world.pass(Duration::from_secs(30 * 60)).await;
    }
    assert_eq!(lines(&ann, "").await, ["sixty", "ninety"]);
    // 08:00:00 and something, as the tests' clock has it.
    let at = |minutes: u64| {
        let millis = (start + Duration::from_secs(60 * minutes)).millis() - 1_800_000_000_000;
        let (minute, second) = (millis / 60_000, millis % 60_000);
        format!(
            "2027-01-15T{:02}:{:02}:{:02}.{:03}Z",
            8 + minute / 60,
            minute % 60,
            second / 1_000,
            second % 1_000
        )
    };
    assert_eq!(lines(&ann, &format!("?since={}", at(0))).await, ["zero", "thirty", "sixty", "ninety"]);
    // From the one moment on, and until just before the other.
    assert_eq!(lines(&ann, &format!("?since={}&until={}", at(30), at(60))).await, ["thirty"]);
    assert_eq!(lines(&ann, &format!("?until={}", at(61))).await, ["thirty", "sixty"]);
    assert!(lines(&ann, &format!("?since={0}&until={0}", at(30))).await.is_empty());
    assert!(lines(&ann, &format!("?since={}", at(600))).await.is_empty());
    assert!(lines(&ann, "?until=1960-01-01T00:00:00Z").await.is_empty());
    assert_eq!(lines(&ann, "?since=1960-01-01T00:00:00%2B01:00").await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_limit_keeps_the_newest_of_each() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    for n in 0..120 {
        world.say(&id, "main", &n.to_string()).await;
        world
            .say(&id, "deadline", &json!({"cpu_seconds": f64::from(n), "memory_bytes": n}).to_string())
            .await;
    }
    assert_eq!(lines(&ann, "").await.len(), 100);
    assert_eq!(lines(&ann, "?limit=2").await, ["118", "119"]);
    assert_eq!(lines(&ann, "?limit=1000").await.len(), 120);
    let metrics = monitoring(&ann, "?limit=1").await["metrics"].clone();
    assert_eq!((metrics.as_array().unwrap().len(), metrics[0]["cpu_usage"].as_f64()), (1, Some(119.0)));
}

/// Keeps the newest so many events of a page; its tokens say so, as those of CloudWatch do.
fn shortened<const KEPT: usize>(page: &mut Value) {
    let forward = page["nextForwardToken"].as_str().unwrap();
    let end: usize = forward.strip_prefix("f/").unwrap().parse().unwrap();
    let events = page["events"].as_array_mut().unwrap();
    let kept = events.len().min(KEPT);
    events.drain(..events.len() - kept);
    page["nextBackwardToken"] = json!(format!("b/{}", end - kept));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_short_or_empty_hides_no_line() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    for n in 0..5 {
        world.say(&id, "main", &n.to_string()).await;
    }
    for short in [shortened::<0>, shortened::<1>, shortened::<2>] {
        for (query, expected) in
            [("?include=logs", &["0", "1", "2", "3", "4"][..]), ("?include=logs&limit=3", &["2", "3", "4"])]
        {
            world.faults.next(("api", "GetLogEvents"), 1, Fault::Changed(short));
            assert_eq!(lines(&ann, query).await, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_goes_back_so_many_pages_and_no_further_than_the_oldest_line() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    let pages = async || {
        let (shown, calls) = world.counting("api", lines(&ann, "?include=logs")).await;
        (shown.len(), calls["GetLogEvents"])
    };
    world.say(&id, "main", "0").await;
    assert_eq!(pages().await, (1, 2), "the same token again is the end");
    for n in 1..7 {
        world.say(&id, "main", &n.to_string()).await;
    }
    world.faults.next(("api", "GetLogEvents"), usize::MAX, Fault::Changed(shortened::<1>));
    assert_eq!(pages().await, (5, 5));
    assert_eq!(lines(&ann, "?include=logs").await, ["2", "3", "4", "5", "6"], "and they are the newest");
}

#[tokio::test(start_paused = true)]
async fn an_answer_holds_a_megabyte_of_lines_the_newest() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    for n in 0..5 {
        world.say(&id, "main", &n.to_string().repeat(300_000)).await;
    }
    let shown = lines(&ann, "?include=logs").await;
    assert_eq!(shown.iter().map(|line| &line[..1]).collect::<Vec<_>>(), ["2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_asked_for_is_shown() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    world.say(&id, "main", "hello").await;
    world.say(&id, "deadline", r#"{"cpu_seconds":1.5,"memory_bytes":1}"#).await;
    let shown = async |query: &str| {
        let answer = monitoring(&ann, query).await;
        (answer["logs"].as_array().unwrap().len(), answer["metrics"].as_array().unwrap().len())
    };
    assert_eq!(shown("?include=logs").await, (1, 0));
    assert_eq!(shown("?include=metrics").await, (0, 1));
    assert_eq!(shown("?include=metrics,%20logs").await, (1, 1));
    assert_eq!(shown("?stream=stdout").await, (1, 1));
    assert_eq!(shown("?stream=stderr").await, (0, 1));
    assert_eq!(shown("?colour=red").await, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_sidecar_says_beside_its_samples_is_no_metric() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    for line in ["modbox-sidecar: so it goes", "{}", r#"{"cpu_seconds":"1","memory_bytes":1}"#] {
        world.say(&id, "deadline", line).await;
    }
    assert_eq!(monitoring(&ann, "").await["metrics"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_is_of_no_use_is_named() {
    let world = World::start().await;
    let (ann, _) = running(&world).await;
    for (query, field) in [
        ("since=yesterday", "query.since"),
        ("since=", "query.since"),
        ("until=2027-01-15", "query.until"),
        ("until=2027-01-15T08:00:00Z&until=2027-01-15T09:00:00Z", "query.until"),
        ("since=2027-01-15T08:00:01Z&until=2027-01-15T08:00:00Z", "query.since"),
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
        ("limit=-1", "query.limit"),
        ("limit=ten", "query.limit"),
        ("limit=99999999999999999999", "query.limit"),
        ("stream=main", "query.stream"),
        ("stream=%FF", "query.stream"),
        ("include=", "query.include"),
        ("include=logs,traces", "query.include"),
        ("include=logs&include=metrics", "query.include"),
    ] {
        for path in ["/sandboxes/one/monitoring", "/sandbox/monitoring/one"] {
            let answer = ann.get(&format!("{path}?{query}")).await;
            answer.expect(422);
            assert_eq!(
                (answer.code().as_str(), answer.fields()),
                ("validation_error", vec![field.to_owned()]),
                "{query}"
            );
        }
    }
    let several = ann.get("/sandboxes/one/monitoring?limit=x&stream=y&include=z").await;
    assert_eq!(several.fields(), ["query.limit", "query.stream", "query.include"]);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_of_somebody_else_is_not_found() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    world.say(&id, "main", "private").await;
    let bob = world.user("bob").await;
    for sandbox in [id.as_str(), "one", "7e9b5a8e-1f6c-4d2a-9b3e-000000000000", "%00"] {
        for path in [format!("/sandboxes/{sandbox}/monitoring"), format!("/sandbox/monitoring/{sandbox}")] {
            let answer = bob.get(&path).await;
            answer.expect(404);
            assert_eq!(answer.code(), "sandbox_not_found", "{path}");
        }
    }
    assert_eq!(lines(&ann, "").await, ["private"]);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_of_cloudwatch_is_worth_another_try() {
    let world = World::start().await;
    let (ann, id) = running(&world).await;
    world.say(&id, "main", "hello").await;
    world.faults.next(("api", "GetLogEvents"), usize::MAX, Fault::throttled());
    let answer = ann.get("/sandboxes/one/monitoring").await;
    let error = answer.expect(503)["error"].clone();
    assert_eq!((&error["code"], &error["retryable"]), (&json!("upstream_error"), &json!(true)));
    world.faults.next(("api", "GetLogEvents"), 1, Fault::throttled());
    assert_eq!(lines(&ann, "").await, ["hello"]);
}
