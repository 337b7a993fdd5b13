//! What is refused, and why: above all what promises a disk that is kept.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use modbox_control::Api;
use serde_json::Value;

use super::{member::Member, wire::present};
use crate::{
    body::Checks,
    error::ApiError,
    path::{ById, TaskId},
};

/// Said of a field: `body.persistent: …`.
pub(super) const NO_DISK: &str = "this deployment runs sandboxes as Fargate tasks, which do not keep their disk, so there are no snapshots and nothing \
     is persistent";
pub(super) const STOPPED_FOR_GOOD: &str = "The sandbox has stopped for good: this deployment runs sandboxes as Fargate tasks, which do not keep their disk, so \
     none can be resumed. Delete it, and create another.";
const ONE_SIZE: &str = "all sandboxes of this deployment have the same size";
const NO_PORTS: &str = "no ports of a sandbox are exposed";
pub(super) const NO_SOURCE: &str = "a sandbox starts with what is in its image, and with nothing else";
const NO_DRIVES: &str = "there are no drives";
const OPEN_NETWORK: &str = "must be allow-all: a sandbox of this deployment cannot be kept from the network";
pub(super) const ENV_IS_GIVEN_ONCE: &str = "can be given at the creation alone";

const SNAPSHOTS: &str = "This deployment runs sandboxes as Fargate tasks, which do not keep their disk, so there are no snapshots to make or to \
     start from.";

/// What a create and an update may both ask for, and would be promised and not kept.
pub(super) struct Promises<'a> {
    pub(super) persistent: Option<bool>,
    pub(super) ports: Option<&'a Vec<u16>>,
    pub(super) mounts: Option<&'a BTreeMap<String, Value>>,
    pub(super) network_policy: Option<&'a Value>,
    pub(super) network_id: Option<&'a Value>,
    pub(super) resources: Option<&'a Value>,
    pub(super) snapshot_expiration: Option<&'a Value>,
    pub(super) keep_last_snapshots: Option<&'a Value>,
}

impl Promises<'_> {
    pub(super) fn check(&self, checks: &mut Checks) {
        if self.persistent == Some(true) {
            checks.fault("persistent", NO_DISK, "value_error");
        }
        if self.ports.is_some_and(|ports| !ports.is_empty()) {
            checks.fault("ports", NO_PORTS, "value_error");
        }
        if self.mounts.is_some_and(|mounts| !mounts.is_empty()) {
            checks.fault("mounts", NO_DRIVES, "value_error");
        }
        check_network(checks, self.network_policy);
        refuse(
            checks,
            &[
                ("networkId", self.network_id, OPEN_NETWORK),
                ("resources", self.resources, ONE_SIZE),
                ("snapshotExpiration", self.snapshot_expiration, NO_DISK),
                ("keepLastSnapshots", self.keep_last_snapshots, NO_DISK),
            ],
        );
    }
}

/// Fields that may not be given, whatever their value, each with the reason.
pub(super) fn refuse(checks: &mut Checks, given: &[(&str, Option<&Value>, &str)]) {
    for (field, _, why) in given.iter().filter(|(_, value, _)| value.is_some()) {
        checks.fault(field, *why, "value_error");
    }
}

/// The one policy there is may be asked for.
fn check_network(checks: &mut Checks, policy: Option<&Value>) {
    let Some(policy) = policy else { return };
    let is_open = policy.get("mode").is_some_and(|mode| mode == "allow-all" || mode == "default-allow");
    if !is_open {
        checks.fault("networkPolicy", OPEN_NETWORK, "value_error");
    }
}

/// POST /v2/sandboxes/{name}/fork, of a sandbox that is there.
pub(super) async fn fork(
    State(api): State<Api>,
    Member(caller): Member,
    TaskId(selector): TaskId,
) -> Result<(), ApiError> {
    present(&api.get(&caller.user, &selector).await?.sandbox)?;
    Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_request", SNAPSHOTS))
}

/// POST /v2/sandboxes/sessions/{session_id}/snapshot, of a sandbox that is there.
pub(super) async fn snapshot(
    State(api): State<Api>,
    Member(caller): Member,
    ById(selector): ById,
) -> Result<(), ApiError> {
    present(&api.get(&caller.user, &selector).await?.sandbox)?;
    Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_request", SNAPSHOTS))
}
