//! A stack whose AWS port and API listen on sockets of this machine, and the program beside it.

use std::{net::SocketAddr, path::Path, process::Command, sync::Arc, time::Duration};

use modbox_control::{Keys, SystemClock, SystemIds};
use modbox_local::{
    cloud::Open,
    dynamo::Dynamo,
    ecs::{self, simulated::Script, simulated::Simulated},
    port,
    stack::{Parts, Stack},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Never within a test.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

pub(crate) struct World {
    pub(crate) aws: SocketAddr,
    api: SocketAddr,
    pub(crate) home: TempDir,
    _stack: Stack,
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// The test needs a runtime of several threads: the program is waited for while the sockets are served.
    pub(crate) async fn start() -> Self {
        let stack = Stack::start(Parts {
            dynamo: Arc::new(Dynamo::in_memory().unwrap()),
            engine: Arc::new(Simulated::new(|_| Script::default())),
            ecs: ecs::Settings::default(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            memory: None,
            keys: Keys::generate("k1", [1, 2]).parse().unwrap(),
            retention: Duration::from_secs(60 * 60),
            tick: NEVER,
            ttl_sweep: NEVER,
            gate: Arc::new(Open),
        })
        .unwrap();
        let listen = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (aws, api) = (listen().await, listen().await);
        let world = Self {
            aws: aws.local_addr().unwrap(),
            api: api.local_addr().unwrap(),
            home: tempfile::tempdir().unwrap(),
            _stack: stack,
        };
        let stack = &world._stack;
        tokio::spawn(port::serve(aws, Arc::clone(&stack.cloud), CancellationToken::new()));
        let router = stack.router();
        tokio::spawn(async move { axum::serve(api, router).await });
        world
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// The program as the environment of a deployment has it, yet to be changed.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(self.home.path(), arguments);
        command
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "any")
            .env("AWS_SECRET_ACCESS_KEY", "any");
        command
    }

    pub(crate) fn admin(&self, arguments: &[&str]) -> Said {
        run(&mut self.command(arguments))
    }

    /// The answer in JSON of a command that must succeed.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let said = self.admin(&[arguments, &["--json"]].concat());
        assert!(said.ok, "{said:?}");
        serde_json::from_str(&said.stdout).unwrap()
    }

    /// What a command says that must fail.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let said = self.admin(arguments);
        assert!(!said.ok && said.stdout.is_empty(), "{said:?}");
        said.stderr
    }

    /// What the API says to the bearer of that token: 200, or the code of the error.
    pub(crate) fn knock(&self, token: &str) -> String {
        let agent =
            ureq::Agent::new_with_config(ureq::config::Config::builder().http_status_as_error(false).build());
        let url = format!("http://{}/sandboxes", self.api);
        let mut answer = agent.get(url).header("authorization", format!("Bearer {token}")).call().unwrap();
        let body: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        body["error"]["code"].as_str().map_or_else(|| answer.status().as_str().to_owned(), ToOwned::to_owned)
    }
}

/// The program without anything that leads it to AWS.
pub(crate) fn bare(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modbox-admin"));
    command.args(arguments).env_clear().env("HOME", home).env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

pub(crate) fn run(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
