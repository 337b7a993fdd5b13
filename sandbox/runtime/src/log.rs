use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// How many lines wait for whoever reads them; further ones are lost.
const WAITING: usize = 64;

/// What the sandbox's owner is told on standard output: what happened, never a command, its environment or its output.
///
/// A thread of its own writes, since whoever reads may be slow or may not read at all, and nothing here waits for that.
#[derive(Clone, Debug)]
pub(crate) struct Log(SyncSender<String>);

impl Log {
    pub(crate) fn start() -> Self {
        let (tell, lines) = sync_channel::<String>(WAITING);
        let write = move || lines.iter().try_for_each(|line| writeln!(std::io::stdout(), "{line}"));
        // Without it nobody is told, and everything else goes on.
        drop(thread::Builder::new().name("log".to_owned()).spawn(write));
        Self(tell)
    }

    pub(crate) fn say(&self, line: String) {
        let _ = self.0.try_send(line);
    }
}
