//! What a deployer may say, and what is answered to what cannot be.

use regex_lite::Regex;
use serde_json::{Value, json};

use super::{Stack, rendered::list};

/// What the rules say against a deployment with these parameters.
fn refusals(parameters: &[(&str, &str)]) -> Vec<String> {
    let stack = Stack::given(parameters);
    let rules = stack.template()["Rules"].as_object().unwrap();
    let apply = rules
        .values()
        .filter(|rule| rule.get("RuleCondition").is_none_or(|condition| stack.holds(condition)));
    let assertions = apply.flat_map(|rule| list(&rule["Assertions"]));
    let failed = assertions.filter(|assertion| !stack.holds(&assertion["Assert"]));
    failed.map(|assertion| assertion["AssertDescription"].as_str().unwrap().to_owned()).collect()
}

const SUBNETS: (&str, &str) = ("SubnetIds", "subnet-0a1b2c3d,subnet-4e5f6071");
const GROUPS: (&str, &str) = ("SecurityGroupIds", "sg-0a1b2c3d");
const PRIVATE: (&str, &str) = ("AssignPublicIp", "false");

#[test]
fn a_network_that_is_there_is_given_whole() {
    for fine in [&[][..], &[SUBNETS, GROUPS], &[SUBNETS, GROUPS, PRIVATE]] {
        assert_eq!(refusals(fine), Vec::<String>::new(), "{fine:?}");
    }
    for half in [SUBNETS, GROUPS] {
        let said = refusals(&[half]);
        assert_eq!(said.len(), 1, "{half:?}");
        assert!(said[0].starts_with("SubnetIds and SecurityGroupIds come together"), "{said:?}");
    }
}

#[test]
fn a_network_of_its_own_has_public_addresses() {
    let said = refusals(&[PRIVATE]);
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("AssignPublicIp may be false only with SubnetIds"), "{said:?}");
}

fn parameters(stack: &Stack) -> impl Iterator<Item = (&String, &Value)> {
    stack.template()["Parameters"].as_object().into_iter().flatten()
}

#[test]
fn a_parameter_says_what_it_is_for_and_has_a_default_that_it_takes() {
    let stack = Stack::application();
    for (name, parameter) in parameters(&stack) {
        assert!(parameter["Description"].as_str().unwrap().len() > 20, "{name}");
        let default = stack.parameter(name).unwrap();
        assert_ne!(default, "null", "{name} must be given, which no deployment needs");
        if let Some(pattern) = parameter["AllowedPattern"].as_str() {
            assert!(Regex::new(pattern).unwrap().is_match(&default), "{name}: {default}");
        }
    }
}

/// What is refused by a pattern says which parameter it is and what it must be.
#[test]
fn a_value_that_cannot_be_is_refused() {
    let stack = Stack::application();
    for (name, good, bad) in [
        ("SandboxUrl", "https://{id}.sandboxes.example.com", "https://sandboxes.example.com"),
        ("SubnetIds", SUBNETS.1, "subnet-0a1b2c3d, subnet-4e5f6071"),
        ("SecurityGroupIds", GROUPS.1, "default"),
        ("Retention", "12h", "30"),
        ("KeyId", "k2", "k2:"),
        ("StateStack", "modbox-state", ""),
        ("AlarmTopicArn", "arn:aws:sns:us-east-1:000000000000:alarms", "alarms"),
    ] {
        let parameter = &stack.template()["Parameters"][name];
        let pattern = Regex::new(parameter["AllowedPattern"].as_str().unwrap()).unwrap();
        assert!(pattern.is_match(good) && !pattern.is_match(bad), "{name}");
    }
}

#[test]
fn the_network_is_made_only_where_none_is_given() {
    let (own, given) = (Stack::application(), Stack::given(&[SUBNETS, GROUPS]));
    assert!(own.holds(&json!("OwnNetwork")) && !given.holds(&json!("OwnNetwork")));
    let variables = |stack: &Stack| {
        let variables = &stack.properties("Launcher")["Environment"]["Variables"];
        ["MODBOX_SUBNETS", "MODBOX_SECURITY_GROUPS"].map(|name| stack.text(&variables[name]))
    };
    assert_eq!(variables(&own), ["Network.Outputs.SubnetIds", "Network.Outputs.SecurityGroupIds"]);
    assert_eq!(variables(&given), [SUBNETS.1, GROUPS.1]);
    let told = |stack: &Stack| {
        let outputs = &stack.template()["Outputs"];
        ["SubnetIds", "SecurityGroupIds"].map(|name| stack.text(&outputs[name]["Value"]))
    };
    assert_eq!([told(&own), told(&given)], [variables(&own), variables(&given)]);
    let network = Stack::named("network");
    let outputs = &network.template()["Outputs"];
    assert!(outputs["SubnetIds"].is_object() && outputs["SecurityGroupIds"].is_object());
}
