/// What was asked for: fixed at creation, the same for every incarnation.
///
/// Environment values are not part of it: they are secrets, sealed beside the row and dropped with the launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The container image, as the caller named it or the default.
    pub image: String,
    /// The port that must answer before the sandbox counts as running. Without one a running task is a running
    /// sandbox.
    pub readiness_port: Option<u16>,
    pub memory_mb: u32,
    /// Where the sandbox is reached once it runs; known at creation.
    pub url: String,
    /// Where the sandbox's sidecars reach the API: the address by which its creator reached it.
    pub api_url: String,
    /// The caller's own reference. Kept, never used as a key.
    pub client_reference: Option<String>,
}
