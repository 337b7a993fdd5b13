//! From options to a running product, and to its end.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::middleware::from_fn;
use modbox_control::{AdminError, SystemClock, SystemIds};
use modbox_drain::drain;
use modbox_sandbox::{Clock, Ids};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Options,
    cloud::Open,
    data,
    dynamo::Dynamo,
    ecs,
    engine::{self, Ground},
    functions_env, port, secrets,
    stack::{self, Parts, Stack},
};

/// The name of the user to whom the machine belongs.
const USER: &str = "local";

/// How long tasks may take to end by themselves, and everything together, once the program is told to end.
const GRACE: Duration = Duration::from_millis(2_500);
const SHUTDOWN: Duration = Duration::from_millis(4_500);

/// What DynamoDB and ECS know, in the data folder.
const TABLE: &str = "modbox.db";
const TASKS: &str = "ecs.db";

/// Why `modbox-local` cannot run; each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Data(#[from] data::Error),
    #[error(
        "failed to know the tasks in {folder} again: {source}; start the modbox-local that wrote them, or choose another folder with --data"
    )]
    Memory { folder: String, source: ecs::MemoryError },
    #[error(
        "the data folder {0} has sandboxes but not {TASKS}, which says what runs for them; put it back, or choose another folder with --data"
    )]
    Forgotten(String),
    #[error("failed to listen on {address}: {source}; choose another address with {flag}")]
    Listen { address: SocketAddr, flag: &'static str, source: io::Error },
    #[error(transparent)]
    Engine(#[from] engine::Error),
    #[error("failed to start: {0}")]
    Start(String),
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let data = data::open(&options.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(start)?;
    let outcome = runtime.block_on(serve(options, data.folder()));
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

fn start(error: impl ToString) -> Error {
    Error::Start(error.to_string())
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
    let data = |source| data::Error::of(folder, source);
    let begun = Instant::now();
    let mut interrupted = signal(SignalKind::interrupt()).map_err(start)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(start)?;
    let (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let api = listen(options.listen, "--listen").await?;
    let aws = listen(options.aws_listen, "--aws-listen").await?;
    let aws_address = aws.local_addr().map_err(start)?;
    let ecs = ecs::Settings::default();
    let (keys, keys_text) = secrets::keys(folder, &*ids).map_err(data)?;
    let settings = stack::variables(&ecs.cluster, options.retention);
    let env_file = functions_env::write(folder, aws_address, settings, &keys_text).map_err(data)?;
    let (memory, known) = memory(folder)?;
    let chosen = Ground { folder, ids: Arc::clone(&ids), known }.choose(options.engine).await?;
    let stack = Stack::start(Parts {
        dynamo: Arc::new(table(folder)?),
        engine: chosen.engine,
        memory: Some(memory),
        retention: options.retention,
        ecs,
        keys,
        tick: Duration::from_secs(1),
        ttl_sweep: Duration::from_secs(60),
        gate: Arc::new(Open),
        clock,
        ids: Arc::clone(&ids),
    })
    .map_err(start)?;
    let token = token(options, folder, (&stack, &*ids)).await?;
    stack.admit_instead(USER, &token).await.map_err(refused)?;

    let welcome = Welcome {
        api: api.local_addr().map_err(start)?,
        aws: aws_address,
        env_file: &env_file,
        data: folder,
        token: &token,
        sandboxes: &chosen.sandboxes,
    };
    let stop = CancellationToken::new();
    let servers = [serve_api(&stack, api, stop.clone()), serve_aws(&stack, aws, stop.clone())];
    tracing::info!(duration_ms = begun.elapsed().as_millis(), "modbox-local is ready");
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

/// The token given, or the one kept; one that was revoked is not let in again unless it is given.
async fn token(options: &Options, folder: &Path, (stack, ids): (&Stack, &dyn Ids)) -> Result<String, Error> {
    let data = |source| data::Error::of(folder, source);
    if let Some(given) = &options.token {
        return Ok(given.clone());
    }
    let kept = secrets::token(folder, ids).map_err(data)?;
    if stack.admin.is_revoked(&kept).await.map_err(start)? {
        return Ok(secrets::another_token(folder, ids).map_err(data)?);
    }
    Ok(kept)
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, flag, source })
}

/// What DynamoDB knows. It is made under another name, so that whatever is there is whole: the engine takes many steps.
fn table(folder: &Path) -> Result<Dynamo, Error> {
    let data = |source| data::Error::of(folder, source);
    let path = folder.join(TABLE);
    if !path.exists() {
        let unfinished = path.with_added_extension("new");
        for left in ["new", "new-wal", "new-shm"] {
            match fs::remove_file(path.with_added_extension(left)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(data(error).into()),
                _ => {}
            }
        }
        let dynamo = Dynamo::open(&unfinished).map_err(start)?;
        stack::ensure_table(&dynamo).map_err(start)?;
        // Closed, it is one file.
        drop(dynamo);
        fs::rename(unfinished, &path).map_err(data)?;
    }
    Dynamo::open(&path).map_err(start)
}

/// What ECS knows, and the ids of the tasks that have not stopped. It is made before the table, so that a table without
/// it was not left by a start that was cut short.
fn memory(folder: &Path) -> Result<(ecs::Memory, BTreeSet<String>), Error> {
    let path = folder.join(TASKS);
    if folder.join(TABLE).exists() && !path.exists() {
        return Err(Error::Forgotten(folder.display().to_string()));
    }
    let unusable = |source| Error::Memory { folder: folder.display().to_string(), source };
    let memory = ecs::Memory::open(&path).map_err(unusable)?;
    let known = memory.unfinished();
    Ok((memory, known))
}

fn serve_api(stack: &Stack, listener: TcpListener, stop: CancellationToken) -> JoinHandle<()> {
    // The api function gets its requests whole, since API Gateway reads them so.
    let router = stack.router().layer(from_fn(drain));
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
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
    env_file: &'a Path,
    data: &'a Path,
    token: &'a str,
    sandboxes: &'a str,
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
  AWS    http://{aws}   (the AWS CLI and cargo lambda find it by {env_file})
  Data   {data}

Sandboxes run as {sandboxes}

Create a sandbox, wait for it, use it:

S=$(curl -s {url}/sandboxes -H 'Authorization: Bearer {token}' -d '{{"task_id":"hello","ttl_seconds":600}}')
curl -s {url}/sandboxes/wait -H 'Authorization: Bearer {token}' -d '{{"task_id":"hello"}}'
curl -s "$(sed 's/.*"exec":"\([^"]*\)".*/\1/' <<<"$S")" -H "Authorization: Bearer $(sed 's/.*"access_token":"\([^"]*\)".*/\1/' <<<"$S")" -d '{{"command":"echo hello"}}'
"#,
            url = format_args!("http://{}", self.api),
            token = self.token,
            aws = self.aws,
            env_file = self.env_file.display(),
            data = self.data.display(),
            sandboxes = self.sandboxes,
        )?;
        out.flush()
    }
}
