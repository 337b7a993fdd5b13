//! What calls the functions, and how: as the plumbing of one machine does it.

use std::{sync::Arc, time::Duration};

use modbox_local::{
    plumbing::{INVOCATION_TIMEOUT, mapping::Mapping},
    stack::{LAUNCHER_FILTERS, REAPER_FILTERS},
};
use modbox_sandbox::SETTLE;
use serde_json::{Value, json};

use super::{Stack, rendered::list};

const FUNCTIONS: [&str; 4] = ["Api", "Launcher", "Reaper", "Observer"];

fn seconds(stack: &Stack, function: &str) -> Duration {
    Duration::from_secs(stack.properties(function)["Timeout"].as_u64().unwrap())
}

#[test]
fn the_deployed_filters_are_those_that_are_tested() {
    let stack = Stack::application();
    let read = |text: &str| -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    for (mapping, tested) in
        [("LauncherStream", &LAUNCHER_FILTERS[..]), ("ReaperStream", &REAPER_FILTERS[..])]
    {
        let filters = list(&stack.properties(mapping)["FilterCriteria"]["Filters"]);
        let deployed: Vec<Value> = filters.map(|filter| read(filter["Pattern"].as_str().unwrap())).collect();
        let tested: Vec<Value> = tested.iter().map(|pattern| read(pattern)).collect();
        assert_eq!(deployed, tested, "{mapping}");
    }
}

#[test]
fn the_deployed_mappings_deliver_as_the_tested_ones_do() {
    let stack = Stack::application();
    let tested = Mapping::new("any", Vec::new(), Arc::new(|_| Box::pin(async { Ok(Value::Null) })));
    assert_eq!(stack.resources("AWS::Lambda::EventSourceMapping").count(), 2);
    for (function, mapping) in [("Launcher", "LauncherStream"), ("Reaper", "ReaperStream")] {
        let deployed = stack.properties(mapping);
        assert_eq!(deployed["FunctionName"], json!({"Ref": function}));
        assert_eq!(deployed["BatchSize"], tested.batch_size);
        assert_eq!(deployed["ParallelizationFactor"], tested.shards);
        assert_eq!(seconds(&stack, function), tested.timeout);
        assert_eq!(
            stack.text(&deployed["EventSourceArn"]),
            "arn:aws:dynamodb:us-east-1:000000000000:table/modbox/stream/1"
        );
    }
}

#[test]
fn a_mapping_waits_as_long_as_it_takes_and_loses_nothing() {
    let stack = Stack::application();
    for (name, mapping) in stack.resources("AWS::Lambda::EventSourceMapping") {
        let mapping = &mapping["Properties"];
        assert_eq!(mapping["StartingPosition"], "TRIM_HORIZON", "{name}");
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{name}");
        assert_eq!(mapping["BisectBatchOnFunctionError"], true, "{name}");
        assert_eq!(mapping["MaximumRetryAttempts"], -1, "{name}");
        assert_eq!(mapping["MaximumRecordAgeInSeconds"], -1, "{name}");
    }
}

#[test]
fn the_functions_have_the_time_that_the_rules_count_on() {
    let stack = Stack::application();
    for function in ["Launcher", "Reaper", "Observer"] {
        assert_eq!(seconds(&stack, function), INVOCATION_TIMEOUT, "{function}");
    }
    assert_eq!(SETTLE, 2 * seconds(&stack, "Launcher") + Duration::from_secs(60), "rule 5");
    assert!(seconds(&stack, "Api") >= Duration::from_secs(600 + 10), "the longest wait, and its answer");
}

#[test]
fn the_schedule_calls_the_reaper_each_minute_and_repeats_nothing() {
    let stack = Stack::application();
    let rule = stack.properties("ReaperSchedule");
    assert_eq!(rule["ScheduleExpression"], "rate(1 minute)");
    let target = &rule["Targets"][0];
    assert_eq!(target["Arn"], json!({"Fn::GetAtt": ["Reaper", "Arn"]}));
    assert_eq!(target["RetryPolicy"]["MaximumRetryAttempts"], 0);
    let invoked: Vec<_> =
        stack.resources("AWS::Lambda::EventInvokeConfig").map(|(_, config)| &config["Properties"]).collect();
    let retries = |function: &str| {
        let of_function = |config: &&&Value| config["FunctionName"] == json!({"Ref": function});
        invoked.iter().find(of_function).map(|config| config["MaximumRetryAttempts"].clone())
    };
    assert_eq!((retries("Reaper"), retries("Observer")), (Some(json!(0)), Some(json!(2))));
}

#[test]
fn every_function_is_of_one_make() {
    let stack = Stack::application();
    assert_eq!(stack.resources("AWS::Lambda::Function").count(), FUNCTIONS.len());
    for function in FUNCTIONS {
        let properties = stack.properties(function);
        assert_eq!(properties["Architectures"], json!(["arm64"]), "{function}");
        assert_eq!(
            (&properties["Runtime"], &properties["Handler"]),
            (&json!("provided.al2023"), &json!("bootstrap"))
        );
        // The metric filters read JSON.
        let log = json!({"LogFormat": "JSON", "LogGroup": {"Ref": format!("{function}Log")}});
        assert_eq!(properties["LoggingConfig"], log, "{function}");
        assert_eq!(
            stack.properties(&format!("{function}Log"))["RetentionInDays"],
            json!({"Ref": "LogRetentionDays"})
        );
    }
}

#[test]
fn concurrency_is_reserved_for_all_but_the_api_and_only_when_it_is_asked_for() {
    let asked = Stack::given(&[("ReservedConcurrency", "5")]);
    for (stack, expected) in [(Stack::application(), false), (asked, true)] {
        assert_eq!(stack.holds(&json!("HasReservedConcurrency")), expected);
        assert!(stack.properties("Api").get("ReservedConcurrentExecutions").is_none());
        for function in ["Launcher", "Reaper", "Observer"] {
            let reserved = &stack.properties(function)["ReservedConcurrentExecutions"];
            let expected =
                json!(["HasReservedConcurrency", {"Ref": "ReservedConcurrency"}, {"Ref": "AWS::NoValue"}]);
            assert_eq!(reserved["Fn::If"], expected, "{function}");
        }
    }
}
