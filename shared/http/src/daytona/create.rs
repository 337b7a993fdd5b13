//! POST /sandbox.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use modbox_control::{Api, Error, Order};
use modbox_sandbox::{Name, UserId};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    caller::Member,
    interval, labels,
    ttl::{TTL_MINUTES, deadline},
    wire::{DEFAULT_SNAPSHOT, DISK, MEMORY, SandboxBody, USER},
};
use crate::{
    body::{Body, Checks, integer},
    error::ApiError,
    order::{MAX_IMAGE_CHARS, check_text, environment, too_large},
    origin::Origin,
    shown::CPUS,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRequest {
    name: Option<String>,
    snapshot: Option<String>,
    build_info: Option<BuildInfo>,
    user: Option<String>,
    env: Option<BTreeMap<String, String>>,
    labels: Option<BTreeMap<String, String>>,
    /// A wish: the answer says which region it is.
    #[expect(dead_code, reason = "its type is checked")]
    target: Option<String>,
    #[serde(default, deserialize_with = "integer")]
    ttl_minutes: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    auto_stop_interval: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    auto_pause_interval: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    auto_archive_interval: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    auto_delete_interval: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    cpu: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    memory: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    disk: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    gpu: Option<i64>,
    gpu_type: Option<Vec<String>>,
    /// Nothing here waits for a place, so it makes no difference how long it might.
    #[serde(default, deserialize_with = "integer")]
    #[expect(dead_code, reason = "its type is checked")]
    queue_timeout: Option<i64>,
    public: Option<bool>,
    network_block_all: Option<bool>,
    kvm: Option<bool>,
    spot: Option<bool>,
    network_allow_list: Option<String>,
    domain_allow_list: Option<String>,
    outbound_proxy_url: Option<String>,
    otel_endpoint_override: Option<String>,
    linked_sandbox: Option<String>,
    volumes: Option<Vec<IgnoredAny>>,
    secrets: Option<Vec<IgnoredAny>>,
}

/// How to build an image.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildInfo {
    dockerfile_content: Option<String>,
}

/// Creates a sandbox and answers before it runs.
pub(super) async fn create(
    State(api): State<Api>,
    Member(caller): Member,
    Origin(api_url): Origin,
    Body(request): Body<CreateRequest>,
) -> Result<Json<SandboxBody>, ApiError> {
    let accepted = api.create(request.order(caller.user.clone(), api_url)?).await.map_err(refusal)?;
    Ok(Json(SandboxBody::new(&api, &caller, &accepted.row.sandbox)))
}

fn refusal(error: Error) -> ApiError {
    match error {
        Error::NameTaken { name } => {
            let message = format!("Sandbox with name {name} already exists");
            ApiError::new(StatusCode::CONFLICT, "sandbox_name_conflict", message)
        }
        Error::EnvironmentTooLarge { .. } => too_large("env"),
        error => error.into(),
    }
}

impl CreateRequest {
    fn order(self, owner: UserId, api_url: String) -> Result<Order, ApiError> {
        let mut checks = Checks::default();
        let name = self.name.clone().map(Name::new).transpose();
        if let Err(error) = &name {
            checks.fault("name", error.to_string(), "value_error");
        }
        let image = self.image(&mut checks);
        let ttl = checks.in_range("ttlMinutes", self.ttl_minutes, TTL_MINUTES).and_then(deadline);
        self.check_intervals(&mut checks);
        self.check_sizes(&mut checks);
        self.check_wishes(&mut checks);
        let env = self.env.unwrap_or_default().into_iter().map(|(name, value)| (name, Some(value)));
        let env = environment(&mut checks, "env", env.collect());
        let labels = labels::read(&mut checks, self.labels);
        checks.done()?;
        Ok(Order {
            owner,
            name: name.unwrap_or_default(),
            image,
            ttl,
            env,
            labels,
            client_reference: None,
            idempotency_key: None,
            api_url,
        })
    }

    /// The image; none is the default.
    fn image(&self, checks: &mut Checks) -> Option<String> {
        let image = match &self.build_info {
            Some(build) => build.image(checks),
            None => self.snapshot.clone().filter(|snapshot| snapshot != DEFAULT_SNAPSHOT),
        };
        let field = if self.build_info.is_some() { "buildInfo" } else { "snapshot" };
        check_text(checks, field, image.as_deref(), MAX_IMAGE_CHARS);
        image
    }

    fn check_intervals(&self, checks: &mut Checks) {
        interval::check(checks, "autoStopInterval", self.auto_stop_interval);
        interval::check(checks, "autoPauseInterval", self.auto_pause_interval);
        interval::check(checks, "autoArchiveInterval", self.auto_archive_interval);
        interval::check(checks, "autoDeleteInterval", self.auto_delete_interval);
    }

    fn check_sizes(&self, checks: &mut Checks) {
        let sizes = [
            ("cpu", self.cpu, CPUS),
            ("memory", self.memory, MEMORY),
            ("disk", self.disk, DISK),
            ("gpu", self.gpu, 0),
        ];
        for (field, wished, given) in sizes {
            if wished.is_some_and(|wished| wished != i64::from(given)) {
                let message = format!("must be {given}: every sandbox of this deployment has as much");
                checks.fault(field, message, "value_error");
            }
        }
    }

    /// Refuses what would not be so.
    fn check_wishes(&self, checks: &mut Checks) {
        let is_on = |flag: Option<bool>| flag == Some(true);
        let is_said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let is_any = |list: &Option<Vec<IgnoredAny>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let user = "cannot be chosen: the image says which it is";
        let network = "cannot be had: this deployment limits and redirects no network of a sandbox";
        let other = "cannot be had in this deployment";
        for (field, is_wished, why) in [
            ("user", is_said(&self.user) && self.user.as_deref() != Some(USER), user),
            (
                "public",
                is_on(self.public),
                "cannot be true: a sandbox answers whoever has its token, and nobody else",
            ),
            ("networkBlockAll", is_on(self.network_block_all), network),
            ("networkAllowList", is_said(&self.network_allow_list), network),
            ("domainAllowList", is_said(&self.domain_allow_list), network),
            ("outboundProxyUrl", is_said(&self.outbound_proxy_url), network),
            ("otelEndpointOverride", is_said(&self.otel_endpoint_override), other),
            ("gpuType", self.gpu_type.as_ref().is_some_and(|types| !types.is_empty()), other),
            ("kvm", is_on(self.kvm), other),
            ("spot", is_on(self.spot), other),
            ("linkedSandbox", is_said(&self.linked_sandbox), other),
            (
                "volumes",
                is_any(&self.volumes),
                "cannot be had: a Fargate task does not keep its disk, and has no other",
            ),
            ("secrets", is_any(&self.secrets), other),
        ] {
            if is_wished {
                checks.fault(field, why, "value_error");
            }
        }
    }
}

impl BuildInfo {
    /// The image, if there is nothing to be built upon it.
    fn image(&self, checks: &mut Checks) -> Option<String> {
        let image = self.dockerfile_content.as_deref().and_then(|text| text.trim().strip_prefix("FROM "));
        let image = image.map(str::trim).filter(|image| !image.contains(char::is_whitespace));
        if image.is_none() {
            let message = "must be `FROM <image>` and nothing else: this deployment builds no images";
            checks.fault("dockerfileContent", message, "value_error");
        }
        image.map(ToOwned::to_owned)
    }
}
