//! GET /openapi.json.

use std::{collections::BTreeSet, path::Path};

use modbox_tests::World;
use serde_json::Value;

use crate::api::routes;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/http/openapi/openapi.json");

/// The document, as the World's API serves it to anybody.
pub(crate) async fn served() -> Value {
    World::start().await.guest().get("/openapi.json").await.expect(200)
}

#[tokio::test(start_paused = true)]
async fn the_committed_document_is_the_served_one() {
    let answer = World::start().await.guest().get("/openapi.json").await;
    answer.expect(200);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(COMMITTED, &answer.body).expect("the document can be written");
    }
    let committed = std::fs::read(Path::new(COMMITTED)).expect("the document is committed");
    assert!(
        committed == answer.body,
        "the API has changed: look at what `INSTA_UPDATE=always cargo test -p modbox-tests openapi` changes in {COMMITTED}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_openapi_3_1() {
    let document = served().await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Modbox API");
}

#[tokio::test(start_paused = true)]
async fn who_has_it_is_not_sent_it_again() {
    let guest = World::start().await.guest();
    for path in ["/openapi.json", "/docs"] {
        let first = guest.get(path).await;
        let tag = first.header("etag").expect("it has a tag").to_owned();
        for tags in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
            let again = guest.with_header("if-none-match", &tags).get(path).await;
            assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path} {tags}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        let other = guest.with_header("if-none-match", "\"other\"").get(path).await;
        assert_eq!(other.body, first.body);
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_has_a_name_of_its_own_a_summary_and_a_known_tag() {
    let document = served().await;
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut names = BTreeSet::new();
    for (_, _, operation) in routes::operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} names two operations");
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{name}");
        assert!(tags.contains(&&operation["tags"][0]), "{name}");
    }
    // Those that the official SDK has a method for are named as it is.
    for name in [
        "provision_sandbox",
        "wait_for_sandbox",
        "destroy_sandbox",
        "get_sandbox",
        "get_sandbox_status",
        "list_sandboxes",
        "create_sandbox",
        "get_sandbox_canonical",
        "delete_sandbox",
        "get_sandbox_status_canonical",
        "wait_for_sandbox_canonical",
        "health_check",
    ] {
        assert!(names.contains(name), "{name}");
    }
}

/// The answer itself, where the operation only names it.
fn resolved<'a>(document: &'a Value, response: &'a Value) -> &'a Value {
    match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => response,
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_described_and_every_refusal_has_the_one_form() {
    let document = served().await;
    for (method, path, operation) in routes::operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolved(&document, response);
            let place = format!("{method} {path} {status}");
            assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{place}");
            assert!(response["headers"]["X-Request-Id"].is_object(), "{place}");
            if status.starts_with(['4', '5']) {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ErrorResponse", "{place}");
            }
        }
        let guarded = routes::Guard::of(&document, operation) != routes::Guard::Open;
        for status in ["401", "500", "503"] {
            assert_eq!(operation["responses"][status].is_object(), guarded, "{method} {path} {status}");
        }
        let reads = operation["requestBody"].is_object();
        for status in ["400", "413"] {
            assert_eq!(operation["responses"][status].is_object(), reads, "{method} {path} {status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_link_of_a_created_sandbox_leads_to_an_operation() {
    let document = served().await;
    let names: Vec<_> =
        routes::operations(&document).map(|(_, _, operation)| &operation["operationId"]).collect();
    for path in ["/sandboxes", "/sandboxes/provision"] {
        let links = &document["paths"][path]["post"]["responses"]["200"]["links"];
        for (name, link) in links.as_object().expect("a created sandbox can be followed") {
            assert!(names.contains(&&link["operationId"]), "{name}: {link}");
            assert_eq!(link["parameters"]["sandbox_id"], "$response.body#/sandbox_id");
        }
    }
}

/// Every `$ref` there is, however deep.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn every_component_is_there_and_of_use() {
    let document = served().await;
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    let defined = ["schemas", "responses"].into_iter().flat_map(|kind| {
        let names = document["components"][kind].as_object().unwrap().keys();
        names.map(move |name| format!("#/components/{kind}/{name}"))
    });
    assert_eq!(used, defined.collect());
}
