//! The OpenAPI document of the Modbox API: what each handler says of itself, and what holds for all of them.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses as _, Modify, OpenApi, ToSchema as _,
    openapi::{
        self, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, Schema, SchemaFormat, Type,
        link::Link,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        request_body::RequestBody,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    destroy, detail, envelope, extend, health, kill, list, monitoring, provision, realm,
    refusals::{BadQuery, refusals},
    sidecar, status, wait,
    wire::ProvisionResponse,
};
use crate::openapi as served;

const INTRODUCTION: &str = "\
Isolated sandboxes on demand: a client asks for one, uses it at its own URL, and it is gone when asked, or when its time \
is over.

JSON over HTTPS. Times are ISO 8601 in UTC. Unknown members of a body and unknown query parameters are ignored; a `null` in \
a request is the same as absent; a body is read as JSON whatever its Content-Type. Every answer carries `X-Request-Id`. \
Every error has the form of `ErrorResponse`; where no operation answers, the codes are `not_found` (404) and \
`method_not_allowed` (405, with `Allow`). What is somebody else's is not found.";

/// Every operation of [`super::router`], in its order.
#[derive(OpenApi)]
#[openapi(
    info(title = "Modbox API", description = INTRODUCTION, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(
        health::health,
        served::openapi_json,
        served::docs,
        provision::provision,
        wait::wait_by_name,
        destroy::destroy_by_name,
        detail::detail,
        status::status_by_name,
        realm::list_realm,
        list::list,
        provision::create,
        detail::get,
        destroy::destroy,
        status::status,
        wait::wait,
        monitoring::monitoring,
        extend::extend,
        kill::kill,
        sidecar::deadline,
        sidecar::ready,
    ),
    components(schemas(envelope::ErrorResponse, envelope::ValidationError)),
    tags(
        (name = "sandboxes", description = "Sandboxes, of the caller alone"),
        (name = "tasks", description = "For the sidecars of a sandbox's task"),
        (name = "system", description = "The service itself, without a token"),
    ),
    security(("apiToken" = [])),
    modifiers(&Formerly, &Shared, &Everywhere, &Created),
)]
struct Document;

/// The document; the same on every machine.
pub(crate) fn document() -> openapi::OpenApi {
    Document::openapi()
}

/// Monitoring under its former path: one operation more, and no other handler.
struct Formerly;

impl Modify for Formerly {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let paths = &mut document.paths.paths;
        let Some((at, _, item)) = paths.get_full("/sandboxes/{sandbox_id}/monitoring") else { return };
        let mut item = item.clone();
        for operation in operations(&mut item) {
            operation.operation_id = Some("get_sandbox_monitoring_formerly".to_owned());
            operation.summary = Some("Shows what a sandbox says and uses, under its former path.".to_owned());
        }
        paths.shift_insert(at + 1, "/sandbox/monitoring/{sandbox_id}".to_owned(), item);
    }
}

/// What operations refer to: the two kinds of Bearer tokens, and the refusals.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let bearer = |description: &str| {
            let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
            SecurityScheme::Http(http.build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("apiToken", bearer("A user's API token, `mbx_…`."));
        components
            .add_security_scheme("taskToken", bearer("The token of the sandbox's own task; no user has it."));
        components.responses = refusals();
    }
}

/// What holds for every operation.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            // A realm is beyond workspaces.
            let scoped = |operation: &&mut Operation| {
                operation.security.is_none() && !path.starts_with("/sandboxes/realm/")
            };
            operations(item).filter(scoped).for_each(scope);
        }
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            operation.responses.responses.values_mut().for_each(tell_request_id);
            if let Some(body) = &mut operation.request_body {
                absent_not_null(body);
            }
        }
        let shared = document.components.iter_mut().flat_map(|components| components.responses.values_mut());
        shared.for_each(tell_request_id);
    }
}

/// A user's operation, which may name the workspace that it means.
fn scope(operation: &mut Operation) {
    let uuid =
        ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom("uuid".to_owned())));
    let header = ParameterBuilder::new()
        .name("X-Workspace-Id")
        .parameter_in(ParameterIn::Header)
        .description(Some("The workspace that is meant; the caller's own if absent. There is no other yet."))
        .schema(Some(uuid));
    operation.parameters.get_or_insert_default().push(header.build());
    operation.responses.responses.extend(BadQuery::responses());
}

fn tell_request_id(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    let id = HeaderBuilder::new()
        .schema(ObjectBuilder::new().schema_type(Type::String).pattern(Some("^req_[0-9a-f]{32}$")))
        .description(Some("The request's id, as errors and the log have it."));
    response.headers.insert("X-Request-Id".to_owned(), id.build());
}

/// What can be done with a sandbox as soon as it is created.
struct Created;

impl Modify for Created {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let created = Some(Ref::from_schema_name(ProvisionResponse::name()).into());
        let answers = document.paths.paths.values_mut().flat_map(operations);
        for answer in answers.flat_map(|operation| operation.responses.responses.values_mut()) {
            let RefOr::T(response) = answer else { continue };
            if response.content.values().any(|content| content.schema == created) {
                response.links = links();
            }
        }
    }
}

fn links() -> BTreeMap<String, RefOr<Link>> {
    let next = [
        "get_sandbox_canonical",
        "get_sandbox_status_canonical",
        "wait_for_sandbox_canonical",
        "get_sandbox_monitoring",
        "extend_sandbox",
        "kill_sandbox",
        "delete_sandbox",
    ];
    let id = "$response.body#/sandbox_id";
    let link = |operation| Link::builder().operation_id(operation).parameter("sandbox_id", id);
    next.map(|operation| (operation.to_owned(), link(operation).build().into())).into()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

/// A body that is `Option` may be left out, which is not to say that it may be `null`.
fn absent_not_null(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        if let Some(RefOr::T(Schema::OneOf(either))) = &mut content.schema {
            let one = either.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
            content.schema = one;
        }
    }
}
