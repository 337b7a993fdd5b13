//! From a command to what is to be said of it.

use std::{sync::Arc, time::Duration};

use modbox_aws::{Connection, table::Table};
use modbox_control::{Admin, Control, SystemClock, SystemIds};

use crate::{
    cli::{Command, Options, TokenCommand, UserCommand},
    fault::Fault,
    said::Said,
};

/// It ends no sandbox, so how long ended ones are kept makes no difference here.
const RETENTION: Duration = Duration::ZERO;

pub(crate) async fn perform(options: &Options) -> Result<Said, Fault> {
    let connection = Connection::as_configured(&options.place()).await?;
    let table = Table::new(&connection, &options.table, RETENTION);
    let admin = Admin::new(Control::new(table, Arc::new(SystemClock), Arc::new(SystemIds)));
    let done = match &options.command {
        Command::User(UserCommand::Create { name }) => admin.create_user(name).await.map(Said::NewUser),
        Command::User(UserCommand::List) => admin.list_users().await.map(Said::Users),
        Command::User(UserCommand::Revoke { name }) => admin
            .revoke_user(name)
            .await
            .map(|tokens| Said::RevokedUser { name: name.clone(), tokens: tokens.len() }),
        Command::Token(TokenCommand::Create { user, description, expires_in }) => {
            admin.create_token(user, description.clone(), *expires_in).await.map(Said::NewToken)
        }
        Command::Token(TokenCommand::List { user }) => admin.list_tokens(user).await.map(Said::Tokens),
        Command::Token(TokenCommand::Revoke { id }) => admin.revoke_token(id).await.map(Said::RevokedToken),
    };
    done.map_err(|error| Fault::of(error, options))
}
