//! AWS as it is on a bad day.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt as _, TryFutureExt as _, future::BoxFuture};
use modbox_local::{
    aws_json::{Answer, AwsError},
    cloud::{Call, Gate},
};
use serde_json::Value;

/// What becomes of one call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is done and answered.
    None,
    /// It is not done, and this is the answer.
    Refused(AwsError),
    /// It is done, and this is the answer.
    AnswerLost(AwsError),
    /// It is done, and answered otherwise than the service does.
    Changed(fn(&mut Value)),
    /// It is done and answered, after this time: others come in between.
    Late(Duration),
    /// It is not done, and no answer ever comes.
    Hangs,
}

impl Fault {
    /// A throttle, which the SDK itself tries again.
    pub fn throttled() -> Self {
        Self::Refused(AwsError::client("ThrottlingException", "Rate exceeded"))
    }

    /// An outage before anything was done.
    pub fn down() -> Self {
        Self::Refused(outage())
    }

    /// An outage after it was done.
    pub fn lost() -> Self {
        Self::AnswerLost(outage())
    }
}

/// AWS is out of order.
pub(crate) fn outage() -> AwsError {
    AwsError { status: 500, ..AwsError::client("InternalServerError", "out of order") }
}

type Rule = dyn FnMut(&Call<'_>) -> Fault + Send;

/// Decides about each call of each function. Clones are the same one.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Option<Box<Rule>>>>);

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}

impl Faults {
    /// Asks `rule` about every call from now on: each attempt of the SDK is one.
    pub fn set(&self, rule: impl FnMut(&Call<'_>) -> Fault + Send + 'static) {
        *self.rule() = Some(Box::new(rule));
    }

    /// The next `count` calls of that caller and operation end so; every other call is done.
    pub fn next(&self, (caller, operation): (&'static str, &'static str), count: usize, fault: Fault) {
        let mut left = count;
        self.set(move |call| {
            if left == 0 || call.caller != caller || call.operation != operation {
                return Fault::None;
            }
            left -= 1;
            fault.clone()
        });
    }

    /// Lets every call pass again.
    pub fn clear(&self) {
        *self.rule() = None;
    }

    fn rule(&self) -> MutexGuard<'_, Option<Box<Rule>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Faults {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Answer> {
        let fault = self.rule().as_mut().map_or(Fault::None, |rule| rule(&call));
        match fault {
            Fault::None => call.perform(),
            Fault::Refused(error) => std::future::ready(Err(error)).boxed(),
            Fault::AnswerLost(error) => call.perform().map(|_| Err(error)).boxed(),
            Fault::Changed(change) => call
                .perform()
                .map_ok(move |mut answer| {
                    change(&mut answer);
                    answer
                })
                .boxed(),
            Fault::Late(time) => tokio::time::sleep(time).then(|()| call.perform()).boxed(),
            Fault::Hangs => std::future::pending().boxed(),
        }
    }
}
