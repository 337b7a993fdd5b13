use std::ffi::c_int;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use modbox_sandbox::{Clock, Timestamp};
use signal_hook::iterator::Signals;

use crate::api::{Api, Deadline};
use crate::countdown::Countdown;
use crate::settings::Settings;

/// The clock is looked at no less often, because it may be set while this waits.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What there is to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Expired,
    Signal(c_int),
    Nothing,
}

/// What the threads tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wake {
    Signal(c_int),
    Answer(Option<Deadline>),
    Done,
}

/// Waits for the deadline and for signals, and keeps the deadline up to date meanwhile. Questions to the API have a
/// thread of their own: however slow they are, the deadline is not.
pub(crate) struct Watch {
    clock: Box<dyn Clock>,
    countdown: Countdown,
    wakes: Receiver<Wake>,
    questions: Option<Sender<()>>,
}

impl Watch {
    pub(crate) fn start(
        settings: &Settings,
        expires_at: Option<Timestamp>,
        signals: &[c_int],
        clock: Box<dyn Clock>,
    ) -> io::Result<Self> {
        let (tell, wakes) = mpsc::channel();
        hear(signals, tell.clone())?;
        let id = settings.sandbox_id().unwrap_or_default();
        let mut countdown = Countdown::new(expires_at, clock.now(), &id);
        let questions = expires_at.and(settings.api()).map(|api| ask_with(api, tell));
        if questions.is_none() {
            countdown.ask_nobody();
        }
        Ok(Self { clock, countdown, wakes, questions })
    }

    /// Whether the deadline has come.
    pub(crate) fn is_over(&self) -> bool {
        self.countdown.is_over(self.clock.now())
    }

    /// Returns as soon as there is something to act on, at the latest after a second.
    pub(crate) fn next(&mut self) -> Event {
        let now = self.clock.now();
        if self.countdown.is_over(now) {
            return Event::Expired;
        }
        if self.countdown.ask(now)
            && let Some(questions) = &self.questions
        {
            // The thread is gone only if it panicked; then there are no answers, and the deadline holds.
            let _ = questions.send(());
        }
        match self.hear_within(self.countdown.idle(now).min(LONGEST_SLEEP)) {
            Some(signal) => Event::Signal(signal),
            None if self.is_over() => Event::Expired,
            None => Event::Nothing,
        }
    }

    /// The next signal, if there is one within that time. Whether the deadline has come is not looked at.
    pub(crate) fn hear_within(&mut self, limit: Duration) -> Option<c_int> {
        match self.wakes.recv_timeout(limit) {
            Ok(Wake::Signal(signal)) => Some(signal),
            Ok(Wake::Answer(answer)) => {
                self.countdown.answered(answer, self.clock.now());
                None
            }
            Ok(Wake::Done) | Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                thread::sleep(limit);
                None
            }
        }
    }
}

/// Sends each of these signals into the channel, from now on until the program ends.
pub(crate) fn hear(signals: &[c_int], tell: Sender<Wake>) -> io::Result<()> {
    let mut signals = Signals::new(signals)?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if tell.send(Wake::Signal(signal)).is_err() {
                break;
            }
        }
    })?;
    Ok(())
}

/// Answers each question with what the API says. Where there is no thread to be had nobody ever answers.
fn ask_with(api: Api, tell: Sender<Wake>) -> Sender<()> {
    let (ask, questions) = mpsc::channel();
    let answering = move || {
        while let Ok(()) = questions.recv() {
            if tell.send(Wake::Answer(api.deadline())).is_err() {
                break;
            }
        }
    };
    drop(thread::Builder::new().name("questions".to_owned()).spawn(answering));
    ask
}
