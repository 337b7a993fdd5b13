//! Rule 6: what the schedule costs.

use std::collections::BTreeMap;

use modbox_tests::World;
use serde_json::{Value, json};

/// Puts rows into the table that are live and due far away, as far as the indexes can tell.
fn fill(world: &World, count: u32) {
    let rows: Vec<Value> = (0..count)
        .map(|n| {
            let key = json!({"S": format!("SANDBOX#00000000-0000-4000-8000-{n:012}")});
            let (shard, far) = (format!("ATTENTION#{}", n % 4), "9000000000000");
            json!({"PutRequest": {"Item": {
                "pk": key, "sk": key, "owner": {"S": "ann"}, "live": {"S": "ann"}, "created": {"S": format!("{n:015}")},
                "attention": {"S": shard}, "look_at": {"N": far},
            }}})
        })
        .collect();
    for chunk in rows.chunks(25) {
        world.stack.dynamo.call("BatchWriteItem", json!({"RequestItems": {"modbox": chunk}})).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_with_nothing_due_costs_one_query_per_shard_however_many_live() {
    let world = World::start().await;
    // The engine's stream would slow each of the many writes below, and nobody is to hear of them.
    let off = json!({"TableName": "modbox", "StreamSpecification": {"StreamEnabled": false}});
    world.stack.dynamo.call("UpdateTable", off).unwrap();
    // The first tick looks for orphans as well.
    world.tick().await;
    let one_query_per_shard = BTreeMap::from([("Query".to_owned(), 4)]);
    for count in [10, 100_000] {
        fill(&world, count);
        let (said, calls) = world.counting("reaper", world.stack.tick()).await;
        assert_eq!(said.unwrap()["due"], 0);
        assert_eq!(calls, one_query_per_shard, "with {count} live rows");
    }
}
