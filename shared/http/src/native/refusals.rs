//! The refusals that operations share, as the document shows them. Each names the codes of its status.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use super::envelope::ErrorResponse;

type Responses = BTreeMap<String, RefOr<Response>>;

/// Of every operation that asks who calls.
pub(super) struct Guarded;

/// Of every operation that somebody's workspace or role keeps from.
pub(super) struct Forbidden;

/// Of every operation of a user's on one sandbox.
pub(super) struct NotFound;

/// Of every operation that reads a body.
pub(super) struct BadBody;

/// Of every operation that takes query parameters.
pub(super) struct BadQuery;

/// Of every operation that creates a sandbox.
pub(super) struct Unacceptable;

impl IntoResponses for Guarded {
    fn responses() -> Responses {
        named([("401", "Unauthorized"), ("500", "InternalError"), ("503", "Unavailable")])
    }
}

impl IntoResponses for Forbidden {
    fn responses() -> Responses {
        named([("403", "Forbidden")])
    }
}

impl IntoResponses for NotFound {
    fn responses() -> Responses {
        named([("404", "SandboxNotFound")])
    }
}

impl IntoResponses for BadBody {
    fn responses() -> Responses {
        named([("400", "BadRequest"), ("413", "PayloadTooLarge"), ("422", "Invalid")])
    }
}

impl IntoResponses for BadQuery {
    fn responses() -> Responses {
        named([("422", "Invalid")])
    }
}

impl IntoResponses for Unacceptable {
    fn responses() -> Responses {
        named([("404", "ImageNotFound"), ("409", "NotCreated")])
    }
}

fn named<const N: usize>(refusals: [(&str, &str); N]) -> Responses {
    refusals.map(|(status, name)| (status.to_owned(), Ref::from_response_name(name).into())).into()
}

/// Every refusal by its name, as the components of the document have them.
pub(super) fn refusals() -> Responses {
    let challenge = HeaderBuilder::new()
        .schema(String::schema())
        .description(Some("What would be let in: a Bearer token."))
        .build();
    let tokens = "`unauthenticated`: no Bearer token came. `invalid_token`, `token_revoked`, `token_expired`: it opens \
                  nothing";
    let foreign = "`workspace_forbidden`: the workspace is not the caller's. `insufficient_role`: a realm is listed for \
                   the role `tenant_admin` alone";
    let conflict = "`sandbox_name_conflict`: a live sandbox of the caller's has the name. `conflict`: the \
                    Idempotency-Key was used for another request within the last 24 hours";
    let all = [
        ("BadRequest", refusal("`bad_request`: the body broke off")),
        ("Unauthorized", refusal(tokens).header("WWW-Authenticate", challenge)),
        ("Forbidden", refusal(foreign)),
        ("SandboxNotFound", refusal("`sandbox_not_found`: there is none, or it is somebody else's")),
        ("ImageNotFound", refusal("`image_not_found`: there is no image of that `image_id`")),
        ("NotCreated", refusal(conflict)),
        ("PayloadTooLarge", refusal("`payload_too_large`: the body is larger than 1,000,000 bytes")),
        ("Invalid", refusal("`validation_error`: `details` names each field and its fault")),
        ("InternalError", refusal("`internal_error`: something failed on our side")),
        ("Unavailable", refusal("`upstream_error`: AWS did not answer; try again")),
    ];
    all.map(|(name, response)| (name.to_owned(), response.build().into())).into()
}

/// An answer in the one form of errors.
fn refusal(description: &str) -> ResponseBuilder {
    let schema = Ref::from_schema_name(ErrorResponse::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content)
}
