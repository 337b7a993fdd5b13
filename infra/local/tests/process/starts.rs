use std::{collections::BTreeSet, fs, net::IpAddr, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use futures::future::join_all;
use modbox_local::{
    ecs::{Cancelled, Engine, Stop},
    process::ProcessEngine,
};
use modbox_sandbox::contract;
use tokio::time::Instant;

use crate::world::{Unique, World, alive, exits, launch, mark, set, until};

pub(crate) async fn a_task_has_a_folder_and_an_environment_of_its_own() {
    let world = World::new();
    let tell = "tr '\\0' '\\n' </proc/$$/environ >env; ps -o sid= $$ >sid; mv sid told; sleep 86400";
    let mut launch = launch(tell, "sleep 86400");
    set(&mut launch, contract::MAIN, "KEY", "a value\nof two lines");
    let mut handle = world.start(launch.clone()).await.unwrap();

    let folder = world.folder(&launch);
    let workspace = folder.join("workspace");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    until(|| workspace.join("told").exists()).await;
    let environment = fs::read_to_string(workspace.join("env")).unwrap();
    let environment: BTreeSet<&str> = environment.lines().collect();
    let address = format!("MODBOX_TASK_ADDRESS={}", handle.address);
    let home = format!("HOME={}", workspace.display());
    let script = format!("SCRIPT={tell}");
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let given = [&*address, &home, &script, path, "LANG=C.UTF-8", "KEY=a value", "of two lines"];
    assert_eq!(environment, given.into_iter().collect());
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let own = own.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap();
    assert_ne!(fs::read_to_string(workspace.join("told")).unwrap().trim(), own);

    handle.stop.send(Stop::Gracefully).unwrap();
    exits(&mut handle).await;
    assert!(!folder.exists());
}

pub(crate) async fn the_address_is_that_of_the_url_and_given_to_one_task_at_a_time() {
    let world = World::new();
    let with_url = || {
        let mut launch = launch("sleep 86400", "sleep 86400");
        set(&mut launch, contract::MAIN, contract::SANDBOX_URL, "http://127.211.4.5:8080");
        launch
    };
    let mut first = world.start(with_url()).await.unwrap();
    assert_eq!(first.address.to_string(), "127.211.4.5");
    let error = world.start(with_url()).await.unwrap_err();
    assert!(error.reason.contains("127.211.4.5"), "{}", error.reason);

    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(world.start(launch("sleep 86400", "sleep 86400")).await.unwrap());
    }
    let addresses: BTreeSet<_> = others.iter().map(|other| other.address).collect();
    assert!(addresses.len() == 2 && addresses.iter().all(IpAddr::is_loopback));
    for handle in others.iter_mut().chain([&mut first]) {
        handle.stop.send(Stop::ByForce).unwrap();
        exits(handle).await;
    }
    let mut again = world.start(with_url()).await.unwrap();
    again.stop.send(Stop::ByForce).unwrap();
    exits(&mut again).await;
}

pub(crate) async fn another_image_is_refused_with_what_to_do() {
    let world = World::new();
    let mut launch = launch("true", "true");
    launch.containers.iter_mut().for_each(|container| "python:3".clone_into(&mut container.image));
    let error = world.start(launch).await.unwrap_err();
    assert!(error.reason.starts_with("CannotPullContainerError: "), "{}", error.reason);
    assert!(error.reason.contains("create the sandbox with one of these"), "{}", error.reason);
    assert_eq!(world.folders(), 0);
}

pub(crate) async fn a_program_that_is_not_there_fails_the_start_and_leaves_nothing() {
    let world = World::new();
    let engine = ProcessEngine::new("/nonexistent".into(), world.data.path(), Arc::new(Unique));
    let (_keep, cancelled) = Cancelled::pair();
    let error = engine.start(launch("true", "true"), cancelled).await.unwrap_err();
    assert!(error.reason.starts_with("CannotStartContainerError: "), "{}", error.reason);
    // One that ends without a word fails too.
    let engine = ProcessEngine::new("/bin/false".into(), world.data.path(), Arc::new(Unique));
    let (_keep, cancelled) = Cancelled::pair();
    let error = engine.start(launch("true", "true"), cancelled).await.unwrap_err();
    assert!(error.reason.starts_with("CannotStartContainerError: "), "{}", error.reason);
    assert_eq!(world.folders(), 0);
}

pub(crate) async fn fifty_starts_at_once_are_each_done_within_two_seconds() {
    let world = World::new();
    let mark = mark();
    let begun = Instant::now();
    let started = join_all((0..50).map(|_| async {
        let handle = world.start(launch(&format!("exec sleep {mark}"), "exec sleep 86400")).await.unwrap();
        (handle, begun.elapsed())
    }));
    let mut started = started.await;
    let slowest = started.iter().map(|(_, time)| *time).max().unwrap();
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    for (handle, _) in &started {
        handle.stop.send(Stop::Gracefully).unwrap();
    }
    for (handle, _) in &mut started {
        exits(handle).await;
    }
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}

pub(crate) async fn a_start_that_nobody_wants_leaves_nothing() {
    let world = World::new();
    let mark = mark();
    let (cancel, cancelled) = Cancelled::pair();
    cancel.send(true).unwrap();
    let launch = launch(&format!("exec sleep {mark}"), "exec sleep 86400");
    assert!(world.engine.start(launch, cancelled).await.is_err());
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}
