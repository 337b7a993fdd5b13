//! Podman's own command line, to see and to do what `modbox-local` is not asked about.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{client::PATIENCE, processes::until};

/// What a command of Podman prints.
pub(crate) fn podman(arguments: &[&str]) -> String {
    let output = Command::new("podman").args(arguments).output().unwrap();
    assert!(output.status.success(), "podman {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The names of the containers that have the label, running or not.
pub(crate) fn with_label(name: &str, value: &str) -> Vec<String> {
    let filter = format!("label={name}={value}");
    let names = podman(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
    names.lines().map(ToOwned::to_owned).collect()
}

/// The names of all containers that were started from a data folder.
pub(crate) fn of_data(data: &Path) -> Vec<String> {
    with_label("modbox.data", &data.display().to_string())
}

/// The name of one container of a sandbox.
pub(crate) fn of_sandbox(sandbox: &str, container: &str) -> String {
    let names = with_label("modbox.sandbox", sandbox);
    names.into_iter().find(|name| name.ends_with(&format!("-{container}"))).unwrap()
}

pub(crate) fn inspect(container: &str) -> Value {
    serde_json::from_str::<Value>(&podman(&["inspect", container])).unwrap()[0].take()
}

/// A second service of the same Podman, for a test to take away.
pub(crate) struct Service {
    process: Option<Child>,
    socket: PathBuf,
}

impl Service {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut service = Self { process: None, socket: folder.join("podman.sock") };
        service.start_again();
        service
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new("podman");
        command.args(["system", "service", "--time=0", &self.host()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap());
        until(PATIENCE, "the socket", || self.socket.exists());
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
            // It would be refused otherwise by the next one.
            let _ = std::fs::remove_file(&self.socket);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}
