//! ECS's events on their way to the observer.

use modbox_aws::inbound::task_state_change;
use modbox_local::plumbing::filter::Filter;
use serde_json::{Map, Value, json};

use super::{Stack, rendered::list};
use crate::events::{event, files_of};

/// The rule's pattern, with what CloudFormation puts into it.
fn pattern(stack: &Stack) -> Value {
    let mut pattern = stack.properties("TaskStateChanges")["EventPattern"].clone();
    let detail = &mut pattern["detail"];
    detail["clusterArn"] = json!([stack.text(&detail["clusterArn"][0])]);
    detail["startedBy"] = json!([{"prefix": stack.text(&detail["startedBy"][0]["prefix"])}]);
    pattern
}

/// The events of the files, as the account of the tests would have them.
fn recorded() -> Vec<Value> {
    let of_account = |name: String| event(&name).to_string().replace("123456789012", "000000000000");
    files_of("observer").into_iter().map(|name| serde_json::from_str(&of_account(name)).unwrap()).collect()
}

fn transformer(stack: &Stack) -> (Map<String, Value>, String) {
    let targets: Vec<&Value> = list(&stack.properties("TaskStateChanges")["Targets"]).collect();
    assert_eq!(targets.len(), 1);
    let transformer = &targets[0]["InputTransformer"];
    let paths = transformer["InputPathsMap"].as_object().unwrap().clone();
    (paths, transformer["InputTemplate"].as_str().unwrap().to_owned())
}

/// What EventBridge hands on: a name that stands by itself becomes the JSON of what is there, `""` if nothing is.
fn transformed(stack: &Stack, event: &Value) -> Value {
    let (paths, mut text) = transformer(stack);
    for (name, path) in paths {
        let path = path.as_str().unwrap().strip_prefix('$').unwrap().replace('.', "/");
        let found = event.pointer(&path).cloned().unwrap_or(json!(""));
        assert!(text.contains(&format!(": <{name}>")), "{name} stands in quotes, or nowhere");
        text = text.replace(&format!("<{name}>"), &found.to_string());
    }
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_observer_reads_of_what_is_handed_on_what_it_reads_of_the_whole() {
    let stack = Stack::application();
    for event in recorded() {
        let read = task_state_change(&event);
        assert!(read.is_some(), "{event}");
        assert_eq!(task_state_change(&transformed(&stack, &event)), read, "{event}");
    }
}

#[test]
fn what_callers_put_into_the_environment_is_not_handed_on() {
    let stack = Stack::application();
    for mut event in recorded() {
        let secret = json!([{"name": "main", "environment": [{"name": "PASSWORD", "value": "hunter2"}]}]);
        event["detail"]["overrides"]["containerOverrides"] = secret;
        let handed_on = transformed(&stack, &event).to_string();
        assert!(!handed_on.contains("hunter2") && !handed_on.contains("verrides"), "{handed_on}");
    }
    let (paths, template) = transformer(&stack);
    assert!(paths.values().all(|path| path != "$" && path != "$.detail"), "{paths:?}");
    assert!(!template.contains("<aws."), "a whole event is handed on: {template}");
}

#[test]
fn only_tasks_of_this_deployment_reach_the_observer() {
    let stack = Stack::application();
    let filter = Filter::parse(&pattern(&stack)).unwrap();
    let (ours, others): (Vec<_>, Vec<_>) =
        recorded().into_iter().partition(|event| event["detail"]["group"] == "incarnation:1");
    assert!(!others.is_empty() && others.iter().all(|event| !filter.matches(event)));
    for event in ours {
        assert!(filter.matches(&event), "{event}");
        let with = |name: &str, value: &str| {
            let mut other = event.clone();
            other["detail"][name] = json!(value);
            other
        };
        assert!(!filter.matches(&with("clusterArn", "arn:aws:ecs:us-east-1:000000000000:cluster/another")));
        assert!(!filter.matches(&with("startedBy", "modbox/locally/6eb3e809-8b94-45e6-b0d8-2a85a73e012c")));
        assert!(!filter.matches(&with("startedBy", "ecs-svc/1234")));
    }
}

#[test]
fn an_event_that_does_not_arrive_is_kept_as_it_was_handed_on() {
    let stack = Stack::application();
    let target = &stack.properties("TaskStateChanges")["Targets"][0];
    assert_eq!(target["DeadLetterConfig"], json!(null), "EventBridge would keep the whole event");
    let queue = json!({"Fn::GetAtt": ["Undelivered", "Arn"]});
    let observer = stack.resources("AWS::Lambda::EventInvokeConfig").map(|(_, config)| &config["Properties"]);
    let mut observer = observer.filter(|config| config["FunctionName"] == json!({"Ref": "Observer"}));
    assert_eq!(observer.next().unwrap()["DestinationConfig"]["OnFailure"]["Destination"], queue);
}

#[test]
fn the_example_listens_to_the_bus_for_events_that_there_are() {
    let example = Stack::named("example");
    let rule = example.properties("Ends");
    assert_eq!(rule["EventBusName"], json!({"Ref": "EventBusName"}));
    // That of GetAtt ends in `:*`, by which nothing is delivered.
    let group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Log}";
    assert_eq!(rule["Targets"][0]["Arn"], json!({"Fn::Sub": group}));
    let published =
        json!({"source": "modbox", "detail-type": "Sandbox Ended", "detail": {"reason": "requested"}});
    assert!(Filter::parse(&rule["EventPattern"]).unwrap().matches(&published));
}
