//! The doors beside the Modbox API: other services' lifecycle calls, on the same sandboxes.

mod daytona;
mod daytona_list;
mod every;
mod hopx;
mod vercel;
mod vercel_list;

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use futures::future::join_all;
use modbox_tests::{Answer, Client, World};
use serde_json::{Value, json};

/// A door: below which path it is, and its router's own lines, so that no route is missed.
pub(crate) struct Door {
    prefix: &'static str,
    router: &'static str,
    /// What anybody may use. These lists may only shrink.
    open: &'static [&'static str],
}

pub(crate) const DOORS: [Door; 3] = [
    Door { prefix: "/daytona", router: include_str!("../../shared/http/src/daytona/mod.rs"), open: &[] },
    Door {
        prefix: "/hopx",
        router: include_str!("../../shared/http/src/hopx/mod.rs"),
        open: &["/hopx/health"],
    },
    Door { prefix: "/vercel/api", router: include_str!("../../shared/http/src/vercel/mod.rs"), open: &[] },
];

/// One method of one route, with the door's path before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) path: String,
    method: String,
}

impl Door {
    /// Every route that asks who calls.
    pub(crate) fn guarded(&self) -> Vec<Route> {
        let mut routes = self.routes();
        routes.retain(|route| !self.open.contains(&route.path.as_str()));
        routes.into_iter().collect()
    }

    fn routes(&self) -> BTreeSet<Route> {
        let lines = self.router.lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
        let mut routes = BTreeSet::new();
        for line in lines {
            let (path, methods) = line.split_once("\",").expect("a route is one line");
            for method in ["get", "post", "put", "patch", "delete"] {
                if methods.contains(&format!("{method}(")) {
                    let path = format!("{}{path}", self.prefix);
                    routes.insert(Route { path, method: method.to_uppercase() });
                }
            }
        }
        assert!(routes.len() >= 5, "the router's lines are not read as they should be");
        routes
    }
}

impl Route {
    /// Whether it is about one sandbox.
    pub(crate) fn names_a_sandbox(&self) -> bool {
        self.path.contains("/sandbox") && self.path.contains('{')
    }

    /// Calls it, with the sandbox of that id or name wherever one is named.
    pub(crate) async fn call(&self, client: &Client, sandbox: &str) -> Answer {
        let filled = |part: &str| if part.starts_with('{') { sandbox.to_owned() } else { part.to_owned() };
        let path = self.path.split('/').map(filled).collect::<Vec<_>>().join("/");
        let method: Method = self.method.parse().expect("it is a method");
        let request = client.request(method, &path);
        if self.method == "GET" { request.send().await } else { request.json(&json!({})).send().await }
    }
}

/// How often which operation is called for a request, which is granted.
async fn calls_of(
    world: &World,
    client: &Client,
    (method, path): (Method, &str),
    body: &Value,
) -> BTreeMap<String, u64> {
    let request = client.request(method, path).json(body);
    let (answer, calls) = world.counting("api", request.send()).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
    calls
}

async fn deletes_at_once(client: &Client, path: &str) -> Vec<Answer> {
    join_all((0..6).map(|_| client.delete(path))).await
}
