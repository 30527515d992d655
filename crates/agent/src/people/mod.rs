//! What people ask of a server and its host beside the agent's own work: accounts, variables, stacks, a check-up. Each is a task
//! of its own with connections of its own, that answers whoever asked: the loop only says whether it may be, and what it knows.
//!
//! In `sim-net`, whose servers know nothing of it, a file of this name stands in.

mod accounts;
mod doctor;
mod frames;
mod judge;
mod places;
mod stacks;

use crate::agent::Agent;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use xenon_api::{Assignment, Refusal, Reply, Request, Response, Value};
use xenon_mysql::{GlobalTo, GlobalValue, SqlError};

/// What one question to the server may take; less than a caller waits.
const ASK: Duration = Duration::from_secs(4);

/// What is under way.
pub(crate) struct People {
    /// Tools that stop mysqld must not stop it one after the other.
    stacks: Arc<Semaphore>,
    /// Check-ups call every other node.
    check_ups: Arc<Semaphore>,
    /// Statements on accounts wait for each other in the server anyway.
    accounts: Arc<Semaphore>,
}

impl Default for People {
    fn default() -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self { stacks: turns(1), check_ups: turns(2), accounts: turns(4) }
    }
}

fn no(what: impl Into<String>, cure: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { what: what.into(), cure: cure.into(), ask: None })
}

fn busy(what: &str) -> Reply {
    no(what, Refusal::LATER)
}

impl Agent {
    /// The answer comes when it is done.
    pub(crate) fn on_people_call(&mut self, request: Request, reply: oneshot::Sender<Reply>) {
        if let Some(refusal) = self.cannot(&request) {
            let _ = reply.send(refusal);
            return;
        }
        match request {
            Request::Accounts => self.list_accounts(reply),
            Request::CreateAccount(account) => self.create_account(account, reply),
            Request::DropAccount { user, host } => self.drop_account(user, host, reply),
            Request::ChangePassword { user, host, password } => {
                self.change_password(user, host, &password, reply);
            }
            Request::SetGlobals { assignments } => self.set_globals(assignments, reply),
            Request::Stacks { tool, may_stop } => self.look_at_stacks(tool, may_stop, reply),
            Request::Doctor { peers } => self.check_up(peers, reply),
            other => {
                let what = format!("{} is asked for at the wrong door", other.name());
                let _ = reply.send(no(what, "report this"));
            }
        }
    }

    fn cannot(&self, request: &Request) -> Option<Reply> {
        let needs_server = !matches!(request, Request::Doctor { .. });
        if needs_server && self.config.raft.witness {
            return Some(no("this node is a witness: it has no server", "ask a node with data"));
        }
        None
    }

    fn set_globals(&mut self, assignments: Vec<Assignment>, reply: oneshot::Sender<Reply>) {
        let names: Vec<String> = assignments.iter().map(|assignment| assignment.name.clone()).collect();
        let values: Vec<GlobalValue> = assignments
            .into_iter()
            .map(|Assignment { name, value, persist }| GlobalValue {
                name,
                persist,
                value: match value {
                    Value::Default => GlobalTo::Default,
                    Value::Number(number) => GlobalTo::Number(number),
                    Value::Text(text) => GlobalTo::Text(text),
                },
            })
            .collect();
        let (door, id) = (self.means.door.clone(), self.core.id().clone());
        tokio::spawn(async move {
            let answer = match door.set_globals(&values, ASK).await {
                Ok(()) => {
                    let message = format!("{} set on {id}, and on no other node", names.join(", "));
                    Reply::Ok(Response::Done { message })
                }
                Err(SqlError::Unsupported { what, why }) => no(
                    format!("{what}: {why}"),
                    "leave it to the agent; what a primary or a replica is to have: mysql.master-sysvars, mysql.slave-sysvars",
                ),
                Err(error) => {
                    let cure = match error.code() {
                        Some(1193) => "SHOW GLOBAL VARIABLES lists the names that this server knows",
                        Some(1238) => {
                            "a variable that is read when the server starts stands in its option file: change it there, and restart"
                        }
                        Some(1227) => "the agent's account (mysql.admin) needs SYSTEM_VARIABLES_ADMIN",
                        Some(_) => "give a value that this variable takes",
                        None => "look at xenoncli cluster status",
                    };
                    no(error.to_string(), cure)
                }
            };
            let _ = reply.send(answer);
        });
    }
}
