//! Users and their tokens, as an administrator has them.

use modbox_control::AdminError;
use modbox_local::{aws_json::AwsError, stack::TABLE};
use modbox_tests::{Fault, World};
use serde_json::json;

/// A user with that many tokens, which are answered.
async fn with_tokens(world: &World, name: &str, count: usize) -> Vec<String> {
    world.stack.admin.create_user(name).await.unwrap();
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(world.stack.admin.create_token(name, None, None).await.unwrap().text);
    }
    texts
}

async fn codes(world: &World, tokens: &[String]) -> Vec<u16> {
    let mut codes = Vec::new();
    for token in tokens {
        codes.push(world.guest().with_token(token).get("/sandboxes").await.status.as_u16());
    }
    codes
}

#[tokio::test(start_paused = true)]
async fn a_revocation_of_a_user_that_was_interrupted_is_completed_by_doing_it_again() {
    // Interrupted at each of its writes: the user's own, then each of the three tokens'.
    for writes in 0..4_usize {
        let world = World::start().await;
        let tokens = with_tokens(&world, "ann", 3).await;
        let mut done = 0;
        world.faults.set(move |call| {
            if (call.caller, call.operation) != ("local", "UpdateItem") {
                return Fault::None;
            }
            done += 1;
            let denied = AwsError::client("AccessDeniedException", "not any more");
            if done > writes { Fault::Refused(denied) } else { Fault::None }
        });
        world.stack.admin.revoke_user("ann").await.unwrap_err();
        world.faults.clear();
        let open = codes(&world, &tokens).await.iter().filter(|code| **code == 200).count();
        assert_eq!(open, 3 - writes.saturating_sub(1));
        let further = world.stack.admin.create_token("ann", None, None).await;
        assert_eq!(further.is_err(), writes > 0, "no token is made once the user is revoked");

        world.stack.admin.revoke_user("ann").await.unwrap();
        assert_eq!(codes(&world, &tokens).await, [401, 401, 401]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_made_while_its_user_is_revoked_is_refused_by_the_write_itself() {
    let world = World::start().await;
    with_tokens(&world, "ann", 0).await;
    // The user is read as valid, and revoked before the token is written.
    let stack_table = world.stack.table.clone();
    let now = world.now();
    world.faults.set(|call| match (call.caller, call.operation) {
        ("local", "TransactWriteItems") => Fault::Late(std::time::Duration::from_secs(1)),
        _ => Fault::None,
    });
    let revoke = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        stack_table.revoke_user(&modbox_sandbox::UserId::new("ann"), now).await.unwrap()
    };
    let (made, _) = tokio::join!(world.stack.admin.create_token("ann", None, None), revoke);
    assert!(matches!(made, Err(AdminError::UserRevoked(_))), "{made:?}");
    assert!(!world.items().keys().any(|key| key.starts_with("TOKEN#")));
}

/// More tokens are counted than the index lists: one was made just now.
#[tokio::test(start_paused = true)]
async fn a_revocation_that_cannot_find_every_token_says_so() {
    let world = World::start().await;
    let tokens = with_tokens(&world, "ann", 1).await;
    let update = json!({
        "TableName": TABLE,
        "Key": {"pk": {"S": "USER#ann"}, "sk": {"S": "USER#ann"}},
        "UpdateExpression": "ADD tokens :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    });
    world.stack.dynamo.call("UpdateItem", update).unwrap();
    let revoked = world.stack.admin.revoke_user("ann").await;
    assert!(matches!(revoked, Err(AdminError::IndexLags(_))), "{revoked:?}");
    assert_eq!(codes(&world, &tokens).await, [401], "what is found is revoked all the same");
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_has_succeeded() {
    let world = World::start().await;
    world.faults.next(("local", "TransactWriteItems"), 1, Fault::lost());
    world.stack.admin.create_user("ann").await.unwrap();
    world.faults.next(("local", "TransactWriteItems"), 1, Fault::lost());
    let made = world.stack.admin.create_token("ann", None, None).await.unwrap();
    assert_eq!(codes(&world, &[made.text]).await, [200]);
    assert_eq!(world.stack.admin.revoke_user("ann").await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_sees_users_and_tokens_among_sandboxes() {
    let world = World::start().await;
    let tokens = with_tokens(&world, "tokens", 2).await;
    let named = world.guest().with_token(&tokens[0]);
    named.create(json!({"task_id": "web"})).await;
    for query in ["", "?status=provisioning", "?limit=10"] {
        let answer = named.get(&format!("/sandboxes{query}")).await.expect(200);
        assert_eq!((&answer["total"], &answer["sandboxes"][0]["name"]), (&json!(1), &json!("web")));
    }
    world.settle().await;
    assert!(world.dead_letters().is_empty(), "and no function takes them for one");
}
