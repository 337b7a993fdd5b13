//! One role per function, with just what it calls: compared with the calls of runs that together make every one.

use std::{collections::BTreeSet, time::Duration};

use modbox_local::aws_json::AwsError;
use modbox_tests::{Fault, Use, Used, World, sim};
use serde_json::{Value, json};

use super::{Stack, rendered::list};

/// The functions, and the roles that the application gives them.
const FUNCTIONS: [(&str, &str); 4] =
    [("api", "Api"), ("launcher", "Launcher"), ("reaper", "Reaper"), ("observer", "Observer")];

/// What is granted to a function although it does not call it: Lambda itself does so as the function's role, or ECS asks
/// whether the caller might.
const BY_AWS: [&str; 7] = [
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "iam:PassRole",
];

/// One action on one resource that a role grants.
#[derive(Debug)]
struct Grant {
    function: &'static str,
    action: String,
    resource: String,
    /// The cluster that it is held to.
    cluster: Option<String>,
}

impl Grant {
    fn allows(&self, used: &Use) -> bool {
        self.function == used.caller
            && self.action == used.action
            && matches(&self.resource, &used.resource)
            && self.cluster.as_ref().is_none_or(|cluster| used.cluster.as_ref() == Some(cluster))
    }
}

/// Whether a pattern of IAM, in which `*` is anything, has this ARN.
fn matches(pattern: &str, arn: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == arn,
        Some((head, rest)) => arn.strip_prefix(head).is_some_and(|arn| {
            arn.char_indices().map(|(at, _)| at).chain([arn.len()]).any(|at| matches(rest, &arn[at..]))
        }),
    }
}

fn statements(role: &Value) -> impl Iterator<Item = &Value> {
    list(&role["Policies"]).flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
}

fn grants(stack: &Stack) -> Vec<Grant> {
    let mut grants = Vec::new();
    for (function, name) in FUNCTIONS {
        let role = stack.properties(&format!("{name}Role"));
        assert_eq!(role["ManagedPolicyArns"], Value::Null, "{name}");
        for statement in statements(role) {
            let cluster = &statement["Condition"]["ArnEquals"]["ecs:cluster"];
            for (action, resource) in list(&statement["Action"])
                .flat_map(|action| list(&statement["Resource"]).map(move |r| (action, r)))
            {
                grants.push(Grant {
                    function,
                    action: stack.text(action),
                    resource: stack.text(resource),
                    cluster: cluster.is_object().then(|| stack.text(cluster)),
                });
            }
        }
    }
    grants
}

/// Has every call made that any function makes, by a crowd of seeds and by what no seed comes to for sure.
async fn everything() -> BTreeSet<Use> {
    let used = Used::default();
    for seed in 1..=12 {
        let plan = sim::Plan::seed(seed);
        let run = std::thread::spawn(move || sim::run(&plan, None)).join().expect("a run does not panic");
        assert_eq!(run.violation, None, "seed {seed}");
        used.note_all(run.used);
    }
    launches_that_fail(&used).await;
    what_is_kept_with_the_dead_letters(&used).await;
    used.all().into_iter().filter(|each| FUNCTIONS.iter().any(|(name, _)| each.caller == *name)).collect()
}

/// A world whose calls are noted, and meet these faults.
async fn noting(used: &Used, mut faults: impl FnMut(&str, &str) -> Fault + Send + 'static) -> World {
    let (world, used) = (World::start().await, used.clone());
    world.faults.set(move |call| {
        used.note(call);
        faults(call.caller, call.operation)
    });
    world
}

/// One that ECS refuses, and one whose sandbox is destroyed while ECS takes its time.
async fn launches_that_fail(used: &Used) {
    let mut launches = 0;
    let world = noting(used, move |caller, operation| {
        launches += usize::from(operation == "RunTask");
        match (operation, launches) {
            ("RunTask", 1) => Fault::Refused(AwsError::client("InvalidParameterException", "no such subnet")),
            ("RunTask", _) => Fault::Late(Duration::from_secs(1)),
            // So that the launcher itself is the first to know of the task.
            ("GetItem", _) if caller == "observer" => Fault::Late(Duration::from_secs(2)),
            _ => Fault::None,
        }
    });
    let world = world.await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "refused"})).await;
    world.settle().await;
    let id = ann.create(json!({"task_id": "late"})).await;
    world.pass(Duration::from_millis(500)).await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.pass(Duration::from_secs(5)).await;
    world.settle().await;
}

/// What a bus does not take, and a row that cannot be read.
async fn what_is_kept_with_the_dead_letters(used: &Used) {
    let world =
        noting(used, |_, operation| if operation == "PutEvents" { Fault::down() } else { Fault::None }).await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    ann.get("/sandboxes?status=running").await.expect(200);
    ann.get("/sandboxes/one/monitoring").await.expect(200);
    damage(&world, &id);
    world.pass(Duration::from_secs(2 * 60 * 60)).await;
    world.tick().await;
}

/// Makes the row one that cannot be read, and due.
fn damage(world: &World, id: &str) {
    let key = json!({"S": format!("SANDBOX#{id}")});
    let update = json!({
        "TableName": "modbox", "Key": {"pk": key, "sk": key},
        "UpdateExpression": "SET #state = :what, look_at = :now", "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":what": {"S": "what"}, ":now": {"N": "1"}},
    });
    world.stack.dynamo.call("UpdateItem", update).expect("a row can be damaged");
}

#[tokio::test(start_paused = true)]
async fn a_function_may_do_what_it_does_and_nothing_else() {
    let (stack, used) = (Stack::application(), everything().await);
    let grants = grants(&stack);
    assert!(used.len() > 25, "the record is not whole: {used:#?}");
    let refused: Vec<_> = used.iter().filter(|used| !grants.iter().any(|grant| grant.allows(used))).collect();
    assert!(refused.is_empty(), "not granted: {refused:#?}");
    let own = stack.text(&json!({"Fn::GetAtt": ["Undelivered", "Arn"]}));
    let by_aws = |grant: &Grant| BY_AWS.contains(&&*grant.action) || grant.resource == own;
    let idle: Vec<_> = grants.iter().filter(|grant| !by_aws(grant)).collect();
    let idle: Vec<_> = idle.into_iter().filter(|grant| !used.iter().any(|used| grant.allows(used))).collect();
    assert!(idle.is_empty(), "granted for nothing: {idle:#?}");
}

#[test]
fn what_aws_does_in_a_functions_name_is_held_to_that_functions_own() {
    let stack = Stack::application();
    for grant in grants(&stack).iter().filter(|grant| BY_AWS.contains(&&*grant.action)) {
        let name = FUNCTIONS.iter().find(|(function, _)| *function == grant.function).unwrap().1;
        let expected = match grant.action.as_str() {
            "logs:CreateLogStream" | "logs:PutLogEvents" => {
                json!({"Fn::GetAtt": [format!("{name}Log"), "Arn"]})
            }
            "iam:PassRole" => json!({"Fn::GetAtt": ["ExecutionRole", "Arn"]}),
            "dynamodb:ListStreams" => json!("arn:aws:dynamodb:us-east-1:000000000000:table/modbox/stream/*"),
            _ => stack.properties("LauncherStream")["EventSourceArn"].clone(),
        };
        assert_eq!(grant.resource, stack.text(&expected), "{grant:?}");
        let is_woken_by_stream = !matches!(grant.function, "api" | "observer");
        assert!(is_woken_by_stream || !grant.action.starts_with("dynamodb:"), "{grant:?}");
        assert!(grant.action != "iam:PassRole" || grant.function == "launcher", "{grant:?}");
    }
    let passed: Vec<_> = statements(stack.properties("LauncherRole"))
        .filter(|statement| statement["Action"] == "iam:PassRole")
        .map(|statement| &statement["Condition"])
        .collect();
    assert_eq!(passed, [&json!({"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}})]);
}

/// The lines of the application's template.
fn lines() -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/template.yaml");
    std::fs::read_to_string(file).unwrap().lines().map(ToOwned::to_owned).collect()
}

#[test]
fn whatever_is_granted_on_everything_says_why() {
    let lines = lines();
    let mut found = 0;
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("Resource: '*'")) {
        found += 1;
        let before = lines[..=at].iter().rposition(|line| line.trim_start().starts_with("- ")).unwrap_or(at);
        assert!(lines[before - 1].trim_start().starts_with('#'), "no reason is given for {line}");
    }
    let stack = Stack::application();
    let roles = stack.resources("AWS::IAM::Role").flat_map(|(_, role)| statements(&role["Properties"]));
    assert_eq!(found, roles.filter(|statement| statement["Resource"] == "*").count());
    assert_eq!(found, 3);
}

#[test]
fn no_role_has_more_than_is_written_here() {
    let stack = Stack::application();
    let roles: Vec<_> = stack.resources("AWS::IAM::Role").map(|(name, _)| name.as_str()).collect();
    assert_eq!(roles, ["ApiRole", "ExecutionRole", "LauncherRole", "ObserverRole", "ReaperRole"]);
    for (function, role) in FUNCTIONS {
        let expected = json!({"Fn::GetAtt": [format!("{role}Role"), "Arn"]});
        assert_eq!(stack.properties(role)["Role"], expected, "{function}");
    }
    for kind in ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"] {
        assert_eq!(stack.resources(kind).count(), 0, "{kind}");
    }
}
