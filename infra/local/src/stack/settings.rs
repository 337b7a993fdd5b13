//! What the functions of this stack read from their environment, in this process and outside of it.

use std::time::Duration;

use modbox_control::UrlTemplate;

use super::{DEAD_LETTERS, DEFAULT_IMAGE, EVENT_BUS, LOG_GROUP, SIDECAR_IMAGE, STACK, TABLE};
use crate::queue;

/// The variables of every function but its keys, by the names that `modbox_control::settings` reads.
///
/// The functions in this process are made of them too, so what holds for those holds for one that is started by itself.
pub fn variables(cluster: &str, retention: Duration) -> Vec<(&'static str, String)> {
    vec![
        ("MODBOX_TABLE", TABLE.to_owned()),
        ("MODBOX_RETENTION", humantime::format_duration(retention).to_string()),
        ("MODBOX_STACK", STACK.to_owned()),
        ("MODBOX_CLUSTER", cluster.to_owned()),
        // ECS wants one; the stand-in takes any.
        ("MODBOX_SUBNETS", "subnet-local".to_owned()),
        ("MODBOX_SIDECAR_IMAGE", SIDECAR_IMAGE.to_owned()),
        ("MODBOX_DEFAULT_IMAGE", DEFAULT_IMAGE.to_owned()),
        ("MODBOX_SANDBOX_URL", UrlTemplate::loopback().to_string()),
        ("MODBOX_LOG_GROUP", LOG_GROUP.to_owned()),
        ("MODBOX_EVENT_BUS", EVENT_BUS.to_owned()),
        ("MODBOX_DEAD_LETTER_QUEUE_URL", queue::url(DEAD_LETTERS)),
    ]
}
