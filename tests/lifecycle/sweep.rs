//! Rule 6: what the schedule costs.

use std::collections::BTreeMap;

use modbox_tests::World;
use serde_json::{Value, json};

use super::running;

/// Puts copies of a running row into the table, all due far away.
fn multiply(world: &World, template: &Value, count: u32) {
    let copies: Vec<Value> = (0..count)
        .map(|n| {
            let id = format!("00000000-0000-4000-8000-{n:012}");
            let mut item = template.clone();
            for (name, value) in [
                ("pk", json!({"S": format!("SANDBOX#{id}")})),
                ("sk", json!({"S": format!("SANDBOX#{id}")})),
                ("id", json!({"S": id})),
                ("created", json!({"S": format!("{n:015}#{id}")})),
                ("attention", json!({"S": format!("ATTENTION#{}", n % 4)})),
            ] {
                item[name] = value;
            }
            json!({"PutRequest": {"Item": item}})
        })
        .collect();
    for chunk in copies.chunks(25) {
        world.stack.dynamo.call("BatchWriteItem", json!({"RequestItems": {"modbox": chunk}})).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_with_nothing_due_costs_one_query_per_shard_however_many_live() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    world.tick().await;
    // The engine's stream would slow each of the many writes below, and nobody is to hear of them.
    let off = json!({"TableName": "modbox", "StreamSpecification": {"StreamEnabled": false}});
    world.stack.dynamo.call("UpdateTable", off).unwrap();
    let template = world.items()[&format!("SANDBOX#{id}")].clone();
    let one_query_per_shard = BTreeMap::from([("Query".to_owned(), 4)]);
    for count in [10, 100_000] {
        multiply(&world, &template, count);
        let (said, calls) = world.counting("reaper", world.stack.tick()).await;
        assert_eq!(said.unwrap()["due"], 0);
        assert_eq!(calls, one_query_per_shard, "with {count} live rows");
    }
}
