//! One data folder and the `modbox-local` that runs on it.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    sync::atomic::{AtomicU8, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use modbox_control::SystemClock;
use modbox_sandbox::Clock as _;
use modbox_sidecar::tree::{Pid, Signal};
use rustix::process::{kill_process, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    client::{Answer, PATIENCE, Request, send},
    processes,
};

/// A machine of its own. When it is dropped nothing that it started is left.
pub(crate) struct Machine {
    folder: TempDir,
    program: Option<Child>,
    starts: u32,
    /// No other machine's, so that what listened there can listen there again.
    host: Ipv4Addr,
    pub(crate) token: String,
    api: Option<SocketAddr>,
    aws: Option<SocketAddr>,
}

/// A program that refused to run.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Machine {
    /// One that runs already.
    pub(crate) fn start() -> Self {
        let mut machine = Self::new();
        machine.run(|_| {});
        machine
    }

    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, program: None, starts: 0, host: host(), token: String::new(), api: None, aws: None }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("data")
    }

    /// Starts the program, with what is to be different, and waits until it says that it is ready. It listens where the
    /// one before listened.
    pub(crate) fn run(&mut self, change: impl FnOnce(&mut Command)) {
        assert!(self.program.is_none(), "one at a time");
        self.starts += 1;
        let mut command = self.command_again();
        change(&mut command);
        self.program = Some(command.spawn().unwrap());
        processes::until(PATIENCE, "it is ready", || {
            let ended = self.program.as_mut().unwrap().try_wait().unwrap();
            assert_eq!(ended, None, "{}", self.stderr());
            self.stdout().contains("echo hello")
        });
        let welcome = self.stdout();
        self.api = Some(address(said(&welcome, "API")));
        self.aws = Some(address(said(&welcome, "AWS")));
        said(&welcome, "Token").clone_into(&mut self.token);
    }

    /// Starts the program and kills it that much later, however far it has come.
    pub(crate) fn kill_while_starting(&mut self, later: Duration) {
        assert!(self.program.is_none(), "one at a time");
        self.starts += 1;
        self.program = Some(self.command_again().spawn().unwrap());
        sleep(later);
        self.kill();
    }

    /// Starts one that is to refuse, beside the one that runs.
    pub(crate) fn refused(&mut self, arguments: [&str; 4]) -> Refused {
        self.refused_with(arguments, |_| {})
    }

    /// Starts one that is to refuse, with what is to be different.
    pub(crate) fn refused_with(
        &mut self,
        arguments: [&str; 4],
        change: impl FnOnce(&mut Command),
    ) -> Refused {
        self.starts += 1;
        let mut command = self.command(arguments);
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let status = wait(&mut child, Duration::from_secs(10));
        Refused { code: status.and_then(|status| status.code()), said: self.stderr() }
    }

    fn command_again(&self) -> Command {
        let [api, aws] =
            [self.api, self.aws].map(|before| before.unwrap_or((self.host, 0).into()).to_string());
        self.command(["--listen", &api, "--aws-listen", &aws])
    }

    fn command(&self, arguments: [&str; 4]) -> Command {
        let file = |name: &str| File::create(self.output(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_modbox-local"));
        command
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .current_dir("/")
            .env_remove("MODBOX_TOKEN")
            .env("MODBOX_ENGINE", crate::ENGINE)
            .stdin(std::process::Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            // As a shell does, so that an interrupt from the terminal can be sent to all of it.
            .process_group(0);
        command
    }

    fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.{}", self.starts))
    }

    /// What is left of tasks: a folder of each, or its containers.
    pub(crate) fn folders(&self) -> usize {
        let folders = fs::read_dir(self.data().join("tasks")).map_or(0, Iterator::count);
        folders + crate::containers_of(&self.data())
    }

    /// What the latest program said.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.output("stdout")).unwrap_or_default()
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.output("stderr")).unwrap_or_default()
    }

    /// Ends the program with SIGTERM; says how it ended, and how long that took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        self.end(|pid| kill_process(pid, Signal::TERM))
    }

    /// Interrupts the program as a terminal does, with all of its process group.
    pub(crate) fn interrupt(&mut self) -> (ExitStatus, Duration) {
        self.end(|pid| kill_process_group(pid, Signal::INT))
    }

    /// Ends the program so that it cannot do anything about it.
    pub(crate) fn kill(&mut self) {
        self.end(|pid| kill_process(pid, Signal::KILL));
    }

    fn end(&mut self, signal: impl FnOnce(Pid) -> rustix::io::Result<()>) -> (ExitStatus, Duration) {
        let mut program = self.program.take().unwrap();
        let told = Instant::now();
        signal(Pid::from_child(&program)).unwrap();
        let status = wait(&mut program, PATIENCE);
        (status.unwrap_or_else(|| panic!("it does not end: {}", self.stderr())), told.elapsed())
    }

    /// How many threads the program has now.
    pub(crate) fn threads(&self) -> usize {
        self.count("task", |_| true)
    }

    /// How many sockets the program has now.
    pub(crate) fn connections(&self) -> usize {
        self.count("fd", |path| {
            fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        })
    }

    fn count(&self, what: &str, counts: impl Fn(&Path) -> bool) -> usize {
        let folder = format!("/proc/{}/{what}", self.program.as_ref().unwrap().id());
        let entries = fs::read_dir(folder).unwrap().flatten();
        entries.filter(|entry| counts(&entry.path())).count()
    }

    pub(crate) fn api(&self) -> SocketAddr {
        self.api.unwrap()
    }

    pub(crate) fn aws(&self) -> SocketAddr {
        self.aws.unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let bearer = Some(self.token.as_str());
        send(self.api(), &Request { method: "GET", path, bearer, ..Request::default() }).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let (bearer, body) = (Some(self.token.as_str()), body.to_string());
        send(self.api(), &Request { method: "POST", path, bearer, body: &body, ..Request::default() })
            .unwrap()
    }

    /// A sandbox that was accepted.
    pub(crate) fn create(&self, order: &Value) -> Sandbox {
        Sandbox::read(&self.post("/sandboxes", order).expect(201))
    }

    /// A sandbox that runs.
    pub(crate) fn create_running(&self, order: &Value) -> Sandbox {
        let sandbox = self.create(order);
        let waited = self.wait(&sandbox.id);
        assert_eq!(waited["ready"], true, "{waited}");
        sandbox
    }

    pub(crate) fn wait(&self, id: &str) -> Value {
        self.post(&format!("/sandboxes/{id}/wait"), &json!({"timeout": 20})).expect(200)
    }

    pub(crate) fn detail(&self, id: &str) -> Value {
        self.get(&format!("/sandboxes/{id}")).expect(200)
    }

    pub(crate) fn destroy(&self, id: &str) {
        let path = format!("/sandboxes/{id}");
        let bearer = Some(self.token.as_str());
        let request = Request { method: "DELETE", path: &path, bearer, ..Request::default() };
        assert_eq!(send(self.api(), &request).unwrap().expect(200)["success"], true);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut program) = self.program.take() {
            // It may have ended by itself.
            let _ = program.kill();
            let _ = program.wait();
        }
        processes::kill_all_of(&self.data());
        crate::end_containers_of(&self.data());
    }
}

fn host() -> Ipv4Addr {
    static MACHINES: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high.clamp(1, 254), low, MACHINES.fetch_add(1, Ordering::Relaxed))
}

/// How it ended, if it did in time; killed otherwise.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// The word behind a label of the welcome.
fn said<'a>(welcome: &'a str, label: &str) -> &'a str {
    let mut lines = welcome.lines().map(str::split_ascii_whitespace);
    let words = lines.find_map(|mut words| (words.next() == Some(label)).then_some(words));
    words.unwrap().next().unwrap()
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// A sandbox as its creator knows it.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    pub(crate) access_token: String,
    pub(crate) expires_at: Option<OffsetDateTime>,
}

impl Sandbox {
    pub(crate) fn read(created: &Value) -> Self {
        let endpoint = &created["endpoint"];
        Self {
            id: created["sandbox_id"].as_str().unwrap().to_owned(),
            address: address(endpoint["base_url"].as_str().unwrap()),
            access_token: endpoint["access_token"].as_str().unwrap().to_owned(),
            expires_at: created["expires_at"].as_str().map(moment),
        }
    }

    /// Runs a command.
    pub(crate) fn exec(&self, command: &str) -> io::Result<Value> {
        let (bearer, body) = (Some(self.access_token.as_str()), json!({"command": command}).to_string());
        let path = "/modbox/api/exec";
        let request = Request { method: "POST", path, bearer, body: &body, ..Request::default() };
        send(self.address, &request).map(|answer| answer.expect(200))
    }

    /// Leaves processes behind that ignore SIGTERM: in the command's own group, in a group and a terminal of their
    /// own, and forked twice. Gives the word by which they are found.
    pub(crate) fn leave_stubborn_processes(&self) -> String {
        // It fits the argument of `sleep`, and no other sandbox has it.
        let word = format!("86400.{}", u128::from_str_radix(&self.id.replace('-', ""), 16).unwrap());
        let stubborn = format!("trap '' TERM HUP; sleep {word} & sleep {word} & wait; sleep {word}");
        let command = format!(
            r#"exec </dev/null >/dev/null 2>&1
            export STUBBORN="{stubborn}"
            bash -c "$STUBBORN" &
            setsid bash -c "$STUBBORN" &
            (cd /; setsid setsid -f env -u HOME bash -c "$STUBBORN" & ) &
            "#
        );
        assert_eq!(self.exec(&command).unwrap()["exitCode"], 0);
        processes::until(PATIENCE, "they run", || processes::with_word(&word) == 6);
        word
    }

    /// Where its runtime listens, as the runtime sees it.
    pub(crate) fn listens_on(&self) -> String {
        if crate::ENGINE == "process" { self.address.to_string() } else { "0.0.0.0:8080".to_owned() }
    }

    pub(crate) fn processes(&self) -> usize {
        processes::of_sandbox(&self.id, &self.address.ip().to_string()).len()
    }

    /// Whether nobody listens at its address.
    pub(crate) fn refuses(&self) -> bool {
        let connected = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    }
}

pub(crate) fn moment(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}

pub(crate) fn now() -> OffsetDateTime {
    let nanos = i128::from(SystemClock.now().millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap()
}

/// Sleeps until then; not at all when it is past.
pub(crate) fn sleep_until(moment: OffsetDateTime) {
    sleep(Duration::try_from(moment - now()).unwrap_or_default());
}
