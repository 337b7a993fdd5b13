//! Types in words: what a schema lets pass, on one line.

use utoipa::openapi::{
    RefOr, Schema,
    schema::{AdditionalProperties, Array, ArrayItems, Object, SchemaType, Type},
};

use super::page::{code, escape};

/// The type as HTML, with a link where it has a name.
pub(super) fn of(schema: &RefOr<Schema>) -> String {
    match schema {
        RefOr::Ref(reference) => link(&reference.ref_location),
        RefOr::T(Schema::Object(object)) => of_object(object),
        RefOr::T(Schema::Array(array)) => of_array(array),
        RefOr::T(Schema::OneOf(one_of)) => any(&one_of.items, " or "),
        RefOr::T(Schema::AnyOf(any_of)) => any(&any_of.items, " or "),
        RefOr::T(Schema::AllOf(all_of)) => any(&all_of.items, " and "),
        RefOr::T(_) => "anything".to_owned(),
    }
}

/// The name at the end of `#/components/schemas/<name>`, as a link to it.
fn link(reference: &str) -> String {
    let name = escape(reference.rsplit('/').next().unwrap_or(reference));
    format!("<a href=\"#schema-{name}\">{name}</a>")
}

fn any(items: &[RefOr<Schema>], between: &str) -> String {
    items.iter().map(of).collect::<Vec<_>>().join(between)
}

fn of_object(object: &Object) -> String {
    let mut words = kind(&object.schema_type);
    if let Some(AdditionalProperties::RefOr(values)) = object.additional_properties.as_deref() {
        words.push_str(&format!(" of {} by name", of(values)));
    }
    let mut limits = Vec::new();
    if let Some(format) = &object.format {
        limits.push(escape(&json_word(format)));
    }
    if let Some(values) = &object.enum_values {
        limits.push(values.iter().map(|value| code(&plain(value))).collect::<Vec<_>>().join(", "));
    }
    limits.extend(range("", number(&object.minimum), number(&object.maximum)));
    limits.extend(range(" characters", text(object.min_length), text(object.max_length)));
    if let Some(pattern) = &object.pattern {
        limits.push(code(pattern));
    }
    if let Some(default) = &object.default {
        limits.push(format!("default {}", code(&plain(default))));
    }
    if limits.is_empty() { words } else { format!("{words}; {}", limits.join("; ")) }
}

fn of_array(array: &Array) -> String {
    match &array.items {
        ArrayItems::RefOrSchema(items) => format!("array of {}", of(items)),
        ArrayItems::False => "array".to_owned(),
    }
}

fn kind(kind: &SchemaType) -> String {
    match kind {
        SchemaType::Type(one) => word(one).to_owned(),
        SchemaType::Array(several) => several.iter().map(word).collect::<Vec<_>>().join(" or "),
        SchemaType::AnyValue => "anything".to_owned(),
    }
}

fn word(kind: &Type) -> &'static str {
    match kind {
        Type::Object => "object",
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Array => "array",
        Type::Null => "null",
    }
}

fn range(unit: &str, min: Option<String>, max: Option<String>) -> Option<String> {
    match (min, max) {
        (Some(min), Some(max)) => Some(format!("{min} to {max}{unit}")),
        (Some(min), None) => Some(format!("at least {min}{unit}")),
        (None, Some(max)) => Some(format!("at most {max}{unit}")),
        (None, None) => None,
    }
}

/// A number as JSON writes it.
fn number(number: &Option<utoipa::Number>) -> Option<String> {
    serde_json::to_string(number.as_ref()?).ok()
}

fn text(length: Option<usize>) -> Option<String> {
    length.map(|length| length.to_string())
}

/// A word that JSON writes as a string.
fn json_word(word: &impl serde::Serialize) -> String {
    serde_json::to_value(word).map_or_else(|_| String::new(), |word| plain(&word))
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
