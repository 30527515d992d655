//! `xenoncli mysql …`: this host's server.

use crate::arguments::MysqlCommand;
use crate::commands::{accounts, backup, rebuild};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output};
use crate::session::Session;
use crate::views::Object;
use crate::words;
use serde_json::json;
use std::path::Path;
use xenon_api::{NodeStatus, Request, Rights, parse_set};

pub(crate) async fn run(command: MysqlCommand, config: Option<&Path>, output: Output) -> Outcome {
    let session = Session::open(config)?;
    let request = match command {
        MysqlCommand::Status => return output::json(&status_json(&*session.status(session.local()).await?)),
        MysqlCommand::Start => Request::MysqlStart,
        MysqlCommand::Shutdown => Request::MysqlShutdown,
        MysqlCommand::Kill => Request::MysqlKill,
        MysqlCommand::Startmonitor => Request::Monitor { on: true },
        MysqlCommand::Stopmonitor => Request::Monitor { on: false },
        MysqlCommand::Rebuildme(options) => return rebuild::run(&session, options, output).await,
        MysqlCommand::Cancelrebuild => Request::CancelRebuild,
        MysqlCommand::Backup(options) => return backup::backup(&session, options, output).await,
        MysqlCommand::Cancelbackup => Request::CancelBackup,
        MysqlCommand::Restore(options) => return backup::restore(&session, options, output).await,
        MysqlCommand::Sysvar { statement } => Request::SetGlobals {
            assignments: parse_set(&statement).map_err(|why| {
                Failure::new(format!("this is not understood: {why}"))
                    .cure("xenoncli mysql sysvar 'SET GLOBAL max_connections = 500'")
                    .usage()
            })?,
        },
        MysqlCommand::Getuser => return accounts::list(&session, output).await,
        MysqlCommand::Createuser(options) => {
            return accounts::create(&session, options, Rights::None, output).await;
        }
        MysqlCommand::Createsuperuser(options) => {
            return accounts::create(&session, options, Rights::All, output).await;
        }
        MysqlCommand::Createuserwithgrants(options) => {
            return accounts::create_with_grants(&session, options, output).await;
        }
        MysqlCommand::Dropuser { user, host } => {
            return accounts::tell(&session, Request::DropAccount { user, host }, output).await;
        }
        MysqlCommand::Changepassword { user, host, password } => {
            return accounts::change_password(&session, user, host, password, output).await;
        }
    };
    session.tell_local(request, output).await
}

/// In the Go tool's shape, whatever `--output` says: it never had another.
fn status_json(status: &NodeStatus) -> Object {
    let (receiver, applier) = words::threads(status);
    Object::new(vec![
        ("slave_io_running", json!(receiver)),
        ("slave_sql_running", json!(applier)),
        ("mysqld_running", json!(status.mysqld.running)),
        ("mysql_working", json!(status.mysql.alive)),
        ("seconds_behind_master", json!(words::seconds_behind(&status.mysql))),
        ("last_error", json!(words::last_error(&status.mysql))),
        ("monitor", json!(words::monitor(status))),
    ])
}
