//! The table, as the deployed stack has it: keys, indexes, stream and TTL.

use modbox_aws::table::{ATTENTION, BY_OWNER, BY_OWNER_LIVE};
use serde_json::{Value, json};

use super::TABLE;
use crate::{aws_json::AwsError, dynamo::Dynamo};

/// The attribute by which DynamoDB removes items.
pub const TTL: &str = "ttl";

/// Makes the table unless it is there.
pub fn ensure(dynamo: &Dynamo) -> Result<(), AwsError> {
    match dynamo.call("DescribeTable", json!({"TableName": TABLE})) {
        Ok(_) => return Ok(()),
        Err(error) if error.code.ends_with("ResourceNotFoundException") => {}
        Err(error) => return Err(error),
    }
    dynamo.call("CreateTable", definition())?;
    let ttl = json!({"TableName": TABLE, "TimeToLiveSpecification": {"AttributeName": TTL, "Enabled": true}});
    dynamo.call("UpdateTimeToLive", ttl).map(drop)
}

/// The `CreateTable` request. `infra/state.yaml` says the same to CloudFormation.
pub fn definition() -> Value {
    json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "owner", "AttributeType": "S"},
            {"AttributeName": "live", "AttributeType": "S"},
            {"AttributeName": "created", "AttributeType": "S"},
            {"AttributeName": "attention", "AttributeType": "S"},
            {"AttributeName": "look_at", "AttributeType": "N"},
        ],
        "KeySchema": keys("pk", "sk"),
        "GlobalSecondaryIndexes": [
            index(BY_OWNER, "owner", "created"),
            index(BY_OWNER_LIVE, "live", "created"),
            index(ATTENTION, "attention", "look_at"),
        ],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    })
}

fn index(name: &str, hash: &str, range: &str) -> Value {
    json!({"IndexName": name, "KeySchema": keys(hash, range), "Projection": {"ProjectionType": "KEYS_ONLY"}})
}

fn keys(hash: &str, range: &str) -> Value {
    json!([{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}])
}
