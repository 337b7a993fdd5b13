//! POST /v1/sandboxes.

use std::{collections::BTreeMap, time::Duration};

use axum::{Extension, Json, extract::State, http::StatusCode};
use modbox_control::{Api, Order};
use modbox_sandbox::{Labels, UserId};
use serde::{Deserialize, Serialize};

use super::{
    timeout::TIMEOUT,
    token::AgentToken,
    wire::{Answered, DEFAULT_TEMPLATE, SandboxBody},
};
use crate::{
    auth::ApiKey,
    body::{Body, Checks, integer},
    error::ApiError,
    order::{MAX_IMAGE_CHARS, check_text, environment},
    origin::Origin,
    request_id::RequestId,
};

#[derive(Deserialize)]
pub(super) struct CreateRequest {
    template_name: Option<String>,
    template_id: Option<TemplateId>,
    /// A wish: the answer says which region it is.
    #[expect(dead_code, reason = "its type is checked")]
    region: Option<String>,
    #[serde(default, deserialize_with = "integer")]
    timeout_seconds: Option<i64>,
    internet_access: Option<bool>,
    env_vars: Option<BTreeMap<String, Option<String>>>,
}

/// A template's id, which the vendor takes as a number too.
#[derive(Deserialize)]
#[serde(untagged, expecting = "invalid type, expected a string or an integer")]
enum TemplateId {
    Text(String),
    Number(u64),
}

#[derive(Serialize)]
pub(super) struct Created {
    #[serde(flatten)]
    sandbox: SandboxBody,
    #[serde(flatten)]
    token: AgentToken,
}

/// Creates a sandbox and answers before it runs, with the token of its runtime.
pub(super) async fn create(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    Origin(api_url): Origin,
    Extension(request_id): Extension<RequestId>,
    Body(request): Body<CreateRequest>,
) -> Result<(StatusCode, Json<Answered<Created>>), ApiError> {
    let accepted = api.create(request.order(caller.user, api_url)?).await?;
    // The same as at each refresh, also beside one that the caller has chosen.
    let token = AgentToken::new(api.access_token(&accepted.row)?, api.now());
    let body = Created { sandbox: SandboxBody::new(&api, &accepted.row.sandbox)?, token };
    Ok((StatusCode::CREATED, Json(Answered { body, request_id })))
}

impl CreateRequest {
    fn order(self, owner: UserId, api_url: String) -> Result<Order, ApiError> {
        let mut checks = Checks::default();
        let id = self.template_id.map(|id| match id {
            TemplateId::Text(text) => text,
            TemplateId::Number(number) => number.to_string(),
        });
        let field = if id.is_some() { "template_id" } else { "template_name" };
        let template = id.or(self.template_name);
        if template.is_none() {
            checks.fault("template_name", "or template_id is required", "missing");
        }
        check_text(&mut checks, field, template.as_deref(), MAX_IMAGE_CHARS);
        if self.internet_access == Some(false) {
            let message = "cannot be false: a sandbox of this deployment cannot be kept from the internet";
            checks.fault("internet_access", message, "value_error");
        }
        let ttl = checks.in_range("timeout_seconds", self.timeout_seconds, TIMEOUT);
        let env = environment(&mut checks, "env_vars", self.env_vars.unwrap_or_default());
        checks.done()?;
        Ok(Order {
            owner,
            name: None,
            image: template.filter(|template| template != DEFAULT_TEMPLATE),
            ttl: ttl.map(|seconds| Duration::from_secs(seconds.into())),
            env,
            labels: Labels::default(),
            client_reference: None,
            idempotency_key: None,
            api_url,
        })
    }
}
