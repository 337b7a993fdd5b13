//! What callers entrust to the product, looked for wherever the functions write.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::future::BoxFuture;
use modbox_local::{
    aws_json::Answer,
    cloud::{Call, Gate},
};
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

use crate::log;

/// Shorter texts are found anywhere by chance.
const SHORTEST: usize = 7;
/// So many of the last bodies and their values are looked for.
const REMEMBERED: usize = 200;

/// The tokens, environment values and bodies that were sent. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    tokens: HashSet<String>,
    sent: VecDeque<String>,
    /// What was said openly too: a name may be what somebody else's password is.
    open: HashSet<String>,
    leak: Option<String>,
}

impl Secrets {
    /// Remembers a caller's token.
    pub fn token(&self, token: &str) {
        if token.len() >= SHORTEST {
            self.known().tokens.insert(token.to_owned());
        }
    }

    /// Remembers a body, and the environment values in it.
    pub fn body(&self, body: &[u8]) {
        let Ok(text) = str::from_utf8(body) else { return };
        let mut parsed: Value = serde_json::from_str(text).unwrap_or_default();
        let env = parsed.as_object_mut().and_then(|body| body.remove("env_vars")).unwrap_or_default();
        let mut known = self.known();
        for open in texts(&parsed) {
            known.sent.retain(|secret| secret != open);
            known.open.insert(open.to_owned());
        }
        for secret in texts(&env).into_iter().chain([text]).filter(|secret| secret.len() >= SHORTEST) {
            if !known.open.contains(secret) && !known.sent.iter().any(|sent| sent == secret) {
                known.sent.push_back(secret.to_owned());
            }
        }
        let forgotten = known.sent.len().saturating_sub(REMEMBERED);
        known.sent.drain(..forgotten);
    }

    /// Remembers the token that an answer hands out.
    pub fn answer(&self, body: &[u8]) {
        let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some(token) = parsed["endpoint"]["access_token"].as_str() {
            self.token(token);
        }
    }

    /// Reads a text that must hold none of them.
    pub fn look(&self, place: &str, text: &str) {
        let mut known = self.known();
        let found = known.tokens.iter().chain(&known.sent).find(|secret| is_in(secret, text));
        if let Some(secret) = found.cloned() {
            known.leak.get_or_insert(format!("{secret:?} can be read in {place}: {text}"));
        }
    }

    /// Fails the test if one of them was found.
    #[track_caller]
    pub fn are_kept(&self) {
        // What panics with the lock held would hide why.
        let leak = self.known().leak.take();
        if let Some(leak) = leak {
            panic!("{leak}");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As it is, or as text within JSON, or that within JSON again.
fn is_in(secret: &str, text: &str) -> bool {
    let quoted = |text: &str| {
        let json = Value::from(text).to_string();
        json[1..json.len() - 1].to_owned()
    };
    let once = quoted(secret);
    text.contains(secret) || (once != secret && (text.contains(&once) || text.contains(&quoted(&once))))
}

/// Every text in a value, at any depth.
fn texts(value: &Value) -> Vec<&str> {
    all(value).into_iter().filter_map(Value::as_str).collect()
}

/// The value as text, and every binary attribute in it as what it holds.
pub(crate) fn legible(value: &Value) -> String {
    let mut text = value.to_string();
    for value in all(value) {
        if let Some(binary) = value["B"].as_str().and_then(|binary| BASE64_STANDARD.decode(binary).ok()) {
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(&binary));
        }
    }
    text
}

/// The value, and every value in it.
fn all(value: &Value) -> Vec<&Value> {
    let mut all = vec![value];
    let mut place = 0;
    while let Some(value) = all.get(place).copied() {
        match value {
            Value::Array(values) => all.extend(values),
            Value::Object(members) => all.extend(members.values()),
            _ => {}
        }
        place += 1;
    }
    all
}

/// Reads the log of this thread while it lives, and fails the test at its end at the latest.
#[derive(Debug)]
pub struct Watch {
    secrets: Secrets,
    _log: DefaultGuard,
}

impl Watch {
    pub fn over(secrets: &Secrets) -> Self {
        let read = secrets.clone();
        Self { secrets: secrets.clone(), _log: log::watched(move |line| read.look("the log", line)) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.secrets.are_kept();
        }
    }
}

/// Reads what the functions store and publish, on its way to the next gate.
#[derive(Debug)]
pub struct Watched<G>(pub G, pub Secrets);

impl<G: Gate> Gate for Watched<G> {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Answer> {
        // RunTask is where environment values go; reading calls carry keys alone.
        match call.operation {
            "PutEvents" | "SendMessage" => self.1.look("an event", &legible(&call.body)),
            "PutItem" | "UpdateItem" | "TransactWriteItems" => self.1.look("the table", &legible(&call.body)),
            _ => {}
        }
        self.0.call(call)
    }
}
