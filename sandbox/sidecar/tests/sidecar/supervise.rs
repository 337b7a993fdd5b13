use std::time::{Duration, Instant};

use modbox_sidecar::tree::{self, Signal};
use modbox_sidecar::{Ending, ReportLine, Stream};

use crate::scene::Scene;
use crate::world::{LONG, Sidecar, Stub, eventually, in_millis, millis};

#[test]
fn expiry_ends_what_ignores_signals_left_the_group_or_forked_twice() {
    let scene = Scene::new(300).expires_in(1_500).runs(
        "main",
        true,
        "trap '' TERM
         setsid bash -c 'trap \"\" TERM; touch left; while :; do sleep 1; done' &
         (setsid bash -c 'bash -c \"trap \\\"\\\" TERM; touch twice; while :; do sleep 1; done\" & exit' &)
         touch main; while :; do sleep 1; done",
    );
    let mut sidecar = scene.start();
    scene.made(&["main", "left", "twice"]);
    assert_eq!(sidecar.code(), 124);
    assert!((millis(1_400)..millis(4_500)).contains(&sidecar.age()), "{:?}", sidecar.age());
    assert_eq!(scene.code("main"), Some(137));
    scene.over(Ending::Expired);
}

#[test]
fn what_obeys_is_not_waited_for() {
    let scene = Scene::new(6_000).expires_in(400).runs("main", true, "exec sleep 60");
    let mut sidecar = scene.start();
    assert_eq!(sidecar.code(), 124);
    assert!(sidecar.age() < millis(4_000), "{:?}", sidecar.age());
    assert_eq!(scene.code("main"), Some(143));
    scene.over(Ending::Expired);
}

#[test]
fn daemons_that_outlive_an_essential_container_end_too() {
    let scene = Scene::new(2_000)
        .runs(
            "main",
            true,
            "setsid bash -c 'trap \"exit 0\" TERM; touch daemon; while :; do sleep 0.1; done' &
            while [ ! -e daemon ]; do sleep 0.01; done; exit 7",
        )
        .runs("other", false, "exec sleep 60");
    let mut sidecar = scene.start();
    assert_eq!(sidecar.code(), 0);
    assert_eq!((scene.code("main"), scene.code("other")), (Some(7), Some(143)));
    scene.over(Ending::Exited);
}

#[test]
fn a_container_that_is_not_essential_is_only_reported() {
    let scene = Scene::new(500).runs("ready", false, "exit 3").runs("main", true, "exec sleep 60");
    let mut sidecar = scene.start();
    eventually("the report", || scene.code("ready") == Some(3));
    assert_eq!(scene.alive(), 1);
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
    scene.over(Ending::Stopped);
}

#[test]
fn sigterm_leaves_time_to_end_well() {
    let script = "trap 'sleep 0.3; touch saved; exit 5' TERM; touch up; while :; do sleep 0.05; done";
    let scene = Scene::new(5_000).runs("main", true, script);
    let mut sidecar = scene.start();
    scene.made(&["up"]);
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
    assert!(scene.path("saved").exists());
    assert_eq!(scene.code("main"), Some(5));
    scene.over(Ending::Stopped);
}

#[test]
fn sigusr1_leaves_none() {
    let scene =
        Scene::new(60_000).runs("main", true, "trap 'touch saved' TERM; touch up; while :; do sleep 1; done");
    let mut sidecar = scene.start();
    scene.made(&["up"]);
    sidecar.signal(Signal::USR1);
    assert_eq!(sidecar.code(), 137);
    assert!(!scene.path("saved").exists());
    scene.over(Ending::Killed);
}

#[test]
fn sigusr1_cuts_a_grace_short() {
    let scene = Scene::new(60_000).runs(
        "main",
        true,
        "trap 'touch asked' TERM; touch up; while :; do sleep 0.05; done",
    );
    let mut sidecar = scene.start();
    scene.made(&["up"]);
    sidecar.signal(Signal::TERM);
    scene.made(&["asked"]);
    sidecar.signal(Signal::USR1);
    assert_eq!(sidecar.code(), 143);
    scene.over(Ending::Stopped);
}

#[test]
fn a_stopped_process_is_asked_and_ends() {
    let scene =
        Scene::new(5_000).runs("main", true, "trap 'exit 6' TERM; touch up; while :; do sleep 0.05; done");
    let mut sidecar = scene.start();
    scene.made(&["up"]);
    rustix::process::kill_process(scene.pid("main"), Signal::STOP).unwrap();
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
    assert_eq!(scene.code("main"), Some(6));
    scene.over(Ending::Stopped);
}

#[test]
fn what_forks_all_the_time_is_ended() {
    let scene = Scene::new(100).runs(
        "main",
        true,
        "trap '' TERM; touch up; while :; do (setsid sleep 30 &); sleep 0.005; done",
    );
    let mut sidecar = scene.start();
    scene.made(&["up"]);
    eventually("some forks", || scene.alive() > 10);
    let asked = Instant::now();
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
    assert!(asked.elapsed() < millis(3_000), "{:?}", asked.elapsed());
    scene.over(Ending::Stopped);
}

#[test]
fn a_container_has_exactly_its_environment() {
    let mut scene = Scene::new(500).runs("main", true, "exit 0");
    scene.task.containers[0].program = "/usr/bin/env".into();
    scene.task.containers[0].args = Vec::new();
    scene.task.containers[0].env = [("ONLY", "this")].into_iter().collect();
    assert_eq!(scene.start().code(), 0);
    assert_eq!(scene.said("main"), [(Stream::Stdout, "ONLY=this\n".to_owned())]);
}

#[test]
fn a_program_that_is_not_there_ends_the_task_as_a_shell_would_say_it() {
    let mut scene = Scene::new(500).runs("main", true, "").runs("other", false, "exec sleep 60");
    scene.task.containers[0].program = "/nowhere".into();
    assert_eq!(scene.start().code(), 0);
    assert_eq!(scene.code("main"), Some(127));
    scene.over(Ending::Exited);
}

#[test]
fn containers_share_a_group_that_is_not_the_sidecars() {
    let scene = Scene::new(500).runs("main", true, "exec sleep 60").runs("other", true, "exec sleep 60");
    let mut sidecar = scene.start();
    let (main, other) = (scene.pid("main"), scene.pid("other"));
    let group = |pid| tree::read(pid).unwrap().group;
    assert_eq!((group(main), group(other)), (main.as_raw_nonzero().get(), main.as_raw_nonzero().get()));
    assert_ne!(group(sidecar.pid()), group(main));
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
}

#[test]
fn containers_die_with_a_sidecar_that_is_killed() {
    let scene = Scene::new(500).runs("main", true, "exec sleep 60");
    let sidecar = scene.start();
    scene.pid("main");
    sidecar.signal(Signal::KILL);
    eventually("the end of the container", || scene.alive() == 0);
}

#[test]
fn a_task_that_has_expired_is_not_started() {
    let mut scene = Scene::new(500).runs("main", true, "touch up");
    scene.task.env = [("MODBOX_EXPIRES_AT_MS", "1")].into_iter().collect();
    assert_eq!(scene.start().code(), 124);
    assert_eq!(scene.report()[1..], [ReportLine::Ended(Ending::Expired)]);
    assert!(!scene.path("up").exists());
}

#[test]
fn the_report_begins_with_who_the_sidecar_is() {
    let scene = Scene::new(500).runs("main", true, "exec sleep 60");
    let mut sidecar = scene.start();
    scene.pid("main");
    let ReportLine::Sidecar(identity) = scene.report().remove(0) else {
        panic!("{:?}", scene.report());
    };
    assert_eq!(Some(&identity), tree::Identity::of(sidecar.pid()).unwrap().as_ref());
    assert!(identity.is_alive());
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
    assert!(!identity.is_alive());
}

#[test]
fn an_extension_holds_while_supervising() {
    let later = in_millis(2_000);
    let api = Stub::start(move |_| (200, format!(r#"{{"expires_at_unix_ms":{later}}}"#)));
    let mut scene = Scene::new(300).expires_in(700).runs("main", true, "exec sleep 60");
    let api_url = api.url();
    let more = [("MODBOX_API_URL", &*api_url), ("MODBOX_SANDBOX_ID", "box"), ("MODBOX_TASK_TOKEN", "hush")];
    for (name, value) in more {
        scene.task.env.0.insert(name.to_owned(), value.to_owned());
    }
    let mut sidecar = scene.start();
    assert_eq!(sidecar.code(), 124);
    assert!((millis(1_900)..millis(4_500)).contains(&sidecar.age()), "{:?}", sidecar.age());
    scene.over(Ending::Expired);
}

#[test]
fn a_hung_sidecar_is_ended_from_outside_with_everything() {
    let scene = Scene::new(500).runs("main", true, "setsid bash -c 'touch up; sleep 60; :' & wait");
    let sidecar = scene.start();
    scene.made(&["up"]);
    sidecar.signal(Signal::STOP);
    assert!(tree::kill_tree(&tree::Identity::of(sidecar.pid()).unwrap().unwrap()));
    assert_eq!(scene.alive(), 0);
}

#[test]
fn a_document_that_is_none_is_refused_without_a_trace() {
    let mut sidecar = Sidecar::start(&["deadline", "--supervise"], &[]);
    sidecar.tell(br#"{"containers":[]"#);
    assert_eq!(sidecar.code(), 2);
    assert!(sidecar.age() < LONG.min(Duration::from_secs(2)));
}
