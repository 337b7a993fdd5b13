//! From options to a running product, and to its end.

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

use modbox_control::{AdminError, SystemClock, SystemIds};
use modbox_sandbox::{Clock, Ids};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Engine, Options},
    cloud::Open,
    dynamo::Dynamo,
    ecs, port,
    process::ProcessEngine,
    secrets,
    stack::{Parts, Stack},
};

/// The name of the user to whom the machine belongs.
const USER: &str = "local";

/// How long tasks may take to end by themselves, and everything together, once the program is told to end.
const GRACE: Duration = Duration::from_millis(2_500);
const SHUTDOWN: Duration = Duration::from_millis(4_500);

/// Why `modbox-local` cannot run; each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to use the data folder {folder}: {source}; choose another with --data")]
    Data { folder: String, source: io::Error },
    #[error("another modbox-local uses the data folder {0}; stop it, or choose another folder with --data")]
    Locked(String),
    #[error("failed to listen on {address}: {source}; choose another address with {flag}")]
    Listen { address: SocketAddr, flag: &'static str, source: io::Error },
    #[error("failed to start: {0}")]
    Start(String),
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let data = |source| Error::Data { folder: options.data.display().to_string(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&options.data).map_err(data)?;
    let folder = options.data.canonicalize().map_err(data)?;
    let _lock = lock(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(start)?;
    let outcome = runtime.block_on(serve(options, &folder));
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

fn start(error: impl ToString) -> Error {
    Error::Start(error.to_string())
}

/// Held as long as the program runs; the system lets go of it however the program ends.
fn lock(folder: &Path) -> Result<File, Error> {
    let data = |source| Error::Data { folder: folder.display().to_string(), source };
    let file = File::create(folder.join("lock")).map_err(data)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked(folder.display().to_string())),
        Err(std::fs::TryLockError::Error(error)) => Err(data(error)),
    }
}

/// The machine's user. One who was revoked stays so: the table is not the machine's alone.
fn refused(error: AdminError) -> Error {
    match error {
        AdminError::UserRevoked(_) => {
            start(format_args!("{error} with modbox-admin; choose another data folder with --data"))
        }
        error => start(error),
    }
}

async fn serve(options: &Options, folder: &Path) -> Result<(), Error> {
    let data = |source| Error::Data { folder: folder.display().to_string(), source };
    let mut interrupted = signal(SignalKind::interrupt()).map_err(start)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(start)?;
    let (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let token = match &options.token {
        Some(token) => token.clone(),
        None => secrets::token(folder, &*ids).map_err(data)?,
    };
    let api = listen(options.listen, "--listen").await?;
    let aws = listen(options.aws_listen, "--aws-listen").await?;
    let stack = Stack::start(Parts {
        dynamo: Arc::new(Dynamo::open(&folder.join("modbox.db")).map_err(start)?),
        engine: engine(options.engine, folder, &ids).await?,
        ecs: ecs::Settings::default(),
        keys: secrets::keys(folder, &*ids).map_err(data)?,
        tick: Duration::from_secs(1),
        ttl_sweep: Duration::from_secs(60),
        gate: Arc::new(Open),
        clock,
        ids,
    })
    .map_err(start)?;
    stack.admit_instead(USER, &token).await.map_err(refused)?;

    let welcome = Welcome {
        api: api.local_addr().map_err(start)?,
        aws: aws.local_addr().map_err(start)?,
        data: folder,
        token: &token,
    };
    let stop = CancellationToken::new();
    let servers = [serve_api(&stack, api, stop.clone()), serve_aws(&stack, aws, stop.clone())];
    welcome.print().map_err(start)?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    tracing::info!("modbox-local ends; its tasks are stopped");
    stop.cancel();
    let end = stack.shutdown("modbox-local was stopped", GRACE);
    if tokio::time::timeout(SHUTDOWN, end).await.is_err() {
        tracing::warn!("not everything ended in time; the next start ends what is left");
    }
    for server in servers {
        server.abort();
    }
    Ok(())
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, flag, source })
}

async fn engine(engine: Engine, folder: &Path, ids: &Arc<dyn Ids>) -> Result<Arc<dyn ecs::Engine>, Error> {
    match engine {
        Engine::Process => {
            let program = std::env::current_exe().map_err(start)?;
            let engine = ProcessEngine::new(program, folder, Arc::clone(ids));
            let swept = engine.sweep().await.map_err(start)?;
            if !swept.is_empty() {
                tracing::warn!(tasks = swept.len(), "tasks of an earlier run were ended");
            }
            Ok(Arc::new(engine))
        }
    }
}

fn serve_api(stack: &Stack, listener: TcpListener, stop: CancellationToken) -> JoinHandle<()> {
    let server = axum::serve(listener, stack.router()).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the API ended");
        }
    })
}

fn serve_aws(stack: &Stack, listener: TcpListener, stop: CancellationToken) -> JoinHandle<()> {
    let cloud = Arc::clone(&stack.cloud);
    tokio::spawn(async move {
        if let Err(error) = port::serve(listener, cloud, stop).await {
            tracing::error!(%error, "the AWS endpoint ended");
        }
    })
}

/// What its user needs to know. The addresses are those listened on, also where port 0 was asked for.
struct Welcome<'a> {
    api: SocketAddr,
    aws: SocketAddr,
    data: &'a Path,
    token: &'a str,
}

impl Welcome<'_> {
    fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(
            out,
            r#"
Modbox is ready.
  API    {url}
  Token  {token}
  AWS    http://{aws}   (AWS_ENDPOINT_URL for the AWS CLI and for functions started by themselves)
  Data   {data}

Sandboxes run as processes of this user: quick, and NO isolation. Run only what you trust.

Create a sandbox, wait for it, use it:

S=$(curl -s {url}/sandboxes -H 'Authorization: Bearer {token}' -d '{{"task_id":"hello","ttl_seconds":600}}')
curl -s {url}/sandboxes/wait -H 'Authorization: Bearer {token}' -d '{{"task_id":"hello"}}'
curl -s "$(sed 's/.*"exec":"\([^"]*\)".*/\1/' <<<"$S")" -H "Authorization: Bearer $(sed 's/.*"access_token":"\([^"]*\)".*/\1/' <<<"$S")" -d '{{"command":"echo hello"}}'
"#,
            url = format_args!("http://{}", self.api),
            token = self.token,
            aws = self.aws,
            data = self.data.display(),
        )?;
        out.flush()
    }
}
