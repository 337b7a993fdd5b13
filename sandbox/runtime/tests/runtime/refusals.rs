use std::io::{Read, Write};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, TOKEN, World};

const EXEC: &str = "POST /modbox/api/exec";

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.body["error"]["code"]), (status, &json!(code)), "{}", answer.body);
    let message = &answer.body["error"]["message"];
    assert!(message.as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(&answer.body["detail"], message);
}

#[test]
fn health_needs_no_token() {
    let world = World::start();
    for line in ["GET /", "GET /healthz"] {
        let answer = world.ask(line, None, b"");
        assert_eq!((answer.status, answer.body), (200, json!({"status": "ok"})), "{line}");
    }
}

#[test]
fn both_tokens_open_it() {
    let world = World::start();
    for token in [TOKEN, API_KEY] {
        let answer = world.ask(EXEC, Some(&format!("Bearer {token}")), br#"{"command":"true"}"#);
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn without_a_token_or_with_a_wrong_one_nothing_runs() {
    let world = World::start();
    let body = br#"{"command":"touch ran"}"#;
    for (token, code) in [
        (None, "unauthenticated"),
        (Some("Basic c2J4X2ZpcnN0"), "unauthenticated"),
        (Some(TOKEN), "unauthenticated"),
        (Some("Bearer wrong"), "invalid_token"),
        (Some("Bearer sbx_firs"), "invalid_token"),
        (Some("Bearer sbx_firstt"), "invalid_token"),
    ] {
        let answer = world.ask(EXEC, token, body);
        refused(&answer, 401, code);
        assert!(answer.head.contains("www-authenticate: bearer"));
    }
    assert!(!world.path("ran").exists());
}

#[test]
fn a_runtime_without_tokens_is_closed() {
    for env in [&[][..], &[("MODBOX_ACCESS_TOKEN", ""), ("SANDBOX_API_KEY", "")]] {
        let world = World::with(env);
        for token in ["Bearer ", "Bearer x"] {
            assert_eq!(world.ask(EXEC, Some(token), br#"{"command":"true"}"#).status, 401);
        }
    }
}

#[test]
fn paths_and_methods_that_are_none_are_in_the_envelope() {
    let world = World::start();
    let token = format!("Bearer {TOKEN}");
    refused(&world.ask("GET /nowhere", None, b""), 404, "not_found");
    refused(&world.ask("GET /modbox/api/nowhere", Some(&token), b""), 404, "not_found");
    refused(&world.ask("GET /modbox/api/nowhere", None, b""), 401, "unauthenticated");
    let wrong_method = world.ask("GET /modbox/api/exec", Some(&token), b"");
    refused(&wrong_method, 405, "method_not_allowed");
    assert!(wrong_method.head.contains("allow: post"), "{}", wrong_method.head);
    refused(&world.ask("POST /healthz", None, b""), 405, "method_not_allowed");
}

#[test]
fn bad_input_names_the_field() {
    let world = World::start();
    for (request, field) in [
        (json!([]), "body"),
        (json!({}), "body.command"),
        (json!({"command": 5}), "body.command"),
        (json!({"command": "true", "timeout_seconds": 0}), "body.timeout_seconds"),
        (json!({"command": "true", "timeout_seconds": "x"}), "body.timeout_seconds"),
        (json!({"command": "true", "cwd": "/no/such/folder"}), "body.cwd"),
        (json!({"command": "true", "cwd": "/etc/passwd"}), "body.cwd"),
        (json!({"command": "true", "env": {"A-B": "x"}}), "body.env.A-B"),
        (json!({"command": "true", "env": {"A": "x\u{0}"}}), "body.env.A"),
        (json!({"command": "x\u{0}"}), "body.command"),
    ] {
        let answer = world.exec(&request);
        refused(&answer, 422, "validation_error");
        assert_eq!(answer.body["error"]["details"][0]["field"], field, "{request}");
        assert!(answer.body["error"]["details"][0]["issue"].is_string());
    }
    let token = format!("Bearer {TOKEN}");
    refused(&world.ask(EXEC, Some(&token), b"{"), 422, "validation_error");
    refused(&world.ask(EXEC, Some(&token), b"\xff"), 422, "validation_error");
    refused(&world.ask(EXEC, Some(&token), b""), 422, "validation_error");
}

#[test]
fn an_environment_that_linux_does_not_take_is_refused() {
    let world = World::start();
    let env: serde_json::Map<String, Value> =
        (0..9).map(|n| (format!("A{n}"), Value::from("x".repeat(100_000)))).collect();
    // Whether nearly a megabyte is too much depends on the machine; either way there is an answer to it.
    let answer = world.exec(&json!({"command": "true", "env": env}));
    assert!(matches!(answer.status, 200 | 422), "{}", answer.status);
    let answer = world.exec(&json!({"command": "true", "env": {"A": "x".repeat(200_000)}}));
    refused(&answer, 422, "validation_error");
}

#[test]
fn a_body_over_a_megabyte_is_refused_while_it_is_still_sent() {
    let world = World::start();
    for length in [1_000_001, 8_000_000] {
        let answer = world.ask(EXEC, Some(&format!("Bearer {TOKEN}")), &vec![b' '; length]);
        refused(&answer, 413, "payload_too_large");
    }
    let mut padded = br#"{"command":"true"}"#.to_vec();
    padded.resize(1_000_000, b' ');
    assert_eq!(world.ask(EXEC, Some(&format!("Bearer {TOKEN}")), &padded).status, 200);
}

#[test]
fn behind_a_refusal_the_connection_carries_the_next_request() {
    let world = World::start();
    let mut connection = world.connect();
    connection
        .write_all(b"POST /modbox/api/exec HTTP/1.1\r\nhost: box\r\ncontent-length: 2\r\n\r\n")
        .unwrap();
    // The refusal does not need the body, which comes later.
    sleep(Duration::from_millis(50));
    connection.write_all(b"{}GET /healthz HTTP/1.1\r\nhost: box\r\nconnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    connection.read_to_string(&mut answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 401 ") && answers.contains("HTTP/1.1 200 "), "{answers}");
}
