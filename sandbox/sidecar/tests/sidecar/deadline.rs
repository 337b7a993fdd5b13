use modbox_sidecar::tree::Signal;

use crate::world::{Sidecar, Stub, eventually, free_address, in_millis, millis};

fn deadline(expires_at: &str, api: &str) -> Sidecar {
    let env = [
        ("MODBOX_EXPIRES_AT_MS", expires_at),
        ("MODBOX_API_URL", api),
        ("MODBOX_SANDBOX_ID", "box"),
        ("MODBOX_TASK_TOKEN", "hush"),
    ];
    Sidecar::start(&["deadline"], &env)
}

fn says(expires_at: &str) -> (u16, String) {
    (200, format!(r#"{{"expires_at":"","expires_at_unix_ms":{expires_at}}}"#))
}

#[test]
fn it_exits_on_time_when_nobody_answers() {
    let mut sidecar = deadline(&in_millis(700), &format!("http://{}", free_address()));
    assert_eq!(sidecar.code(), 124);
    assert!((millis(650)..millis(3_000)).contains(&sidecar.age()), "{:?}", sidecar.age());
}

#[test]
fn it_exits_on_time_when_the_api_hangs() {
    let stub = Stub::start(|_| (0, String::new()));
    let mut sidecar = deadline(&in_millis(900), &stub.url());
    stub.next();
    assert_eq!(sidecar.code(), 124);
    assert!((millis(850)..millis(3_000)).contains(&sidecar.age()), "{:?}", sidecar.age());
}

#[test]
fn it_exits_on_time_when_the_api_refuses_or_talks_nonsense() {
    let stub = Stub::start(|number| match number {
        0 => (500, says("null").1),
        1 => (200, "{}".to_owned()),
        _ => (404, says("null").1),
    });
    let mut sidecar = deadline(&in_millis(1_200), &stub.url());
    assert_eq!(sidecar.code(), 124);
    assert!((millis(1_150)..millis(3_500)).contains(&sidecar.age()), "{:?}", sidecar.age());
    assert!(stub.seen.try_iter().count() >= 2);
}

/// So the API answers once the sandbox's row is gone.
#[test]
fn it_exits_on_time_when_its_token_opens_nothing() {
    let stub = Stub::start(|_| (401, says("null").1));
    let mut sidecar = deadline(&in_millis(900), &stub.url());
    assert_eq!(stub.next().authorization.as_deref(), Some("Bearer hush"));
    assert_eq!(sidecar.code(), 124);
    assert!((millis(850)..millis(3_000)).contains(&sidecar.age()), "{:?}", sidecar.age());
}

#[test]
fn it_sleeps_while_there_is_nobody_to_ask() {
    let mut sidecar = Sidecar::start(&["deadline"], &[("MODBOX_EXPIRES_AT_MS", &in_millis(1_500))]);
    eventually("most of its life", || sidecar.age() > millis(1_200));
    assert!(sidecar.cpu_ticks() < 30, "{} ticks of 10 ms", sidecar.cpu_ticks());
    assert_eq!(sidecar.code(), 124);
}

#[test]
fn a_later_deadline_holds() {
    let later = in_millis(2_000);
    let stub = Stub::start(move |_| says(&later));
    let mut sidecar = deadline(&in_millis(700), &stub.url());
    let seen = stub.next();
    assert_eq!(seen.line, "GET /sandboxes/box/deadline HTTP/1.1");
    assert_eq!(seen.authorization.as_deref(), Some("Bearer hush"));
    assert_eq!(sidecar.code(), 124);
    assert!((millis(1_900)..millis(4_500)).contains(&sidecar.age()), "{:?}", sidecar.age());
}

#[test]
fn an_extension_is_asked_about_again_before_it_ends() {
    let (second, third) = (in_millis(1_500), in_millis(2_800));
    let stub = Stub::start(move |number| says(if number == 0 { &second } else { &third }));
    let mut sidecar = deadline(&in_millis(600), &stub.url());
    assert_eq!(sidecar.code(), 124);
    assert!((millis(2_700)..millis(5_000)).contains(&sidecar.age()), "{:?}", sidecar.age());
}

#[test]
fn a_deadline_that_was_lifted_leaves_only_signals() {
    let stub = Stub::start(|_| says("null"));
    let mut sidecar = deadline(&in_millis(800), &stub.url());
    stub.next();
    eventually("the old deadline", || sidecar.age() > millis(1_500));
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
}

#[test]
fn a_deadline_moved_into_the_past_ends_it_at_once() {
    let stub = Stub::start(|_| says("1"));
    let mut sidecar = deadline(&in_millis(20_000), &stub.url());
    assert_eq!(sidecar.code(), 124);
    assert!(sidecar.age() < millis(2_000));
}

#[test]
fn a_deadline_that_has_passed_ends_it_at_once() {
    let mut sidecar = Sidecar::start(&["deadline"], &[("MODBOX_EXPIRES_AT_MS", "1")]);
    assert_eq!(sidecar.code(), 124);
}

#[test]
fn without_a_deadline_it_runs_until_it_is_stopped() {
    let mut sidecar = Sidecar::start(&["deadline"], &[]);
    sidecar.hears(Signal::TERM);
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
}

#[test]
fn a_deadline_that_is_no_time_is_refused() {
    let mut sidecar = Sidecar::start(&["deadline"], &[("MODBOX_EXPIRES_AT_MS", "tomorrow")]);
    assert_eq!(sidecar.code(), 2);
}

#[test]
fn a_verb_that_is_none_is_refused() {
    for args in [&[][..], &["now"], &["deadline", "--now"], &["ready", "steady"]] {
        assert_eq!(Sidecar::start(args, &[]).code(), 2, "{args:?}");
    }
}
