//! POST /sandboxes/provision, POST /sandboxes.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use modbox_control::{Api, Order};
use modbox_sandbox::{Labels, Name, SandboxId, UserId, contract};
use serde::Deserialize;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Type, schema::SchemaType},
};

use super::{
    idempotency_key::{IdempotencyKey, idempotency_key},
    refusals::{BadBody, Forbidden, Guarded, Unacceptable},
    wire::{ProvisionResponse, SandboxEndpoint, SandboxStatusEnum, api_url, capabilities},
};
use crate::{
    auth::Member,
    body::{Body, Checks, integer},
    error::ApiError,
    moment::iso,
    order::{MAX_IMAGE_CHARS, check_text, environment},
    origin::Origin,
};

/// TTL, in seconds.
pub(super) const TTL: (u32, u32) = (60, 86_400);
const MAX_REFERENCE_CHARS: usize = 255;

/// A sandbox to be. Every field may be left out or null.
#[derive(Deserialize, ToSchema)]
pub(super) struct ProvisionRequest {
    /// The caller's own name for it, without `/` and control characters. Unique among the caller's live sandboxes,
    /// free again when the sandbox is over; made up if absent.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
    task_id: Option<String>,
    /// An image of the catalogue. There is no catalogue yet: each is unknown.
    #[schema(format = "uuid", pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    image_id: Option<String>,
    /// A container image; the deployment's default if absent. Ignored if there is an `image_id`.
    #[schema(min_length = 1, max_length = 512, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    image: Option<String>,
    /// In how many seconds from its creation the sandbox ends by itself; never if absent.
    #[schema(minimum = 60, maximum = 86400)]
    #[serde(default, deserialize_with = "integer")]
    ttl_seconds: Option<i64>,
    #[schema(schema_with = env_vars)]
    env_vars: Option<BTreeMap<String, Option<String>>>,
    /// The caller's own reference, without control characters; kept and not answered.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    client_reference: Option<String>,
    /// A wish for a warmed image cache; there is none to warm, and it never changes the outcome.
    #[expect(dead_code, reason = "its type is checked")]
    fast_start: Option<bool>,
}

/// Creates a sandbox, and answers before it runs.
///
/// The same as `create_sandbox`, which answers 201. Wait for the sandbox with `wait_for_sandbox`.
#[utoipa::path(
    post, path = "/sandboxes/provision", operation_id = "provision_sandbox", tag = "sandboxes",
    params(IdempotencyKey),
    request_body = Option<ProvisionRequest>,
    responses(
        (status = 200, description = "it is accepted, now or under the same key before", body = ProvisionResponse),
        Unacceptable, Guarded, Forbidden, BadBody,
    ),
)]
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

/// Creates a sandbox, and answers before it runs.
///
/// Wait for the sandbox with `wait_for_sandbox_canonical`.
#[utoipa::path(
    post, path = "/sandboxes", operation_id = "create_sandbox", tag = "sandboxes",
    params(IdempotencyKey),
    request_body = Option<ProvisionRequest>,
    responses(
        (status = 201, description = "it is accepted", body = ProvisionResponse),
        (status = 200, description = "it was accepted under the same Idempotency-Key before", body = ProvisionResponse),
        Unacceptable, Guarded, Forbidden, BadBody,
    ),
)]
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
            status: SandboxStatusEnum::Provisioning,
            sandbox_url: None,
            error: None,
            capabilities: capabilities(&sandbox),
            expires_at: sandbox.expires_at.map(iso),
            endpoint: SandboxEndpoint {
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
        let env = environment(&mut checks, "env_vars", self.env_vars.unwrap_or_default());
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
            labels: Labels::default(),
            client_reference: self.client_reference,
            idempotency_key,
            api_url,
        })
    }
}

/// The schema of `env_vars`: what [`environment`] lets pass.
fn env_vars() -> ObjectBuilder {
    let nullable = |kind| SchemaType::from_iter([kind, Type::Null]);
    let text = |pattern| ObjectBuilder::new().schema_type(nullable(Type::String)).pattern(Some(pattern));
    let token = text("^[!-~]+$").description(Some("Accepted by the sandbox's runtime beside its own token."));
    ObjectBuilder::new()
        .schema_type(nullable(Type::Object))
        .description(Some(
            "Environment variables by name; one whose value is null is not set. Names that begin with `MODBOX_` are \
             reserved. Together with our own they make at most 8,192 characters.",
        ))
        .property(contract::SANDBOX_API_KEY, token)
        .property_names(Some(ObjectBuilder::new().pattern(Some("^(?!MODBOX_)[A-Za-z_][A-Za-z0-9_]*$"))))
        .additional_properties(Some(text(r"^[^\u0000]*$")))
}
