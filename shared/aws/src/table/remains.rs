//! What may be told of an item that cannot be read: enough to repair it, and nothing that is the user's own.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

use super::Item;

/// Every attribute of a sandbox's row but its environment and what its caller noted in it, labels among it.
const TOLD: [&str; 41] = [
    "attempt",
    "attention",
    "api_url",
    "created",
    "created_at",
    "destroyed_at",
    "dismissed",
    "end_by",
    "end_message",
    "end_reason",
    "end_since",
    "exit_code",
    "expires_at",
    "extended_at",
    "id",
    "image",
    "incarnation",
    "key_id",
    "launch",
    "launch_by",
    "live",
    "look_at",
    "memory_mb",
    "name",
    "owner",
    "readiness_port",
    "ready_at",
    "refusal",
    "retry_at",
    "state",
    "stop",
    "task_arn",
    "task_recorded_at",
    "task_version",
    "ttl",
    "updated_at",
    "url",
    "v",
    "version",
    "wants",
    "write",
];
/// Characters. What is longer was not written by us.
const LONGEST: usize = 1024;

/// The attributes that may be told, of an image in the stream's JSON, as they stand there.
pub(crate) fn of_image(image: &Value) -> Value {
    let told = TOLD.iter().filter_map(|name| {
        let (kind, value) = image.get(name)?.as_object()?.iter().next()?;
        let is_told = match kind.as_str() {
            "S" | "N" => value.as_str().is_some_and(|text| text.len() <= LONGEST),
            "BOOL" => value.is_boolean(),
            _ => false,
        };
        is_told.then(|| ((*name).to_owned(), json!({kind: value})))
    });
    Value::Object(told.collect::<Map<_, _>>())
}

/// The same of an item that was read, in the same form.
pub(crate) fn of_item(item: &Item) -> Value {
    let image = TOLD.iter().filter_map(|name| {
        let value = match item.get(*name)? {
            AttributeValue::S(text) => json!({"S": text}),
            AttributeValue::N(number) => json!({"N": number}),
            AttributeValue::Bool(flag) => json!({"BOOL": flag}),
            _ => return None,
        };
        Some(((*name).to_owned(), value))
    });
    of_image(&Value::Object(image.collect::<Map<_, _>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_to_tell_or_cannot_be_ours_is_left_out() {
        let image = json!({
            "v": {"N": "1"}, "state": {"S": "running"}, "task_arn": {"S": "task/1"},
            "env": {"B": "AQID"}, "client_reference": {"S": "order 17"}, "password": {"S": "x"},
            "name": {"S": "x".repeat(LONGEST + 1)}, "owner": {"M": {}}, "url": "none",
        });
        let told = json!({"v": {"N": "1"}, "state": {"S": "running"}, "task_arn": {"S": "task/1"}});
        assert_eq!(of_image(&image), told);
        let item = Item::from([
            ("v".to_owned(), AttributeValue::N("1".to_owned())),
            ("state".to_owned(), AttributeValue::S("running".to_owned())),
            ("task_arn".to_owned(), AttributeValue::S("task/1".to_owned())),
            ("name".to_owned(), AttributeValue::Null(true)),
            ("env".to_owned(), AttributeValue::S("secret".to_owned())),
        ]);
        assert_eq!(of_item(&item), told);
        assert_eq!(of_image(&Value::Null), json!({}));
    }
}
