//! W4: copying by the stream of a backup tool, both ends: the tool's output through the agents' own channel (no SSH).

use super::{COPY, Order, SCRATCH_MIB, Tell, Told, WORK_FOLDER, blocking, clear, model};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::{PATH_STREAM, StreamRequest};
use xenon_channel::{Bytes, Client, Outflow, StreamBounds};
use xenon_election::NodeId;
use xenon_mysql::{
    CopyPosition, Door, Give, Kit, Layout, MysqldOptions, Scratch, ScratchOptions, StreamLimits, Take, Tool,
    WorkFolder, end_marked, find_kit,
};
use xenon_plan::rebuild::{ToolSeen, Way};

/// From asking to the answer's head.
const OPEN: Duration = Duration::from_secs(10);
/// Longer than the donor waits for its own tool, so that its reason arrives.
const IDLE: Duration = Duration::from_secs(90);
/// Between two words on how far the copy is.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// The stream holds the data, and the log that was written meanwhile: so many times the data, and so much beside it, is
/// more than any. The disk is looked after by its own limit.
const STREAM_TIMES: u64 = 4;
const STREAM_BESIDE: u64 = 64 << 30;

/// How a copy by stream is asked for and received.
#[derive(Debug, Clone)]
pub(crate) struct StreamOrder {
    pub(crate) client: Client,
    pub(crate) from: NodeId,
    pub(crate) request: StreamRequest,
    pub(crate) tool: Tool,
    /// `backup.xtrabackup-bindir`.
    pub(crate) bindir: PathBuf,
    /// `backup.backup-use-memory`.
    pub(crate) memory: String,
    /// How much data the donor has.
    pub(crate) data_bytes: u64,
}

/// As a donor: what is given to whom.
pub(crate) type GiveOrder = xenon_mysql::GiveOrder;

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// The tool of a way; `None` of CLONE.
pub(crate) fn tool_of(way: Way) -> Option<Tool> {
    match way {
        Way::Clone => None,
        Way::Xtrabackup => Some(Tool::Xtrabackup),
        Way::Mariabackup => Some(Tool::Mariabackup),
    }
}

/// Which tools are on this host.
pub(crate) async fn tools(bindir: &Path) -> Vec<ToolSeen> {
    let look = |way, tool| async move {
        ToolSeen { way, found: find_kit(tool, bindir).await.map(|kit| kit.version) }
    };
    let (xtrabackup, mariabackup) =
        tokio::join!(look(Way::Xtrabackup, Tool::Xtrabackup), look(Way::Mariabackup, Tool::Mariabackup));
    vec![xtrabackup, mariabackup]
}

/// Why this node's own programs cannot receive a CLONE.
pub(crate) async fn no_clone_here(options: &MysqldOptions) -> Option<String> {
    xenon_mysql::clone_missing(options).await
}

/// Why this node cannot be cloned, and what its data is: for one who could copy by stream, too.
pub(crate) async fn donor_for_streams(door: &Door, data: &Path) -> Result<(u64, Option<String>), String> {
    match super::donor(door, data).await {
        Ok(bytes) => Ok((bytes, None)),
        Err(why) => Ok((super::data_bytes(data).await?, Some(why))),
    }
}

/// Into the work folder, unpacked and prepared. What is there of it when it fails is removed.
pub(super) async fn copy(order: &Order, stream: &StreamOrder, tell: &Tell) -> Result<(), String> {
    let options = order.mysqld.clone();
    let work = blocking(move || {
        let layout = Layout::of(&options)?;
        WorkFolder::open(layout.beside(), WORK_FOLDER, &model(&layout).0)
    })
    .await?;
    // What an earlier try, or an agent that was killed, has left.
    Scratch::end_stale(work.path()).await.map_err(text)?;
    end_marked(work.path()).await.map_err(text)?;
    clear(&work).await?;
    let kit = find_kit(stream.tool, &stream.bindir).await?;
    let limits = StreamLimits::default();
    let received = tokio::time::timeout(limits.total, receive(stream, &kit, &work, limits, tell));
    let copied = match received.await {
        Ok(Ok(())) => prepare(stream, &kit, &work, limits, tell).await,
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("the copy was not there within {} s", limits.total.as_secs())),
    };
    if copied.is_err() {
        // A failure here must not hide the other: the next try clears away first.
        if let Err(error) = end_marked(work.path()).await {
            tracing::warn!(%error, "programs of a copy that has failed are still there");
        }
        if let Err(error) = clear(&work).await {
            tracing::warn!(error, "a half copy is still there");
        }
    }
    copied
}

async fn receive(
    stream: &StreamOrder,
    kit: &Kit,
    work: &WorkFolder,
    limits: StreamLimits,
    tell: &Tell,
) -> Result<(), String> {
    let max_bytes = stream.data_bytes.saturating_mul(STREAM_TIMES).saturating_add(STREAM_BESIDE);
    let bounds = StreamBounds { max_bytes, idle: IDLE };
    let peer = stream.from.as_str();
    let mut inflow =
        stream.client.open(peer, PATH_STREAM, &stream.request, OPEN, bounds).await.map_err(text)?;
    let mut take = Take::start(kit, &work.path().join(COPY), work.path(), limits).map_err(text)?;
    let mut told = Instant::now();
    // Nothing counts before the end mark has proved length and SHA-256.
    while let Some(piece) = inflow.next().await.map_err(text)? {
        take.write(&piece).await.map_err(text)?;
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let _ = tell.send(Told::Bytes { done: inflow.bytes(), total: 0 }).await;
        }
    }
    let _ = tell.send(Told::Bytes { done: inflow.bytes(), total: 0 }).await;
    take.finish().await.map_err(text)
}

async fn prepare(
    stream: &StreamOrder,
    kit: &Kit,
    work: &WorkFolder,
    limits: StreamLimits,
    tell: &Tell,
) -> Result<(), String> {
    let line =
        format!("S10  the stream is whole and unpacked; {} {} prepares it", kit.tool.word(), kit.version);
    let _ = tell.send(Told::Line(line)).await;
    let memory = xenon_mysql::memory_bytes(&stream.memory).map_err(text)?;
    let copy = work.path().join(COPY);
    xenon_mysql::prepare_copy(kit, &copy, work.path(), memory, limits).await.map_err(text)
}

/// The prepared copy becomes a data folder: a server starts on it, and has what the tool says the copy has.
pub(super) async fn make_whole(order: &Order, tell: &Tell) -> Result<(), String> {
    let options = order.mysqld.clone();
    let (work, copy, position) = blocking(move || {
        let layout = Layout::of(&options)?;
        let (like, had_data) = model(&layout);
        let work = WorkFolder::open(layout.beside(), WORK_FOLDER, &like)?;
        let copy = work.path().join(COPY);
        let position = xenon_mysql::read_position(&copy).and_then(|position| {
            xenon_mysql::tidy_copy(&copy)?;
            xenon_mysql::give_to_server(&options, &copy, &like, had_data)?;
            Ok(position)
        });
        Ok((work, copy, position))
    })
    .await?;
    let position = match position.map_err(text)? {
        CopyPosition::Gtids(set) => set,
        CopyPosition::MariaDb(set) => {
            return Err(format!(
                "the copy is of a MariaDB server (its position is {set}): no MySQL server starts on it"
            ));
        }
    };
    let scratch = ScratchOptions { mysqld: order.mysqld.clone(), work, buffer_pool_mib: SCRATCH_MIB };
    let facts = xenon_mysql::make_whole(&scratch, &copy, &position).await.map_err(text)?;
    let line = format!(
        "S10  a server starts on the copy: MySQL {}, {} table(s), {}",
        facts.version,
        facts.tables,
        xenon_plan::brief(&facts.executed)
    );
    let _ = tell.send(Told::Line(line)).await;
    Ok(())
}

/// What an agent that was killed has left of giving its data to others.
pub(crate) async fn forget_given(meta: &Path) {
    // The next copy that is given tries again.
    if let Err(error) = xenon_mysql::forget_given(meta).await {
        tracing::warn!(%error, "what is left of a copy that was given is still there");
    }
}

/// Runs the tool and sends what it gives. The stream ends well only when the tool has.
pub(crate) async fn give(
    order: GiveOrder,
    tool: Tool,
    bindir: PathBuf,
    mut pen: Outflow,
) -> Result<u64, String> {
    let result = match pump(&order, tool, &bindir, &mut pen).await {
        Ok(bytes) => pen.finish().await.map(|()| bytes).map_err(text),
        Err(why) => {
            pen.fail(why.clone()).await;
            Err(why)
        }
    };
    // Its temporary files, which a tool that was ended has left, are in the way of nobody but the disk.
    forget_given(&order.parent).await;
    result
}

async fn pump(order: &GiveOrder, tool: Tool, bindir: &Path, pen: &mut Outflow) -> Result<u64, String> {
    let kit = find_kit(tool, bindir).await?;
    let mut give = Give::start(&kit, order, StreamLimits::default()).await.map_err(text)?;
    loop {
        let piece = tokio::select! {
            piece = give.next() => piece.map_err(text)?,
            // A tool that is silent for long would go on for nobody.
            () = pen.hung_up() => return Err("whoever asked for it has hung up".to_owned()),
        };
        match piece {
            Some(piece) => pen.send(Bytes::from(piece)).await.map_err(text)?,
            None => break,
        }
    }
    give.finish().await.map_err(text)
}
