use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use modbox_tree::{Identity, Pid, kill_tree, marked, snapshot};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

pub(crate) const TOKEN: &str = "sbx_first";
pub(crate) const API_KEY: &str = "second";
/// The longest that anything is waited for.
const LONG: Duration = Duration::from_secs(8);

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < until, "{what} did not happen within {LONG:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running runtime with a workspace of its own, on a loopback address of its own since the port is fixed.
pub(crate) struct World {
    child: Child,
    address: SocketAddr,
    workspace: TempDir,
    output: NamedTempFile,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) bytes: Vec<u8>,
    /// The bytes as JSON, if they are.
    pub(crate) body: Value,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with(&[("MODBOX_ACCESS_TOKEN", TOKEN), ("SANDBOX_API_KEY", API_KEY)])
    }

    pub(crate) fn with(env: &[(&str, &str)]) -> Self {
        Self::run_by(Command::new(env!("CARGO_BIN_EXE_modbox-runtime")), env)
    }

    /// A runtime that bash starts after it has done something else.
    pub(crate) fn after(preparation: &str) -> Self {
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("{preparation}; exec \"$0\""), env!("CARGO_BIN_EXE_modbox-runtime")]);
        Self::run_by(bash, &[("MODBOX_ACCESS_TOKEN", TOKEN)])
    }

    fn run_by(mut program: Command, env: &[(&str, &str)]) -> Self {
        let workspace = tempfile::tempdir().unwrap();
        let output = NamedTempFile::new().unwrap();
        let address = SocketAddr::from((own_address(), 8080));
        let child = program
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("WORLD", workspace.path())
            .env("MODBOX_TASK_ADDRESS", address.ip().to_string())
            .env("MODBOX_SANDBOX_ID", "box")
            .envs(env.iter().copied())
            .current_dir(workspace.path())
            .stdin(Stdio::null())
            .stdout(output.reopen().unwrap())
            .spawn()
            .unwrap();
        let world = Self { child, address, workspace, output };
        eventually("an answer", || TcpStream::connect(world.address).is_ok());
        world
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.workspace.path().join(name)
    }

    pub(crate) fn workspace(&self) -> &Path {
        self.workspace.path()
    }

    pub(crate) fn made(&self, name: &str) {
        eventually("a file of the command", || self.path(name).exists());
    }

    /// How many processes of commands live; the runtime is their subreaper, so none of them is elsewhere.
    pub(crate) fn alive(&self) -> usize {
        modbox_tree::descendants(self.pid()).len()
    }

    /// How many children the runtime has not reaped.
    pub(crate) fn unreaped(&self) -> usize {
        let all = snapshot();
        modbox_tree::children(&all, self.pid()).filter(|process| process.ended).count()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends a request on a connection of its own and reads nothing.
    pub(crate) fn send(&self, line: &str, token: Option<&str>, body: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        let token = token.map(|token| format!("authorization: {token}\r\n")).unwrap_or_default();
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nhost: box\r\n{token}content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream
    }

    pub(crate) fn ask(&self, line: &str, token: Option<&str>, body: &[u8]) -> Answer {
        read_answer(self.send(line, token, body))
    }

    /// Asks for an exec with the access token.
    pub(crate) fn exec(&self, request: &Value) -> Answer {
        self.ask("POST /modbox/api/exec", Some(&format!("Bearer {TOKEN}")), request.to_string().as_bytes())
    }

    /// Runs a command that is expected to be run.
    #[track_caller]
    pub(crate) fn run(&self, command: &str) -> Value {
        let answer = self.exec(&json!({"command": command}));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The lines on the runtime's own standard output.
    pub(crate) fn said(&self) -> Vec<String> {
        let text = fs::read_to_string(self.output.path()).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(identity) = Identity::of(self.pid()).unwrap() {
            kill_tree(&identity);
        }
        self.child.wait().unwrap();
        let mark = format!("WORLD={}", self.workspace.path().display());
        let is_ours = |pid| marked(pid, |entry| entry == mark.as_bytes());
        let left = |all: &[modbox_tree::Process]| all.iter().filter(|it| is_ours(it.pid)).copied().collect();
        eventually("the end of what is left", || modbox_tree::kill_pass(left) == 0);
    }
}

pub(crate) fn read_answer(stream: TcpStream) -> Answer {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "no answer after {head:?}");
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = Vec::new();
    reader.read_to_end(&mut body).unwrap();
    Answer {
        status,
        head: head.to_ascii_lowercase(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        bytes: body,
    }
}

fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let last = NEXT.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::new(127, high | 0x80, low, u8::try_from(last).unwrap())
}
