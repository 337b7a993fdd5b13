use modbox_sidecar::tree::Signal;

use crate::scene::Scene;
use crate::world::{Sidecar, Stub, eventually, free_address, in_millis, millis};

const METADATA: &str = "ECS_CONTAINER_METADATA_URI_V4";

#[test]
fn a_container_of_ecs_prints_what_the_task_has_used() {
    let one = |nanos: u64, bytes: u64| {
        format!(
            r#"{{"cpu_stats":{{"cpu_usage":{{"total_usage":{nanos}}}}},"memory_stats":{{"usage":{bytes}}}}}"#
        )
    };
    let stats = format!(
        r#"{{"main":{},"ready":null,"deadline":{}}}"#,
        one(1_000_000_000, 4_096),
        one(250_000_000, 4)
    );
    let stub = Stub::start(move |_| (200, stats.clone()));
    let mut sidecar = Sidecar::start(&["deadline"], &[(METADATA, &format!("{}/v4/id", stub.url()))]);
    assert_eq!(stub.next().line, "GET /v4/id/task/stats HTTP/1.1");
    assert_eq!(sidecar.line(), r#"{"cpu_seconds":1.25,"memory_bytes":4100}"#);
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
}

#[test]
fn a_metadata_endpoint_that_hangs_or_is_not_there_delays_no_deadline() {
    let hangs = Stub::start(|_| (0, String::new()));
    for endpoint in [hangs.url(), format!("http://{}", free_address())] {
        let expires_at = in_millis(1_500);
        let env = [(METADATA, endpoint.as_str()), ("MODBOX_EXPIRES_AT_MS", &expires_at)];
        let mut sidecar = Sidecar::start(&["deadline"], &env);
        assert_eq!(sidecar.code(), 124);
        assert!(sidecar.age() < millis(3_500), "{:?}", sidecar.age());
    }
    hangs.next();
}

#[test]
fn a_supervised_task_logs_what_it_uses() {
    let scene = Scene::new(500).runs("main", true, "exec sleep 60");
    let mut sidecar = scene.start();
    eventually("a sample", || !scene.said("deadline").is_empty());
    let (_, line) = scene.said("deadline").remove(0);
    let sample: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(sample["cpu_seconds"].as_f64().is_some(), "{line}");
    assert!(sample["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 100_000), "{line}");
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
}
