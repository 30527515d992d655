//! Stands in for the agent's file of this name: there are no disks here, so nothing is copied, and a rebuild ends with its check.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, watch};
use xenon_api::StreamRequest;
use xenon_channel::{Client, Outflow};
use xenon_election::NodeId;
use xenon_gtid::GtidSet;
use xenon_mysql::{Door, MysqldOptions, Secret};
use xenon_plan::rebuild::{OnDisk, ToolSeen, Way};

const NONE: &str = "there are no disks in this simulation";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Places {
    nothing: (),
}

#[derive(Debug, Clone)]
#[expect(dead_code, reason = "the real one's shape")]
pub(crate) struct Order {
    pub(crate) mysqld: MysqldOptions,
    pub(crate) door: Door,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) require_tls: bool,
    pub(crate) throttle_mib_s: u32,
    pub(crate) places: Places,
    pub(crate) stamp: String,
    pub(crate) keep_old: bool,
    pub(crate) dropped: Option<Dropped>,
    pub(crate) stream: Option<StreamOrder>,
}

#[derive(Debug, Clone)]
#[expect(dead_code, reason = "the real one's shape")]
pub(crate) struct Dropped {
    pub(crate) meta_dir: PathBuf,
    pub(crate) errant: GtidSet,
    pub(crate) known: GtidSet,
    pub(crate) node: String,
    pub(crate) why: String,
}

#[derive(Debug, Clone)]
#[expect(dead_code, reason = "the real one's shape")]
pub(crate) struct StreamOrder {
    pub(crate) client: Client,
    pub(crate) from: NodeId,
    pub(crate) request: StreamRequest,
    pub(crate) tool: Tool,
    pub(crate) bindir: PathBuf,
    pub(crate) memory: String,
    pub(crate) data_bytes: u64,
}

#[expect(dead_code, reason = "the real one's shape")]
pub(crate) struct GiveOrder {
    pub(crate) door: Door,
    pub(crate) defaults_file: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) parent: PathBuf,
    pub(crate) parallel: u32,
    pub(crate) iops: u64,
    pub(crate) throttle_mib_s: u32,
}

/// No programs are run here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool;

pub(crate) fn tool_of(way: Way) -> Option<Tool> {
    (way != Way::Clone).then_some(Tool)
}

pub(crate) async fn tools(_bindir: &Path) -> Vec<ToolSeen> {
    Vec::new()
}

pub(crate) async fn forget_given(_meta: &Path) {}

pub(crate) async fn no_clone_here(_options: &MysqldOptions) -> Option<String> {
    None
}

pub(crate) async fn donor_for_streams(door: &Door, data: &Path) -> Result<(u64, Option<String>), String> {
    donor(door, data).await.map(|bytes| (bytes, None))
}

pub(crate) async fn give(
    _order: GiveOrder,
    _tool: Tool,
    _bindir: PathBuf,
    pen: Outflow,
) -> Result<u64, String> {
    pen.fail(NONE).await;
    Err(NONE.to_owned())
}

#[derive(Debug)]
#[expect(dead_code, reason = "the real one's shape")]
pub(crate) enum Told {
    Bytes { done: u64, total: u64 },
    Line(String),
}

pub(crate) type Tell = mpsc::Sender<Told>;

#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) data: PathBuf,
    pub(crate) free_bytes: u64,
    pub(crate) kept: usize,
}

pub(crate) async fn room(_options: &MysqldOptions) -> Result<Room, String> {
    Err(NONE.to_owned())
}

pub(crate) async fn on_disk(_places: &Places) -> OnDisk {
    OnDisk::Unknown
}

pub(crate) async fn copy(_order: &Order, _own: bool, _tell: &Tell) -> Result<(), String> {
    Err(NONE.to_owned())
}

pub(crate) async fn verify(_order: &Order, _tell: &Tell) -> Result<Places, String> {
    Err(NONE.to_owned())
}

pub(crate) async fn swap(_order: &Order) -> Result<(), String> {
    Err(NONE.to_owned())
}

pub(crate) async fn put_back(_order: &Order) -> Result<(), String> {
    Ok(())
}

pub(crate) async fn clean(_order: &Order) -> Result<Option<String>, String> {
    Ok(None)
}

pub(crate) async fn give_up(_order: &Order) -> Result<(), String> {
    Ok(())
}

pub(crate) async fn donor(_door: &Door, _data: &Path) -> Result<u64, String> {
    Err(NONE.to_owned())
}

#[derive(Debug)]
pub(crate) struct BackupFacts {
    pub(crate) data_bytes: u64,
    pub(crate) executed: GtidSet,
    pub(crate) wanted_bytes: u64,
    pub(crate) free_bytes: u64,
    pub(crate) own_data: Option<String>,
    pub(crate) line: String,
}

pub(crate) async fn backup_facts(_order: &Order, _backup: &Path) -> Result<BackupFacts, String> {
    Err(NONE.to_owned())
}

pub(crate) async fn copy_backup(_order: &Order, _backup: &Path, _tell: &Tell) -> Result<(), String> {
    Err(NONE.to_owned())
}

#[expect(dead_code, reason = "the real one's shape")]
pub(crate) struct BackupOrder {
    pub(crate) mysqld: MysqldOptions,
    pub(crate) door: Door,
    pub(crate) to: PathBuf,
    pub(crate) throttle_mib_per_s: u32,
    pub(crate) origin: xenon_mysql::BackupOrigin,
}

pub(crate) async fn check_backup(_order: &BackupOrder) -> Result<u64, String> {
    Err(NONE.to_owned())
}

#[derive(Debug)]
#[expect(dead_code, reason = "the real one's shape")]
pub(crate) enum BackupEnd {
    Done { bytes: u64, files: usize, executed: GtidSet },
    Cancelled,
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackupAt {
    pub(crate) phase: &'static str,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

pub(crate) async fn take_backup(
    _order: &BackupOrder,
    _cancel: watch::Receiver<bool>,
    _tell: mpsc::Sender<BackupAt>,
) -> BackupEnd {
    BackupEnd::Failed(NONE.to_owned())
}

pub(crate) async fn clean_up_backup(_door: &Door, _to: &Path) -> Result<(), String> {
    Ok(())
}
