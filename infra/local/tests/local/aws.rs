use serde_json::{Value, json};

use crate::{
    client::{PATIENCE, Request, send},
    machine::Machine,
    processes,
};

/// Asks ECS as the AWS CLI asks.
fn ecs(machine: &Machine, operation: &str, body: &Value) -> Value {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let headers = [("x-amz-target", &*target), ("content-type", "application/x-amz-json-1.1")];
    let body = body.to_string();
    let request = Request { method: "POST", path: "/", headers: &headers, body: &body, ..Request::default() };
    send(machine.aws(), &request).unwrap().expect(200)
}

/// The ARNs of the tasks that are to run.
pub(crate) fn running_tasks(machine: &Machine) -> Vec<String> {
    let answer = ecs(machine, "ListTasks", &json!({"cluster": "modbox", "desiredStatus": "RUNNING"}));
    let arns = answer["taskArns"].as_array().unwrap();
    arns.iter().map(|arn| arn.as_str().unwrap().to_owned()).collect()
}

/// Whether ECS saw a task of the sandbox run that is over now.
pub(crate) fn has_run(machine: &Machine, id: &str) -> bool {
    let started_by = format!("modbox/local/{id}");
    let ended = json!({"cluster": "modbox", "desiredStatus": "STOPPED", "startedBy": started_by});
    let arns = ecs(machine, "ListTasks", &ended)["taskArns"].take();
    if arns.as_array().unwrap().is_empty() {
        return false;
    }
    let described = ecs(machine, "DescribeTasks", &json!({"cluster": "modbox", "tasks": arns}));
    described["tasks"].as_array().unwrap().iter().any(|task| !task["startedAt"].is_null())
}

pub(crate) fn the_aws_endpoint_shows_what_runs() {
    let machine = Machine::start();
    assert!(running_tasks(&machine).is_empty());
    let sandbox = machine.create_running(&json!({}));
    let running = running_tasks(&machine);
    assert_eq!(running.len(), 1);
    assert!(running[0].starts_with("arn:aws:ecs:") && running[0].contains(":task/modbox/"), "{running:?}");
    machine.destroy(&sandbox.id);
    processes::until(PATIENCE, "no task is to run", || running_tasks(&machine).is_empty());
    assert!(has_run(&machine, &sandbox.id));
}
