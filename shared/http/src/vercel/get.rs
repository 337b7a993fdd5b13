//! GET /v2/sandboxes/{name}.

use axum::{Json, extract::State};
use modbox_control::Api;

use super::{
    error::nothing_to_resume,
    member::Member,
    wire::{Whole, present},
};
use crate::{error::ApiError, path::TaskId, query::Parameters};

/// Shows a sandbox, also one that has stopped. To resume is nothing to one that lives, and refused of one that has stopped.
pub(super) async fn get(
    State(api): State<Api>,
    Member(caller): Member,
    TaskId(selector): TaskId,
    mut asked: Parameters,
) -> Result<Json<Whole>, ApiError> {
    let resume = asked.one("resume", |text| text.parse::<bool>().ok(), "must be true or false", "enum");
    asked.done()?;
    let sandbox = api.get(&caller.user, &selector).await?.sandbox;
    present(&sandbox)?;
    if resume == Some(true) && sandbox.is_over(api.now()) {
        return Err(nothing_to_resume());
    }
    Ok(Json(Whole::new(&api, &sandbox)))
}
