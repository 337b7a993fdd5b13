//! What more doors than one show of a sandbox.

use modbox_control::Deployment;
use modbox_sandbox::{Sandbox, contract};

/// Whole processors of a task, for those who have no parts of them.
pub(crate) const CPUS: u32 = contract::CPU_UNITS.div_ceil(1024);

/// The image that it was made of, or the name that stands for the deployment's default one.
pub(crate) fn image_or<'a>(default: &'a str, deployment: &Deployment, sandbox: &'a Sandbox) -> &'a str {
    let image = &sandbox.spec.image;
    if *image == deployment.default_image { default } else { image }
}
