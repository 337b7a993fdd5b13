use serde_json::{Value, json};

use crate::{
    client::{PATIENCE, Request, send},
    machine::Machine,
    processes,
};

/// The ARNs of the tasks that are to run, asked for as the AWS CLI asks.
pub(crate) fn running_tasks(machine: &Machine) -> Vec<String> {
    let headers = [
        ("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListTasks"),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    let body = json!({"cluster": "modbox", "desiredStatus": "RUNNING"}).to_string();
    let request = Request { method: "POST", path: "/", headers: &headers, body: &body, ..Request::default() };
    let answer: Value = send(machine.aws(), &request).unwrap().expect(200);
    let arns = answer["taskArns"].as_array().unwrap();
    arns.iter().map(|arn| arn.as_str().unwrap().to_owned()).collect()
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
}
