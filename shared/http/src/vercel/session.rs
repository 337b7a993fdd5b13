//! GET /v2/sandboxes/sessions and GET /v2/sandboxes/sessions/{session_id}.

use axum::{Json, extract::State};
use modbox_control::{Among, Api, Part};
use serde::Serialize;

use super::{
    list::{DEFAULT_LIMIT, MAX_LIMIT},
    member::Member,
    wire::{Pagination, Session, present},
};
use crate::{cursor, error::ApiError, path::ById, query::Parameters};

#[derive(Serialize)]
pub(super) struct Shown {
    session: Session,
    routes: [(); 0],
}

#[derive(Serialize)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
    pagination: Pagination,
}

/// Shows the one session of a sandbox, until the sandbox is deleted.
pub(super) async fn get(
    State(api): State<Api>,
    Member(caller): Member,
    ById(selector): ById,
) -> Result<Json<Shown>, ApiError> {
    let sandbox = api.get(&caller.user, &selector).await?.sandbox;
    present(&sandbox)?;
    Ok(Json(Shown { session: Session::new(&api, &sandbox), routes: [] }))
}

/// Lists sessions, newest first, with those that have stopped.
pub(super) async fn list(
    State(api): State<Api>,
    Member(caller): Member,
    mut asked: Parameters,
) -> Result<Json<Sessions>, ApiError> {
    let name = asked.one("name", |text| Some(text.to_owned()), "", "");
    let limit = asked.number("limit", 1..=MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
    let after = asked.one("cursor", cursor::read, "must be the next of an earlier answer", "value_error");
    let newest_first = |text: &str| (text == "desc").then_some(());
    asked.one("sortOrder", newest_first, "must be desc: no other order is supported", "enum");
    asked.done()?;
    let part = Part { after, limit: Some(limit) };
    let wanted = |sandbox: &modbox_sandbox::Sandbox| {
        !sandbox.is_dismissed() && name.as_ref().is_none_or(|name| sandbox.name.as_str() == name)
    };
    let listing = api.select(&caller.user, Among::All, part, |sandbox, _| wanted(sandbox)).await?;
    let sessions: Vec<_> = listing.rows.iter().map(|row| Session::new(&api, &row.sandbox)).collect();
    let pagination = Pagination { count: sessions.len(), next: listing.next.map(cursor::write) };
    Ok(Json(Sessions { sessions, pagination }))
}
