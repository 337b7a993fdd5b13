//! The log as a person at a terminal reads it: one line an event, led by the sandbox that it is about.

use std::{
    fmt,
    io::{self, IsTerminal as _},
};

use modbox_control::SystemClock;
use modbox_sandbox::Clock as _;
use time::{OffsetDateTime, macros::format_description};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Logs to stderr what `RUST_LOG` asks for, else from INFO on; in colours on a terminal only.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    subscriber.event_format(Lines).with_writer(io::stderr).init();
}

struct Lines;

/// What an event says, in the order in which it is written.
#[derive(Default)]
struct Said {
    name: Option<String>,
    message: String,
    rest: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.say(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.say(field.name(), value);
    }
}

impl Said {
    fn say(&mut self, field: &str, value: &str) {
        let value = one_line(value);
        match field {
            "message" => self.message = value,
            "sandbox.name" => self.name = Some(value),
            field => self.rest.extend([" ", field, "=", &value]),
        }
    }
}

/// Neither a line nor a colour begins inside a value.
fn one_line(value: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    value.chars().map(shown).collect()
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let level = *event.metadata().level();
        let (colour, dim, plain) =
            if out.has_ansi_escapes() { (colour(level), "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        write!(out, "{dim}{}{plain} {colour}{level:>5}{plain} ", time_of_day())?;
        if let Some(name) = said.name {
            write!(out, "{name}: ")?;
        }
        writeln!(out, "{}{dim}{}{plain}", said.message, said.rest)
    }
}

const fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG | Level::TRACE => "\x1b[34m",
    }
}

fn time_of_day() -> String {
    let nanos = i128::from(SystemClock.now().millis()) * 1_000_000;
    let format = format_description!("[hour]:[minute]:[second].[subsecond digits:3]Z");
    let now = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    now.and_then(|now| now.format(format).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// What is logged by `log`, in colours or not.
    fn logged(colours: bool, log: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Kept(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(colours).event_format(Lines);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_led_by_the_name_of_its_sandbox() {
        let line = logged(false, || {
            let reason: Option<&str> = None;
            tracing::info!(sandbox.id = %"1-2", sandbox.name = %"hello", reason, "sandbox is running");
        });
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(time.len(), "19:59:39.577Z".len(), "{line}");
        assert_eq!(rest, " INFO hello: sandbox is running sandbox.id=1-2\n");
    }

    #[test]
    fn a_value_neither_begins_a_line_nor_a_colour() {
        let line = logged(false, || tracing::warn!(reason = "one\ntwo\x1b[31m", "it failed"));
        assert!(line.ends_with(" WARN it failed reason=one\\ntwo\\u{1b}[31m\n"), "{line}");
        let line = logged(true, || tracing::error!(reason = "one", "it failed"));
        assert!(line.contains("\x1b[31mERROR\x1b[0m it failed\x1b[2m reason=one\x1b[0m\n"), "{line}");
    }
}
