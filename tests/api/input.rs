//! Bad input: a 4xx that names the field, says nothing of the value, and changes nothing.

use axum::http::Method;
use modbox_tests::{Answer, Client, World};
use serde_json::{Value, json};

/// Stands in bad values wherever one is told back, which none may be.
const SECRET: &str = "hunter2";

/// Sends a create by both routes, and asserts that it is refused and nothing changed.
async fn refused(world: &World, client: &Client, body: &[u8], status: u16) -> Answer {
    let before = world.items();
    let send = async |path| client.request(Method::POST, path).body(body).send().await;
    let ((one, other), calls) =
        world.counting("api", async { (send("/sandboxes").await, send("/sandboxes/provision").await) }).await;
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    one.expect(status);
    assert_eq!(
        (other.status, other.code(), other.fields()),
        (one.status, one.code(), one.fields()),
        "{shown}"
    );
    assert_eq!(
        calls.into_iter().collect::<Vec<_>>(),
        [("GetItem".to_owned(), 2)],
        "only tokens are read: {shown}"
    );
    assert_eq!(world.items(), before, "{shown}");
    assert!(!one.text().contains(SECRET), "{}", one.text());
    one
}

/// Asserts that each body is refused with 422 for this one field.
async fn all_name(field: &str, bodies: Vec<Value>) {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for body in bodies {
        let answer = refused(&world, &ann, body.to_string().as_bytes(), 422).await;
        assert_eq!(answer.code(), "validation_error");
        assert_eq!(answer.fields(), [field], "{body}");
        let place: Vec<&str> = field.split('.').collect();
        assert_eq!(answer.json()["detail"][0]["loc"], json!(place));
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_has_1_to_255_characters_without_slash_or_control() {
    let names = ["", "a/b", "/", "a\u{0}b", "a\nb", "\u{7f}", "\u{85}", &"x".repeat(256), &"ü".repeat(256)];
    all_name("body.task_id", names.iter().map(|name| json!({"task_id": name})).collect()).await;
    let types = [json!(1), json!(true), json!(["hunter2"]), json!({"a": "hunter2"}), json!(1.5)];
    all_name("body.task_id", types.into_iter().map(|name| json!({"task_id": name})).collect()).await;
}

#[tokio::test(start_paused = true)]
async fn a_ttl_is_a_whole_number_from_60_to_86_400() {
    let numbers =
        [json!(59), json!(86_401), json!(0), json!(-60), json!(i64::MAX), json!(u64::MAX), json!(i64::MIN)];
    all_name("body.ttl_seconds", numbers.into_iter().map(|ttl| json!({"ttl_seconds": ttl})).collect()).await;
    let types = [json!(60.5), json!(1e30), json!("60"), json!(SECRET), json!(true), json!([60])];
    all_name("body.ttl_seconds", types.into_iter().map(|ttl| json!({"ttl_seconds": ttl})).collect()).await;
}

#[tokio::test(start_paused = true)]
async fn the_ends_of_the_ranges_are_inside() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for body in [
        json!({"ttl_seconds": 60}),
        json!({"ttl_seconds": 86_400}),
        json!({"ttl_seconds": 60.0}),
        json!({"task_id": "x"}),
        json!({"task_id": "y".repeat(255)}),
        json!({"image": "z"}),
        json!({"image": "z".repeat(512)}),
        json!({"client_reference": "r".repeat(255)}),
    ] {
        ann.create(body).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_has_1_to_512_characters_without_control() {
    let images = [json!(""), json!("x".repeat(513)), json!("a\nb"), json!("\u{0}"), json!(1), json!(["x"])];
    all_name("body.image", images.into_iter().map(|image| json!({"image": image})).collect()).await;
}

#[tokio::test(start_paused = true)]
async fn a_reference_has_1_to_255_characters_without_control() {
    let bad = [json!(""), json!("x".repeat(256)), json!("a\tb"), json!(1)];
    all_name(
        "body.client_reference",
        bad.into_iter().map(|text| json!({"client_reference": text})).collect(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn fast_start_is_true_or_false() {
    let bad = [json!("true"), json!(1), json!({})];
    all_name("body.fast_start", bad.into_iter().map(|flag| json!({"fast_start": flag})).collect()).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_id_is_a_uuid_with_its_hyphens() {
    const UNDIVIDED: &str = "7e9b5a8e1f6c4d2a9b3e000000000000";
    let bad =
        [json!(""), json!(SECRET), json!("7e9b5a8e-1f6c-4d2a-9b3e-00000000000"), json!(UNDIVIDED), json!(1)];
    all_name("body.image_id", bad.into_iter().map(|id| json!({"image_id": id})).collect()).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_id_that_nobody_has_is_not_found() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    // An image beside it is ignored, since image_id goes first.
    let body = json!({"image_id": "7e9b5a8e-1f6c-4d2a-9b3e-000000000000", "image": "modbox/sandbox"});
    let answer = refused(&world, &ann, body.to_string().as_bytes(), 404).await;
    assert_eq!(answer.code(), "image_not_found");
}

#[tokio::test(start_paused = true)]
async fn variables_have_names_that_are_names_and_values_that_are_text() {
    let names = ["", "1A", "A B", "A=B", "A-B", "Ä", "A\u{0}", "A\n", "MODBOX_", "MODBOX_ACCESS_TOKEN"];
    all_name("body.env_vars", names.iter().map(|name| json!({"env_vars": {*name: SECRET}})).collect()).await;
    all_name("body.env_vars", vec![json!({"env_vars": {"A": "hunter2\u{0}"}})]).await;
    all_name("body.env_vars", vec![json!({"env_vars": SECRET}), json!({"env_vars": [[SECRET, "1"]]})]).await;
    let types = [json!(1), json!(true), json!([SECRET]), json!({"a": SECRET})];
    all_name("body.env_vars.A", types.into_iter().map(|value| json!({"env_vars": {"A": value}})).collect())
        .await;
}

#[tokio::test(start_paused = true)]
async fn however_much_is_wrong_the_answer_stays_short() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let many: serde_json::Map<String, Value> = (0..50_000).map(|n| (format!("-{n}"), json!("1"))).collect();
    let long = "-".repeat(900_000);
    for env in [json!(many), json!({long.as_str(): "1"}), json!({long.as_str(): 1})] {
        let answer = refused(&world, &ann, json!({"env_vars": env}).to_string().as_bytes(), 422).await;
        assert!(answer.body.len() < 10_000, "{} bytes", answer.body.len());
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_wrong_is_told_at_once() {
    let world = World::start().await;
    let ann = world.user("ann").await.with_header("idempotency-key", "");
    let body = json!({
        "task_id": "a/b", "ttl_seconds": 1, "image": "", "client_reference": "", "image_id": "x",
        "env_vars": {"1": "", "MODBOX_X": ""},
    });
    let answer = refused(&world, &ann, body.to_string().as_bytes(), 422).await;
    let mut fields = answer.fields();
    fields.sort();
    assert_eq!(
        fields,
        [
            "body.client_reference",
            "body.env_vars",
            "body.env_vars",
            "body.image",
            "body.image_id",
            "body.task_id",
            "body.ttl_seconds",
            "header.idempotency-key",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_json_object_is_a_fault_of_the_body() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 16] = [
        b"{",
        b"}",
        b"hunter2",
        b"{\"task_id\": hunter2}",
        b"{'task_id': 'hunter2'}",
        b"{} {}",
        b"{} hunter2",
        b"null",
        b"1",
        b"true",
        b"\"hunter2\"",
        b"[]",
        b"[\"hunter2\", null, null, null, null, null, null]",
        b" ",
        b"\xff\xfe",
        deep.as_bytes(),
    ];
    for body in bodies {
        let answer = refused(&world, &ann, body, 422).await;
        assert_eq!(answer.code(), "validation_error");
        let fields = answer.fields();
        assert!(fields == ["body"] || fields == ["body.task_id"], "{fields:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_array_is_no_object_on_any_route() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    let before = world.items();
    for (path, body) in [
        ("/sandboxes/destroy".to_owned(), json!(["one"])),
        ("/sandboxes/wait".to_owned(), json!(["one", 1, 1])),
        (format!("/sandboxes/{id}/wait"), json!([null, 1, 1])),
        (format!("/sandboxes/{id}/extend"), json!([60])),
    ] {
        let answer = ann.post(&path, body).await;
        answer.expect(422);
        assert_eq!(answer.fields(), ["body"], "{path}");
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_comes_twice_is_refused() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    refused(&world, &ann, br#"{"task_id": "one", "task_id": "hunter2"}"#, 422).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_has_at_most_a_million_bytes() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let mut body = br#"{"task_id": "one"}"#.to_vec();
    body.resize(1_000_001, b' ');
    let answer = refused(&world, &ann, &body, 413).await;
    assert_eq!(answer.code(), "payload_too_large");
    body.pop();
    ann.request(Method::POST, "/sandboxes").body(body).send().await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn too_large_a_body_is_refused_on_every_route_that_reads_one() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    for path in ["wait", "destroy", &format!("{id}/wait"), &format!("{id}/extend")] {
        let request = ann.request(Method::POST, &format!("/sandboxes/{path}")).body(vec![b' '; 1_000_001]);
        assert_eq!(request.send().await.expect(413)["error"]["code"], "payload_too_large");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_has_1_to_255_visible_ascii_characters() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let bad: [&[u8]; 5] = [b"", &[b'k'; 256], b"\xc3\xbc", b"a\tb", b"\xff"];
    for key in bad {
        let answer = refused(&world, &ann.with_header("idempotency-key", key), b"{}", 422).await;
        assert_eq!(answer.fields(), ["header.idempotency-key"], "{key:?}");
    }
    let longest = ann.with_header("idempotency-key", [b'~'; 255]);
    longest.create(json!({})).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_none_is_refused() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for host in ["", "a b", "evil.test/path", "a\"b", "user@host", &"h".repeat(256)] {
        let answer = refused(&world, &ann.with_header("host", host), b"{}", 422).await;
        assert_eq!(answer.fields(), ["header.host"], "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_routes_check_a_name_as_create_does() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for path in ["/sandboxes/wait", "/sandboxes/destroy"] {
        for name in
            [json!(""), json!("a/b"), json!("\u{0}"), json!("x".repeat(256)), json!(1), json!([SECRET])]
        {
            let answer = ann.post(path, json!({"task_id": name})).await;
            answer.expect(422);
            assert_eq!(answer.fields(), ["body.task_id"], "{name}");
            assert!(!answer.text().contains(SECRET));
        }
    }
}
