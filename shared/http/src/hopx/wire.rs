//! What goes over the wire (the vendor's data model, and seeds/003).

use modbox_control::Api;
use modbox_sandbox::{Sandbox, Status, Timestamp, contract};
use serde::Serialize;

use crate::{
    error::ApiError,
    moment::iso,
    request_id::RequestId,
    shown::{CPUS, image_or},
};

/// The template that stands for the deployment's default image.
pub(super) const DEFAULT_TEMPLATE: &str = "code-interpreter";

/// Where a sandbox is in its life. One that is over is not shown at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SandboxStatus {
    Creating,
    Running,
}

#[derive(Serialize)]
pub(super) struct SandboxBody {
    id: String,
    object: &'static str,
    /// Organizations have no numbers here.
    organization_id: u32,
    /// Fargate has no nodes.
    node_id: Option<&'static str>,
    region: String,
    template_id: String,
    template_name: String,
    status: SandboxStatus,
    public_host: String,
    direct_url: String,
    preview_url: String,
    resources: Resources,
    internet_access: bool,
    live_mode: bool,
    timeout_seconds: Option<u64>,
    expires_at: Option<String>,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct Resources {
    vcpu: u32,
    memory_mb: u32,
    disk_mb: u32,
}

/// An answer with the id of its request.
#[derive(Serialize)]
pub(super) struct Answered<T> {
    #[serde(flatten)]
    pub(super) body: T,
    pub(super) request_id: RequestId,
}

/// A list, in the form of all lists.
#[derive(Serialize)]
pub(super) struct List<T> {
    pub(super) object: &'static str,
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
    pub(super) next_cursor: Option<String>,
    pub(super) url: &'static str,
    pub(super) request_id: RequestId,
}

impl SandboxBody {
    /// The sandbox, unless it is over.
    pub(super) fn new(api: &Api, sandbox: &Sandbox) -> Result<Self, ApiError> {
        let status = status(sandbox, api.now()).ok_or_else(ApiError::not_found)?;
        let template = image_or(DEFAULT_TEMPLATE, api.deployment(), sandbox).to_owned();
        Ok(Self {
            id: sandbox.id.to_string(),
            object: "sandbox",
            organization_id: 0,
            node_id: None,
            region: api.deployment().region.clone(),
            template_id: template.clone(),
            template_name: template,
            status,
            public_host: sandbox.spec.url.clone(),
            direct_url: sandbox.spec.url.clone(),
            preview_url: sandbox.spec.url.clone(),
            resources: Resources {
                vcpu: CPUS,
                memory_mb: sandbox.spec.memory_mb,
                disk_mb: contract::DISK_GIB * 1024,
            },
            internet_access: true,
            live_mode: true,
            timeout_seconds: timeout_seconds(sandbox),
            expires_at: sandbox.expires_at.map(iso),
            created_at: iso(sandbox.created_at),
            updated_at: iso(sandbox.updated_at),
        })
    }
}

pub(super) fn status(sandbox: &Sandbox, now: Timestamp) -> Option<SandboxStatus> {
    match sandbox.status(now) {
        Status::Provisioning => Some(SandboxStatus::Creating),
        Status::Running => Some(SandboxStatus::Running),
        Status::Destroyed => None,
    }
}

/// Whole seconds, as they were asked for.
pub(super) fn timeout_seconds(sandbox: &Sandbox) -> Option<u64> {
    sandbox.timeout().map(|timeout| timeout.as_secs())
}
