//! Accounts: made, dropped and changed by the leader's agent on the open primary, so that they reach every node by replication.

use super::{ASK, busy, no};
use crate::agent::Agent;
use std::future::Future;
use tokio::sync::oneshot;
use xenon_api::{
    Account, EventKind, NewAccount, Password, Refusal, Reply, Response, Rights, check_privileges,
};
use xenon_mysql::{AccountError, AccountRights, Secret};

/// Accounts of the server's own.
const RESERVED: [&str; 4] = ["mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys"];

impl Agent {
    pub(super) fn list_accounts(&self, reply: oneshot::Sender<Reply>) {
        let door = self.means.door.clone();
        tokio::spawn(async move {
            let answer = match door.accounts(ASK).await {
                Ok(rows) => {
                    let accounts = rows
                        .into_iter()
                        .map(|row| Account {
                            user: row.user,
                            host: row.host,
                            is_super: row.is_super,
                            requires_tls: row.requires_tls,
                            is_locked: row.is_locked,
                            plugin: row.plugin,
                        })
                        .collect();
                    Reply::Ok(Response::Accounts { accounts })
                }
                Err(error) => no(error.to_string(), "look at xenoncli mysql status, and start the server"),
            };
            let _ = reply.send(answer);
        });
    }

    pub(super) fn create_account(&mut self, account: NewAccount, reply: oneshot::Sender<Reply>) {
        let NewAccount { user, host, password, require_tls, rights } = account;
        let rights = match rights {
            Rights::None => AccountRights::None,
            Rights::All => AccountRights::All,
            Rights::Some { privileges, database, table } => {
                // Checked by the command line already; but the agent is asked by others, too.
                match check_privileges(&privileges.join(","), &database, &table) {
                    Ok(privileges) => AccountRights::Some {
                        privileges,
                        database: Some(database).filter(|name| name != "*"),
                        table: Some(table).filter(|name| name != "*"),
                    },
                    Err(why) => {
                        let _ = reply.send(no(why, "name privileges as MySQL does: SELECT,INSERT"));
                        return;
                    }
                }
            }
        };
        let Some(password) = checked_password(&password, reply) else { return };
        let (reply, password) = password;
        let door = self.means.door.clone();
        let (name, host_part) = (user.clone(), host.clone());
        self.change_accounts(&user, &host, "made", reply, async move {
            door.create_account(&name, &host_part, &password, require_tls, &rights, ASK).await
        });
    }

    pub(super) fn drop_account(&mut self, user: String, host: String, reply: oneshot::Sender<Reply>) {
        let door = self.means.door.clone();
        let (name, host_part) = (user.clone(), host.clone());
        self.change_accounts(&user, &host, "dropped", reply, async move {
            door.drop_account(&name, &host_part, ASK).await
        });
    }

    pub(super) fn change_password(
        &mut self,
        user: String,
        host: String,
        password: &Password,
        reply: oneshot::Sender<Reply>,
    ) {
        let Some((reply, password)) = checked_password(password, reply) else { return };
        let door = self.means.door.clone();
        let (name, host_part) = (user.clone(), host.clone());
        self.change_accounts(&user, &host, "given another password", reply, async move {
            door.change_password(&name, &host_part, &password, ASK).await
        });
    }

    /// Whether it may be now, and then does it.
    fn change_accounts(
        &mut self,
        user: &str,
        host: &str,
        done: &'static str,
        reply: oneshot::Sender<Reply>,
        change: impl Future<Output = Result<(), AccountError>> + Send + 'static,
    ) {
        if let Some(refusal) = self.must_lead().or_else(|| self.no_such_change(user, host)) {
            let _ = reply.send(refusal);
            return;
        }
        let Ok(turn) = self.people.accounts.clone().try_acquire_owned() else {
            let _ = reply.send(busy("other changes of accounts are under way"));
            return;
        };
        let (events, id) = (self.events.clone(), self.core.id().clone());
        let account = format!("'{user}'@'{host}'");
        tokio::spawn(async move {
            let answer = match change.await {
                Ok(()) => {
                    let text = format!("account {account} was {done}");
                    events.push(EventKind::Operator, text.clone());
                    let message =
                        format!("{text} on the primary, {id}; the other nodes get it by replication");
                    Reply::Ok(Response::Done { message })
                }
                Err(error) => no(error.to_string(), error.cure()),
            };
            drop(turn);
            let _ = reply.send(answer);
        });
    }

    fn no_such_change(&self, user: &str, host: &str) -> Option<Reply> {
        // L2: nothing is written before the term's marker is.
        if !self.core.is_open_leader() || self.core.is_handing_over() {
            return Some(busy("this node leads, and its server is not open for writes"));
        }
        let too_long = user.chars().count() > 32 || host.chars().count() > 255;
        if user.is_empty()
            || host.is_empty()
            || too_long
            || user.chars().chain(host.chars()).any(char::is_control)
        {
            return Some(no(
                "an account has a name of 1 to 32 characters and a host of 1 to 255, without control characters",
                "for every host: '%'",
            ));
        }
        if RESERVED.contains(&user) {
            return Some(no(format!("{user} is an account of the server's own"), "leave it as it is"));
        }
        if user == self.config.replication.user {
            return Some(no(
                format!(
                    "{user} is the replication account: the agents make it and keep it right, on every node"
                ),
                "replication.user and replication.passwd in every xenon.json, then restart the agents, under xenoncli cluster pause",
            ));
        }
        if user == self.config.mysql.admin {
            return Some(no(
                format!("{user} is the account that the agents themselves log in with"),
                "change it by hand, together with mysql.passwd in every xenon.json, under xenoncli cluster pause",
            ));
        }
        None
    }
}

/// Gives the caller back when the password can be used; else answers it.
fn checked_password(
    password: &Password,
    reply: oneshot::Sender<Reply>,
) -> Option<(oneshot::Sender<Reply>, Secret)> {
    let text = password.expose();
    if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        let refusal = Refusal {
            what: "a password has 1 to 256 bytes, without control characters".to_owned(),
            cure: "give another".to_owned(),
            ask: None,
        };
        let _ = reply.send(Reply::Refused(refusal));
        return None;
    }
    Some((reply, Secret::from(text)))
}
