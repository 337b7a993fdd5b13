//! What the API does, in maps: no table, no stream, no tasks.

use std::collections::BTreeMap;

use proptest::{
    option,
    prelude::{BoxedStrategy, Just, Strategy as _, prop_oneof},
};
use proptest_state_machine::ReferenceStateMachine;

/// Which of the callers. Two clients each are the same user.
pub(super) type ClientId = u8;
/// Whole minutes since the start.
type Minute = u32;

pub(super) const CLIENTS: ClientId = 4;
pub(super) const USERS: u8 = 2;
pub(super) const NAMES: u8 = 2;

/// What somebody does, or the world by itself.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Create(ClientId, Request, Option<u8>),
    Get(ClientId, Target),
    List(ClientId, Option<Status>),
    Destroy(ClientId, Target),
    Kill(ClientId, Target),
    Extend(ClientId, Target, Minute),
    /// All that was accepted is done.
    Settle,
    /// The schedule looks at what is due, and all that was accepted is done.
    Tick,
    Pass(Minute),
}

/// What is asked for: a name, and after how many minutes the sandbox ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) name: Option<u8>,
    pub(super) ttl: Option<Minute>,
}

/// The n-th sandbox that was ever created, whoever's it is, or the caller's own name.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Id(usize),
    Name(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Provisioning,
    Running,
    Destroyed,
}

#[derive(Clone, Debug)]
pub(super) struct Sandbox {
    pub(super) owner: u8,
    pub(super) name: Option<u8>,
    /// The last minute of its life.
    pub(super) until: Option<Minute>,
    runs: bool,
    end: Option<&'static str>,
}

/// What the last act is answered with. Sandboxes are told by their number.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Nothing,
    Created(usize),
    Replayed(usize),
    Shown(usize),
    Listed(Vec<usize>),
    Done,
    Refused(u16, &'static str),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) now: Minute,
    pub(super) sandboxes: Vec<Sandbox>,
    keys: BTreeMap<(u8, u8), (Request, usize)>,
    pub(super) answer: Option<Answer>,
}

pub(super) fn user(client: ClientId) -> u8 {
    client % USERS
}

impl Model {
    /// What a reader is told, and why it is over.
    pub(super) fn status(&self, number: usize) -> (Status, Option<&'static str>) {
        let sandbox = &self.sandboxes[number];
        match sandbox.end {
            Some(reason) => (Status::Destroyed, Some(reason)),
            None if sandbox.until.is_some_and(|until| self.now > until) => {
                (Status::Destroyed, Some("expired"))
            }
            None if sandbox.runs => (Status::Running, None),
            None => (Status::Provisioning, None),
        }
    }

    pub(super) fn is_live(&self, number: usize) -> bool {
        self.status(number).0 != Status::Destroyed
    }

    /// The newest of that name, also after its end.
    pub(super) fn named(&self, owner: u8, name: u8) -> Option<usize> {
        self.sandboxes.iter().rposition(|sandbox| sandbox.owner == owner && sandbox.name == Some(name))
    }

    pub(super) fn listed(&self, owner: u8, status: Option<Status>) -> Vec<usize> {
        let is_so = |number: &usize| status.is_none_or(|status| self.status(*number).0 == status);
        (0..self.sandboxes.len())
            .filter(|number| self.sandboxes[*number].owner == owner)
            .filter(is_so)
            .collect()
    }

    fn find(&self, client: ClientId, target: &Target) -> Result<usize, Answer> {
        let owner = user(client);
        let found = match *target {
            Target::Id(number) => Some(number),
            Target::Name(name) => self.named(owner, name),
        };
        let own =
            found.filter(|number| self.sandboxes.get(*number).is_some_and(|sandbox| sandbox.owner == owner));
        own.ok_or(Answer::Refused(404, "sandbox_not_found"))
    }

    fn create(&mut self, owner: u8, request: &Request, key: Option<u8>) -> Result<Answer, Answer> {
        if let Some((earlier, number)) = key.and_then(|key| self.keys.get(&(owner, key))) {
            return if earlier == request { Ok(Answer::Replayed(*number)) } else { Err(CONFLICT) };
        }
        if request.name.and_then(|name| self.named(owner, name)).is_some_and(|number| self.is_live(number)) {
            return Err(Answer::Refused(409, "sandbox_name_conflict"));
        }
        let (number, until) = (self.sandboxes.len(), request.ttl.map(|ttl| self.now + ttl));
        self.sandboxes.push(Sandbox { owner, name: request.name, until, runs: false, end: None });
        self.keys.extend(key.map(|key| ((owner, key), (request.clone(), number))));
        Ok(Answer::Created(number))
    }

    fn end(&mut self, number: usize, reason: &'static str) -> Answer {
        if self.is_live(number) {
            self.sandboxes[number].end = Some(reason);
        }
        Answer::Done
    }

    fn act(&mut self, act: &Act) -> Result<Answer, Answer> {
        Ok(match act {
            Act::Create(client, request, key) => self.create(user(*client), request, *key)?,
            Act::Get(client, target) => Answer::Shown(self.find(*client, target)?),
            Act::List(client, status) => Answer::Listed(self.listed(user(*client), *status)),
            Act::Destroy(client, target) => self.end(self.find(*client, target)?, "destroyed"),
            Act::Kill(client, target) => self.end(self.find(*client, target)?, "killed"),
            Act::Extend(client, target, ttl) => {
                let number = self.find(*client, target)?;
                if !self.is_live(number) {
                    return Err(CONFLICT);
                }
                self.sandboxes[number].until = Some(self.now + ttl);
                Answer::Shown(number)
            }
            Act::Settle | Act::Tick => self.pass(0),
            Act::Pass(minutes) => self.pass(*minutes),
        })
    }

    fn pass(&mut self, minutes: Minute) -> Answer {
        for sandbox in &mut self.sandboxes {
            sandbox.runs = true;
        }
        self.now += minutes;
        Answer::Nothing
    }
}

const CONFLICT: Answer = Answer::Refused(409, "conflict");

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Act;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Act> {
        let client = || 0..CLIENTS;
        let target =
            || prop_oneof![3 => (0..6usize).prop_map(Target::Id), 2 => (0..NAMES).prop_map(Target::Name)];
        let request = (option::weighted(0.8, 0..NAMES), option::weighted(0.5, 1..4u32));
        let request = request.prop_map(|(name, ttl)| Request { name, ttl });
        let status = prop_oneof![Just(Status::Provisioning), Just(Status::Running), Just(Status::Destroyed)];
        prop_oneof![
            6 => (client(), request, option::weighted(0.3, 0..2u8)).prop_map(|(c, r, k)| Act::Create(c, r, k)),
            2 => (client(), target()).prop_map(|(c, t)| Act::Get(c, t)),
            2 => (client(), option::weighted(0.8, status)).prop_map(|(c, s)| Act::List(c, s)),
            3 => (client(), target()).prop_map(|(c, t)| Act::Destroy(c, t)),
            1 => (client(), target()).prop_map(|(c, t)| Act::Kill(c, t)),
            2 => (client(), target(), 1..4u32).prop_map(|(c, t, ttl)| Act::Extend(c, t, ttl)),
            2 => Just(Act::Settle),
            1 => Just(Act::Tick),
            2 => (1..4u32).prop_map(Act::Pass),
        ]
        .boxed()
    }

    fn apply(mut state: Self, act: &Act) -> Self {
        state.answer = Some(state.act(act).unwrap_or_else(|refusal| refusal));
        state
    }
}
