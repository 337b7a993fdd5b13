//! What is checked of every create, whoever's words it comes in.

use std::collections::BTreeMap;

use modbox_sandbox::contract;

use crate::{
    body::Checks,
    error::{ApiError, Issue, excerpt},
};

/// The longest name of an image.
pub(crate) const MAX_IMAGE_CHARS: usize = 512;

/// Checks a text that may be absent: 1 to `max` characters, none of control.
pub(crate) fn check_text(checks: &mut Checks, field: &str, text: Option<&str>, max: usize) {
    let Some(text) = text else { return };
    if text.is_empty() || text.chars().count() > max {
        checks.fault(field, format!("must have 1 to {max} characters"), "length");
    } else if text.chars().any(char::is_control) {
        checks.fault(field, "must not contain control characters", "value_error");
    }
}

/// A variable whose value is null is not set.
pub(crate) fn environment(
    checks: &mut Checks,
    field: &str,
    env: BTreeMap<String, Option<String>>,
) -> BTreeMap<String, String> {
    for (name, value) in &env {
        let shown = excerpt(name);
        if !is_variable_name(name) {
            checks.fault(field, format!("{shown:?} is not a name of a variable"), "value_error");
        } else if name.starts_with(contract::RESERVED_PREFIX) {
            checks.fault(
                field,
                format!("{shown} is reserved: names must not begin with MODBOX_"),
                "value_error",
            );
        } else if value.as_ref().is_some_and(|value| value.contains('\0')) {
            checks.fault(field, format!("the value of {shown} contains a NUL"), "value_error");
        } else if name == contract::SANDBOX_API_KEY && value.as_ref().is_some_and(|key| !is_sendable(key)) {
            let message =
                format!("the value of {shown} must be 1 or more visible ASCII characters: it is a token");
            checks.fault(field, message, "value_error");
        }
    }
    env.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Why the variables that came in this field cannot be had.
pub(crate) fn too_large(field: &str) -> ApiError {
    ApiError::invalid(vec![Issue::new(
        &["body", field],
        "together the variables are larger than ECS carries (8,192 characters with its own syntax)",
        "too_long",
    )])
}

/// Whether the token can be sent in an Authorization header.
fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_variable_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
