//! The task that the deployed launcher has ECS make.

use std::sync::{Arc, Mutex};

use modbox_aws::tasks::{Launches, Overrides, TaskEnvironment};
use modbox_control::settings::Environment;
use modbox_sandbox::Spec;
use modbox_tests::{Fault, World};
use serde_json::{Value, json};

use super::{
    Stack,
    rendered::list,
    settings::{connection, variables},
};

const REPOSITORY: &str = "SandboxRepository.RepositoryUri";
const SIDECAR: &str = "SidecarRepository.RepositoryUri:latest";

/// A network that is there already.
const NETWORK: [(&str, &str); 3] =
    [("SubnetIds", "subnet-0a,subnet-0b"), ("SecurityGroupIds", "sg-0c"), ("AssignPublicIp", "false")];

fn launches(world: &World, stack: &Stack) -> Launches {
    let variables = variables(stack, "Launcher");
    let variable = |name: &str| variables.get(name).cloned();
    Environment(&variable).launches(&connection(world)).unwrap()
}

/// What ECS knows after the definition of a sandbox of that image was registered.
async fn registered(world: &World, stack: &Stack, image: &str, port: Option<u16>) -> Value {
    let launches = launches(world, stack);
    let spec = Spec {
        image: image.to_owned(),
        readiness_port: port,
        memory_mb: 512,
        url: "https://one.sandboxes.example.com".to_owned(),
        api_url: "https://api.example.com".to_owned(),
        client_reference: None,
    };
    let arn = launches.register(&launches.definition(&spec)).await.unwrap();
    let question = json!({"taskDefinition": arn});
    let mut answer = world.stack.ecs.call("DescribeTaskDefinition", question).await.unwrap();
    answer["taskDefinition"].take()
}

fn container<'a>(definition: &'a Value, name: &str) -> &'a Value {
    let mut containers = list(&definition["containerDefinitions"]);
    containers.find(|container| container["name"] == name).unwrap_or_else(|| panic!("there is no {name}"))
}

#[tokio::test(start_paused = true)]
async fn a_task_is_the_sandbox_and_its_two_sidecars() {
    let (world, stack) = (World::start().await, Stack::application());
    let definition = registered(&world, &stack, "modbox/sandbox", Some(8080)).await;
    let essential: Vec<_> = list(&definition["containerDefinitions"])
        .map(|container| (container["name"].as_str().unwrap(), container["essential"] == true))
        .collect();
    assert_eq!(essential, [("main", true), ("deadline", true), ("ready", false)]);
    assert_eq!(container(&definition, "main")["portMappings"][0]["containerPort"], 8080);
    for sidecar in ["deadline", "ready"] {
        assert_eq!(container(&definition, sidecar)["image"], SIDECAR);
        assert_eq!(container(&definition, sidecar)["command"], json!([sidecar]));
    }
    let plain = registered(&world, &stack, "python:3.13", None).await;
    assert_eq!(list(&plain["containerDefinitions"]).count(), 2, "nothing is probed where there is no port");
}

#[tokio::test(start_paused = true)]
async fn no_container_has_a_capability_or_a_role_or_half_a_minute_to_stop() {
    let (world, stack) = (World::start().await, Stack::application());
    let definition = registered(&world, &stack, "modbox/sandbox", Some(8080)).await;
    assert_eq!(definition.get("taskRoleArn"), None, "there would be credentials in the sandbox");
    for container in list(&definition["containerDefinitions"]) {
        assert_eq!(container["linuxParameters"]["capabilities"], json!({"drop": ["ALL"]}), "{container}");
        assert_eq!(container["stopTimeout"], 2, "{container}");
        assert_ne!(container["privileged"], true, "{container}");
    }
    for sidecar in ["deadline", "ready"] {
        assert_eq!(container(&definition, sidecar)["readonlyRootFilesystem"], true);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_task_says_goes_where_the_api_reads_it() {
    let (world, stack) = (World::start().await, Stack::application());
    let definition = registered(&world, &stack, "modbox/sandbox", Some(8080)).await;
    let group = variables(&stack, "Api").remove("MODBOX_LOG_GROUP").unwrap();
    for container in list(&definition["containerDefinitions"]) {
        let log = &container["logConfiguration"];
        assert_eq!((&log["logDriver"], &log["options"]["awslogs-group"]), (&json!("awslogs"), &json!(group)));
        // The stream is `<prefix>/<container>/<task id>`.
        assert_eq!(log["options"]["awslogs-stream-prefix"], container["name"]);
    }
    assert_eq!(definition["executionRoleArn"], "arn:aws:iam::000000000000:role/ExecutionRole");
}

#[tokio::test(start_paused = true)]
async fn a_built_in_image_comes_from_the_deployments_repository_and_any_other_from_its_own() {
    let (world, stack) = (World::start().await, Stack::application());
    for (image, pulled) in [
        ("modbox/sandbox", REPOSITORY.to_owned()),
        ("modbox/sandbox-lite", REPOSITORY.to_owned()),
        ("modbox/sandbox:1.2", format!("{REPOSITORY}:1.2")),
        ("modbox/sandbox@sha256:ab", format!("{REPOSITORY}@sha256:ab")),
        ("modbox/sandboxes", "modbox/sandboxes".to_owned()),
        ("python:3.13", "python:3.13".to_owned()),
    ] {
        let definition = registered(&world, &stack, image, None).await;
        assert_eq!(container(&definition, "main")["image"], pulled, "{image}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_parameter_names_the_processors_and_the_image_of_the_sidecars() {
    let world = World::start().await;
    let default = registered(&world, &Stack::application(), "python:3.13", None).await;
    assert_eq!(
        default["runtimePlatform"],
        json!({"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"})
    );
    let stack =
        Stack::given(&[("Architecture", "X86_64"), ("DeadlineImage", "registry.example.com/deadline:2")]);
    let definition = registered(&world, &stack, "python:3.13", None).await;
    assert_eq!(definition["runtimePlatform"]["cpuArchitecture"], "X86_64");
    assert_eq!(container(&definition, "deadline")["image"], "registry.example.com/deadline:2");
    assert_ne!(default["taskDefinitionArn"], definition["taskDefinitionArn"]);
}

/// The request by which a task is started.
async fn run_task(stack: &Stack) -> Value {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    let (asked, definition) =
        (Arc::new(Mutex::new(Value::Null)), world.task(&id).await["taskDefinitionArn"].take());
    let note = Arc::clone(&asked);
    world.faults.set(move |call| {
        if call.operation == "RunTask" {
            *note.lock().unwrap() = call.body.clone();
        }
        Fault::None
    });
    let sandbox = world.row(&id).await.sandbox;
    let caller = [("PASSWORD".to_owned(), "hunter2".to_owned())].into();
    let environment = TaskEnvironment { caller: &caller, access_token: "sbx_1", task_token: "tsk_1" };
    let overrides = Overrides::new(&sandbox, &environment);
    let definition = definition.as_str().unwrap();
    launches(&world, stack).run(&sandbox, 7, definition, &overrides).await.unwrap();
    asked.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_task_runs_in_the_network_that_is_given() {
    let asked = run_task(&Stack::given(&NETWORK)).await;
    let network = &asked["networkConfiguration"]["awsvpcConfiguration"];
    let expected = json!({"subnets": ["subnet-0a", "subnet-0b"], "securityGroups": ["sg-0c"], "assignPublicIp": "DISABLED"});
    assert_eq!(network, &expected);
}

#[tokio::test(start_paused = true)]
async fn a_task_in_a_network_of_its_own_has_a_public_address_and_the_group_that_lets_nobody_in() {
    let asked = run_task(&Stack::application()).await;
    let network = &asked["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(network["assignPublicIp"], "ENABLED");
    assert_eq!(network["securityGroups"], json!(["Network.Outputs.SecurityGroupIds"]));
    assert_eq!((&asked["launchType"], &asked["cluster"]), (&json!("FARGATE"), &json!("modbox")));
    assert_eq!(asked["overrides"].get("taskRoleArn"), None);
}

/// A new account's first cluster makes the role that they need, too late for them.
#[test]
fn the_cluster_needs_no_capacity_providers() {
    let stack = Stack::application();
    let named: Vec<_> = stack.properties("Cluster").as_object().unwrap().keys().collect();
    assert_eq!(named, ["ClusterName"]);
}
