//! Users and tokens from their making to their end.

use std::time::{Duration, Instant};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_api_until_it_is_revoked() {
    let world = World::start().await;
    world.json(&["user", "create", "ann"]);
    let made = world.json(&["token", "create", "ann", "--description", "laptop"]);
    let token = made["token"].as_str().unwrap();
    assert_eq!(world.knock(token), "200");
    let id = made["id"].as_str().unwrap();
    let revoked = world.json(&["token", "revoke", id]);
    assert_eq!(world.knock(token), "token_revoked");
    assert_eq!(world.json(&["token", "revoke", id]), revoked, "again changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_user_has_no_valid_token_and_gets_none() {
    let world = World::start().await;
    for user in ["ann", "ann.lee"] {
        world.json(&["user", "create", user]);
    }
    let make = |user: &str| world.json(&["token", "create", user])["token"].as_str().unwrap().to_owned();
    let (one, two, other) = (make("ann"), make("ann"), make("ann.lee"));
    assert_eq!(world.json(&["user", "revoke", "ann"])["tokens"], 2);
    assert_eq!(
        [&one, &two, &other].map(|token| world.knock(token)),
        ["token_revoked", "token_revoked", "200"]
    );
    assert!(world.refused(&["token", "create", "ann"]).contains("the user ann was revoked"));
    let users = world.json(&["user", "list"]);
    assert!(users[0]["revoked_at"].is_string() && users[1]["revoked_at"].is_null(), "{users}");
    world.json(&["user", "revoke", "ann"]);
    assert_eq!(world.json(&["user", "list"]), users, "again changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_valid_for_as_long_as_was_said() {
    let world = World::start().await;
    world.json(&["user", "create", "ann"]);
    let made = world.json(&["token", "create", "ann", "--expires-in", "2s"]);
    let token = made["token"].as_str().unwrap();
    assert!(made["expires_at"].as_str().unwrap() > made["created_at"].as_str().unwrap());
    let until = Instant::now() + Duration::from_secs(30);
    while world.knock(token) != "token_expired" {
        assert!(Instant::now() < until, "it does not expire");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let shown = world.admin(&["token", "list", "ann"]).stdout;
    assert!(shown.contains(" expired"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once() {
    let world = World::start().await;
    world.json(&["user", "create", "ann"]);
    let said = world.admin(&["token", "create", "ann", "--description", "ci"]).stdout;
    let token = said.lines().next().unwrap();
    assert!(token.starts_with("mbx_") && said.contains("shown this once"), "{said}");
    assert_eq!(world.knock(token), "200");
    let listed = [
        world.admin(&["token", "list", "ann"]).stdout,
        world.json(&["token", "list", "ann"]).to_string(),
        world.json(&["user", "list"]).to_string(),
    ];
    assert!(!listed.concat().contains(&token[4..]), "{listed:?}");
    let id = world.json(&["token", "list", "ann"])[0]["id"].as_str().unwrap().to_owned();
    assert!(id.len() == 16 && said.contains(&id) && listed[0].contains("ci"), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_added_once_under_a_plain_name() {
    let world = World::start().await;
    let ann = world.json(&["user", "create", "ann"]);
    assert!(world.refused(&["user", "create", "ann"]).contains("there is a user ann already"));
    assert!(world.refused(&["user", "create", "#tokens"]).contains("is no name of a user"));
    world.json(&["user", "create", "bob"]);
    let users = world.json(&["user", "list"]);
    assert_eq!(users[0], ann);
    assert_eq!(users[1]["name"], "bob");
    assert_ne!(users[0]["workspace"], users[1]["workspace"]);
    let shown = world.admin(&["user", "list"]).stdout;
    assert!(shown.starts_with("NAME  WORKSPACE") && shown.lines().count() == 3, "{shown}");
}
