//! What goes wrong says what to do.

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

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

/// An STS that lets anybody take any role, and tells how each request was signed.
async fn sts() -> (String, Arc<Mutex<Vec<String>>>) {
    const ANSWER: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>any</AccessKeyId>\
        <SecretAccessKey>any</SecretAccessKey><SessionToken>any</SessionToken>\
        <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let signatures = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&signatures);
    let router = axum::Router::new().fallback(async move |headers: axum::http::HeaderMap| {
        seen.lock().unwrap().push(headers["authorization"].to_str().unwrap().to_owned());
        ANSWER
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, signatures)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_assumes_a_role_has_its_region_for_that_too() {
    let world = World::start().await;
    let (sts, signatures) = sts().await;
    let folder = world.home.path().join(".aws");
    fs::create_dir(&folder).unwrap();
    let profiles = format!(
        "[profile own]\naws_access_key_id = any\naws_secret_access_key = any\n\
         [profile ops]\nrole_arn = arn:aws:iam::123456789012:role/ops\nsource_profile = own\n\
         region = eu-north-1\nendpoint_url = {}\n",
        world.endpoint()
    );
    fs::write(folder.join("config"), profiles).unwrap();
    world.json(&["user", "create", "ann"]);
    let said = ["user", "list", "--profile", "ops"];
    for (arguments, environment, region) in [
        (said.to_vec(), None, "eu-north-1"),
        (said.to_vec(), Some("eu-west-1"), "eu-west-1"),
        ([&said[..], &["--region", "us-west-2"]].concat(), Some("eu-west-1"), "us-west-2"),
    ] {
        let mut command = bare(world.home.path(), &arguments);
        command.env("AWS_ENDPOINT_URL_STS", &sts).envs(environment.map(|name| ("AWS_REGION", name)));
        let listed = run(&mut command);
        assert!(listed.ok && listed.stdout.contains("ann"), "{listed:?}");
        let signature = signatures.lock().unwrap().pop().unwrap();
        assert!(signature.contains(&format!("/{region}/sts/")), "{signature}");
    }
}
