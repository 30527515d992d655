//! Hearing a guard until its end.

use std::os::unix::net::UnixStream;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::oneshot;
use xenon_address::guard::Answer;

/// Gives each answer to `tell`, until the guard has ended or the loop is gone; says how it ended.
pub(super) async fn until_ended<F: Future<Output = bool>>(
    mut child: Child,
    ear: UnixStream,
    killed: oneshot::Receiver<()>,
    tell: impl Fn(Answer) -> F,
) -> String {
    let hear = async {
        let Ok(ear) = tokio::net::UnixStream::from_std(ear) else { return };
        let mut lines = BufReader::new(ear).lines();
        // The other end is our own program.
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(answer) = Answer::parse(&line)
                && !tell(answer).await
            {
                return;
            }
        }
    };
    tokio::select! {
        () = hear => {}
        Ok(()) = killed => {
            // One that has ended meanwhile is as good.
            let _ = child.start_kill();
        }
    }
    match child.wait().await {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}
