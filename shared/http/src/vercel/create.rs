//! POST /v3/sandboxes, and POST /v2/sandboxes, which the SDKs use for a sandbox with a runtime.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use modbox_control::{Api, Error, Order};
use modbox_sandbox::{Name, UserId};
use serde::Deserialize;
use serde_json::Value;

use super::{
    member::{MUST_BE, Member, well_formed},
    refused::{NO_SOURCE, Promises, refuse},
    timeout::{DEFAULT, life},
    wire::{Whole, labels},
};
use crate::{
    body::{Body, Checks, integer},
    error::ApiError,
    order::{MAX_IMAGE_CHARS, check_text, environment},
    origin::Origin,
};

/// The longest name of a sandbox (seeds/004).
const MAX_NAME_CHARS: usize = 128;
/// The vendor's runtimes, and how its own images begin: all mean the deployment's default image.
const RUNTIMES: [&str; 4] = ["node26", "node24", "node22", "python3.13"];
const OWN_IMAGES: &str = "vercel/sandbox/";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRequest {
    project_id: Option<String>,
    name: Option<String>,
    image: Option<String>,
    runtime: Option<String>,
    #[serde(default, deserialize_with = "integer")]
    timeout: Option<i64>,
    env: Option<BTreeMap<String, Option<String>>>,
    tags: Option<BTreeMap<String, String>>,
    persistent: Option<bool>,
    ports: Option<Vec<u16>>,
    mounts: Option<BTreeMap<String, Value>>,
    network_policy: Option<Value>,
    network_id: Option<Value>,
    resources: Option<Value>,
    source: Option<Value>,
    snapshot_expiration: Option<Value>,
    keep_last_snapshots: Option<Value>,
    /// A wish, as the next: the answer says which region it is.
    #[expect(dead_code, reason = "its type is checked")]
    region: Option<String>,
    #[expect(dead_code, reason = "its type is checked")]
    failover_regions: Option<Vec<String>>,
}

/// Creates a sandbox and answers before it runs.
pub(super) async fn create(
    State(api): State<Api>,
    member: Member,
    Origin(api_url): Origin,
    Body(request): Body<CreateRequest>,
) -> Result<Json<Whole>, ApiError> {
    let project = request.project_id.clone();
    let order = request.order(member.0.user.clone(), api_url)?;
    if let Some(project) = project {
        member.check(&api, &project).await?;
    }
    let accepted = api.create(order).await.map_err(|error| match error {
        Error::NameTaken { name } => ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            format!("A sandbox with the name '{name}' already exists for this project."),
        ),
        error => error.into(),
    })?;
    Ok(Json(Whole::new(&api, &accepted.row.sandbox)))
}

impl CreateRequest {
    fn order(self, owner: UserId, api_url: String) -> Result<Order, ApiError> {
        let mut checks = Checks::default();
        self.check_promises(&mut checks);
        if self.project_id.is_some_and(|project| well_formed(&project).is_none()) {
            checks.fault("projectId", MUST_BE, "length");
        }
        check_text(&mut checks, "name", self.name.as_deref(), MAX_NAME_CHARS);
        let name = self.name.map(Name::new).transpose();
        if let Err(error) = &name {
            checks.fault("name", error.to_string(), "value_error");
        }
        check_text(&mut checks, "image", self.image.as_deref(), MAX_IMAGE_CHARS);
        match self.runtime.as_deref() {
            Some(runtime) if !RUNTIMES.contains(&runtime) => {
                checks.fault("runtime", format!("must be one of {}", RUNTIMES.join(", ")), "enum");
            }
            Some(_) if self.image.is_some() => {
                checks.fault("runtime", "cannot be given with an image", "value_error");
            }
            Some(_) | None => {}
        }
        let env = environment(&mut checks, "env", self.env.unwrap_or_default());
        let labels = labels(&mut checks, self.tags).unwrap_or_default();
        checks.done()?;
        Ok(Order {
            owner,
            name: name.unwrap_or_default(),
            image: self.image.filter(|image| !image.starts_with(OWN_IMAGES)),
            ttl: Some(life(self.timeout)?.unwrap_or(DEFAULT)),
            env,
            labels,
            client_reference: None,
            idempotency_key: None,
            api_url,
        })
    }

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
        refuse(checks, &[("source", self.source.as_ref(), NO_SOURCE)]);
    }
}
