//! How callers reach the API.

use serde_json::{Value, json};

use super::Stack;

/// What a public function URL needs since October 2025 (Lambda developer guide, access control of function URLs).
const NEEDED: [(&str, &str); 2] =
    [("lambda:InvokeFunctionUrl", "FunctionUrlAuthType"), ("lambda:InvokeFunction", "InvokedViaFunctionUrl")];

#[test]
fn a_public_function_url_has_both_permissions() {
    let stack = Stack::application();
    assert_eq!(stack.properties("ApiFunctionUrl")["AuthType"], "NONE");
    let public: Vec<&Value> = stack
        .resources("AWS::Lambda::Permission")
        .filter(|(_, permission)| permission["Properties"]["Principal"] == "*")
        .map(|(_, permission)| permission)
        .collect();
    assert_eq!(public.len(), NEEDED.len());
    for (action, condition) in NEEDED {
        let found = public.iter().find(|permission| permission["Properties"]["Action"] == action).unwrap();
        assert_eq!(found["Condition"], "HasFunctionUrl", "{action}");
        assert!(
            found["Properties"].get(condition).is_some_and(|value| *value != false),
            "{action}: anybody may invoke it"
        );
        assert_eq!(found["Properties"]["FunctionName"], json!({"Fn::GetAtt": ["Api", "Arn"]}));
    }
}

#[test]
fn the_function_url_is_the_address_to_give_out_where_there_is_one() {
    let with = Stack::application();
    let without = Stack::given(&[("FunctionUrl", "false")]);
    let url = |stack: &Stack| stack.text(&stack.template()["Outputs"]["ApiUrl"]["Value"]);
    assert_eq!(url(&with), "ApiFunctionUrl.FunctionUrl");
    assert_eq!(url(&without), "Gateway.ApiEndpoint");
    let gateway = |stack: &Stack| stack.text(&stack.template()["Outputs"]["ApiGatewayUrl"]["Value"]);
    assert_eq!((gateway(&with), gateway(&without)), (url(&without), url(&without)));
    for resource in ["ApiFunctionUrl", "ApiFunctionUrlPermission", "ApiByFunctionUrlPermission"] {
        assert_eq!(with.template()["Resources"][resource]["Condition"], "HasFunctionUrl");
    }
    assert!(with.holds(&json!("HasFunctionUrl")) && !without.holds(&json!("HasFunctionUrl")));
}

#[test]
fn the_gateway_hands_everything_to_the_api_in_the_form_that_it_reads() {
    let stack = Stack::application();
    let integration = stack.properties("GatewayIntegration");
    assert_eq!(integration["PayloadFormatVersion"], "2.0");
    assert_eq!(integration["IntegrationUri"], json!({"Fn::GetAtt": ["Api", "Arn"]}));
    assert_eq!(stack.properties("GatewayRoute")["RouteKey"], "$default");
    // Another stage than this one would be part of the path.
    assert_eq!(stack.properties("GatewayStage")["StageName"], "$default");
    let permission = stack.properties("GatewayPermission");
    assert!(stack.text(&permission["SourceArn"]).ends_with(":000000000000:Gateway/*"), "{permission}");
}

#[test]
fn nobody_may_reach_a_sandbox_in_its_own_network() {
    let network = Stack::named("network");
    let group = network.properties("SecurityGroup");
    assert!(group.get("SecurityGroupIngress").is_none());
    assert_eq!(network.resources("AWS::EC2::SecurityGroupIngress").count(), 0);
    assert_eq!(network.resources("AWS::EC2::NatGateway").count(), 0);
    let subnets: Vec<_> =
        network.resources("AWS::EC2::Subnet").map(|(_, subnet)| &subnet["Properties"]).collect();
    assert_eq!(subnets.len(), 2);
    assert!(subnets.iter().all(|subnet| subnet["CidrBlock"].as_str().unwrap().ends_with("/18")));
    assert_ne!(subnets[0]["AvailabilityZone"], subnets[1]["AvailabilityZone"]);
    assert_eq!(Stack::application().template()["Resources"]["Network"]["Condition"], "OwnNetwork");
}
