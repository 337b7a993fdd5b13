//! Every operation of the document, as data: for what must hold on all of them.

use std::{collections::BTreeSet, sync::LazyLock};

use axum::http::Method;
use modbox_tests::{Answer, Client, World};
use serde_json::{Map, Value, json};

/// An operation, and a body with which it works.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    body: Option<Value>,
    /// Who may use it.
    pub(crate) guard: Guard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Anybody.
    Open,
    /// A user, of sandboxes in general.
    User,
    /// The user whose sandbox it is.
    Owner,
    /// The sandbox's own task.
    Task,
    /// A user with a role that no user has.
    Nobody,
}

/// What anybody may use. This list may only shrink.
const OPEN: [&str; 3] = ["/health", "/openapi.json", "/docs"];

/// Where a body says which sandbox is meant.
const NAME: &str = "NAME";

/// Every operation of the committed document, which is the served one (`tests/openapi/document.rs`).
pub(crate) static ALL: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/http/openapi/openapi.json");
    let text = std::fs::read(path).expect("the document is committed");
    let document: Value = serde_json::from_slice(&text).expect("the document is JSON");
    operations(&document)
        .map(|(method, path, operation)| Route::new(&document, (method, path), operation))
        .collect()
});

/// Every operation of a document, with its method and its path.
pub(crate) fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

impl Guard {
    /// Who may use it, by what it says of tokens, and by whether it names a sandbox.
    pub(crate) fn of(document: &Value, operation: &Value) -> Self {
        let asked = operation.get("security").unwrap_or(&document["security"]);
        let tokens: Vec<_> = asked[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(asked.as_array().unwrap().len(), 1, "{operation}");
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        if operation["responses"].as_object().unwrap().keys().all(|status| !status.starts_with('2')) {
            return Self::Nobody;
        }
        let named = parameters.filter(|parameter| parameter["in"] == "path").count() > 0;
        match tokens.as_slice() {
            [] => Self::Open,
            ["taskToken"] => Self::Task,
            ["apiToken"]
                if named
                    || smallest_body(document, operation).is_some_and(|body| body["task_id"] == NAME) =>
            {
                Self::Owner
            }
            ["apiToken"] => Self::User,
            other => panic!("{other:?}"),
        }
    }
}

/// The least that the schema of its body lets pass.
fn smallest_body(document: &Value, operation: &Value) -> Option<Value> {
    let reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str()?;
    let schema = document.pointer(reference.strip_prefix('#')?)?;
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let members = required.map(|name| {
        let value = match schema["properties"][name]["minimum"].clone() {
            Value::Null => json!(NAME),
            least => least,
        };
        (name.to_owned(), value)
    });
    Some(Value::Object(members.collect::<Map<_, _>>()))
}

impl Route {
    pub(crate) fn new(document: &Value, (method, path): (&str, &str), operation: &Value) -> Self {
        Self {
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            body: smallest_body(document, operation),
            guard: Guard::of(document, operation),
        }
    }

    /// The path to the sandbox of that id or name; a route by name alone is given the name.
    pub(crate) fn path_to(&self, sandbox: &str, name: &str) -> String {
        self.path.replace("{sandbox_id}", sandbox).replace("{task_id}", name).replace("{realm}", name)
    }

    /// Calls it for a sandbox, as it should be called.
    pub(crate) async fn call(&self, client: &Client, sandbox: &str, name: &str) -> Answer {
        let request = client.request(self.method.clone(), &self.path_to(sandbox, name));
        match self.body.clone() {
            None => request.send().await,
            Some(mut body) => {
                if body["task_id"] == NAME {
                    body["task_id"] = json!(name);
                }
                request.json(&body).send().await
            }
        }
    }
}

/// The router's own lines, so that a route that the document does not know fails a test.
fn declared() -> BTreeSet<(String, String)> {
    let source = include_str!("../../shared/http/src/native/mod.rs");
    let lines = source.lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
    let mut routes = BTreeSet::new();
    for line in lines {
        let (path, methods) = line.split_once("\",").unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if methods.contains(&format!("{method}(")) {
                routes.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    routes
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let listed: BTreeSet<_> =
        ALL.iter().map(|route| (route.method.to_string(), route.path.clone())).collect();
    assert_eq!(listed, declared());
}

#[test]
fn only_what_must_be_is_open() {
    let open = ALL.iter().filter(|route| route.guard == Guard::Open).map(|route| route.path.as_str());
    assert_eq!(open.collect::<BTreeSet<_>>(), BTreeSet::from(OPEN));
}

#[tokio::test(start_paused = true)]
async fn every_route_works_when_called_as_it_should_be() {
    for route in ALL.iter() {
        let world = World::start().await;
        let ann = world.user("ann").await;
        let id = ann.create(json!({"task_id": "one"})).await;
        world.settle().await;
        let client = if route.guard == Guard::Task { world.sidecar(&id) } else { ann };
        let answer = route.call(&client, &id, "one").await;
        if route.guard == Guard::Nobody {
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "insufficient_role"));
            continue;
        }
        assert!(answer.status.is_success(), "{route:?}: {}", answer.text());
        assert!(answer.header("content-type").is_some(), "{route:?}");
    }
}
