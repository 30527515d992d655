//! Everything that reaches the agent's loop.

use crate::disk::DiskNews;
use crate::donation::Given;
use crate::hooks::HookFailure;
use crate::metrics::Measured;
use crate::rebuild::News;
use crate::rewind::RewindNews;
use crate::tail::Served;
use crate::vip::VipNews;
use crate::worker::{Done, StepReport};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tokio::sync::oneshot;
use tokio::time::Instant;
use xenon_api::{Call, Envelope, Reply, StreamRequest};
use xenon_channel::StreamedAnswer;
use xenon_mysql::{ExitRecord, LogPlaces, Mysqld, Places, Purged, SqlError};
use xenon_plan::Work;
use xenon_plan::health::Probe;
use xenon_plan::observation::ServerState;
use xenon_plan::purge::PurgeAnswer;

/// One thing that happened outside the loop.
pub(crate) enum Input {
    /// A message of another agent; the channel has proved who sent it.
    Peer(Envelope),
    /// A call of the command line.
    Call { call: Call, reply: oneshot::Sender<Reply> },
    /// Somebody wants a page of metrics.
    Measure { reply: oneshot::Sender<Box<Measured>> },
    /// A member asks for a stream; the channel has proved who it is. The answer is the stream, or why not.
    Stream { request: StreamRequest, reply: oneshot::Sender<Result<StreamedAnswer, String>> },
    /// A look at the server has ended. `began`: what was changed later is not in it.
    Looked { began: Instant, result: Box<Result<ServerState, SqlError>> },
    /// A probe has ended. `began`: what was asked of a process that is gone by now says nothing.
    Probed { began: Instant, probe: Probe, detail: String },
    /// The server has closed the connection that was only there to notice that.
    SessionLost { began: Instant, detail: String },
    /// mysqld was started or found.
    Started(Box<Mysqld>),
    /// A server answers, and its process is not to be found.
    NotFound,
    /// mysqld was not started.
    StartFailed(String),
    /// There is no data to start mysqld with.
    NoData(PathBuf),
    /// The process has ended or is about to.
    Exiting { pid: i32 },
    /// Nothing is left of the process.
    Gone { pid: i32, record: Box<ExitRecord> },
    /// The server has said where its files are.
    Places(Places),
    /// A disk was written to.
    Disk(Box<DiskNews>),
    /// The sessions that were committing when it was asked. `began`: what was asked of another process says nothing.
    Committing { began: Instant, sessions: BTreeSet<u64> },
    /// So many replication threads slept for want of disk space, and were woken.
    Woken(Result<usize, SqlError>),
    /// What clients are doing at the primary (T1).
    Work(Result<Vec<Work>, SqlError>),
    /// Where the server keeps its logs (V4).
    Logs(Box<LogPlaces>),
    /// A job about a dead mysqld has ended (W1).
    Rewind(RewindNews),
    /// What the other members have executed; those that did not answer are left out.
    PurgeAnswers(BTreeMap<String, PurgeAnswer>),
    /// A round of purging binlogs has ended.
    Purged(Box<Result<Purged, SqlError>>),
    /// One step of a plan has ended.
    Step(StepReport),
    /// The operation has ended.
    Done(Done),
    /// W2: the end of the dead server's log was sent to another node, or why not.
    Served(Result<Served, String>),
    /// W4: a copy of the data here was given to another node by stream, or why not.
    Given(Given),
    /// A phase of a rebuild has something to say.
    Rebuild(Box<News>),
    /// A backup has something to say.
    Backup(Box<crate::backup::News>),
    /// A hook has ended.
    Hook { up: bool, result: Result<String, HookFailure> },
    /// The service address, as the agent itself moves it.
    Address(Box<VipNews>),
    /// SIGTERM or SIGINT.
    Stop,
}
