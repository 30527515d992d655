//! `mysql backup` and `mysql restore`: begun at this host's agent, which does the work, and shown until they end.

use crate::arguments::{BackupArguments, RestoreArguments};
use crate::commands::rebuild::watch;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output, note};
use crate::session::{self, Session};
use std::time::Duration;
use xenon_api::{BackupOptions, JobKind, Request, Response, RestoreOptions};

/// The agent looks at the folder, and counts the data.
const CHECK: Duration = Duration::from_secs(29);

pub(crate) async fn backup(session: &Session, options: BackupArguments, output: Output) -> Outcome {
    let BackupArguments { to, throttle, detach } = options;
    let request = Request::Backup(BackupOptions { to, throttle_mib_s: throttle });
    begin(session, request, JobKind::Backup, detach, output).await
}

pub(crate) async fn restore(session: &Session, options: RestoreArguments, output: Output) -> Outcome {
    let RestoreArguments { from, force, detach } = options;
    let request = Request::Restore(RestoreOptions { from, force });
    begin(session, request, JobKind::Restore, detach, output).await
}

async fn begin(session: &Session, request: Request, kind: JobKind, detach: bool, output: Output) -> Outcome {
    let node = session.local();
    let message = match session.ask(node, request, CHECK).await? {
        Response::Done { message } => message,
        _ => return Err(session::strange(node)),
    };
    if detach {
        return output::done(output, node, &message);
    }
    tokio::select! {
        outcome = watch(session, output, kind) => outcome,
        _ = tokio::signal::ctrl_c() => {
            let word = kind.word();
            note(&format!(
                "the {word} goes on at the agent. Look at it: xenoncli cluster status; end it: xenoncli mysql cancelbackup"
            ));
            Err(Failure::new(format!("left before the {word} ended; it goes on")))
        }
    }
}
