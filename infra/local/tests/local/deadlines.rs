use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::PATIENCE,
    machine::{Machine, Sandbox, moment, now, sleep_until},
    processes::{self, until},
};

/// The shortest life there is.
const TTL: i64 = 60;
/// How long processes may be there after the deadline.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// A sandbox with processes that do not end when asked, found by the word.
fn short_lived(machine: &Machine) -> (Sandbox, String, OffsetDateTime) {
    let sandbox = machine.create_running(&json!({"task_id": "short", "ttl_seconds": TTL}));
    let word = sandbox.leave_stubborn_processes();
    let expires_at = sandbox.expires_at.unwrap();
    (sandbox, word, expires_at)
}

fn assert_gone_in_time(sandbox: &Sandbox, word: &str, expires_at: OffsetDateTime) {
    let left = Duration::try_from(expires_at + GONE_WITHIN - now()).unwrap_or_default();
    until(left, "its processes are gone", || processes::with_word(word) + sandbox.processes() == 0);
}

fn assert_expired(machine: &Machine, sandbox: &Sandbox, expires_at: OffsetDateTime) {
    let detail = machine.detail(&sandbox.id);
    assert_eq!((&detail["status"], &detail["reason"]), (&"destroyed".into(), &"expired".into()), "{detail}");
    assert_eq!(moment(detail["destroyed_at"].as_str().unwrap()), expires_at, "{detail}");
}

pub(crate) fn a_sandbox_is_over_at_its_deadline_and_gone_soon_after() {
    let machine = Machine::start();
    let (sandbox, word, expires_at) = short_lived(&machine);

    sleep_until(expires_at - Duration::from_millis(1_500));
    let before = machine.detail(&sandbox.id);
    assert_eq!(before["status"], "running", "{before}");
    assert_eq!(sandbox.exec("echo alive").unwrap()["stdout"], "alive\n");
    assert!(now() < expires_at, "the machine is too slow to tell");

    sleep_until(expires_at);
    assert_expired(&machine, &sandbox, expires_at);
    let status = machine.get("/sandboxes/status/short").expect(200);
    assert_eq!((&status["ready"], &status["error"]), (&false.into(), &"expired".into()), "{status}");
    let next = machine.create(&json!({"task_id": "short"}));
    assert_ne!(next.id, sandbox.id);

    assert_gone_in_time(&sandbox, &word, expires_at);
    assert!(sandbox.refuses());
    assert_eq!(machine.wait(&next.id)["ready"], true);
    assert_expired(&machine, &sandbox, expires_at);
}

pub(crate) fn a_deadline_holds_while_modbox_local_is_dead() {
    let mut machine = Machine::start();
    let (sandbox, word, expires_at) = short_lived(&machine);
    machine.kill();

    sleep_until(expires_at - Duration::from_millis(1_500));
    assert_eq!(sandbox.exec("echo alive").unwrap()["stdout"], "alive\n");
    assert_gone_in_time(&sandbox, &word, expires_at);
    // A container's engine takes its port away after it.
    until(Duration::from_secs(5), "its address refuses", || sandbox.refuses());

    machine.run(|_| {});
    assert_expired(&machine, &sandbox, expires_at);
    until(PATIENCE, "what it left is cleaned up", || machine.folders() == 0);
}

pub(crate) fn an_extension_holds_beyond_the_first_deadline() {
    let machine = Machine::start();
    let (sandbox, word, first) = short_lived(&machine);

    // The sidecar has begun to ask for its deadline by then.
    sleep_until(first - Duration::from_secs(20));
    let extended = machine.post(&format!("/sandboxes/{}/extend", sandbox.id), &json!({"ttl_seconds": TTL}));
    let second = moment(extended.expect(200)["expires_at"].as_str().unwrap());
    assert!(second > first + Duration::from_secs(35), "{second}");

    sleep_until(first + Duration::from_secs(10));
    let detail: Value = machine.detail(&sandbox.id);
    assert_eq!(detail["status"], "running", "{detail}");
    assert_eq!(sandbox.exec("echo alive").unwrap()["stdout"], "alive\n");

    // Nobody calls anything from here on.
    sleep_until(second);
    assert_gone_in_time(&sandbox, &word, second);
    assert_expired(&machine, &sandbox, second);
}
