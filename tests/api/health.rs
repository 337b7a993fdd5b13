use modbox_tests::World;

#[tokio::test(start_paused = true)]
async fn health_answers_without_a_token_and_without_the_table() {
    let world = World::start().await;
    let (answer, calls) = world.counting("api", world.guest().get("/health")).await;
    assert_eq!(answer.expect(200)["status"], "ok");
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn health_does_not_mind_a_token_that_is_not_valid() {
    let world = World::start().await;
    world.guest().with_token("mbx_nobody").get("/health").await.expect(200);
}
