//! `mysql createuser` and its relatives. Done by the leader's agent on the primary, whichever node is asked.

use crate::arguments::{GrantArguments, NewAccountArguments, PasswordArguments, YesNo};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output};
use crate::password::PasswordSource;
use crate::session::{self, DO, Session};
use crate::table::Table;
use crate::views::Object;
use serde_json::json;
use std::path::PathBuf;
use tokio::time::Instant;
use xenon_api::{Account, NewAccount, Password, Request, Response, Rights, check_privileges};

/// The option that passwords of accounts come by.
const OPTION: &str = "--passwd";

pub(crate) async fn list(session: &Session, output: Output) -> Outcome {
    let node = session.local();
    let Response::Accounts { accounts } = session.ask(node, Request::Accounts, DO).await? else {
        return Err(session::strange(node));
    };
    output::answer(output, || table(&accounts), || Object::new(vec![("users", json!(rows(&accounts)))]))
}

fn table(accounts: &[Account]) -> Table {
    let yes = |is: bool| if is { "Y" } else { "N" }.to_owned();
    let rows = accounts.iter().map(|account| {
        vec![
            account.user.clone(),
            account.host.clone(),
            yes(account.is_super),
            yes(account.requires_tls),
            yes(account.is_locked),
            account.plugin.clone(),
        ]
    });
    Table::new(&["User", "Host", "Super_priv", "SSL", "Locked", "Plugin"], rows.collect())
}

fn rows(accounts: &[Account]) -> Vec<serde_json::Value> {
    let of = |account: &Account| {
        json!({
            "user": account.user, "host": account.host, "super": account.is_super, "ssl": account.requires_tls,
            "locked": account.is_locked, "plugin": account.plugin,
        })
    };
    accounts.iter().map(of).collect()
}

pub(crate) async fn create(
    session: &Session,
    options: NewAccountArguments,
    rights: Rights,
    output: Output,
) -> Outcome {
    let NewAccountArguments { user, host, password, require_ssl, ssl } = options;
    let require_tls = require_ssl.or(ssl) == Some(YesNo::Yes);
    let PasswordArguments { password, passwd_file, passwd_stdin } = password;
    let password = read(&user, &host, password, passwd_file, passwd_stdin)?;
    tell(session, Request::CreateAccount(NewAccount { user, host, password, require_tls, rights }), output)
        .await
}

pub(crate) async fn create_with_grants(
    session: &Session,
    options: GrantArguments,
    output: Output,
) -> Outcome {
    let GrantArguments { user, host, passwd, passwd_file, passwd_stdin, database, table, privs, ssl } =
        options;
    // Before anybody types a password in vain.
    let privileges = check_privileges(&privs, &database, &table).map_err(|why| {
        Failure::new(format!("--privs: {why}")).cure("xenoncli mysql createuserwithgrants --help").usage()
    })?;
    let password = read(&user, &host, passwd, passwd_file, passwd_stdin)?;
    let rights = Rights::Some { privileges, database, table };
    let require_tls = ssl == YesNo::Yes;
    tell(session, Request::CreateAccount(NewAccount { user, host, password, require_tls, rights }), output)
        .await
}

pub(crate) async fn change_password(
    session: &Session,
    user: String,
    host: String,
    password: PasswordArguments,
    output: Output,
) -> Outcome {
    let PasswordArguments { password, passwd_file, passwd_stdin } = password;
    let password = read(&user, &host, password, passwd_file, passwd_stdin)?;
    tell(session, Request::ChangePassword { user, host, password }, output).await
}

/// Tells this host's agent, or the leader that it names.
pub(crate) async fn tell(session: &Session, request: Request, output: Output) -> Outcome {
    let (by, message) = session.tell(session.local(), request, Instant::now() + DO).await?;
    output::done(output, &by, &message)
}

fn read(
    user: &str,
    host: &str,
    argument: Option<String>,
    file: Option<PathBuf>,
    stdin: bool,
) -> Outcome<Password> {
    let of = format!("account '{user}'@'{host}'");
    let source = PasswordSource { of, option: OPTION, argument, file, stdin, may_be_empty: false };
    Ok(Password::from(source.read()?.expose()))
}
