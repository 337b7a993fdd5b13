use serde_json::{Value, json};

use crate::world::{World, definition};

#[tokio::test]
async fn each_registration_is_a_revision_and_keeps_what_it_was_given() {
    let world = World::new().await;
    let mut body = definition("other");
    body["containerDefinitions"][0]["linuxParameters"] = json!({ "initProcessEnabled": true });
    body["ephemeralStorage"] = json!({ "sizeInGiB": 30 });
    for revision in 1..=2 {
        let registered = world.ok("RegisterTaskDefinition", body.clone()).await["taskDefinition"].take();
        assert_eq!(registered["revision"], revision);
        let arn = format!("arn:aws:ecs:us-east-1:000000000000:task-definition/other:{revision}");
        assert_eq!(registered["taskDefinitionArn"], arn);
        assert_eq!(registered["status"], "ACTIVE");
        assert_eq!(registered["ephemeralStorage"]["sizeInGiB"], 30);
        let main = &registered["containerDefinitions"][0];
        assert_eq!(main["linuxParameters"]["initProcessEnabled"], true);
        assert_eq!((&main["essential"], &main["portMappings"]), (&json!(true), &json!([])));
        for reference in [format!("other:{revision}"), "other".to_owned(), arn] {
            let body = json!({ "taskDefinition": reference });
            let described = world.ok("DescribeTaskDefinition", body).await;
            assert_eq!(described["taskDefinition"], registered);
        }
    }
}

#[tokio::test]
async fn an_inactive_revision_is_described_and_not_the_newest() {
    let world = World::new().await;
    world.ok("RegisterTaskDefinition", definition("sandbox")).await;
    let second = json!({ "taskDefinition": "sandbox:2" });
    let answer = world.ok("DeregisterTaskDefinition", second.clone()).await;
    assert_eq!(answer["taskDefinition"]["status"], "INACTIVE");
    let described = world.ok("DescribeTaskDefinition", second).await;
    assert_eq!(described["taskDefinition"]["status"], "INACTIVE");
    let newest = world.ok("DescribeTaskDefinition", json!({ "taskDefinition": "sandbox" })).await;
    assert_eq!(newest["taskDefinition"]["revision"], 1);
}

#[tokio::test]
async fn an_unknown_definition_cannot_be_described() {
    let world = World::new().await;
    for reference in
        ["none", "sandbox:0", "sandbox:2", "sandbox:x", "", "arn:aws:ecs:eu:1:task-definition/sandbox:1"]
    {
        let error = world.refused("DescribeTaskDefinition", json!({ "taskDefinition": reference })).await;
        assert_eq!(error.code, "ClientException", "{reference}");
        assert_eq!(error.message, "Unable to describe task definition.");
    }
}

#[tokio::test]
async fn what_cannot_run_is_not_registered() {
    let world = World::new().await;
    let with = |change: fn(&mut Value)| {
        let mut body = definition("sandbox");
        change(&mut body);
        body
    };
    let cases = [
        (with(|body| body["family"] = json!("")), "Family"),
        (with(|body| body["family"] = json!("a:b")), "family"),
        (with(|body| body["containerDefinitions"] = json!([])), "Container list"),
        (with(|body| body["containerDefinitions"][0]["name"] = json!("")), "Container.name"),
        (with(|body| body["containerDefinitions"][0]["image"] = json!("")), "Container.image"),
        (with(|body| body["containerDefinitions"][0]["name"] = json!("ready")), "unique"),
        (with(|body| body["containerDefinitions"][0]["stopTimeout"] = json!(121)), "stopTimeout"),
        (
            with(|body| {
                body["containerDefinitions"] = json!([{ "name": "a", "image": "b", "essential": false }]);
            }),
            "essential",
        ),
    ];
    for (body, words) in cases {
        let error = world.refused("RegisterTaskDefinition", body).await;
        assert_eq!(error.code, "ClientException");
        assert!(error.message.contains(words), "{words}: {}", error.message);
    }
}
