use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// The most that is kept of each stream, in bytes; the rest is read and thrown away.
pub const OUTPUT_LIMIT: usize = 1024 * 1024;
const CHUNK: usize = 16 * 1024;

/// One stream of a command, read as it comes. It is read to its end even when nobody wants it any more: a process that
/// a command left behind must neither block nor die because it says something.
pub(crate) struct Capture {
    kept: Arc<Mutex<Kept>>,
    reading: JoinHandle<()>,
}

/// What a stream said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) truncated: bool,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    truncated: bool,
    taken: bool,
}

impl Capture {
    pub(crate) fn start(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let reading = tokio::spawn(drain(stream, kept.clone()));
        Self { kept, reading }
    }

    /// Takes what was said until the stream ended, at the latest until that moment.
    pub(crate) async fn finish(mut self, until: Instant) -> Text {
        if timeout_at(until, &mut self.reading).await.is_err() {
            // What already is in the pipe belongs to the answer, also on a machine so busy that its time has passed.
            tokio::task::yield_now().await;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.taken = true;
        let truncated = kept.truncated;
        Text { text: text(std::mem::take(&mut kept.bytes), truncated), truncated }
    }
}

async fn drain(mut stream: impl AsyncRead + Unpin, kept: Arc<Mutex<Kept>>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length) = stream.read(&mut chunk).await {
        let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        kept.lock().unwrap_or_else(PoisonError::into_inner).add(read);
    }
}

impl Kept {
    fn add(&mut self, read: &[u8]) {
        if self.taken {
            return;
        }
        let room = OUTPUT_LIMIT - self.bytes.len();
        self.truncated |= read.len() > room;
        self.bytes.extend(read.iter().take(room));
    }
}

/// A character that the limit cut in two is left out; what was no UTF-8 by itself is replaced.
fn text(mut bytes: Vec<u8>, truncated: bool) -> String {
    if truncated && let Some(whole) = whole_characters(&bytes) {
        bytes.truncate(whole);
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Where an unfinished character at the end begins.
fn whole_characters(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.len().saturating_sub(3);
    (tail..bytes.len()).find(|start| {
        let rest = bytes.get(*start..).unwrap_or_default();
        std::str::from_utf8(rest).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_was_cut_is_left_out() {
        assert_eq!(text("aä".as_bytes()[..2].to_vec(), true), "a");
        assert_eq!(text("a🦀".as_bytes()[..4].to_vec(), true), "a");
        assert_eq!(text("aä".as_bytes().to_vec(), true), "aä");
        assert_eq!(text(Vec::new(), true), "");
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        assert_eq!(text(b"a\xffb".to_vec(), false), "a\u{fffd}b");
        assert_eq!(text("aä".as_bytes()[..2].to_vec(), false), "a\u{fffd}");
        assert_eq!(text(b"\xff\xff\xff\xff".to_vec(), true), "\u{fffd}".repeat(4));
    }

    #[test]
    fn exactly_the_limit_is_not_cut() {
        let mut kept = Kept::default();
        kept.add(&vec![b'a'; OUTPUT_LIMIT]);
        assert!(!kept.truncated);
        kept.add(b"a");
        assert!(kept.truncated);
        assert_eq!(kept.bytes.len(), OUTPUT_LIMIT);
    }
}
