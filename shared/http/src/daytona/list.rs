//! GET /sandbox.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use modbox_control::{Among, Api, Deployment, Part};
use modbox_sandbox::{Sandbox, Timestamp};
use serde::Serialize;

use super::{
    caller::Member,
    state::SandboxState,
    wire::{Item, snapshot},
};
use crate::{cursor, error::ApiError, moment::moment, query::Parameters};

const LIMIT: std::ops::RangeInclusive<usize> = 1..=200;
const DEFAULT_LIMIT: usize = 100;

/// The vendor's other states, in which no sandbox here is ever.
const NEVER: [&str; 17] = [
    "restoring",
    "stopped",
    "starting",
    "stopping",
    "build_failed",
    "pending_build",
    "building_snapshot",
    "unknown",
    "pulling_snapshot",
    "archived",
    "archiving",
    "resizing",
    "snapshotting",
    "forking",
    "pausing",
    "paused",
    "resuming",
];

/// The vendor's other filters.
const UNSUPPORTED: [&str; 15] = [
    "sandboxClasses",
    "minCpu",
    "maxCpu",
    "minMemoryGiB",
    "maxMemoryGiB",
    "minDiskGiB",
    "maxDiskGiB",
    "minGpu",
    "maxGpu",
    "isPublic",
    "isRecoverable",
    "lastEventAfter",
    "lastEventBefore",
    "autoDestroyAtAfter",
    "autoDestroyAtBefore",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

/// Which sandboxes are asked for. What is absent lets all pass, but no state lets those pass that live.
struct Filter {
    /// Each none if no sandbox is ever in it.
    states: Vec<Option<SandboxState>>,
    /// In lower case, as is the next.
    id_prefix: Option<String>,
    name_prefix: Option<String>,
    labels: BTreeMap<String, String>,
    snapshots: Vec<String>,
    regions: Vec<String>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

/// Lists the caller's sandboxes, newest first.
pub(super) async fn list(
    State(api): State<Api>,
    Member(caller): Member,
    mut asked: Parameters,
) -> Result<Json<Page>, ApiError> {
    let filter = Filter::read(&mut asked);
    let limit = asked.number("limit", LIMIT).unwrap_or(DEFAULT_LIMIT);
    let after =
        asked.one("cursor", cursor::read, "must be the nextCursor of an earlier answer", "value_error");
    refuse_others(&mut asked);
    asked.done()?;
    let part = Part { after, limit: Some(limit) };
    let keep = |sandbox: &Sandbox, now| filter.keeps(api.deployment(), sandbox, now);
    let listing = api.select(&caller.user, filter.among(), part, keep).await?;
    let item = |sandbox: &Sandbox| Item::new(&api, &caller, sandbox, SandboxState::new(sandbox, api.now()));
    let items = listing.rows.iter().map(|row| item(&row.sandbox)).collect();
    Ok(Json(Page { items, next_cursor: listing.next.map(cursor::write) }))
}

impl Filter {
    fn read(asked: &mut Parameters) -> Self {
        let text = |text: &str| Some(text.to_owned());
        let lower = |text: &str| Some(text.to_lowercase());
        let labels = |text: &str| serde_json::from_str(text).ok();
        let time = "must be a date with a time in ISO 8601";
        Self {
            states: asked.all("states", state, "must be a state of a sandbox", "enum"),
            id_prefix: asked.one("id", lower, "", ""),
            name_prefix: asked.one("name", lower, "", ""),
            labels: asked
                .one("labels", labels, "must be a JSON object of strings", "json_invalid")
                .unwrap_or_default(),
            snapshots: asked.all("snapshots", text, "", ""),
            regions: asked.all("regionIds", text, "", ""),
            after: asked.one("createdAtAfter", moment, time, "datetime_parsing"),
            before: asked.one("createdAtBefore", moment, time, "datetime_parsing"),
        }
    }

    /// Those that are over are read only where somebody asks for them: there may be many.
    fn among(&self) -> Among {
        let is_over = |state: &Option<SandboxState>| state.is_some_and(|state| !state.is_live());
        if self.states.iter().any(is_over) { Among::All } else { Among::Live }
    }

    fn keeps(&self, deployment: &Deployment, sandbox: &Sandbox, now: Timestamp) -> bool {
        let state = SandboxState::new(sandbox, now);
        let is_in_state =
            if self.states.is_empty() { state.is_live() } else { self.states.contains(&Some(state)) };
        let begins = |text: &str, prefix: &Option<String>| {
            prefix.as_ref().is_none_or(|prefix| text.to_lowercase().starts_with(prefix))
        };
        let is_among =
            |text: &str, wanted: &[String]| wanted.is_empty() || wanted.iter().any(|one| one == text);
        let labels = sandbox.labels.as_map();
        is_in_state
            && begins(&sandbox.id.to_string(), &self.id_prefix)
            && begins(sandbox.name.as_str(), &self.name_prefix)
            && self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
            && is_among(snapshot(deployment, sandbox), &self.snapshots)
            && is_among(&deployment.region, &self.regions)
            && self.after.is_none_or(|after| sandbox.created_at > after)
            && self.before.is_none_or(|before| sandbox.created_at < before)
    }
}

/// Refuses the filters that are not supported, and every order but the one there is.
fn refuse_others(asked: &mut Parameters) {
    for name in UNSUPPORTED {
        if asked.has(name) {
            asked.fault(name, "is a filter that this deployment does not support", "value_error");
        }
    }
    for name in ["includeErroredDeleted", "includeWarm"] {
        let message =
            "can only be false: states=error and states=destroyed list what is over, and none is kept warm";
        asked.one(name, |text| (text == "false").then_some(()), message, "value_error");
    }
    let order = "can only be the newest first: sort=createdAt, order=desc";
    asked.one("sort", |text| (text == "createdAt").then_some(()), order, "value_error");
    asked.one("order", |text| (text == "desc").then_some(()), order, "value_error");
}

fn state(text: &str) -> Option<Option<SandboxState>> {
    match text {
        "creating" => Some(Some(SandboxState::Creating)),
        "started" => Some(Some(SandboxState::Started)),
        "error" => Some(Some(SandboxState::Error)),
        "destroying" => Some(Some(SandboxState::Destroying)),
        "destroyed" => Some(Some(SandboxState::Destroyed)),
        other => NEVER.contains(&other).then_some(None),
    }
}
