//! The recipient's side: a stream, unpacked into a folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::time::timeout;

use super::child::{Running, Start};
use super::{Kit, StreamError, StreamLimits};

/// A stream that is being unpacked. Dropping it ends the program; what it has unpacked stays, for the caller to remove.
#[derive(Debug)]
pub struct Take {
    running: Running,
    stdin: Option<ChildStdin>,
    to: PathBuf,
    limits: StreamLimits,
}

impl Take {
    /// Starts the unpacking program; `to` is made, and must not be there. `mark` is the folder by which
    /// [`super::end_marked`] finds it.
    ///
    /// # Errors
    /// The folder cannot be made or the program not run.
    pub fn start(kit: &Kit, to: &Path, mark: &Path, limits: StreamLimits) -> Result<Self, StreamError> {
        std::fs::create_dir(to).map_err(|error| StreamError::io("cannot create", to, error))?;
        let start = Start {
            program: &kit.unpacker,
            arguments: vec!["-x".into(), "-C".into(), to.into()],
            stdin: Stdio::piped(),
            stdout: Stdio::null(),
            mark,
            hidden: None,
        };
        let mut running = Running::start(kit, start)?;
        let stdin = running.child.stdin.take();
        Ok(Self { running, stdin, to: to.to_owned(), limits })
    }

    /// Hands on the next bytes.
    ///
    /// # Errors
    /// The program takes nothing for [`StreamLimits::idle`], or has ended: with its last words, most often about the disk.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        let Some(stdin) = self.stdin.as_mut() else {
            let source = std::io::Error::other("its stream is over");
            return Err(self.broken(source));
        };
        match timeout(self.limits.idle, stdin.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                self.stdin = None;
                // Why it has closed its input is in how it ends.
                self.running.ended(self.limits.ends_within, false).await?;
                let early = "it has ended, without an error, before its stream did";
                Err(self.broken(std::io::Error::other(early)))
            }
            Err(_) => Err(self.running.hangs("has taken no byte", self.limits.idle)),
        }
    }

    fn broken(&self, source: std::io::Error) -> StreamError {
        let (program, said) = (self.running.name(), self.running.said());
        StreamError::Pipe { doing: "write to", program, source, said }
    }

    /// The stream is over and was whole: waits until all is unpacked.
    ///
    /// # Errors
    /// The program ends with an error, does not end, or has unpacked nothing.
    pub async fn finish(mut self) -> Result<(), StreamError> {
        if let Some(mut stdin) = self.stdin.take() {
            // Closed by the drop; nothing is kept back in it.
            let _ = timeout(self.limits.idle, stdin.shutdown()).await;
        }
        self.running.ended(self.limits.ends_within, false).await?;
        let mut entries =
            std::fs::read_dir(&self.to).map_err(|error| StreamError::io("cannot read", &self.to, error))?;
        if entries.next().is_none() {
            return Err(crate::CopyError::incomplete(&self.to, "the stream had no file in it").into());
        }
        Ok(())
    }
}
