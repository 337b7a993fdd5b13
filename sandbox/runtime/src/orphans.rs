use std::sync::Arc;

use modbox_tree::{children, snapshot};
use rustix::process::{WaitOptions, getpid, waitpid};
use tokio::signal::unix::Signal;

use crate::Runtime;

/// Reaps what commands left behind once it has ended. The commands themselves are not touched: whoever waits for one
/// needs its exit status. A command is known from before anything else can run on this thread.
pub(crate) async fn reap(mut child_ended: Signal, runtime: Arc<Runtime>) {
    while child_ended.recv().await.is_some() {
        for process in children(&snapshot(), getpid()) {
            if process.ended && !runtime.commands.is_running(process.pid) {
                // Nobody asks how an orphan ended.
                let _ = waitpid(Some(process.pid), WaitOptions::NOHANG);
            }
        }
    }
}
