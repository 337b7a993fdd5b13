//! GET /sandbox/{sandboxIdOrName}/toolbox-proxy-url.

use axum::{Json, extract::State};
use modbox_control::Api;
use serde::Serialize;

use super::{caller::Member, state::SandboxState, wire::toolbox_url};
use crate::{error::ApiError, path::IdOrName};

#[derive(Serialize)]
pub(super) struct ToolboxUrl {
    url: String,
}

/// Tells where the toolbox of a sandbox is, below its id.
pub(super) async fn url(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
) -> Result<Json<ToolboxUrl>, ApiError> {
    let row = api.get(&caller.user, &selector).await?;
    SandboxState::new(&row.sandbox, api.now()).must_live()?;
    Ok(Json(ToolboxUrl { url: toolbox_url(&row.sandbox) }))
}
