//! What tells a deployment's owner that something is wrong, and what to do then.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use modbox_sandbox::LAUNCH_TIMEOUT;
use serde_json::{Value, json};

use super::{Stack, rendered::list};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn readme() -> String {
    std::fs::read_to_string(root().join("infra/README.md")).unwrap()
}

/// The place of a heading in a page, as it is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -".contains(*c))
        .collect::<String>();
    kept.trim().replace(' ', "-")
}

/// The headings of the runbook.
fn runbook() -> BTreeSet<String> {
    let readme = readme();
    let section =
        readme.split("\n## ").find(|section| section.starts_with("Runbook")).expect("there is a runbook");
    section.lines().filter_map(|line| line.strip_prefix("### ")).map(anchor).collect()
}

fn alarms(stack: &Stack) -> Vec<&Value> {
    stack.resources("AWS::CloudWatch::Alarm").map(|(_, alarm)| &alarm["Properties"]).collect()
}

#[test]
fn every_alarm_names_what_the_runbook_says_and_the_runbook_has_nothing_else() {
    let stack = Stack::named("monitoring");
    let line = |alarm: &&Value| {
        let description = alarm["AlarmDescription"].as_str().unwrap();
        let (_, anchor) =
            description.split_once("infra/README.md#").unwrap_or_else(|| panic!("{description}"));
        anchor.to_owned()
    };
    let named: BTreeSet<String> = alarms(&stack).iter().map(line).collect();
    assert!(named.len() >= 10, "{named:?}");
    assert_eq!(named, runbook());
}

#[test]
fn a_launch_that_is_late_is_told_of_before_it_is_given_up() {
    let stack = Stack::named("monitoring");
    let late = stack.properties("LaunchesLate");
    let told = late["Threshold"].as_u64().unwrap() / 1000 + late["Period"].as_u64().unwrap();
    assert!(Duration::from_secs(told) < LAUNCH_TIMEOUT, "after {told} s");
}

#[test]
fn who_is_told_is_a_parameter() {
    let stack = Stack::named("monitoring");
    let told = json!({"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]});
    for alarm in alarms(&stack) {
        assert_eq!(alarm["AlarmActions"], told, "{alarm}");
    }
}

/// Every text between quotes that a source logs, and all else that it has in quotes.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.is_dir() {
            true => text += &sources(&path),
            false => text += &std::fs::read_to_string(&path).unwrap(),
        }
    }
    text
}

#[test]
fn what_is_counted_is_what_the_functions_log() {
    let stack = Stack::named("monitoring");
    let sources = sources(&root().join("shared/control/src")) + &sources(&root().join("shared/aws/src"));
    let filters: Vec<_> = stack.resources("AWS::Logs::MetricFilter").collect();
    assert_eq!(filters.len(), 6);
    for (name, filter) in filters {
        let pattern = filter["Properties"]["FilterPattern"].as_str().unwrap();
        let (_, rest) = pattern.split_once("$.fields.message = \"").unwrap();
        let (message, rest) = rest.split_once('"').unwrap();
        let logged =
            message.strip_suffix('*').map_or_else(|| format!("\"{message}\""), |head| format!("\"{head}"));
        assert!(sources.contains(&logged), "{name}: nothing logs {message}");
        if let Some((_, field)) = rest.split_once("$.fields.") {
            let field = field.split(' ').next().unwrap();
            assert!(
                sources.contains(&format!(" {field},")) || sources.contains(&format!("{field} = ")),
                "{name}: {field}"
            );
        }
    }
}

/// The metrics of our own that the filters count.
fn counted(stack: &Stack) -> BTreeSet<String> {
    let filters = stack.resources("AWS::Logs::MetricFilter").map(|(_, filter)| &filter["Properties"]);
    let metrics = filters.flat_map(|filter| list(&filter["MetricTransformations"]));
    metrics.map(|metric| metric["MetricName"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn whatever_is_counted_raises_an_alarm() {
    let stack = Stack::named("monitoring");
    let own = alarms(&stack).into_iter().filter(|alarm| alarm["Namespace"].is_object());
    let raised: BTreeSet<String> =
        own.map(|alarm| alarm["MetricName"].as_str().unwrap().to_owned()).collect();
    assert_eq!(raised, counted(&stack));
}

#[test]
fn the_dashboard_shows_what_is_counted() {
    let stack = Stack::named("monitoring");
    let body = stack.properties("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let metrics = list(&body["widgets"]).flat_map(|widget| list(&widget["properties"]["metrics"]));
    let own = metrics.filter(|metric| metric[0] == "Modbox/${Application}");
    let shown: BTreeSet<String> = own.map(|metric| metric[1].as_str().unwrap().to_owned()).collect();
    assert_eq!(shown, counted(&stack));
}

#[test]
fn the_application_tells_its_monitoring_all_that_it_asks_for() {
    let (application, monitoring) = (Stack::application(), Stack::named("monitoring"));
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let asked = names(&monitoring.template()["Parameters"]);
    assert_eq!(names(&application.properties("Monitoring")["Parameters"]), asked);
}
