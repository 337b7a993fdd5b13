//! POST /sandboxes/provision, POST /sandboxes.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use modbox_control::{Api, Order};
use modbox_sandbox::{Name, SandboxId, UserId, contract};
use serde::Deserialize;

use super::{
    body::{Body, Checks},
    wire::{Endpoint, ProvisionResponse, api_url, capabilities, iso},
};
use crate::{
    auth::Member,
    error::{ApiError, excerpt},
    origin::Origin,
};

/// TTL, in seconds.
pub(super) const TTL: (u32, u32) = (60, 86_400);
const MAX_IMAGE_CHARS: usize = 512;
const MAX_REFERENCE_CHARS: usize = 255;
const MAX_KEY_CHARS: usize = 255;
const KEY_HEADER: &str = "idempotency-key";

#[derive(Deserialize)]
pub(super) struct ProvisionRequest {
    task_id: Option<String>,
    image_id: Option<String>,
    image: Option<String>,
    ttl_seconds: Option<i64>,
    env_vars: Option<BTreeMap<String, Option<String>>>,
    client_reference: Option<String>,
    /// A wish for a warmed image cache; there is none to warm, and it never changes the outcome.
    #[expect(dead_code, reason = "its type is checked")]
    fast_start: Option<bool>,
}

/// Accepts a sandbox; 200, as its generation of the API has it.
pub(super) async fn provision(
    State(api): State<Api>,
    Member(owner): Member,
    Origin(api_url): Origin,
    headers: HeaderMap,
    Body(request): Body<ProvisionRequest>,
) -> Result<Json<ProvisionResponse>, ApiError> {
    let order = request.order(owner, api_url, &headers)?;
    Ok(answer(&api, order).await?.1)
}

/// Accepts a sandbox; 201, or 200 where the Idempotency-Key came before.
pub(super) async fn create(
    State(api): State<Api>,
    Member(owner): Member,
    Origin(api_url): Origin,
    headers: HeaderMap,
    Body(request): Body<ProvisionRequest>,
) -> Result<(StatusCode, Json<ProvisionResponse>), ApiError> {
    let order = request.order(owner, api_url, &headers)?;
    answer(&api, order).await
}

async fn answer(api: &Api, order: Order) -> Result<(StatusCode, Json<ProvisionResponse>), ApiError> {
    let accepted = api.create(order).await?;
    let sandbox = accepted.row.sandbox;
    let status = if accepted.replayed { StatusCode::OK } else { StatusCode::CREATED };
    Ok((
        status,
        Json(ProvisionResponse {
            success: true,
            sandbox_id: sandbox.id.to_string(),
            status: "provisioning",
            sandbox_url: None,
            error: None,
            capabilities: capabilities(&sandbox),
            expires_at: sandbox.expires_at.map(iso),
            endpoint: Endpoint {
                api_url: api_url(&sandbox),
                base_url: sandbox.spec.url,
                access_token: accepted.access_token,
            },
        }),
    ))
}

impl ProvisionRequest {
    fn order(self, owner: UserId, api_url: String, headers: &HeaderMap) -> Result<Order, ApiError> {
        let mut checks = Checks::default();
        let name = self.task_id.map(Name::new).transpose();
        if let Err(error) = &name {
            checks.fault("task_id", error.to_string(), "value_error");
        }
        let ttl = checks.in_range("ttl_seconds", self.ttl_seconds, TTL);
        check_text(&mut checks, "image", self.image.as_deref(), MAX_IMAGE_CHARS);
        check_text(&mut checks, "client_reference", self.client_reference.as_deref(), MAX_REFERENCE_CHARS);
        let image_id = self.image_id.map(|id| id.parse::<SandboxId>());
        if let Some(Err(_)) = image_id {
            checks.fault("image_id", "must be a UUID", "uuid_parsing");
        }
        let env = environment(&mut checks, self.env_vars.unwrap_or_default());
        let idempotency_key = idempotency_key(&mut checks, headers);
        checks.done()?;
        if image_id.is_some() {
            return Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "image_not_found",
                "there is no image of that image_id",
            ));
        }
        Ok(Order {
            owner,
            name: name.unwrap_or_default(),
            image: self.image,
            ttl: ttl.map(|seconds| Duration::from_secs(seconds.into())),
            env,
            client_reference: self.client_reference,
            idempotency_key,
            api_url,
        })
    }
}

fn check_text(checks: &mut Checks, field: &str, text: Option<&str>, max: usize) {
    let Some(text) = text else { return };
    if text.is_empty() || text.chars().count() > max {
        checks.fault(field, format!("must have 1 to {max} characters"), "length");
    } else if text.chars().any(char::is_control) {
        checks.fault(field, "must not contain control characters", "value_error");
    }
}

/// A variable whose value is null is not set.
fn environment(checks: &mut Checks, env: BTreeMap<String, Option<String>>) -> BTreeMap<String, String> {
    for (name, value) in &env {
        let shown = excerpt(name);
        if !is_variable_name(name) {
            checks.fault("env_vars", format!("{shown:?} is not a name of a variable"), "value_error");
        } else if name.starts_with(contract::RESERVED_PREFIX) {
            checks.fault(
                "env_vars",
                format!("{shown} is reserved: names must not begin with MODBOX_"),
                "value_error",
            );
        } else if value.as_ref().is_some_and(|value| value.contains('\0')) {
            checks.fault("env_vars", format!("the value of {shown} contains a NUL"), "value_error");
        } else if name == contract::SANDBOX_API_KEY && value.as_ref().is_some_and(|key| !is_sendable(key)) {
            let message =
                format!("the value of {shown} must be 1 or more visible ASCII characters: it is a token");
            checks.fault("env_vars", message, "value_error");
        }
    }
    env.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Whether the token can be sent in an Authorization header.
fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_variable_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn idempotency_key(checks: &mut Checks, headers: &HeaderMap) -> Option<String> {
    let value = headers.get(KEY_HEADER)?;
    // `to_str` lets a tab pass.
    let printable = value.to_str().ok().filter(|key| !key.contains('\t'));
    let key = printable.filter(|key| !key.is_empty() && key.len() <= MAX_KEY_CHARS);
    if key.is_none() {
        checks.header_fault(KEY_HEADER, "must have 1 to 255 printable ASCII characters");
    }
    key.map(ToOwned::to_owned)
}
