//! What goes wrong says what to do.

use std::{fs, process::Command};

use crate::world::{World, bare, run};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_with_where_to_look() {
    let world = World::start().await;
    let said = world.refused(&["user", "list", "--table", "other"]);
    assert!(said.contains("there is no table other") && said.contains("--table"), "{said}");
    for arguments in
        [["token", "create", "nobody"], ["token", "list", "nobody"], ["user", "revoke", "nobody"]]
    {
        let said = world.refused(&arguments);
        assert!(said.contains("there is no user nobody") && said.contains("user create nobody"), "{said}");
    }
    let said = world.refused(&["token", "revoke", "0123456789abcdef"]);
    assert!(said.contains("there is no token 0123456789abcdef") && said.contains("token list"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_a_usage_error() {
    let world = World::start().await;
    let usage: [&[&str]; 4] =
        [&[], &["user"], &["token", "create", "ann", "--expires-in", "soon"], &["token", "revoke"]];
    for arguments in usage {
        assert_eq!(world.command(arguments).output().unwrap().status.code(), Some(2), "{arguments:?}");
    }
    world.json(&["user", "create", "ann"]);
    let said = world.refused(&["token", "create", "ann", "--description", "two\nlines"]);
    assert!(said.contains("description"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_that_cannot_be_reached_says_what_is_missing() {
    let world = World::start().await;
    let said = |command: &mut Command| {
        let said = run(command);
        assert!(!said.ok, "{said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
        said.stderr
    };
    let without_credentials = said(bare(world.home.path(), &["user", "list"]).env("AWS_REGION", "us-east-1"));
    assert!(without_credentials.contains("no AWS credentials"), "{without_credentials}");
    assert!(without_credentials.contains("aws sso login"), "{without_credentials}");
    let without_region = said(world.command(&["user", "list"]).env_remove("AWS_REGION"));
    assert!(without_region.contains("--region"), "{without_region}");
    let unknown = said(&mut world.command(&["user", "list", "--profile", "nowhere"]));
    assert!(unknown.contains("no AWS credentials") && unknown.contains("nowhere"), "{unknown}");
    let silent = said(&mut world.command(&["user", "list", "--endpoint-url", "http://127.0.0.1:9"]));
    assert!(silent.contains("refused") && !silent.contains("DispatchFailure"), "{silent}");
    assert!(silent.contains("did not answer") && silent.contains("--endpoint-url"), "{silent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_leads_to_aws_by_itself() {
    let world = World::start().await;
    let folder = world.home.path().join(".aws");
    fs::create_dir(&folder).unwrap();
    let profile = format!(
        "[profile dev]\nregion = eu-north-1\nendpoint_url = {}\naws_access_key_id = any\naws_secret_access_key = any\n",
        world.endpoint()
    );
    fs::write(folder.join("config"), profile).unwrap();
    world.json(&["user", "create", "ann"]);
    for (arguments, profile) in
        [(vec!["user", "list", "--profile", "dev"], None), (vec!["user", "list"], Some("dev"))]
    {
        let mut command = bare(world.home.path(), &arguments);
        let said = run(command.envs(profile.map(|name| ("AWS_PROFILE", name))));
        assert!(said.ok && said.stdout.contains("ann"), "{said:?}");
    }
    let flags = ["user", "list", "--region", "us-east-1", "--endpoint-url", &world.endpoint()];
    let mut command = bare(world.home.path(), &flags);
    let said = run(command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any"));
    assert!(said.ok && said.stdout.contains("ann"), "{said:?}");
}
