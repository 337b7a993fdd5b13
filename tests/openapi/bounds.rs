//! What the document says of a field is what the code checks: the ends of each range, length and pattern.

use axum::http::Method;
use modbox_tests::{Answer, Client, World};
use serde_json::{Value, json};

use super::document::served;
use crate::api::routes;

/// A field of a request body, and a value at a bound of its schema.
struct Case {
    path: String,
    body: Value,
    accepted: bool,
}

/// Values at the bounds of a schema, and whether they are inside.
fn at_the_bounds(schema: &Value) -> Vec<(Value, bool)> {
    let mut values = Vec::new();
    if let (Some(min), Some(max)) = (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        values.extend(
            [(min, true), (max, true), (min - 1, false), (max + 1, false)].map(|(n, ok)| (json!(n), ok)),
        );
    }
    if let (Some(min), Some(max)) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64()) {
        let text = |length: u64| json!("ü".repeat(length as usize));
        values.extend([(text(min), true), (text(max), true), (text(min - 1), false), (text(max + 1), false)]);
    }
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    for (refused, characters) in
        [("/", "/"), (r"\u0000-\u001f", "\u{0}\t\u{1f}"), (r"\u007f-\u009f", "\u{7f}\u{9f}")]
    {
        let inside = !pattern.contains(refused);
        values.extend(
            characters
                .chars()
                .map(|c| (json!(format!("a{c}b")), inside))
                .filter(|_| pattern.starts_with("^[^")),
        );
    }
    values
}

/// The schema of a body, by its name.
fn body_schema<'a>(document: &'a Value, operation: &Value) -> Option<&'a Value> {
    let reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str()?;
    document.pointer(reference.strip_prefix('#')?)
}

fn cases(document: &Value) -> Vec<Case> {
    let mut cases = Vec::new();
    for (_, path, operation) in routes::operations(document) {
        let Some(schema) = body_schema(document, operation) else { continue };
        let required: Vec<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (field, property) in schema["properties"].as_object().unwrap() {
            for (value, accepted) in at_the_bounds(property) {
                let mut body = json!({field: value});
                if path.ends_with("/wait") && field != "timeout" {
                    body["timeout"] = json!(1);
                }
                for other in required.iter().filter(|other| *other != field) {
                    body[*other] = json!("one");
                }
                cases.push(Case { path: path.to_owned(), body, accepted });
            }
        }
    }
    cases
}

async fn send(client: &Client, case: &Case) -> Answer {
    client.request(Method::POST, &case.path.replace("{sandbox_id}", "one")).json(&case.body).send().await
}

#[tokio::test(start_paused = true)]
async fn what_is_inside_a_bound_is_valid_and_what_is_outside_is_not() {
    let document = served().await;
    let cases = cases(&document);
    assert!(cases.len() > 40, "only {} cases were found", cases.len());
    let ann = World::start().await.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    for case in cases {
        let answer = send(&ann, &case).await;
        assert!(!answer.status.is_server_error(), "{}: {}", case.path, answer.text());
        let valid = answer.status != 422;
        let shown: String = case.body.to_string().chars().take(100).collect();
        assert_eq!(valid, case.accepted, "{} {shown}: {}", case.path, answer.text());
    }
}
