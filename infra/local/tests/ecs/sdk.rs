//! The same by the AWS SDK: what it sends is understood, and what it is answered it understands.

use aws_sdk_ecs::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    error::ProvideErrorMetadata,
    operation::run_task::{RunTaskError, RunTaskOutput, builders::RunTaskFluentBuilder},
    types::{
        AwsVpcConfiguration, ContainerDefinition, ContainerOverride, KeyValuePair, LaunchType,
        NetworkConfiguration, NetworkMode, Task, TaskField, TaskOverride, TaskStopCode,
    },
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use modbox_local::ecs::Ecs;

use crate::world::{FAMILY, World};

/// The stand-in as the SDK's HTTP client.
#[derive(Clone, Debug)]
struct Wire(Ecs);

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let ecs = self.0.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap();
            let operation = target.strip_prefix("AmazonEC2ContainerServiceV20141113.").unwrap();
            let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            let (status, body) = match ecs.call(operation, body).await {
                Ok(answer) => (200, answer),
                Err(error) => (error.status, error.body()),
            };
            let body = SdkBody::from(body.to_string());
            Ok(HttpResponse::new(status.try_into().unwrap(), body))
        })
    }
}

fn client(world: &World) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .endpoint_url("http://ecs.local")
        .retry_config(RetryConfig::disabled())
        .http_client(Wire(world.ecs.clone()))
        .build();
    Client::from_conf(config)
}

/// RunTask as the launcher calls it.
fn run(client: &Client, token: &str) -> RunTaskFluentBuilder {
    let network = AwsVpcConfiguration::builder().subnets("subnet-1").build().unwrap();
    let pair = KeyValuePair::builder().name("A").value("2").build();
    let main = ContainerOverride::builder().name("main").environment(pair).build();
    client
        .run_task()
        .cluster("modbox")
        .task_definition(FAMILY)
        .launch_type(LaunchType::Fargate)
        .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build())
        .overrides(TaskOverride::builder().cpu("512").container_overrides(main).build())
        .started_by("modbox/local/1")
        .client_token(token)
}

fn one(answer: &RunTaskOutput) -> &Task {
    assert!(answer.failures().is_empty());
    &answer.tasks()[0]
}

#[tokio::test(start_paused = true)]
async fn the_sdk_runs_describes_lists_and_stops_a_task() {
    let world = World::new().await;
    let client = client(&world);
    let answer = run(&client, "t").send().await.unwrap();
    let arn = one(&answer).task_arn().unwrap();
    assert_eq!(one(&answer).last_status(), Some("PROVISIONING"));
    assert_eq!(one(&run(&client, "t").send().await.unwrap()).task_arn(), Some(arn));
    world.until(arn, "RUNNING").await;

    let listed = client.list_tasks().cluster("modbox").started_by("modbox/local/1").send().await.unwrap();
    assert_eq!(listed.task_arns(), [arn]);
    let described =
        client.describe_tasks().tasks(arn).tasks("none").include(TaskField::Tags).send().await.unwrap();
    assert_eq!(described.failures()[0].reason(), Some("MISSING"));
    let task = &described.tasks()[0];
    assert_eq!((task.last_status(), task.version()), (Some("RUNNING"), 4));
    assert_eq!((task.cpu(), task.launch_type()), (Some("512"), Some(&LaunchType::Fargate)));
    assert_eq!(task.created_at().unwrap().as_secs_f64(), 1_800_000_000.0);
    assert_eq!(task.started_at().unwrap().as_secs_f64(), 1_800_000_000.045);
    assert_eq!(task.attachments()[0].details()[1].name(), Some("privateIPv4Address"));
    let address = task.containers()[0].network_interfaces()[0].private_ipv4_address();
    assert_eq!(task.attachments()[0].details()[1].value(), address);

    let stopped = client.stop_task().cluster("modbox").task(arn).reason("over").send().await.unwrap();
    assert_eq!(stopped.task().unwrap().stop_code(), Some(&TaskStopCode::UserInitiated));
    world.until(arn, "STOPPED").await;
    let described = client.describe_tasks().tasks(arn).send().await.unwrap();
    assert_eq!(described.tasks()[0].stopped_reason(), Some("over"));
    assert_eq!(described.tasks()[0].containers()[0].exit_code(), Some(143));
}

#[tokio::test(start_paused = true)]
async fn the_sdk_knows_each_refusal() {
    let world = World::new().await;
    let client = client(&world);
    let answer = run(&client, "t").send().await.unwrap();
    let conflict = run(&client, "t").started_by("other").send().await.unwrap_err().into_service_error();
    let RunTaskError::ConflictException(conflict) = conflict else {
        panic!("{conflict}");
    };
    assert_eq!(conflict.resource_ids(), [one(&answer).task_arn().unwrap()]);

    let unknown = run(&client, "u").task_definition("none").send().await.unwrap_err().into_service_error();
    assert!(unknown.is_client_exception(), "{unknown}");
    let cluster = run(&client, "u").cluster("none").send().await.unwrap_err().into_service_error();
    assert!(cluster.is_cluster_not_found_exception(), "{cluster}");
    let stop = client.stop_task().task("none").send().await.unwrap_err().into_service_error();
    assert!(stop.is_invalid_parameter_exception(), "{stop}");
    assert_eq!(stop.message(), Some("The referenced task was not found."));
    let mut throttled = None;
    for index in 0..100 {
        throttled = run(&client, &format!("n{index}")).send().await.err();
    }
    assert_eq!(throttled.unwrap().code(), Some("ThrottlingException"));
}

#[tokio::test(start_paused = true)]
async fn the_sdk_registers_and_describes_a_definition() {
    let world = World::new().await;
    let client = client(&world);
    let main = ContainerDefinition::builder().name("main").image("modbox/sandbox").stop_timeout(2).build();
    let register = client.register_task_definition().family("other").network_mode(NetworkMode::Awsvpc);
    let registered = register.container_definitions(main).send().await.unwrap();
    let definition = registered.task_definition().unwrap();
    assert_eq!((definition.revision(), definition.family()), (1, Some("other")));
    assert!(definition.registered_at().is_some());
    let arn = definition.task_definition_arn().unwrap();
    let described = client.describe_task_definition().task_definition(arn).send().await.unwrap();
    assert_eq!(described.task_definition(), Some(definition));
    let main = &definition.container_definitions()[0];
    assert_eq!((main.essential(), main.stop_timeout()), (Some(true), Some(2)));
}
