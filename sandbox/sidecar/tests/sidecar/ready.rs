use modbox_sidecar::tree::Signal;

use crate::world::{Sidecar, Stub, eventually, free_address, millis};

fn ready(port: u16, api: &str) -> Sidecar {
    let port = port.to_string();
    let env = [
        ("MODBOX_READINESS_PORT", port.as_str()),
        ("MODBOX_API_URL", api),
        ("MODBOX_SANDBOX_ID", "box"),
        ("MODBOX_TASK_TOKEN", "hush"),
    ];
    Sidecar::start(&["ready"], &env)
}

fn ok() -> (u16, String) {
    (200, "{}".to_owned())
}

#[test]
fn it_waits_for_the_port_and_reports_once() {
    let address = free_address();
    let api = Stub::start(|_| ok());
    let mut sidecar = ready(address.port(), &api.url());
    eventually("some probes in vain", || sidecar.age() > millis(300));
    assert!(api.seen.try_recv().is_err());
    let sandbox = Stub::on(address, |_| ok());
    assert_eq!(sidecar.code(), 0);
    assert_eq!(sandbox.next().line, "GET / HTTP/1.1");
    let report = api.next();
    assert_eq!(report.line, "POST /sandboxes/box/ready HTTP/1.1");
    assert_eq!(report.authorization.as_deref(), Some("Bearer hush"));
    assert!(api.seen.try_recv().is_err());
}

#[test]
fn a_port_that_answers_with_an_error_is_not_ready() {
    let sandbox = Stub::start(|number| match number {
        0 => (503, String::new()),
        1 => (302, String::new()),
        2 => (404, String::new()),
        _ => ok(),
    });
    let api = Stub::start(|_| ok());
    assert_eq!(ready(sandbox.address.port(), &api.url()).code(), 0);
    assert_eq!(sandbox.seen.try_iter().count(), 4);
    assert!(sandbox.seen.try_iter().all(|probe| probe.authorization.is_none()));
}

#[test]
fn a_report_is_repeated_until_it_is_taken() {
    let sandbox = Stub::start(|_| ok());
    let api = Stub::start(|number| match number {
        0 => (409, String::new()),
        1 => (503, String::new()),
        _ => (204, String::new()),
    });
    assert_eq!(ready(sandbox.address.port(), &api.url()).code(), 0);
    assert_eq!(api.seen.try_iter().count(), 3);
}

#[test]
fn a_report_that_is_refused_is_not_repeated() {
    let sandbox = Stub::start(|_| ok());
    let api = Stub::start(|_| (404, String::new()));
    assert_eq!(ready(sandbox.address.port(), &api.url()).code(), 0);
    assert_eq!(api.seen.try_iter().count(), 1);
}

#[test]
fn it_exits_with_success_where_there_is_no_api() {
    let sandbox = Stub::start(|_| ok());
    let port = sandbox.address.port().to_string();
    let mut sidecar = Sidecar::start(&["ready"], &[("MODBOX_READINESS_PORT", port.as_str())]);
    assert_eq!(sidecar.code(), 0);
}

#[test]
fn the_address_of_the_task_is_probed() {
    let sandbox = Stub::on("127.0.0.9:0".parse().unwrap(), |_| ok());
    let port = sandbox.address.port().to_string();
    let env = [("MODBOX_READINESS_PORT", port.as_str()), ("MODBOX_TASK_ADDRESS", "127.0.0.9")];
    assert_eq!(Sidecar::start(&["ready"], &env).code(), 0);
}

#[test]
fn it_stops_while_a_probe_hangs() {
    let sandbox = Stub::start(|_| (0, String::new()));
    let mut sidecar = ready(sandbox.address.port(), "http://127.0.0.1:1");
    sandbox.next();
    sidecar.hears(Signal::TERM);
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
    assert!(sidecar.age() < millis(1_900));
}

#[test]
fn without_a_port_it_refuses() {
    assert_eq!(Sidecar::start(&["ready"], &[]).code(), 2);
}
