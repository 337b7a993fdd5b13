//! ECS alone, with the logs of its tasks, for functions that something else runs.
//!
//! Tasks are containers of the engine that `DOCKER_HOST` names. It prints its address, and then each state change of a
//! task, as a line of JSON: the event that EventBridge would deliver. Whoever started it says where those go.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use futures::{FutureExt as _, future::BoxFuture};
use modbox_control::{SystemClock, SystemIds};
use modbox_local::{
    aws_json::{Answer, AwsError},
    cloud::{Cloud, Service},
    container::ContainerEngine,
    ecs::{Ecs, Engine, Settings},
    logs::Logs,
    port,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// How long tasks may take to end by themselves once this program is told to end.
const GRACE: Duration = Duration::from_secs(3);

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the logs of tasks that ended are; its path tells the containers from those of others.
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    cluster: String,
    /// The log group that keeps what tasks say.
    #[arg(long)]
    log_group: String,
}

/// A service that is elsewhere.
#[derive(Debug)]
struct Elsewhere;

impl Service for Elsewhere {
    fn call<'a>(&'a self, operation: &'a str, _: Value) -> BoxFuture<'a, Answer> {
        let error = AwsError::client("UnknownOperationException", format!("{operation} is elsewhere"));
        std::future::ready(Err(error)).boxed()
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    match runtime.block_on(run(&Arguments::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&json!({"failed": error.to_string()}));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let engine = ContainerEngine::open(&arguments.data).await.map_err(io::Error::other)?;
    let engine: Arc<dyn Engine> = Arc::new(engine);
    let (changes, mut changed) = mpsc::unbounded_channel();
    let settings = Settings { cluster: arguments.cluster.clone(), ..Settings::default() };
    let ecs = Ecs::new(settings, Arc::clone(&engine), (clock.clone(), ids), changes);
    let logs = Arc::new(Logs::new(arguments.log_group.clone(), engine, clock));
    let elsewhere = || Arc::new(Elsewhere);
    let cloud = Cloud::new(elsewhere(), Arc::new(ecs.clone()), elsewhere(), elsewhere(), logs);

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    say(&json!({"address": listener.local_addr()?.to_string()}));
    let serve = tokio::spawn(port::serve(listener, cloud, CancellationToken::new()));
    let stop = async {
        terminated.recv().await;
        ecs.stop_all("the test is over", GRACE).await;
    };
    tokio::pin!(stop);
    loop {
        tokio::select! {
            Some(event) = changed.recv() => say(&event),
            () = &mut stop => break,
        }
    }
    while let Ok(event) = changed.try_recv() {
        say(&event);
    }
    serve.abort();
    Ok(())
}

fn say(line: &Value) {
    let mut output = io::stdout().lock();
    // Whoever read it may be gone already.
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}
