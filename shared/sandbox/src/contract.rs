//! What the control plane and the programs inside a task agree on: container names, environment variables, exit
//! codes. One place, because `launcher` writes it, ECS carries it, and the sidecars and the runtime read it.

/// The container that is the sandbox.
pub const MAIN: &str = "main";
/// The essential sidecar that ends the task at its deadline.
pub const DEADLINE: &str = "deadline";
/// The sidecar that tells the API when the readiness port answers, and exits 0.
pub const READY: &str = "ready";

/// Exit code of `deadline` when the deadline came, as `timeout(1)` uses it: tells expired from exited.
pub const EXPIRED_EXIT_CODE: i32 = 124;

/// Members of what `deadline` says on its standard output: a line of JSON a second after its start and then every ten, with
/// what all containers of the task together have used so far (`{"cpu_seconds":1.25,"memory_bytes":52428800}`). The time
/// of the CPU never falls. Read from the log that ECS keeps of the container.
pub const CPU_SECONDS: &str = "cpu_seconds";
/// The memory that they hold.
pub const MEMORY_BYTES: &str = "memory_bytes";

/// The port on which the built-in images' runtime answers, and which `ready` probes.
pub const RUNTIME_PORT: u16 = 8080;

/// What a task has of a processor, in 1,024ths.
pub const CPU_UNITS: u32 = 256;
/// What a task has of a disk, in GiB: Fargate's least, and gone with the task.
pub const DISK_GIB: u32 = 20;

/// The images that carry the runtime: their readiness port is [`RUNTIME_PORT`].
pub const BUILT_IN_IMAGES: [&str; 2] = ["modbox/sandbox", "modbox/sandbox-lite"];

/// Environment of all three containers: the sandbox's id.
pub const SANDBOX_ID: &str = "MODBOX_SANDBOX_ID";
/// Environment of the main container: the address under which the sandbox is reached.
pub const SANDBOX_URL: &str = "MODBOX_SANDBOX_URL";
/// Environment of the main container: the token that the runtime accepts.
pub const ACCESS_TOKEN: &str = "MODBOX_ACCESS_TOKEN";
/// Environment of the main container: a second token that the runtime accepts, the caller's own if it chose one.
pub const SANDBOX_API_KEY: &str = "SANDBOX_API_KEY";
/// Environment of the sidecars: base URL of the API.
pub const API_URL: &str = "MODBOX_API_URL";
/// Environment of the sidecars: the token by which the API knows this task.
pub const TASK_TOKEN: &str = "MODBOX_TASK_TOKEN";
/// Environment of `deadline`: milliseconds since the epoch; absent when the sandbox does not expire.
pub const EXPIRES_AT_MS: &str = "MODBOX_EXPIRES_AT_MS";
/// Environment of `ready`: the port to probe.
pub const READINESS_PORT: &str = "MODBOX_READINESS_PORT";
/// The address of the task's own network. Unset on Fargate, where the containers of a task share `localhost`; on one
/// machine, where tasks share the host's network, each has a loopback address of its own.
pub const TASK_ADDRESS: &str = "MODBOX_TASK_ADDRESS";
/// Environment of every command that the runtime runs, and so of all that it starts: `<sandbox id>.<more>`, where
/// the rest tells one command from another. By it what a command left behind is found.
pub const EXEC_ID: &str = "MODBOX_EXEC_ID";

/// Begins the `reason` of a StopTask that is to leave no time between SIGTERM and SIGKILL. ECS itself has no such wish and
/// gives each container its `stopTimeout`; what stands in for it on one machine grants it.
pub const NO_GRACE: &str = "modbox: at once: ";

/// Names that a caller's environment may not use begin with this.
pub const RESERVED_PREFIX: &str = "MODBOX_";

/// Whether the image, with or without tag or digest, is one of [`BUILT_IN_IMAGES`].
pub fn is_built_in(image: &str) -> bool {
    built_in_version(image).is_some()
}

/// The tag (`:1.2`) or digest of a built-in image as it is written, empty if there is none; none: it is another image.
pub fn built_in_version(image: &str) -> Option<&str> {
    let mut rests = BUILT_IN_IMAGES.iter().filter_map(|name| image.strip_prefix(name));
    rests.find(|rest| rest.is_empty() || rest.starts_with([':', '@']))
}
