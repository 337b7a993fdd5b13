//! What is written is read again, and what nobody writes is refused.

use aws_sdk_dynamodb::types::AttributeValue;
use modbox_sandbox::{Event, LaunchRefusal, TaskPhase, TaskSeen, apply, create};

use super::*;

const T0: Timestamp = Timestamp::from_millis(1_700_000_000_123);
const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

fn fresh() -> Sandbox {
    let spec = Spec {
        image: "modbox/sandbox".to_owned(),
        readiness_port: Some(8080),
        memory_mb: 1024,
        url: "http://127.1.2.3:8080".to_owned(),
        api_url: "http://127.0.0.1:3000".to_owned(),
        client_reference: Some("order 17".to_owned()),
    };
    let (id, owner, name) = (SandboxId::from_random(1), UserId::new("ann"), Name::new("web").unwrap());
    let ttl = Duration::from_secs(60);
    create(id, owner, Some(name), spec, (T0, Some(ttl)))
}

fn after(sandbox: &Sandbox, event: Event) -> Sandbox {
    apply(sandbox, event, T0 + Duration::from_secs(1)).unwrap().sandbox
}

fn seen(version: u64, phase: TaskPhase) -> Event {
    Event::TaskSeen(TaskSeen { incarnation: 1, arn: TaskArn::new("task/ours"), version, phase })
}

/// One sandbox in each form that a row can have.
fn sandboxes() -> Vec<(&'static str, Sandbox)> {
    let wanted = fresh();
    let refusal =
        |retryable| Event::LaunchRefused(LaunchRefusal { attempt: 1, message: "no".to_owned(), retryable });
    let started = after(&wanted, seen(1, TaskPhase::Starting));
    let running = after(&started, seen(2, TaskPhase::Ready));
    let by = || UserId::new("ann");
    let stopping = after(&running, Event::Destroy { by: by() });
    vec![
        ("wanted", wanted.clone()),
        ("refused", after(&wanted, refusal(true))),
        ("failed", after(&wanted, refusal(false))),
        ("destroyed before a task", after(&wanted, Event::Destroy { by: by() })),
        ("started", started.clone()),
        ("running", running.clone()),
        ("forever", Sandbox { expires_at: None, ..running.clone() }),
        ("stopped", after(&running, Event::Stop { by: by() })),
        ("dismissed", after(&after(&running, Event::Stop { by: by() }), Event::Destroy { by: by() })),
        (
            "labelled",
            Sandbox {
                labels: Labels::new([("who".to_owned(), "ann".to_owned())].into()).unwrap(),
                extended_at: Some(T0 + Duration::from_secs(1)),
                ..running.clone()
            },
        ),
        ("killed", after(&running, Event::Kill { by: by() })),
        ("exited", after(&running, seen(3, TaskPhase::Stopped(EndReason::Exited { code: Some(3) })))),
        (
            "exited without code",
            after(&running, seen(3, TaskPhase::Stopped(EndReason::Exited { code: None }))),
        ),
        ("expired", after(&running, seen(3, TaskPhase::Stopped(EndReason::Expired)))),
        ("lost", after(&running, seen(3, TaskPhase::Stopped(EndReason::Lost)))),
        ("stop sent", after(&stopping, Event::StopSent { arn: TaskArn::new("task/ours") })),
        ("stopping", stopping.clone()),
        ("gone", after(&stopping, seen(9, TaskPhase::Stopped(EndReason::Requested)))),
    ]
}

fn row(sandbox: Sandbox) -> Row {
    Row { sandbox, key_id: "k1".to_owned(), env: Some(vec![1, 2, 3]), write: "w1".to_owned() }
}

#[test]
fn every_form_of_a_row_survives_the_table() {
    for (name, sandbox) in sandboxes() {
        let row = row(sandbox);
        let item = row.item(RETENTION);
        assert_eq!(Row::read("t", &item).unwrap(), row, "{name}");
    }
}

#[test]
fn a_row_that_lacks_what_its_state_needs_is_refused_with_its_key() {
    for (name, sandbox) in sandboxes() {
        let row = row(sandbox);
        let item = row.item(RETENTION);
        for attribute in item.keys() {
            let mut damaged = item.clone();
            damaged.remove(attribute);
            match Row::read("t", &damaged) {
                // What may be absent is absent then, and nothing else changes.
                Ok(read) => assert_ne!((attribute.as_str(), &read), ("state", &row), "{name}"),
                Err(Error::Corrupt { key, .. }) if attribute == "pk" => assert_eq!(key, "without pk"),
                Err(Error::Corrupt { key, .. }) => {
                    assert_eq!(key, format!("SANDBOX#{}", row.sandbox.id), "{name}");
                }
                Err(other) => panic!("{name} without {attribute}: {other}"),
            }
        }
        for required in
            ["v", "id", "owner", "name", "state", "version", "created_at", "url", "write", "key_id"]
        {
            let mut damaged = item.clone();
            damaged.remove(required);
            assert!(Row::read("t", &damaged).is_err(), "{name} without {required}");
        }
    }
}

#[test]
fn a_row_whose_attributes_contradict_its_state_is_refused() {
    let contradictions = [
        ("wants", "task"),
        ("wants", "stop"),
        ("live", "ann"),
        ("live", "bob"),
        ("state", "running"),
        ("state", "destroyed"),
        ("state", "unheard of"),
        ("v", "2"),
    ];
    for (name, sandbox) in sandboxes() {
        let item = row(sandbox).item(RETENTION);
        for (attribute, value) in contradictions {
            let value = if attribute == "v" {
                AttributeValue::N(value.to_owned())
            } else {
                AttributeValue::S(value.to_owned())
            };
            // A task that was heard of late is being stopped in Destroyed as it is in Destroying.
            let stopping = item.get("state") == Some(&AttributeValue::S("destroying".to_owned()));
            let same = stopping
                && item.contains_key("task_arn")
                && value == AttributeValue::S("destroyed".to_owned());
            if same || item.get(attribute) == Some(&value) {
                continue;
            }
            let mut damaged = item.clone();
            damaged.insert(attribute.to_owned(), value.clone());
            assert!(Row::read("t", &damaged).is_err(), "{name} with {attribute} {value:?}");
        }
    }
}

#[test]
fn an_attribute_of_another_type_is_refused() {
    for (name, sandbox) in sandboxes() {
        let item = row(sandbox).item(RETENTION);
        // These drive the indexes and DynamoDB; the state does not depend on them.
        let derived = ["pk", "sk", "created", "attention", "ttl"];
        for attribute in item.keys().filter(|attribute| !derived.contains(&attribute.as_str())) {
            let mut damaged = item.clone();
            damaged.insert(attribute.clone(), AttributeValue::Bool(true));
            let read = Row::read("t", &damaged);
            let ignored = matches!(&read, Ok(read) if read.item(RETENTION) == item);
            assert!(read.is_err() || ignored, "{name} with another {attribute}");
        }
    }
}

#[test]
fn the_sparse_attributes_follow_the_state() {
    let sparse = |sandbox: Sandbox| {
        let item = row(sandbox).item(RETENTION);
        ["wants", "live", "attention"].map(|name| item.contains_key(name))
    };
    let by_name: std::collections::BTreeMap<_, _> =
        sandboxes().into_iter().map(|(name, sandbox)| (name, sparse(sandbox))).collect();
    insta::assert_debug_snapshot!(by_name);
}

/// The format as it is stored. A change of it needs a new version, and this fixture stays readable.
#[test]
fn format_1_is_as_it_was_first_written() {
    let items: Vec<_> = sandboxes()
        .into_iter()
        .filter(|(name, _)| ["wanted", "running", "stopping"].contains(name))
        .map(|(name, sandbox)| {
            (name, row(sandbox).item(RETENTION).into_iter().collect::<std::collections::BTreeMap<_, _>>())
        })
        .collect();
    insta::assert_debug_snapshot!(items);
}

#[test]
fn a_row_that_is_ending_outlives_a_short_retention_until_its_task_has_stopped() {
    let retention = Duration::from_secs(2);
    let running = after(&fresh(), seen(2, TaskPhase::Ready));
    let stopping = after(&running, Event::Destroy { by: UserId::new("ann") });
    let ended_at = T0 + Duration::from_secs(1);
    assert_eq!(row(stopping.clone()).ttl(retention), Some(ended_at + retention + TTL_GRACE));
    let gone = after(&stopping, seen(9, TaskPhase::Stopped(EndReason::Requested)));
    assert_eq!(row(gone).ttl(retention), Some(ended_at + retention));
}

#[test]
fn all_of_a_row_is_told_but_its_environment_and_its_callers_own_words() {
    for (name, sandbox) in sandboxes() {
        let item = row(sandbox).item(RETENTION);
        let told = crate::table::remains::of_item(&item);
        for untold in item.keys().filter(|attribute| told.get(attribute).is_none()) {
            let kept = ["client_reference", "env", "labels", "pk", "sk"];
            assert!(kept.contains(&untold.as_str()), "{name}: {untold}");
        }
        assert!(told.get("client_reference").is_none() && told.get("env").is_none(), "{name}");
    }
}
