//! The header under which a create may be sent again.

use axum::http::HeaderMap;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::body::Checks;

const MAX_CHARS: usize = 255;
const HEADER: &str = "idempotency-key";

/// The header, as the document shows it.
pub(super) struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        // A space at either end does not arrive: HTTP does not count it to the value.
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_CHARS))
            .pattern(Some("^[!-~]([ -~]*[!-~])?$"));
        let description = "For 24 hours the same key with the same request answers with the same sandbox, access token \
                           included; with another request it is refused. One space of keys per user.";
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema));
        vec![parameter.build()]
    }
}

pub(super) fn idempotency_key(checks: &mut Checks, headers: &HeaderMap) -> Option<String> {
    let value = headers.get(HEADER)?;
    // `to_str` lets a tab pass.
    let printable = value.to_str().ok().filter(|key| !key.contains('\t'));
    let key = printable.filter(|key| !key.is_empty() && key.len() <= MAX_CHARS);
    if key.is_none() {
        checks.header_fault(HEADER, "must have 1 to 255 printable ASCII characters");
    }
    key.map(ToOwned::to_owned)
}
