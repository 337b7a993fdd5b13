use std::io::{self, PipeReader, PipeWriter, Read};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use modbox_sandbox::Clock;
use modbox_tree::usage_below;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpid;

use super::lines::Lines;
use super::log::{LogFile, LogLine, Stream};
use super::spec::TaskSpec;
use crate::clock::WallClock;
use crate::usage::{EVERY, FIRST, Meter};

/// As much as is read at once; what a pipe holds by default.
const CHUNK: usize = 64 * 1024;
/// How often everything is read once more at the end, at most: what is still held open may never be empty.
const LAST_ROUNDS: usize = 16;
/// How long the end may wait for that.
const LAST_BOUND: Duration = Duration::from_millis(500);

/// The ends of the pipes that a container writes to.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) stdout: PipeWriter,
    pub(crate) stderr: PipeWriter,
}

/// Writes into the task's logs what its containers say and, every ten seconds, what they have used.
///
/// One thread does it, so that whatever is written, and however much, neither the deadline nor a signal waits for it.
#[derive(Debug)]
pub(crate) struct Output {
    /// Closed to tell the thread to end.
    stop: PipeWriter,
    done: Receiver<()>,
}

impl Output {
    /// Begins, with pipes for each container in their order.
    pub(crate) fn capture(spec: &TaskSpec) -> io::Result<(Vec<Ends>, Self)> {
        let (mut ends, mut sources) = (Vec::new(), Vec::new());
        for (log, _) in spec.containers.iter().enumerate() {
            let ((from_out, stdout), (from_err, stderr)) = (io::pipe()?, io::pipe()?);
            sources.push(Source::new(from_out, Stream::Stdout, log));
            sources.push(Source::new(from_err, Stream::Stderr, log));
            ends.push(Ends { stdout, stderr });
        }
        let (stopped, stop) = io::pipe()?;
        let (tell, done) = mpsc::channel();
        let mut recorder = Recorder {
            stopped,
            sources,
            logs: spec.containers.iter().map(|container| LogFile::new(&container.log)).collect(),
            usage: LogFile::new(&spec.usage_log),
            meter: Meter::default(),
            chunk: vec![0; CHUNK],
        };
        let work = move || {
            recorder.run();
            // That it is gone says the same, also after a panic.
            drop(tell);
        };
        thread::Builder::new().name("output".to_owned()).spawn(work)?;
        Ok((ends, Self { stop, done }))
    }

    /// Has written what was said so far when it returns, at the latest after half a second.
    pub(crate) fn finish(self) {
        drop(self.stop);
        // Nothing is ever sent: it ends, or the time is over.
        let _ = self.done.recv_timeout(LAST_BOUND);
    }
}

/// One stream of one container.
struct Source {
    pipe: PipeReader,
    stream: Stream,
    /// The place of its log.
    log: usize,
    lines: Lines,
}

impl Source {
    fn new(pipe: PipeReader, stream: Stream, log: usize) -> Self {
        Self { pipe, stream, log, lines: Lines::default() }
    }
}

struct Recorder {
    stopped: PipeReader,
    sources: Vec<Source>,
    logs: Vec<LogFile>,
    usage: LogFile,
    meter: Meter,
    chunk: Vec<u8>,
}

impl Recorder {
    fn run(&mut self) {
        let mut sample_at = Instant::now() + FIRST;
        loop {
            let left = sample_at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.sample();
                sample_at = Instant::now() + EVERY;
                continue;
            }
            let ready = self.ready(left);
            self.read(&ready);
            if ready.first().is_none_or(|stopped| *stopped) {
                break;
            }
        }
        for _ in 0..LAST_ROUNDS {
            let ready = self.ready(Duration::ZERO);
            if !ready.iter().skip(1).any(|ready| *ready) {
                break;
            }
            self.read(&ready);
        }
        while let Some(source) = self.sources.pop() {
            self.close(source);
        }
    }

    /// Which of the order to stop and the sources have something, in their order, as soon as one has. None at all: the
    /// system cannot say.
    fn ready(&self, limit: Duration) -> Vec<bool> {
        let pipes = self.sources.iter().map(|source| &source.pipe);
        let all = std::iter::once(&self.stopped).chain(pipes);
        let mut fds: Vec<PollFd<'_>> = all.map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
        let limit = Timespec::try_from(limit).ok();
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) => fds.iter().map(|fd| !fd.revents().is_empty()).collect(),
            Err(rustix::io::Errno::INTR) => vec![false; fds.len()],
            Err(_) => Vec::new(),
        }
    }

    /// Reads once from each source that has something, and takes leave of those that have ended.
    fn read(&mut self, ready: &[bool]) {
        let mut ready = ready.iter().skip(1).copied();
        let mut kept = Vec::new();
        for mut source in std::mem::take(&mut self.sources) {
            if !ready.next().unwrap_or(false) {
                kept.push(source);
                continue;
            }
            match source.pipe.read(&mut self.chunk) {
                Ok(0) | Err(_) => self.close(source),
                Ok(count) => {
                    let lines = source.lines.push(self.chunk.get(..count).unwrap_or_default());
                    self.write(&source, lines);
                    kept.push(source);
                }
            }
        }
        self.sources = kept;
    }

    fn close(&mut self, mut source: Source) {
        let rest = source.lines.rest();
        self.write(&source, rest);
    }

    fn write(&mut self, source: &Source, lines: impl IntoIterator<Item = String>) {
        let (time, stream) = (WallClock.now(), source.stream);
        let lines: Vec<_> = lines.into_iter().map(|log| LogLine { log, stream, time }).collect();
        if let Some(log) = self.logs.get_mut(source.log) {
            log.append(&lines);
        }
    }

    fn sample(&mut self) {
        let Some(usage) = usage_below(getpid()) else { return };
        let log = format!("{}\n", self.meter.line(usage));
        self.usage.append(&[LogLine { log, stream: Stream::Stdout, time: WallClock.now() }]);
    }
}
