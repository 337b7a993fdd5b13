//! PUT /sandbox/{sandboxIdOrName}/labels.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use modbox_control::Api;
use modbox_sandbox::Labels;
use serde::{Deserialize, Serialize};

use super::{caller::Member, state::refusal};
use crate::{
    body::{Body, Checks},
    error::ApiError,
    path::IdOrName,
};

#[derive(Deserialize)]
pub(super) struct LabelsRequest {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
pub(super) struct LabelsBody {
    labels: BTreeMap<String, String>,
}

/// Gives a sandbox other labels in place of its own.
pub(super) async fn replace(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
    Body(request): Body<LabelsRequest>,
) -> Result<Json<LabelsBody>, ApiError> {
    let mut checks = Checks::default();
    if request.labels.is_none() {
        checks.fault("labels", "is required", "missing");
    }
    let labels = read(&mut checks, request.labels);
    checks.done()?;
    let row = api.label(&caller.user, &selector, labels).await.map_err(refusal)?;
    Ok(Json(LabelsBody { labels: row.sandbox.labels.as_map().clone() }))
}

/// Labels that may be absent.
pub(super) fn read(checks: &mut Checks, labels: Option<BTreeMap<String, String>>) -> Labels {
    Labels::new(labels.unwrap_or_default()).unwrap_or_else(|error| {
        checks.fault("labels", error.to_string(), "value_error");
        Labels::default()
    })
}
