//! PATCH /v2/sandboxes/{name}.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use modbox_control::{Api, Selector};
use modbox_sandbox::Deadline;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    error::unchanged,
    member::Member,
    refused::{ENV_IS_GIVEN_ONCE, NO_DISK, Promises, refuse},
    timeout::life,
    wire::{SandboxBody, labels, present},
};
use crate::{
    body::{Body, Checks, integer},
    error::ApiError,
    path::TaskId,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateRequest {
    #[serde(default, deserialize_with = "integer")]
    timeout: Option<i64>,
    tags: Option<BTreeMap<String, String>>,
    persistent: Option<bool>,
    ports: Option<Vec<u16>>,
    mounts: Option<BTreeMap<String, Value>>,
    env: Option<BTreeMap<String, Value>>,
    network_policy: Option<Value>,
    network_id: Option<Value>,
    resources: Option<Value>,
    snapshot_expiration: Option<Value>,
    keep_last_snapshots: Option<Value>,
    current_snapshot_id: Option<Value>,
    /// A wish, as the next: the answer says which region it is.
    #[expect(dead_code, reason = "its type is checked")]
    region: Option<String>,
    #[expect(dead_code, reason = "its type is checked")]
    failover_regions: Option<Vec<String>>,
}

#[derive(Serialize)]
pub(super) struct Updated {
    sandbox: SandboxBody,
    routes: [(); 0],
}

/// Changes the timeout and the tags.
///
/// The timeout counts from the creation. With the vendor it is a plan for runs to come: a client that wants the one under way to
/// be longer extends that too, by as much, before or after. So while it runs, it becomes shorter by this and never longer.
pub(super) async fn update(
    State(api): State<Api>,
    Member(caller): Member,
    TaskId(selector): TaskId,
    Body(request): Body<UpdateRequest>,
) -> Result<Json<Updated>, ApiError> {
    let mut checks = Checks::default();
    request.check_promises(&mut checks);
    let labels = labels(&mut checks, request.tags);
    checks.done()?;
    let (timeout, mut selector) = (life(request.timeout)?, selector);
    let mut sandbox = None;
    if let Some(timeout) = timeout {
        let planned = api.extend(&caller.user, &selector, Deadline::Planned(timeout)).await;
        let planned = planned.map_err(unchanged)?.sandbox;
        selector = Selector::Id(planned.id);
        sandbox = Some(planned);
    }
    if let Some(labels) = labels {
        sandbox = Some(api.label(&caller.user, &selector, labels).await.map_err(unchanged)?.sandbox);
    }
    let sandbox = match sandbox {
        Some(sandbox) => sandbox,
        None => api.get(&caller.user, &selector).await?.sandbox,
    };
    present(&sandbox)?;
    Ok(Json(Updated { sandbox: SandboxBody::new(&api, &sandbox), routes: [] }))
}

impl UpdateRequest {
    /// What would be promised and not kept.
    fn check_promises(&self, checks: &mut Checks) {
        Promises {
            persistent: self.persistent,
            ports: self.ports.as_ref(),
            mounts: self.mounts.as_ref(),
            network_policy: self.network_policy.as_ref(),
            network_id: self.network_id.as_ref(),
            resources: self.resources.as_ref(),
            snapshot_expiration: self.snapshot_expiration.as_ref(),
            keep_last_snapshots: self.keep_last_snapshots.as_ref(),
        }
        .check(checks);
        if self.env.as_ref().is_some_and(|env| !env.is_empty()) {
            checks.fault("env", ENV_IS_GIVEN_ONCE, "value_error");
        }
        refuse(checks, &[("currentSnapshotId", self.current_snapshot_id.as_ref(), NO_DISK)]);
    }
}
