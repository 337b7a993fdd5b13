//! Every route there is, as data: for what must hold on all of them.

use std::collections::BTreeSet;

use axum::http::Method;
use modbox_tests::{Answer, Client};
use serde_json::{Value, json};

/// A route, and a body with which it works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    body: &'static str,
    /// Who may use it.
    pub(crate) guard: Guard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Anybody. This list may only shrink.
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

const fn route(method: &'static str, path: &'static str, body: &'static str, guard: Guard) -> Route {
    Route { method, path, body, guard }
}

pub(crate) const ALL: &[Route] = &[
    route("GET", "/health", "", Guard::Open),
    route("POST", "/sandboxes/provision", "{}", Guard::User),
    route("POST", "/sandboxes/wait", r#"{"task_id": "NAME", "timeout": 1}"#, Guard::Owner),
    route("POST", "/sandboxes/destroy", r#"{"task_id": "NAME"}"#, Guard::Owner),
    route("GET", "/sandboxes/detail/{sandbox}", "", Guard::Owner),
    route("GET", "/sandboxes/status/{task_id}", "", Guard::Owner),
    route("GET", "/sandboxes/realm/{realm}", "", Guard::Nobody),
    route("GET", "/sandboxes", "", Guard::User),
    route("POST", "/sandboxes", "{}", Guard::User),
    route("GET", "/sandboxes/{sandbox}", "", Guard::Owner),
    route("DELETE", "/sandboxes/{sandbox}", "", Guard::Owner),
    route("GET", "/sandboxes/{sandbox}/status", "", Guard::Owner),
    route("POST", "/sandboxes/{sandbox}/wait", r#"{"timeout": 1}"#, Guard::Owner),
    route("POST", "/sandboxes/{sandbox}/extend", r#"{"ttl_seconds": 60}"#, Guard::Owner),
    route("POST", "/sandboxes/{sandbox}/kill", "", Guard::Owner),
    route("GET", "/sandboxes/{sandbox}/deadline", "", Guard::Task),
    route("POST", "/sandboxes/{sandbox}/ready", "", Guard::Task),
];

impl Route {
    pub(crate) fn method(self) -> Method {
        self.method.parse().unwrap()
    }

    /// The path to the sandbox of that id or name; a route by name alone is given the name.
    pub(crate) fn path_to(self, sandbox: &str, name: &str) -> String {
        self.path.replace("{sandbox}", sandbox).replace("{task_id}", name).replace("{realm}", name)
    }

    /// Calls it for a sandbox, as it should be called.
    pub(crate) async fn call(self, client: &Client, sandbox: &str, name: &str) -> Answer {
        let request = client.request(self.method(), &self.path_to(sandbox, name));
        match self.body {
            "" => request.send().await,
            body => request.json(&read(&body.replace("NAME", name))).send().await,
        }
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The router's own lines, so that a route nobody lists here fails a test.
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
fn every_route_is_listed_here() {
    let listed: BTreeSet<_> =
        ALL.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(listed, declared());
}

#[test]
fn only_health_is_open() {
    let open: Vec<_> =
        ALL.iter().filter(|route| route.guard == Guard::Open).map(|route| route.path).collect();
    assert_eq!(open, ["/health"]);
}

#[tokio::test(start_paused = true)]
async fn every_route_works_when_called_as_it_should_be() {
    for route in ALL {
        let world = modbox_tests::World::start().await;
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
        answer.json();
    }
}
