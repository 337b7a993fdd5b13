use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use modbox_sidecar::tree::{self, Pid, Signal};

/// The longest that anything but a deadline is waited for.
pub(crate) const LONG: Duration = Duration::from_secs(8);

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The moment so far from now, as `MODBOX_EXPIRES_AT_MS` says it.
#[expect(clippy::disallowed_methods, reason = "the program under test goes by the wall clock")]
pub(crate) fn in_millis(millis: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now + Duration::from_millis(millis)).as_millis().to_string()
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < until, "{what} did not happen within {LONG:?}");
        thread::sleep(millis(5));
    }
}

/// A running sidecar; what is left of it ends with the test.
pub(crate) struct Sidecar {
    child: Child,
    begun: Instant,
    lines: Receiver<String>,
}

impl Sidecar {
    pub(crate) fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_modbox-sidecar"))
            .args(args)
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = mpsc::channel();
        let said = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, begun: Instant::now(), lines }
    }

    /// The next line on its standard output.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(LONG).unwrap()
    }

    pub(crate) fn tell(&mut self, document: &[u8]) {
        self.child.stdin.take().unwrap().write_all(document).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until the program ends by itself.
    pub(crate) fn code(&mut self) -> i32 {
        let mut code = None;
        eventually("the end of the sidecar", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code().unwrap_or(-1)
    }

    /// How long it has been running.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How long it has computed, in clock ticks.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// Waits until it hears signals: `/proc` shows which ones are caught.
    pub(crate) fn hears(&self, signal: Signal) {
        let bit = 1_u64 << (signal.as_raw() - 1);
        let path = format!("/proc/{}/status", self.child.id());
        eventually("hearing a signal", || {
            let status = std::fs::read_to_string(&path).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & bit != 0
        });
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if let Some(identity) = tree::Identity::of(self.pid()).unwrap() {
            tree::kill_tree(&identity);
        }
        self.child.wait().unwrap();
    }
}

/// One request as the stub saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
}

/// A server on a port of its own that answers each connection with what the test says.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Receiver<Seen>,
}

impl Stub {
    /// `answer` is asked with the number of the request, from zero; a status of zero hangs.
    pub(crate) fn start(answer: impl Fn(usize) -> (u16, String) + Send + 'static) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), answer)
    }

    pub(crate) fn on(address: SocketAddr, answer: impl Fn(usize) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, seen) = mpsc::channel();
        thread::spawn(move || {
            let mut hanging = Vec::new();
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&mut stream) else {
                    continue;
                };
                let (status, body) = answer(number);
                let gone = tell.send(request).is_err();
                if status == 0 {
                    hanging.push(stream);
                } else {
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all(format!("{head}{body}").as_bytes());
                }
                if gone {
                    break;
                }
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn next(&self) -> Seen {
        self.seen.recv_timeout(LONG).unwrap()
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (mut authorization, mut length) = (None, 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(Seen { line: line.trim_end().to_owned(), authorization })
}

/// An address on which nobody listens now.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
