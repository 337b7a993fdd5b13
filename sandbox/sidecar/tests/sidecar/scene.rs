use std::fs;
use std::path::PathBuf;

use modbox_sidecar::tree::{self, Pid};
use modbox_sidecar::{ContainerSpec, Ending, LogLine, ReportLine, Stream, TaskSpec, Variables};
use tempfile::TempDir;

use crate::world::{Sidecar, eventually, in_millis};

/// A task in a folder of its own; its processes are known by a variable they inherit.
pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) task: TaskSpec,
}

impl Scene {
    pub(crate) fn new(stop_timeout_ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report");
        let usage_log = folder.path().join("deadline.log");
        let env = Variables::default();
        let task = TaskSpec { containers: Vec::new(), stop_timeout_ms, report, usage_log, env };
        Self { folder, task }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mark(&self) -> String {
        format!("SCENE={}", self.folder.path().display())
    }

    /// Adds a container that runs this script.
    pub(crate) fn runs(mut self, name: &str, essential: bool, script: &str) -> Self {
        let folder = self.folder.path().to_str().unwrap();
        let env = [("SCENE", folder), ("PATH", "/usr/local/bin:/usr/bin:/bin")];
        self.task.containers.push(ContainerSpec {
            name: name.to_owned(),
            essential,
            program: "bash".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: env.into_iter().collect(),
            cwd: self.folder.path().to_owned(),
            log: self.path(&format!("{name}.log")),
        });
        self
    }

    pub(crate) fn expires_in(mut self, millis: u64) -> Self {
        self.task.env = [("MODBOX_EXPIRES_AT_MS", in_millis(millis))].into_iter().collect();
        self
    }

    pub(crate) fn start(&self) -> Sidecar {
        let mut sidecar = Sidecar::start(&["deadline", "--supervise"], &[]);
        sidecar.tell(&serde_json::to_vec(&self.task).unwrap());
        sidecar
    }

    pub(crate) fn report(&self) -> Vec<ReportLine> {
        let text = fs::read_to_string(&self.task.report).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    pub(crate) fn pid(&self, container: &str) -> Pid {
        let mut found = None;
        eventually("a start in the report", || {
            found = self.report().iter().find_map(|line| match line {
                ReportLine::Started { name, pid } if name == container => Pid::from_raw(*pid),
                _ => None,
            });
            found.is_some()
        });
        found.unwrap()
    }

    pub(crate) fn code(&self, container: &str) -> Option<i32> {
        self.report().iter().find_map(|line| match line {
            ReportLine::Exited { name, code } if name == container => Some(*code),
            _ => None,
        })
    }

    /// What the log says that a container has said, and in which stream.
    pub(crate) fn said(&self, container: &str) -> Vec<(Stream, String)> {
        let lines = LogLine::read_all(&self.path(&format!("{container}.log"))).unwrap();
        lines.into_iter().map(|line| (line.stream, line.log)).collect()
    }

    pub(crate) fn alive(&self) -> usize {
        let mark = self.mark();
        let all = tree::snapshot();
        let ours = all.iter().filter(|process| !process.ended);
        ours.filter(|process| tree::marked(process.pid, |entry| entry == mark.as_bytes())).count()
    }

    /// Waits until the scripts have made these files.
    pub(crate) fn made(&self, names: &[&str]) {
        eventually("the scripts", || names.iter().all(|name| self.path(name).exists()));
    }

    #[track_caller]
    pub(crate) fn over(&self, ending: Ending) {
        assert_eq!(self.alive(), 0, "{:?}", self.report());
        assert_eq!(self.report().last(), Some(&ReportLine::Ended(ending)));
    }
}
