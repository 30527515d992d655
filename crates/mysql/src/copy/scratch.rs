//! A mysqld of the agent's own, on a private socket: it receives a copy, or proves one by starting on it.
//!
//! It reads no option file: one that names a folder for redo logs or binary logs would make it write into those of the real
//! server. The few options that decide whether it can read the data at all are passed on one by one.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::work_folder::sync_folder;
use super::{CopyError, WorkFolder};
use crate::process::{Defaults, hold_all_below, joined, spawn, user, version_of};
use crate::{Dialect, Door, DoorOptions, Mysqld, MysqldOptions, Secret};

/// What must be as in the node's own option file, or the data cannot be read, or CLONE refuses.
const PASSED_ON: [&str; 13] = [
    "basedir",
    "plugin_dir",
    "lc_messages_dir",
    "character_sets_dir",
    "innodb_page_size",
    "innodb_data_file_path",
    "innodb_checksum_algorithm",
    "lower_case_table_names",
    "character_set_server",
    "collation_server",
    "early_plugin_load",
    "keyring_file_data",
    "max_allowed_packet",
];

/// An empty server's own data need not survive anything. CLONE syncs what it copies all the same.
const QUICK: [&str; 2] = ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF"];

/// Longest path of a socket that the kernel takes, bytes.
const SOCKET_BYTES_MAX: usize = 107;
/// Between two tries of the door while it starts.
const TRY_EVERY: Duration = Duration::from_millis(50);
/// One such try.
const TRY_DEADLINE: Duration = Duration::from_secs(2);
/// How long a killed one may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// How a scratch server is run.
#[derive(Debug, Clone)]
pub struct ScratchOptions {
    /// The node's own: the program, and the option file that a few things are taken from.
    pub mysqld: MysqldOptions,
    /// Where its socket, messages and temporary files go, and its data folder if it has one of its own.
    pub work: WorkFolder,
    /// `innodb_buffer_pool_size`, MiB. Recovery of a large redo log is faster with more.
    pub buffer_pool_mib: u32,
}

/// A running scratch server. Dropping it leaves it running: [`Scratch::end_stale`] finds it.
#[derive(Debug)]
pub struct Scratch {
    mysqld: Mysqld,
    door: Door,
    data: PathBuf,
}

impl Scratch {
    /// Makes an empty data folder in the work folder and starts on it: a recipient for CLONE. It has one account, root,
    /// without a password, which nobody but the owner of the work folder can reach.
    ///
    /// # Errors
    /// See [`CopyError`].
    pub async fn start_empty(options: &ScratchOptions, deadline: Duration) -> Result<Self, CopyError> {
        let until = Instant::now() + deadline;
        let data = options.work.path().join("scratch-data");
        Self::end_stale(options.work.path()).await?;
        let (work, clear) = (options.work.clone(), data.clone());
        blocking(move || {
            work.clear("scratch-data")?;
            // mysqld makes its data folder only where its own user may, and the folder above is that user's.
            sync_folder(clear.parent().unwrap_or(&clear))
        })
        .await?;
        let mut arguments = common(options, &data).await?;
        arguments.extend(QUICK.iter().map(OsString::from));
        arguments.push("--initialize-insecure".into());
        let what = "initialising a scratch mysqld";
        let mysqld = run(options, &arguments)?;
        if mysqld.gone(until.saturating_duration_since(Instant::now())).await.is_err() {
            kill(&mysqld).await?;
            return Err(too_slow(what, deadline));
        }
        let record = mysqld.exit_record().await;
        if record.code != Some(0) {
            return Err(CopyError::Scratch { what: what.to_owned(), said: record.to_string() });
        }
        let more = [&QUICK[..], &["--plugin-load-add=mysql_clone.so"]].concat();
        Self::start(options, data, &more, until, deadline).await
    }

    /// Starts on a copied data folder: InnoDB applies the copy's redo log, so a start that succeeds proves the copy, and
    /// the server knows its GTID set. Whoever reaches the socket may do everything, whatever accounts the copy has; the
    /// server is read-only, follows nobody, and writes no binary log.
    ///
    /// The copy is changed by it: it is recovered, and has an `auto.cnf` (see [`super::strip_identity`]).
    ///
    /// # Errors
    /// See [`CopyError`]; [`CopyError::Scratch`] has the server's last words.
    pub async fn start_on(
        options: &ScratchOptions,
        data: &Path,
        deadline: Duration,
    ) -> Result<Self, CopyError> {
        let until = Instant::now() + deadline;
        Self::end_stale(data).await?;
        // --skip-grant-tables also keeps away what the copy's own tables would load: plugins, functions, events.
        let more = ["--skip-grant-tables", "--read-only=ON", "--super-read-only=ON"];
        Self::start(options, data.to_owned(), &more, until, deadline).await
    }

    async fn start(
        options: &ScratchOptions,
        data: PathBuf,
        more: &[&str],
        until: Instant,
        deadline: Duration,
    ) -> Result<Self, CopyError> {
        let what = "starting a scratch mysqld";
        let mut arguments = common(options, &data).await?;
        arguments.extend(more.iter().map(OsString::from));
        let mysqld = run(options, &arguments)?;
        let door = Door::new(DoorOptions {
            host: "localhost".to_owned(),
            port: 0,
            socket: Some(socket(options)?),
            user: "root".to_owned(),
            password: Secret::default(),
            connect_deadline: TRY_DEADLINE,
        });
        let scratch = Self { mysqld, door, data };
        loop {
            if scratch.door.probe(TRY_DEADLINE).await.is_ok() {
                return Ok(scratch);
            }
            if !scratch.mysqld.is_alive() {
                let _ = scratch.mysqld.gone(GONE_WITHIN).await;
                let said = scratch.mysqld.exit_record().await.to_string();
                return Err(CopyError::Scratch { what: what.to_owned(), said });
            }
            if Instant::now() >= until {
                scratch.kill().await?;
                return Err(too_slow(what, deadline));
            }
            sleep(TRY_EVERY).await;
        }
    }

    /// The door to it.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Its process.
    pub fn mysqld(&self) -> &Mysqld {
        &self.mysqld
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Shuts it down in order: its data folder is complete without recovery afterwards.
    ///
    /// # Errors
    /// [`CopyError::TooSlow`] when it had to be killed, [`CopyError::Scratch`] when it ended with an error.
    pub async fn stop(self, deadline: Duration) -> Result<(), CopyError> {
        let what = "stopping a scratch mysqld";
        self.door.close_idle();
        let io = |source| CopyError::io("cannot signal", &self.data, source);
        self.mysqld.terminate().map_err(io)?;
        if self.mysqld.gone(deadline).await.is_err() {
            kill(&self.mysqld).await?;
            return Err(too_slow(what, deadline));
        }
        let record = self.mysqld.exit_record().await;
        match record.code {
            Some(0) => Ok(()),
            _ => Err(CopyError::Scratch { what: what.to_owned(), said: record.to_string() }),
        }
    }

    /// Ends it at once: for one whose data is not wanted any more.
    ///
    /// # Errors
    /// When it is not gone within half a minute.
    pub async fn kill(&self) -> Result<(), CopyError> {
        kill(&self.mysqld).await
    }

    /// Ends every mysqld that works below `folder`: what an agent that crashed has left there. Says whether there was one.
    ///
    /// # Errors
    /// When one is not gone within half a minute.
    pub async fn end_stale(folder: &Path) -> Result<bool, CopyError> {
        let below = folder.to_owned();
        let stale = blocking(move || Ok(hold_all_below(&below))).await?;
        for mysqld in &stale {
            tracing::warn!(pid = mysqld.pid(), folder = %folder.display(), "ending a mysqld that was left there");
            kill(mysqld).await?;
        }
        Ok(!stale.is_empty())
    }
}

async fn kill(mysqld: &Mysqld) -> Result<(), CopyError> {
    let path = PathBuf::from(format!("/proc/{}", mysqld.pid()));
    mysqld.kill().map_err(|error| CopyError::io("cannot kill", &path, error))?;
    mysqld.gone(GONE_WITHIN).await.map_err(|error| CopyError::io("cannot end", &path, error))
}

fn socket(options: &ScratchOptions) -> Result<PathBuf, CopyError> {
    let path = options.work.path().join("s");
    if path.as_os_str().len() > SOCKET_BYTES_MAX {
        let why = format!(
            "{} is longer than the {SOCKET_BYTES_MAX} bytes that a socket's name may have; use a folder nearer to /",
            path.display()
        );
        return Err(CopyError::impossible("starting a scratch mysqld", why));
    }
    Ok(path)
}

/// All arguments but those of the occasion.
async fn common(options: &ScratchOptions, data: &Path) -> Result<Vec<OsString>, CopyError> {
    let dialect: Dialect = version_of(&options.mysqld.mysqld).await?;
    let (mysqld, work) = (options.mysqld.clone(), options.work.path().to_owned());
    let (passed, user) = blocking(move || {
        let tmp = work.join("tmp");
        match std::fs::create_dir(&tmp) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(CopyError::io("cannot create", &tmp, error));
            }
            _ => {}
        }
        super::own_like(&tmp, &work)?;
        let defaults = Defaults::read(&mysqld.defaults_file).map_err(|source| {
            crate::StartError::DefaultsFile { path: mysqld.defaults_file.clone(), source }
        })?;
        let user = match user(&mysqld, &defaults)? {
            Some(user) => Some(user),
            None => defaults.value("user").map(str::to_owned),
        };
        Ok((defaults.arguments(&PASSED_ON), user))
    })
    .await?;
    let work = options.work.path();
    let mut arguments = vec![OsString::from("--no-defaults")];
    arguments.extend(passed.into_iter().map(OsString::from));
    arguments.push(joined("--datadir=", data));
    arguments.push(joined("--socket=", &socket(options)?));
    arguments.push(joined("--pid-file=", &work.join("scratch.pid")));
    arguments.push(joined("--log-error=", &work.join("scratch.err")));
    arguments.push(joined("--tmpdir=", &work.join("tmp")));
    arguments.push(format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mib).into());
    arguments.push(format!("{}=ON", dialect.words.skip_start_option).into());
    arguments.extend(
        [
            "--skip-networking",
            "--loose-mysqlx=OFF",
            "--skip-log-bin",
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--persisted-globals-load=OFF",
            "--event-scheduler=OFF",
            "--max-connections=20",
            // No keys that a copy would carry to whoever gets it.
            "--loose-auto-generate-certs=OFF",
            "--loose-sha256-password-auto-generate-rsa-keys=OFF",
            "--loose-caching-sha2-password-auto-generate-rsa-keys=OFF",
        ]
        .map(OsString::from),
    );
    arguments.extend(user.map(|user| format!("--user={user}").into()));
    Ok(arguments)
}

fn run(options: &ScratchOptions, arguments: &[OsString]) -> Result<Mysqld, CopyError> {
    let work = options.work.path();
    let path = work.join("scratch.out");
    let open = || OpenOptions::new().create(true).append(true).open(&path);
    let (out, err) = open()
        .and_then(|out| Ok((out.try_clone()?, out)))
        .map_err(|error| CopyError::io("cannot write", &path, error))?;
    let log = work.join("scratch.err");
    let length = std::fs::metadata(&log).map_or(0, |meta| meta.len());
    Ok(spawn(&options.mysqld.mysqld, arguments, out, err, (log, length))?)
}

fn too_slow(what: &str, after: Duration) -> CopyError {
    CopyError::TooSlow {
        what: what.to_owned(),
        state: "it is not finished",
        after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CopyError> + Send + 'static,
) -> Result<T, CopyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(CopyError::io("cannot work on", Path::new("files"), io::Error::other(error))),
    }
}
