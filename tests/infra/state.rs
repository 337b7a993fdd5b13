//! The stack that outlives the application: the table that the tests run on, and nothing that a deletion takes along.

use modbox_local::stack::{TTL_ATTRIBUTE, table_definition};
use serde_json::{Value, json};

use super::Stack;

fn state() -> Stack {
    Stack::named("state")
}

/// By name, so that the order does not matter.
fn sorted(list: &Value, name: &str) -> Vec<Value> {
    let mut list = list.as_array().unwrap().clone();
    list.sort_by_key(|each| each[name].as_str().unwrap().to_owned());
    list
}

#[test]
fn the_deployed_table_is_the_one_that_is_tested() {
    let (state, local) = (state(), table_definition());
    let table = state.properties("Table");
    for (what, name) in [("AttributeDefinitions", "AttributeName"), ("GlobalSecondaryIndexes", "IndexName")] {
        assert_eq!(sorted(&table[what], name), sorted(&local[what], name), "{what}");
    }
    for what in ["KeySchema", "BillingMode"] {
        assert_eq!(table[what], local[what], "{what}");
    }
    assert_eq!(
        table["StreamSpecification"]["StreamViewType"],
        local["StreamSpecification"]["StreamViewType"]
    );
    assert_eq!(table["TimeToLiveSpecification"], json!({"AttributeName": TTL_ATTRIBUTE, "Enabled": true}));
}

#[test]
fn the_table_can_be_brought_back_and_is_encrypted() {
    let state = state();
    let table = state.properties("Table");
    assert_eq!(table["PointInTimeRecoverySpecification"], json!({"PointInTimeRecoveryEnabled": true}));
    assert_eq!(table["SSESpecification"], json!({"SSEEnabled": true}));
    assert_eq!(table["DeletionProtectionEnabled"], true);
}

#[test]
fn nothing_of_the_state_goes_with_its_stack() {
    let state = state();
    let resources = state.template()["Resources"].as_object().unwrap();
    assert_eq!(resources.len(), 5);
    for (name, resource) in resources {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(resource[policy], "Retain", "{name}");
        }
    }
}

#[test]
fn nothing_that_is_kept_is_in_the_application() {
    let application = Stack::application();
    for kind in
        ["AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::ECR::Repository", "AWS::S3::Bucket"]
    {
        assert_eq!(application.resources(kind).count(), 0, "{kind}");
    }
}
