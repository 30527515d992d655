//! Starting mysqld: directly, read-only, with replication not started (L5).

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Pid;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::capabilities::without_capabilities;
use super::defaults_file::Defaults;
use super::record::ProcessRecord;
use super::{Mysqld, MysqldOptions};
use crate::{Dialect, ServerVersion, SqlError};

/// What mysqld prints is kept up to this size; a larger file is moved to `mysqld.out.1` at the next start.
const OUT_BYTES: u64 = 16 * 1024 * 1024;

/// How long `mysqld --version` may take.
const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// Variables of the agent's own surroundings that would change what mysqld does: it would take itself for the child of a
/// monitor (another exit code after CLONE), speak to systemd in the agent's name, or read other option files.
const NOT_INHERITED: [&str; 8] = [
    "MYSQLD_PARENT_PID",
    "NOTIFY_SOCKET",
    "LISTEN_PID",
    "LISTEN_FDS",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "MYSQL_HOME",
    "MYSQL_GROUP_SUFFIX",
];

/// Why mysqld was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program cannot be run.
    #[error("cannot run {program}: {source}; check mysql.basedir")]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// Its version is not supported or not understood.
    #[error("{program}: {source}")]
    Version {
        /// The program.
        program: PathBuf,
        /// What is wrong with it.
        source: SqlError,
    },
    /// The option file cannot be read.
    #[error("cannot read {path}: {source}; check mysql.defaults-file")]
    DefaultsFile {
        /// The option file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// The agent is root and nothing says as whom mysqld is to run.
    #[error(
        "mysqld does not run as root by itself; put user=mysql into [mysqld] of {path}, or name a datadir there that its user owns"
    )]
    NoUser {
        /// The option file.
        path: PathBuf,
    },
    /// There is nothing in the data folder, or not even a folder.
    #[error("the data folder {data_dir} holds no data; bring it back, mount its disk, or rebuild this node")]
    NoData {
        /// The data folder.
        data_dir: PathBuf,
    },
    /// One started earlier runs.
    #[error("mysqld runs already, as process {pid}")]
    Running {
        /// Its process id.
        pid: i32,
    },
    /// The file for its messages cannot be opened.
    #[error("cannot write {path}: {source}")]
    Output {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
}

/// All that must be known and open before the program is run.
struct Prepared {
    defaults: Defaults,
    user: Option<String>,
    out: File,
    err: File,
    log: (PathBuf, u64),
}

impl Mysqld {
    /// Starts mysqld and returns at once: that it serves is seen through the door.
    ///
    /// It is always read-only, does not start replication, and has both semi-sync plugins, whatever its own config says
    /// (L5). It runs in a process group of its own, so that neither a Ctrl-C on the agent's terminal nor the agent's end
    /// touches it (under systemd: `KillMode=process`). A task on the current runtime reaps it.
    ///
    /// # Errors
    /// See [`StartError`]. A mysqld that starts and then gives up is no error here: [`Mysqld::wait_exit`] and
    /// [`Mysqld::exit_record`] tell.
    pub async fn start(options: &MysqldOptions) -> Result<Self, StartError> {
        if let Some(running) = Self::find_by_record(options).await {
            return Err(StartError::Running { pid: running.pid() });
        }
        let dialect = version_of(&options.mysqld).await?;
        let prepared = prepare(options).await?;
        if let Some(data_dir) = prepared.defaults.data_dir().filter(|folder| !holds_data(folder)) {
            return Err(StartError::NoData { data_dir });
        }
        // InnoDB would wait for the lock of the one that runs, and be taken for it meanwhile.
        if let Some(folder) = prepared.defaults.data_dir()
            && let Some(running) = super::find::hold_by_folder(&folder)
        {
            return Err(StartError::Running { pid: running.pid() });
        }
        let mut arguments = vec![joined("--defaults-file=", &options.defaults_file)];
        arguments.extend(options.extra_args.iter().map(OsString::from));
        arguments.extend(forced_arguments(&dialect, &prepared.defaults).into_iter().map(OsString::from));
        arguments.extend(prepared.user.map(|user| format!("--user={user}").into()));
        let mysqld = spawn(&options.mysqld, &arguments, prepared.out, prepared.err, prepared.log)?;
        note(options, &mysqld).await;
        Ok(mysqld)
    }
}

/// A server that is started without its system tables ends at once, with an error that speaks of other things. From 8.0 on they
/// are in `mysql.ibd`, before in the folder `mysql`. Where that cannot be seen, the server itself must tell.
fn holds_data(data_dir: &Path) -> bool {
    let is_there = |name: &str| data_dir.join(name).try_exists().unwrap_or(true);
    is_there("mysql.ibd") || is_there("mysql")
}

/// Runs the program and takes hold of its process. A task on the current runtime reaps it.
pub(crate) fn spawn(
    program: &Path,
    arguments: &[OsString],
    out: File,
    err: File,
    log: (PathBuf, u64),
) -> Result<Mysqld, StartError> {
    let program_error = |source| StartError::Program { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).kill_on_drop(false);
    NOT_INHERITED.iter().for_each(|name| {
        command.env_remove(name);
    });
    let child = without_capabilities(move || command.spawn()).map_err(program_error)?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let Some(pid) = pid else {
        return Err(program_error(io::Error::other("it ended at once")));
    };
    // Held before it can be reaped, so that the number cannot have been given to another process.
    let mut mysqld = Mysqld::hold(pid).map_err(program_error)?;
    mysqld.reaped = Some(reap(child));
    mysqld.log = Some(log);
    Ok(mysqld)
}

/// What L5 wants, after everything else on the command line so that nothing overrides it.
fn forced_arguments(dialect: &Dialect, defaults: &Defaults) -> Vec<String> {
    let words = dialect.words;
    let mut arguments = vec![
        "--read-only=ON".to_owned(),
        "--super-read-only=ON".to_owned(),
        format!("{}=ON", words.skip_start_option),
        // S3: with ON a restart throws away what was received and acknowledged, and not applied yet.
        "--relay-log-recovery=OFF".to_owned(),
    ];
    // A side that the option file loads, under either name, is not loaded twice: the two names exclude each other.
    for (side, other) in
        [(words.semi_sync_source, "semisync_master"), (words.semi_sync_replica, "semisync_slave")]
    {
        let library = format!("semisync_{side}");
        if !defaults.loads(&library) && !defaults.loads(other) {
            arguments.push(format!("--plugin-load-add={library}.so"));
        }
    }
    // At the start, and not by INSTALL PLUGIN when a copy is wanted: that writes to a table, which a donor that serves
    // clients or a `super_read_only` replica should not have to. A build without the library says so in its error log and
    // starts all the same (seen on 9.7.4).
    if !defaults.loads("mysql_clone") {
        arguments.push("--plugin-load-add=mysql_clone.so".to_owned());
    }
    // A node that is rebuilt from a donor which lags has lost what it wrote itself and the donor had yet to apply; without this
    // it would never get that back, since a replica skips what bears its own server_id. With GTIDs nothing goes round in circles:
    // each transaction is applied once. Without them the server refuses the option.
    if defaults.value("gtid_mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ON")) {
        arguments.push("--replicate-same-server-id=ON".to_owned());
    }
    arguments
}

/// The version of a mysqld program, by its own word.
///
/// # Errors
/// [`StartError::Program`] and [`StartError::Version`].
pub async fn mysqld_version(program: &Path) -> Result<ServerVersion, StartError> {
    version_of(program).await.map(|dialect| dialect.version)
}

pub(crate) async fn version_of(program: &Path) -> Result<Dialect, StartError> {
    let program_error = |source| StartError::Program { program: program.to_owned(), source };
    let asked = Command::new(program)
        .args(["--no-defaults", "--version"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(VERSION_DEADLINE, asked).await {
        Ok(output) => output.map_err(program_error)?,
        Err(_) => {
            return Err(program_error(io::Error::new(io::ErrorKind::TimedOut, "--version does not answer")));
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    // "…/mysqld  Ver 9.7.4-1 for Linux on x86_64 ((Debian))"
    let version = text.split_once("Ver ").map(|(_, rest)| rest).unwrap_or_default();
    let version = version.split_ascii_whitespace().next().unwrap_or_default();
    if version.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it prints no version").to_owned();
        return Err(program_error(io::Error::other(said)));
    }
    Dialect::of(version).map_err(|source| StartError::Version { program: program.to_owned(), source })
}

async fn prepare(options: &MysqldOptions) -> Result<Prepared, StartError> {
    let options = options.clone();
    let failed = StartError::Output {
        path: options.out_path(),
        source: io::Error::other("the worker thread is gone"),
    };
    tokio::task::spawn_blocking(move || prepare_blocking(&options)).await.unwrap_or(Err(failed))
}

fn prepare_blocking(options: &MysqldOptions) -> Result<Prepared, StartError> {
    let defaults = Defaults::read(&options.defaults_file)
        .map_err(|source| StartError::DefaultsFile { path: options.defaults_file.clone(), source })?;
    let user = user(options, &defaults)?;
    let path = options.out_path();
    let output_error = |source| StartError::Output { path: path.clone(), source };
    let out = open_output(&path).map_err(output_error)?;
    let err = out.try_clone().map_err(output_error)?;
    let log = defaults.error_log().unwrap_or_else(|| path.clone());
    let length = std::fs::metadata(&log).map_or(0, |meta| meta.len());
    Ok(Prepared { defaults, user, out, err, log: (log, length) })
}

/// Who mysqld is to run as: only root can and must choose.
pub(crate) fn user(options: &MysqldOptions, defaults: &Defaults) -> Result<Option<String>, StartError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    if options.user.is_some() {
        return Ok(options.user.clone());
    }
    if defaults.value("user").is_some() {
        return Ok(None);
    }
    let owner = defaults.data_dir().and_then(|folder| std::fs::metadata(folder).ok()).map(|meta| meta.uid());
    match owner {
        Some(0) => Ok(Some("root".to_owned())),
        Some(uid) => Ok(Some(uid.to_string())),
        None => Err(StartError::NoUser { path: options.defaults_file.clone() }),
    }
}

fn open_output(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > OUT_BYTES) {
        std::fs::rename(path, path.with_extension("out.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// Reaps the child whenever it ends, so that no zombie keeps its successor from starting.
fn reap(mut child: Child) -> watch::Receiver<Option<ExitStatus>> {
    let (tell, reaped) = watch::channel(None);
    tokio::spawn(async move {
        match child.wait().await {
            Ok(status) => drop(tell.send(Some(status))),
            Err(error) => tracing::warn!(%error, "cannot reap mysqld"),
        }
    });
    reaped
}

/// Not fatal when it fails (a full disk): the server itself can be asked which process it is.
async fn note(options: &MysqldOptions, mysqld: &Mysqld) {
    let record = ProcessRecord::of(mysqld.raw_pid(), mysqld.start_ticks());
    let path = options.record_path();
    let saved = tokio::task::spawn_blocking(move || record.save(&path)).await;
    if let Err(error) = saved.unwrap_or_else(|e| Err(io::Error::other(e))) {
        tracing::warn!(%error, path = %options.record_path().display(), "cannot note which mysqld is ours");
    }
}

pub(crate) fn joined(prefix: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(prefix);
    argument.push(path);
    argument
}
