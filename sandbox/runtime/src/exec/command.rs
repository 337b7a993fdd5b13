use std::collections::HashSet;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use modbox_sandbox::contract::EXEC_ID;
use modbox_tree::{Pid, Process, descendants_in, kill_pass, marked};
use rustix::process::getpid;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::output::{Capture, Text};
use super::request::ExecRequest;
use crate::failure::Failure;

/// The exit code of a command whose time was over, as `timeout(1)` gives it.
const TIMED_OUT: i32 = 124;
/// How long output is waited for when the command has ended and something it started still holds the pipe.
const LINGER: Duration = Duration::from_millis(200);
/// How long killed processes have to go; longer takes only what nobody can end.
const KILL_BOUND: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Starts commands and knows which of them run.
pub(crate) struct Commands {
    bash: PathBuf,
    environment: Vec<(OsString, OsString)>,
    /// What the ids of this process's commands begin with.
    id: String,
    started: AtomicU64,
    running: Arc<Mutex<HashSet<Pid>>>,
}

/// What became of a command.
pub(crate) struct Outcome {
    pub(crate) exit_code: i32,
    pub(crate) stdout: Text,
    pub(crate) stderr: Text,
    pub(crate) duration: Duration,
    pub(crate) timed_out: bool,
}

/// A command that was started. As long as it exists nobody else reaps the process.
struct Running {
    child: Child,
    pid: Pid,
    /// The entry of its environment that all it starts inherits.
    mark: String,
    running: Arc<Mutex<HashSet<Pid>>>,
}

/// How the wait for a command ended.
enum End {
    Exited(ExitStatus),
    TimedOut,
    ClientGone,
}

impl Commands {
    pub(crate) fn new(environment: Vec<(OsString, OsString)>, sandbox_id: &str) -> Self {
        let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path);
        let bash = find_bash(path);
        let id = format!("{sandbox_id}.{}", getpid().as_raw_nonzero());
        Self { bash, environment, id, started: AtomicU64::new(0), running: Arc::default() }
    }

    /// Whether this is a command that somebody waits for.
    pub(crate) fn is_running(&self, pid: Pid) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).contains(&pid)
    }

    /// Runs the command to its end, which comes with its timeout or with the client's leaving at the latest. Then all
    /// that it started ends too; what a command that ended by itself left behind lives on.
    pub(crate) async fn run(
        &self,
        request: ExecRequest,
        client_gone: oneshot::Receiver<Infallible>,
    ) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let mut command = self.start(&request)?;
        let stdout = command.child.stdout.take().map(Capture::start);
        let stderr = command.child.stderr.take().map(Capture::start);
        let end = tokio::select! {
            biased;
            status = command.child.wait() => status.map_or_else(|_| End::ClientGone, End::Exited),
            _ = client_gone => End::ClientGone,
            () = sleep(request.timeout) => End::TimedOut,
        };
        if !matches!(end, End::Exited(_)) {
            command.end().await;
        }
        // Its process is reaped, so its id may be another's from now on.
        drop(command);
        let until = Instant::now() + LINGER;
        Ok(Outcome {
            exit_code: end.exit_code(),
            stdout: finish(stdout, until).await,
            stderr: finish(stderr, until).await,
            duration: begun.elapsed(),
            timed_out: matches!(end, End::TimedOut),
        })
    }

    /// There is nothing to wait for between the start and the moment it is known: an orphan's reaper runs on this
    /// thread too.
    fn start(&self, request: &ExecRequest) -> Result<Running, Failure> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}.{number}", self.id);
        let mut command = Command::new(&self.bash);
        command
            .args(["-c", "--", &request.command])
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(&request.env)
            .env(EXEC_ID, &id)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(cwd) = &request.cwd {
            command.current_dir(cwd);
        }
        let child = command.spawn().map_err(|error| not_started(&error))?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pid = pid.ok_or_else(|| Failure::NotStarted("it has no process id".to_owned()))?;
        let running = self.running.clone();
        running.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        Ok(Running { child, pid, mark: format!("{EXEC_ID}={id}"), running })
    }
}

impl Running {
    /// Kills the command and all that it started, until nothing of it is left.
    async fn end(&mut self) {
        let until = Instant::now() + KILL_BOUND;
        while kill_pass(|all| self.processes(all)) > 0 && Instant::now() < until {
            sleep(LOOK_AGAIN).await;
        }
        // It is dead or cannot be killed; reaping it is all that is left.
        let _ = timeout(LINGER, self.child.wait()).await;
    }

    /// The command, what is below it, what is in its group, and what has its mark: a process that left both tree and
    /// group still has the environment it was started with. Other commands' processes are none of these.
    fn processes(&self, all: &[Process]) -> Vec<Process> {
        let group = self.pid.as_raw_nonzero().get();
        let below_runtime = descendants_in(all, getpid());
        let roots = below_runtime.iter().filter(|process| {
            process.pid == self.pid
                || process.group == group
                || marked(process.pid, |entry| entry == self.mark.as_bytes())
        });
        let mut found: Vec<Process> = descendants_in(all, self.pid);
        for root in roots {
            found.push(*root);
            found.extend(descendants_in(all, root.pid));
        }
        let mut seen = HashSet::new();
        found.retain(|process| seen.insert(process.pid));
        found
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}

impl End {
    fn exit_code(&self) -> i32 {
        match self {
            Self::Exited(status) => {
                let by_signal = || status.signal().map(|signal| 128 + signal);
                status.code().or_else(by_signal).unwrap_or(-1)
            }
            Self::TimedOut => TIMED_OUT,
            Self::ClientGone => -1,
        }
    }
}

async fn finish(capture: Option<Capture>, until: Instant) -> Text {
    match capture {
        Some(capture) => capture.finish(until).await,
        None => Text::default(),
    }
}

fn not_started(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ArgumentListTooLong => {
            Failure::invalid("body.env", "is, together with the command, more than the system takes")
        }
        kind => Failure::NotStarted(kind.to_string()),
    }
}

/// The runtime's own bash, whatever `PATH` a command is given.
fn find_bash(path: Option<&OsString>) -> PathBuf {
    let usual = OsString::from("/usr/local/bin:/usr/bin:/bin");
    std::env::split_paths(path.unwrap_or(&usual))
        .chain(std::env::split_paths(&usual))
        .map(|folder| folder.join("bash"))
        .find(|bash| bash.is_absolute() && bash.is_file())
        .unwrap_or_else(|| Path::new("/bin/bash").to_owned())
}
