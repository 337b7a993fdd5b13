//! What goes over the wire (the vendor's API reference, and seeds/001).

use std::collections::BTreeMap;

use modbox_control::{Api, Deployment, Identity};
use modbox_sandbox::{Sandbox, contract};
use serde::Serialize;

use super::state::SandboxState;
use crate::{
    moment::iso,
    shown::{CPUS, image_or},
};

/// The snapshot that stands for the deployment's default image.
pub(super) const DEFAULT_SNAPSHOT: &str = "daytona-small";
/// The user that is told, since only the image knows its own.
pub(super) const USER: &str = "root";
/// Whole GiB.
pub(super) const MEMORY: u32 = modbox_control::DEFAULT_MEMORY_MB.div_ceil(1024);
/// Whole GiB.
pub(super) const DISK: u32 = contract::DISK_GIB;

/// A sandbox, as lists have it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    id: String,
    organization_id: String,
    name: String,
    snapshot: String,
    user: &'static str,
    labels: BTreeMap<String, String>,
    public: bool,
    network_block_all: bool,
    target: String,
    cpu: u32,
    gpu: u32,
    memory: u32,
    disk: u32,
    state: SandboxState,
    desired_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_reason: Option<String>,
    recoverable: bool,
    backup_state: &'static str,
    auto_stop_interval: u32,
    auto_pause_interval: u32,
    auto_archive_interval: u32,
    auto_delete_interval: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_destroy_at: Option<String>,
    volumes: [(); 0],
    created_at: String,
    updated_at: String,
    sandbox_class: &'static str,
    runner_id: &'static str,
    toolbox_proxy_url: String,
}

/// A sandbox, as it is shown alone.
#[derive(Serialize)]
pub(super) struct SandboxBody {
    #[serde(flatten)]
    item: Item,
    /// Values have left the table when it runs.
    env: BTreeMap<String, String>,
    kvm: bool,
}

impl SandboxBody {
    pub(super) fn new(api: &Api, caller: &Identity, sandbox: &Sandbox) -> Self {
        Self::in_state(api, caller, sandbox, SandboxState::new(sandbox, api.now()))
    }

    pub(super) fn in_state(api: &Api, caller: &Identity, sandbox: &Sandbox, state: SandboxState) -> Self {
        Self { item: Item::new(api, caller, sandbox, state), env: BTreeMap::new(), kvm: false }
    }
}

impl Item {
    pub(super) fn new(api: &Api, caller: &Identity, sandbox: &Sandbox, state: SandboxState) -> Self {
        let failure = || sandbox.end(api.now()).map(|end| end.reason.to_string());
        Self {
            id: sandbox.id.to_string(),
            organization_id: caller.workspace.to_string(),
            name: sandbox.name.to_string(),
            snapshot: snapshot(api.deployment(), sandbox).to_owned(),
            user: USER,
            labels: sandbox.labels.as_map().clone(),
            public: false,
            network_block_all: false,
            target: api.deployment().region.clone(),
            cpu: CPUS,
            gpu: 0,
            memory: sandbox.spec.memory_mb.div_ceil(1024),
            disk: DISK,
            state,
            desired_state: state.desired(),
            error_reason: (state == SandboxState::Error).then(failure).flatten(),
            recoverable: false,
            backup_state: "None",
            auto_stop_interval: 0,
            auto_pause_interval: 0,
            auto_archive_interval: 0,
            auto_delete_interval: 0,
            auto_destroy_at: sandbox.expires_at.map(iso),
            volumes: [],
            created_at: iso(sandbox.created_at),
            updated_at: iso(sandbox.updated_at),
            sandbox_class: "container",
            runner_id: "ecs",
            toolbox_proxy_url: toolbox_url(sandbox),
        }
    }
}

/// What it was made of.
pub(super) fn snapshot<'a>(deployment: &Deployment, sandbox: &'a Sandbox) -> &'a str {
    image_or(DEFAULT_SNAPSHOT, deployment, sandbox)
}

/// Where the SDKs find the toolbox of the sandbox, below its id.
pub(super) fn toolbox_url(sandbox: &Sandbox) -> String {
    format!("{}/toolbox", sandbox.spec.url)
}
