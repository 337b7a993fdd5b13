//! What the document says of a field or a parameter is what the code checks: the ends of each range, length and pattern.

use axum::http::Method;
use modbox_tests::{Answer, Client, World};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::document::served;
use crate::api::routes::{self, Route};

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

/// What a parameter with a pattern is tried with.
const WORDS: [&str; 14] = [
    "logs",
    "metrics",
    "logs,metrics",
    "metrics, logs",
    "  logs , metrics ",
    "logs,logs",
    "Logs",
    "logs,",
    "logs;metrics",
    "logs,\tmetrics",
    "logs,\u{a0}metrics",
    " ",
    "",
    "ü",
];

/// A parameter's values at the bounds of its schema, and whether they are inside.
fn texts(schema: &Value) -> Vec<(String, bool)> {
    let numbers = at_the_bounds(schema).into_iter().filter(|(value, _)| value.is_number());
    let mut texts: Vec<_> = numbers.map(|(value, inside)| (value.to_string(), inside)).collect();
    if let (Some(min), Some(max)) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64()) {
        let sizes = [(min, true), (max, true), (min - 1, false), (max + 1, false)];
        texts.extend(sizes.map(|(length, inside)| ("x".repeat(length as usize), inside)));
    }
    if let Some(allowed) = schema["enum"].as_array() {
        texts.extend(allowed.iter().map(|word| (word.as_str().unwrap().to_owned(), true)));
        texts.extend(["", "x"].map(|word| (word.to_owned(), false)));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let pattern = Regex::new(pattern).unwrap();
        texts.extend(WORDS.map(|word| (word.to_owned(), pattern.is_match(word))));
    }
    let (inside, outside) = match schema["format"].as_str() {
        Some("uuid") => ("7e9b5a8e-1f6c-4d2a-9b3e-000000000000", "7e9b5a8e1f6c4d2a9b3e00000000000"),
        Some("date-time") => ("2027-01-15T08:00:00Z", "2027-01-15"),
        _ => return texts,
    };
    texts.extend([(inside.to_owned(), true), (outside.to_owned(), false)]);
    texts
}

/// What the route answers with this parameter, at a sandbox of the caller's that is called one.
async fn call_with(route: &Route, caller: &Client, (parameter, text): (&Value, &str)) -> Answer {
    let name = parameter["name"].as_str().unwrap();
    if parameter["in"] == "header" {
        return route.call(&caller.with_header(name, text), "one", "one").await;
    }
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut route = route.clone();
    route.path = format!("{}?{name}={encoded}", route.path);
    route.call(caller, "one", "one").await
}

#[tokio::test(start_paused = true)]
async fn a_parameter_inside_its_bounds_is_valid_and_one_outside_is_named() {
    let document = served().await;
    let ann = World::start().await.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    let mut tried = 0;
    for (method, path, operation) in routes::operations(&document) {
        let route = Route::new(&document, (method, path), operation);
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["in"] != "path") {
            let (place, name) = (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
            for (text, inside) in texts(&parameter["schema"]) {
                // HTTP does not count spaces at either end to a header's value.
                if place == "header" && text.trim_matches(' ') != text {
                    continue;
                }
                let answer = call_with(&route, &ann, (parameter, &text)).await;
                let shown = format!("{method} {path} {name}={text:?}: {}", answer.text());
                assert!(!answer.status.is_server_error() && answer.status != 400, "{shown}");
                assert_eq!(answer.status != 422, inside, "{shown}");
                if !inside {
                    assert_eq!(answer.fields(), [format!("{place}.{}", name.to_lowercase())], "{shown}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "only {tried} values were tried");
}
