//! What was done or found, in words for people and in JSON for programs.

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use modbox_aws::table::{Token, User};
use modbox_control::{NewToken, SystemClock};
use modbox_sandbox::{Clock as _, Timestamp};
use serde_json::{Value, json};

use crate::fault::Fault;

pub(crate) enum Said {
    NewUser(User),
    Users(Vec<User>),
    RevokedUser { name: String, tokens: usize },
    NewToken(NewToken),
    Tokens(Vec<Token>),
    RevokedToken(Token),
}

impl Said {
    pub(crate) fn write(&self, as_json: bool) -> Result<(), Fault> {
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{:#}", self.json())?;
        } else {
            self.tell(&mut out)?;
        }
        Ok(out.flush()?)
    }

    fn json(&self) -> Value {
        match self {
            Self::NewUser(user) => user_json(user),
            Self::Users(users) => users.iter().map(user_json).collect(),
            Self::RevokedUser { name, tokens } => json!({"name": name, "tokens": tokens}),
            Self::NewToken(NewToken { text, token }) => {
                let mut shown = token_json(token);
                if let Some(members) = shown.as_object_mut() {
                    members.insert("token".to_owned(), json!(text));
                }
                shown
            }
            Self::Tokens(tokens) => tokens.iter().map(token_json).collect(),
            Self::RevokedToken(token) => token_json(token),
        }
    }

    fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::NewUser(user) => {
                writeln!(out, "User {} was added, with the workspace {}.", user.id, user.workspace)?;
                writeln!(out, "Next: modbox-admin token create {}", user.id)
            }
            Self::Users(users) => {
                let rows = users.iter().map(|user| {
                    [user.id.to_string(), user.workspace.to_string(), time(user.created_at), user_state(user)]
                });
                table(out, ["NAME", "WORKSPACE", "CREATED", "STATE"], rows.collect())
            }
            Self::RevokedUser { name, tokens } => {
                writeln!(
                    out,
                    "User {name} was revoked. Of the {tokens} tokens of {name} none is valid any more."
                )
            }
            Self::NewToken(NewToken { text, token }) => {
                let until = token.expires_at.map_or_else(|| "it is revoked".to_owned(), time);
                writeln!(out, "{text}\n")?;
                writeln!(
                    out,
                    "It is shown this once. Its id is {}; it is valid until {until}.",
                    token.hash.id()
                )
            }
            Self::Tokens(tokens) => {
                let now = SystemClock.now();
                let rows = tokens.iter().map(|token| {
                    let expires = token.expires_at.map_or_else(|| "never".to_owned(), time);
                    let description = token.description.clone().unwrap_or_default();
                    let id = token.hash.id().to_owned();
                    [id, time(token.created_at), expires, token_state(token, now), description]
                });
                table(out, ["ID", "CREATED", "EXPIRES", "STATE", "DESCRIPTION"], rows.collect())
            }
            Self::RevokedToken(token) => {
                writeln!(out, "Token {} of {} was revoked.", token.hash.id(), token.user)
            }
        }
    }
}

fn user_json(user: &User) -> Value {
    json!({
        "name": user.id.as_str(),
        "workspace": user.workspace.to_string(),
        "created_at": time(user.created_at),
        "revoked_at": user.revoked_at.map(time),
    })
}

fn token_json(token: &Token) -> Value {
    json!({
        "id": token.hash.id(),
        "user": token.user.as_str(),
        "description": token.description,
        "created_at": time(token.created_at),
        "expires_at": token.expires_at.map(time),
        "revoked_at": token.revoked_at.map(time),
    })
}

fn user_state(user: &User) -> String {
    user.revoked_at.map_or_else(|| "valid".to_owned(), |at| format!("revoked {}", time(at)))
}

fn token_state(token: &Token, now: Timestamp) -> String {
    match (token.revoked_at, token.expires_at) {
        (Some(at), _) => format!("revoked {}", time(at)),
        (None, Some(at)) if at <= now => "expired".to_owned(),
        (None, _) => "valid".to_owned(),
    }
}

/// ISO 8601 in UTC, as the API writes it.
fn time(at: Timestamp) -> String {
    let since = Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// Columns as wide as what is in them.
fn table<const N: usize>(out: &mut impl Write, heads: [&str; N], rows: Vec<[String; N]>) -> io::Result<()> {
    let mut lines = vec![heads.map(ToOwned::to_owned)];
    lines.extend(rows);
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
