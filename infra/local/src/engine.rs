//! Which engine runs the containers of tasks; what earlier runs have left for the other one is ended.

use std::{collections::BTreeSet, fs, io, path::Path, sync::Arc};

use modbox_sandbox::Ids;

use crate::{
    cli,
    container::{ContainerEngine, OpenError},
    data, ecs,
    process::ProcessEngine,
    stack,
};

/// The file of the data folder that says what runs its tasks.
const MARK: &str = "engine";
const PROCESSES: &str = "process";
const CONTAINERS: &str = "container";

/// Why tasks cannot be run; each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the process engine needs {0}, which is not installed; install it (Debian: apt install {0})")]
    Program(&'static str),
    #[error("failed to run containers: {0}; or choose --engine process")]
    Container(#[from] OpenError),
    #[error("the image {0} is not there; build it with `sandbox/images build`, or choose --engine process")]
    Image(&'static str),
    #[error("failed to end what an earlier run has left: {0}")]
    Sweep(io::Error),
    #[error("failed to write down in the data folder what runs its tasks: {0}")]
    Mark(io::Error),
}

/// What runs the tasks.
pub(crate) struct Chosen {
    pub(crate) engine: Arc<dyn ecs::Engine>,
    /// What a sandbox is then, for the program's user.
    pub(crate) sandboxes: String,
}

/// What both engines are made of.
pub(crate) struct Ground<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) ids: Arc<dyn Ids>,
    /// The tasks that have not stopped, as far as ECS knows.
    pub(crate) known: BTreeSet<String>,
}

impl Ground<'_> {
    /// The engine asked for. Where any will do it is the one that runs the tasks of an earlier run, or, where there are
    /// none, containers if they can be had and otherwise processes.
    pub(crate) async fn choose(self, wanted: cli::Engine) -> Result<Chosen, Error> {
        let wanted = if wanted == cli::Engine::Auto { self.of_known_tasks() } else { wanted };
        if !self.known.is_empty() {
            tracing::info!(tasks = self.known.len(), "tasks of an earlier run are adopted, where they live");
        }
        let containers = ContainerEngine::open(self.folder).await;
        match (wanted, containers) {
            (cli::Engine::Process, containers) => self.processes(containers.ok()).await,
            (cli::Engine::Container, containers) => {
                let containers = containers?;
                match missing(&containers).await {
                    Some(image) => Err(Error::Image(image)),
                    None => self.containers(containers).await,
                }
            }
            (cli::Engine::Auto, Ok(containers)) => match missing(&containers).await {
                Some(image) => {
                    tracing::info!("sandboxes run as processes: {}", Error::Image(image));
                    self.processes(Some(containers)).await
                }
                None => self.containers(containers).await,
            },
            (cli::Engine::Auto, Err(error)) => {
                tracing::info!("sandboxes run as processes: {error}");
                self.processes(None).await
            }
        }
    }

    /// What runs the tasks that have not stopped; a folder that does not say was written when there were only processes.
    fn of_known_tasks(&self) -> cli::Engine {
        if self.known.is_empty() {
            return cli::Engine::Auto;
        }
        match fs::read_to_string(self.folder.join(MARK)) {
            Ok(mark) if mark.trim() == CONTAINERS => cli::Engine::Container,
            _ => cli::Engine::Process,
        }
    }

    fn mark(&self, engine: &str) -> Result<(), Error> {
        data::write_whole(&self.folder.join(MARK), &format!("{engine}\n")).map_err(Error::Mark)
    }

    async fn processes(self, other: Option<ContainerEngine>) -> Result<Chosen, Error> {
        if let Some(missing) = ProcessEngine::missing() {
            return Err(Error::Program(missing));
        }
        let engine = self.process_engine()?;
        self.mark(PROCESSES)?;
        let mut swept = engine.sweep(self.known).await.map_err(Error::Sweep)?;
        if let Some(other) = other {
            swept.extend(other.sweep(BTreeSet::new()).await?);
        }
        tell(&swept);
        let sandboxes =
            "processes of this user: quick, and NO isolation. Run only what you trust.".to_owned();
        Ok(Chosen { engine: Arc::new(engine), sandboxes })
    }

    async fn containers(self, engine: ContainerEngine) -> Result<Chosen, Error> {
        self.mark(CONTAINERS)?;
        let mut swept = self.process_engine()?.sweep(BTreeSet::new()).await.map_err(Error::Sweep)?;
        swept.extend(engine.sweep(self.known).await?);
        tell(&swept);
        let sandboxes = format!("containers of {}.", engine.name());
        Ok(Chosen { engine: Arc::new(engine), sandboxes })
    }

    fn process_engine(&self) -> Result<ProcessEngine, Error> {
        let program = std::env::current_exe().map_err(Error::Sweep)?;
        Ok(ProcessEngine::new(program, self.folder, Arc::clone(&self.ids)))
    }
}

async fn missing(engine: &ContainerEngine) -> Option<&'static str> {
    engine.missing(&[stack::DEFAULT_IMAGE, stack::SIDECAR_IMAGE]).await
}

fn tell(swept: &[String]) {
    if !swept.is_empty() {
        tracing::warn!(tasks = swept.len(), "what was left of tasks of an earlier run was ended");
    }
}
