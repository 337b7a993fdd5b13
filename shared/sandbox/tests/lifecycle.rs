//! The full transition matrix, and what holds of every sequence of events.
#![expect(clippy::unwrap_used, reason = "a refusal that no test asked for has failed it")]

use std::time::Duration;

use modbox_sandbox::{
    CLOSING, Change, Deadline, Effect, End, EndReason, Ending, Event, Labels, Launch, LaunchRefusal,
    MAX_ATTEMPTS, Name, Provisioning, Running, SETTLE, Sandbox, SandboxId, Spec, State, Status, Stop, Task,
    TaskArn, TaskPhase, TaskSeen, Timestamp, UserId, Wants, apply, create,
};
use proptest::prelude::*;

const T0: Timestamp = Timestamp::from_millis(1_000_000);

fn at(seconds: u64) -> Timestamp {
    T0 + Duration::from_secs(seconds)
}

fn spec() -> Spec {
    Spec {
        image: "modbox/sandbox".to_owned(),
        readiness_port: Some(8080),
        memory_mb: 1024,
        url: "http://127.1.2.3:8080".to_owned(),
        api_url: "http://127.0.0.1:3000".to_owned(),
        client_reference: None,
    }
}

fn fresh(ttl: Option<u64>) -> Sandbox {
    let (id, owner) = (SandboxId::from_random(1), UserId::new("ann"));
    create(id, owner, Some(Name::new("web").unwrap()), spec(), (T0, ttl.map(Duration::from_secs)))
}

fn task(version: u64) -> Task {
    Task { arn: TaskArn::new("task/ours"), version, recorded_at: at(1) }
}

fn in_state(state: State) -> Sandbox {
    Sandbox { state, look_at: Some(at(40)), ..fresh(Some(100)) }
}

fn ending(reason: EndReason, task: Option<Task>, stop: Stop) -> Ending {
    Ending { end: End { reason, by: None, at: at(5) }, since: at(5), task, stop, dismissed: false }
}

fn provisioning(launch: Launch) -> State {
    State::Provisioning(Provisioning { launch_by: at(300), launch })
}

fn states() -> Vec<(&'static str, Sandbox)> {
    let refused = Launch::Refused { attempt: 2, retry_at: at(40), message: "RESOURCE:CPU".to_owned() };
    let requested = || EndReason::Requested;
    let states = vec![
        ("provisioning, wanted", provisioning(Launch::Wanted { attempt: 1 })),
        ("provisioning, refused", provisioning(refused)),
        ("provisioning, started", provisioning(Launch::Started(task(3)))),
        ("running", State::Running(Running { task: task(5), ready_at: at(3) })),
        ("destroying, no task", State::Destroying(ending(requested(), None, Stop::Wanted))),
        ("destroying, stop wanted", State::Destroying(ending(requested(), Some(task(5)), Stop::Wanted))),
        ("destroying, stop sent", State::Destroying(ending(requested(), Some(task(5)), Stop::Sent))),
        ("destroyed, no task", State::Destroyed(ending(requested(), None, Stop::Done))),
        ("destroyed, seen stopped", State::Destroyed(ending(requested(), Some(task(9)), Stop::Done))),
        ("destroyed, task missing", State::Destroyed(ending(EndReason::Lost, Some(task(0)), Stop::Done))),
        ("destroyed, late task", State::Destroyed(ending(requested(), Some(task(5)), Stop::Wanted))),
    ];
    states.into_iter().map(|(name, state)| (name, in_state(state))).collect()
}

fn seen(version: u64, phase: TaskPhase) -> Event {
    Event::TaskSeen(TaskSeen { incarnation: 1, arn: TaskArn::new("task/ours"), version, phase })
}

fn refusal(attempt: u32, retryable: bool) -> Event {
    Event::LaunchRefused(LaunchRefusal { attempt, message: "no".to_owned(), retryable })
}

fn events() -> Vec<(&'static str, Event, Timestamp)> {
    let by = || UserId::new("ann");
    let arn = || TaskArn::new("task/ours");
    let soon = at(10);
    let other =
        TaskSeen { incarnation: 1, arn: TaskArn::new("task/other"), version: 7, phase: TaskPhase::Running };
    let foreign = TaskSeen { incarnation: 2, arn: arn(), version: 7, phase: TaskPhase::Running };
    vec![
        ("destroy", Event::Destroy { by: by() }, soon),
        ("kill", Event::Kill { by: by() }, soon),
        ("stop", Event::Stop { by: by() }, soon),
        ("extend", Event::Extend { to: Deadline::In(Duration::from_secs(490)) }, soon),
        ("extend, closing", Event::Extend { to: Deadline::Later(Duration::from_secs(60)) }, at(96)),
        ("shorten, closing", Event::Extend { to: Deadline::In(Duration::from_secs(1)) }, at(98)),
        ("label", Event::Label { labels: labels() }, soon),
        ("seen starting", seen(7, TaskPhase::Starting), soon),
        ("seen running", seen(7, TaskPhase::Running), soon),
        ("seen ready", seen(7, TaskPhase::Ready), soon),
        ("seen stopping", seen(7, TaskPhase::Stopping), soon),
        ("seen exited", seen(7, TaskPhase::Stopped(EndReason::Exited { code: Some(1) })), soon),
        ("seen ready, stale", seen(2, TaskPhase::Ready), soon),
        ("seen, other task", Event::TaskSeen(other), soon),
        ("seen, other incarnation", Event::TaskSeen(foreign), soon),
        ("ready", Event::Ready { incarnation: 1 }, soon),
        ("refused for now", refusal(1, true), soon),
        ("refused for good", refusal(1, false), soon),
        ("refused, last attempt", refusal(2, true), soon),
        ("stop sent", Event::StopSent { arn: arn() }, soon),
        ("missing, young", Event::TaskMissing { arn: arn() }, soon),
        ("no task, early", Event::NoTask, soon),
        ("row removed", Event::RowRemoved, soon),
        ("tick, not due", Event::Tick, soon),
        ("tick, due", Event::Tick, at(40)),
        ("tick, expired", Event::Tick, at(100)),
        ("ready, expired", Event::Ready { incarnation: 1 }, at(100)),
        ("seen ready, expired", seen(7, TaskPhase::Ready), at(100)),
        ("extend, expired", Event::Extend { to: Deadline::In(Duration::from_secs(400)) }, at(100)),
        ("label, expired", Event::Label { labels: labels() }, at(100)),
        ("destroy, expired", Event::Destroy { by: by() }, at(100)),
    ]
}

fn labels() -> Labels {
    Labels::new([("who".to_owned(), "ann".to_owned())].into()).unwrap()
}

fn brief(sandbox: &Sandbox) -> String {
    let ending = |ending: &Ending| {
        let task =
            ending.task.as_ref().map_or("no task".to_owned(), |task| format!("task v{}", task.version));
        format!(
            "{:?} at +{}s, {task}, stop {:?}{}",
            ending.end.reason,
            ending.end.at.since(T0).as_secs(),
            ending.stop,
            if ending.dismissed { ", dismissed" } else { "" }
        )
    };
    let state = match &sandbox.state {
        State::Provisioning(provisioning) => match &provisioning.launch {
            Launch::Wanted { attempt } => format!("Provisioning: wanted, attempt {attempt}"),
            Launch::Refused { attempt, retry_at, .. } => {
                format!("Provisioning: refused, attempt {attempt} at +{}s", retry_at.since(T0).as_secs())
            }
            Launch::Started(task) => format!("Provisioning: task v{}", task.version),
        },
        State::Running(running) => format!("Running: task v{}", running.task.version),
        State::Destroying(facts) => format!("Destroying: {}", ending(facts)),
        State::Destroyed(facts) => format!("Destroyed: {}", ending(facts)),
    };
    let state = if sandbox.labels.is_empty() { state } else { format!("{state}; labels") };
    let look = sandbox.look_at.map_or("never".to_owned(), |at| format!("+{}s", at.since(T0).as_secs()));
    format!("{state}; look {look}")
}

fn outcome(sandbox: &Sandbox, event: &Event, now: Timestamp) -> String {
    match apply(sandbox, event.clone(), now) {
        Err(_) => "refused".to_owned(),
        Ok(change) if change.sandbox == *sandbox && change.effects.is_empty() => "nothing changes".to_owned(),
        Ok(change) => {
            let effects: Vec<_> = change.effects.iter().map(|effect| format!("{effect:?}")).collect();
            format!("{} [{}]", brief(&change.sandbox), effects.join(", "))
        }
    }
}

#[test]
fn the_transition_matrix_is_as_reviewed() {
    let mut matrix = String::new();
    for (name, sandbox) in states() {
        matrix += &format!("## {name}\n   {}\n", brief(&sandbox));
        for (event_name, event, now) in events() {
            matrix += &format!("{event_name:>24} → {}\n", outcome(&sandbox, &event, now));
        }
        matrix += "\n";
    }
    insta::assert_snapshot!(matrix);
}

fn after(sandbox: &Sandbox, event: Event, now: Timestamp) -> Change {
    apply(sandbox, event, now).unwrap()
}

#[test]
fn without_a_readiness_port_a_running_task_is_a_running_sandbox() {
    let mut sandbox = fresh(None);
    sandbox.spec.readiness_port = None;
    let running = after(&sandbox, seen(4, TaskPhase::Running), at(2));
    assert_eq!(running.sandbox.status(at(2)), Status::Running);
    assert_eq!(running.effects, [Effect::PublishRunning]);
}

#[test]
fn a_passing_refusal_is_retried_a_bounded_number_of_times() {
    let mut sandbox = fresh(None);
    let mut now = at(0);
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(sandbox.wants(), Some(Wants::Task), "attempt {attempt}");
        sandbox = after(&sandbox, refusal(attempt, true), now).sandbox;
        if let Some(look_at) = sandbox.look_at.filter(|_| sandbox.is_live()) {
            assert!(sandbox.wants().is_none(), "a refused launch must wait");
            now = look_at;
            sandbox = after(&sandbox, Event::Tick, now).sandbox;
        }
    }
    assert_eq!(sandbox.end(now).unwrap().reason, EndReason::Failed { message: "no".to_owned() });
}

#[test]
fn an_end_without_a_task_settles_only_after_the_launcher_cannot_be_at_work() {
    let sandbox = after(&fresh(None), Event::Destroy { by: UserId::new("ann") }, at(5)).sandbox;
    let early = after(&sandbox, Event::NoTask, at(4) + SETTLE);
    assert_eq!(early.sandbox, sandbox);
    let settled = after(&sandbox, Event::NoTask, at(5) + SETTLE).sandbox;
    assert!(matches!(settled.state, State::Destroyed(_)));
    assert_eq!(settled.look_at, None);
    // The task shows up after all: it is recorded and stopped, and the sandbox stays over.
    let late = after(&settled, seen(1, TaskPhase::Starting), at(900));
    assert!(matches!(late.sandbox.state, State::Destroyed(_)));
    assert_eq!(late.sandbox.wants(), Some(Wants::Stop));
    assert_eq!(late.effects, [Effect::Stop(TaskArn::new("task/ours"))]);
}

#[test]
fn an_unknown_task_counts_as_gone_only_after_ten_minutes() {
    let sandbox = in_state(State::Running(Running { task: task(5), ready_at: at(3) }));
    let sandbox = Sandbox { expires_at: None, ..sandbox };
    let missing = || Event::TaskMissing { arn: TaskArn::new("task/ours") };
    assert_eq!(after(&sandbox, missing(), at(600)).sandbox, sandbox);
    let lost = after(&sandbox, missing(), at(601)).sandbox;
    assert_eq!(lost.end(at(601)).unwrap().reason, EndReason::Lost);
}

fn any_deadline() -> impl Strategy<Value = Deadline> {
    let time = || (0..2000u64).prop_map(Duration::from_secs);
    prop_oneof![
        time().prop_map(Deadline::In),
        time().prop_map(Deadline::Later),
        time().prop_map(Deadline::Planned),
        Just(Deadline::Never),
    ]
}

#[test]
fn a_deadline_moves_as_it_is_asked_for() {
    let seconds = Duration::from_secs;
    for (before, to, expected) in [
        (Some(100), Deadline::In(seconds(30)), Some(40)),
        (Some(100), Deadline::In(seconds(300)), Some(310)),
        (None, Deadline::In(seconds(30)), Some(40)),
        (Some(100), Deadline::Later(seconds(30)), Some(130)),
        (None, Deadline::Later(seconds(30)), None),
        (Some(100), Deadline::Planned(seconds(30)), Some(30)),
        (Some(100), Deadline::Planned(seconds(5)), Some(10)),
        (None, Deadline::Planned(seconds(500)), Some(500)),
        (Some(100), Deadline::Planned(seconds(500)), Some(500)),
        (Some(100), Deadline::Never, None),
    ] {
        let moved = after(&fresh(before), Event::Extend { to }, at(10)).sandbox;
        assert_eq!(moved.expires_at, expected.map(at), "{before:?} {to:?}");
    }
}

#[test]
fn a_plan_shortens_what_runs_and_never_lengthens_it() {
    for (before, plan, expected) in
        [(Some(100), 30, Some(30)), (Some(100), 500, Some(100)), (None, 500, Some(500))]
    {
        let State::Provisioning(_) = fresh(before).state else { panic!("it is made so") };
        let running = after(&fresh(before), seen(1, TaskPhase::Ready), at(1)).sandbox;
        let to = Deadline::Planned(Duration::from_secs(plan));
        let moved = after(&running, Event::Extend { to }, at(10)).sandbox;
        assert_eq!(moved.expires_at, expected.map(at), "{before:?} {plan}");
        assert_eq!(moved == running, expected == before, "what moves nothing writes nothing");
    }
}

#[test]
fn a_deadline_that_is_near_moves_no_further_away() {
    let closing = at(100) - CLOSING;
    let moved = |to, now| apply(&fresh(Some(100)), Event::Extend { to }, now).map(|change| change.sandbox);
    for to in [
        Deadline::In(CLOSING * 2),
        Deadline::Later(CLOSING),
        Deadline::Planned(CLOSING * 100),
        Deadline::Never,
    ] {
        assert!(moved(to, closing).is_ok(), "{to:?}");
        assert!(moved(to, closing + Duration::from_millis(1)).is_err(), "{to:?}");
    }
    let sooner = moved(Deadline::In(Duration::from_secs(1)), at(98)).unwrap();
    assert_eq!(sooner.expires_at, Some(at(99)));
}

#[test]
fn whatever_its_owner_writes_it_is_looked_at_when_it_was_to_be() {
    let mut sandbox = after(&fresh(None), seen(1, TaskPhase::Ready), at(1)).sandbox;
    let look_at = sandbox.look_at.unwrap();
    for second in 2..600 {
        let event = match second % 2 {
            0 => Event::Extend { to: Deadline::In(Duration::from_secs(10_000)) },
            _ => Event::Label { labels: Labels::new([("n".to_owned(), second.to_string())].into()).unwrap() },
        };
        sandbox = after(&sandbox, event, at(second)).sandbox;
        assert_eq!(sandbox.look_at, Some(look_at), "after {second} s");
    }
    // Once ECS was asked, it is to be looked at later.
    assert!(after(&sandbox, Event::Tick, look_at).sandbox.look_at.unwrap() > look_at);
}

#[test]
fn the_timeout_counts_from_the_creation_or_from_when_it_was_moved() {
    let sandbox = fresh(Some(100));
    assert_eq!(sandbox.timeout(), Some(Duration::from_secs(100)));
    let moved = after(&sandbox, Event::Extend { to: Deadline::In(Duration::from_secs(300)) }, at(10)).sandbox;
    assert_eq!(moved.timeout(), Some(Duration::from_secs(300)));
    assert_eq!(fresh(None).timeout(), None);
}

#[test]
fn what_has_ended_otherwise_is_dismissed_once() {
    let by = || UserId::new("ann");
    let stopped = after(&fresh(None), Event::Stop { by: by() }, at(1)).sandbox;
    assert!(!stopped.is_dismissed());
    assert_eq!(after(&stopped, Event::Stop { by: by() }, at(2)).sandbox, stopped);
    let dismissed = after(&stopped, Event::Destroy { by: by() }, at(3));
    assert!(dismissed.sandbox.is_dismissed());
    assert_eq!(dismissed.sandbox.end(at(3)).unwrap().reason, EndReason::Stopped);
    assert_eq!(after(&dismissed.sandbox, Event::Kill { by: by() }, at(4)).sandbox, dismissed.sandbox);
    let destroyed = after(&fresh(None), Event::Destroy { by: by() }, at(1)).sandbox;
    assert!(destroyed.is_dismissed());
}

fn any_event() -> impl Strategy<Value = (Event, u64)> {
    let phase = prop_oneof![
        Just(TaskPhase::Starting),
        Just(TaskPhase::Running),
        Just(TaskPhase::Ready),
        Just(TaskPhase::Stopping),
        Just(TaskPhase::Stopped(EndReason::Exited { code: Some(0) })),
        Just(TaskPhase::Stopped(EndReason::Expired)),
    ];
    let arn = prop_oneof![9 => Just("task/ours"), 1 => Just("task/other")].prop_map(TaskArn::new);
    let seen = (arn.clone(), 0..20u64, phase)
        .prop_map(|(arn, version, phase)| Event::TaskSeen(TaskSeen { incarnation: 1, arn, version, phase }));
    let event = prop_oneof![
        1 => Just(Event::Destroy { by: UserId::new("ann") }),
        1 => Just(Event::Kill { by: UserId::new("ann") }),
        1 => any_deadline().prop_map(|to| Event::Extend { to }),
        1 => Just(Event::Stop { by: UserId::new("ann") }),
        1 => Just(Event::Label { labels: labels() }),
        8 => seen,
        2 => Just(Event::Ready { incarnation: 1 }),
        2 => (1..4u32, any::<bool>()).prop_map(|(attempt, retryable)| refusal(attempt, retryable)),
        1 => arn.clone().prop_map(|arn| Event::StopSent { arn }),
        1 => arn.prop_map(|arn| Event::TaskMissing { arn }),
        1 => Just(Event::NoTask),
        4 => Just(Event::Tick),
    ];
    (event, 0..120u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_life_keeps_its_promises(
        ttl in prop::option::of(1..1000u64),
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        let mut sandbox = fresh(ttl);
        let mut now = at(0);
        for (event, wait) in events {
            now = now + Duration::from_secs(wait);
            let before = sandbox.clone();
            let Ok(change) = apply(&sandbox, event, now) else { continue };
            sandbox = change.sandbox;

            prop_assert!(!before.is_over(now) || sandbox.is_over(now), "what was over lives again");
            if matches!(before.state, State::Destroyed(_)) {
                prop_assert!(matches!(sandbox.state, State::Destroyed(_)), "Destroyed did not absorb");
            }
            if let (Some(earlier), Some(later)) = (before.end(now), sandbox.end(now)) {
                prop_assert_eq!(earlier, later, "an end was rewritten");
            }
            let changed = sandbox != before;
            prop_assert_eq!(sandbox.version, before.version + u64::from(changed));
            if let (Some(earlier), Some(later)) = (before.task(), sandbox.task()) {
                prop_assert_eq!(&earlier.arn, &later.arn, "a second task took the first one's place");
            }
            prop_assert!(before.task().is_none() || sandbox.task().is_some(), "a task was forgotten");
            let is_final = matches!(&sandbox.state, State::Destroyed(ending) if ending.stop == Stop::Done);
            prop_assert_eq!(sandbox.look_at.is_none(), is_final, "a row that is not final must be looked at");
            if changed && sandbox.is_live() {
                let by = sandbox.expires_at.unwrap_or(now + Duration::from_secs(3600));
                prop_assert!(sandbox.look_at.unwrap() <= by.max(now), "a live row must be looked at by its deadline");
            }
        }
    }
}
