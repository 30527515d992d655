//! CLONE: all data of a server, copied by the server itself into a new folder, consistent at one moment.
//!
//! Seen on 9.7.4: the statement with a DATA DIRECTORY needs no write in the server that runs it (`super_read_only` does not
//! forbid it) and does not restart it; a folder of a CLONE that failed or was killed stays, and says so
//! (`#clone/#status_in_progress`); the password shows as `<secret>` in the process list, in performance_schema, and in the
//! general and slow logs. Only InnoDB tables are copied: see [`crate::Door::left_out_by_clone`].

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{CopyError, CopyProgress};
use crate::link::{Link, Purpose, text, until};
use crate::literal::{quoted, quoted_line};
use crate::{Door, Secret, SqlError};

/// How often it is looked how far the copy is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long one such look may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);
/// Setting up, and asking the server to stop.
const SHORT: Duration = Duration::from_secs(10);
/// How long the server may take to end a CLONE that was killed; seen: up to 0.7 s.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// The stage in which everything is written out.
const SYNCING: &str = "FILE SYNC";
/// Longest name of a host that `clone_valid_donor_list` takes.
const HOST_BYTES_MAX: usize = 255;

/// What is to be copied, from where to where.
#[derive(Debug, Clone)]
pub struct CloneOrder {
    /// Whose data.
    pub from: CloneFrom,
    /// The folder that mysqld makes: absolute, not there yet, outside of mysqld's own data folder; mysqld's user must be
    /// allowed to make it.
    pub to: PathBuf,
    /// How fast, and how long.
    pub limits: CloneLimits,
}

/// Whose data is copied.
#[derive(Debug, Clone)]
pub enum CloneFrom {
    /// That of the very server that runs the statement.
    Local,
    /// That of another server.
    Donor(Donor),
}

/// The server that is copied from, and the account for it: the replication account, which has BACKUP_ADMIN.
#[derive(Debug, Clone)]
pub struct Donor {
    /// Host name or IPv4 address.
    pub host: String,
    /// Its MySQL port.
    pub port: u16,
    /// Account on the donor.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Nothing goes over an unencrypted connection. Without it TLS is used where both can.
    pub require_tls: bool,
}

/// How fast a copy may be, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloneLimits {
    /// `clone_max_data_bandwidth`, MiB a second; 0 for as fast as it goes. The server holds a *remote* CLONE to it.
    pub data_mib_per_s: u32,
    /// `clone_max_network_bandwidth`, MiB a second; 0 for as fast as it goes. Differs from the one above where the
    /// transfer is compressed.
    pub network_mib_per_s: u32,
    /// Ends a copy in which no byte has moved for so long; ten times as long while it is being synced, which shows no bytes.
    /// A recipient whose donor has died goes on trying for minutes (seen on 9.7.4: longer than 60 s).
    pub stalled_after: Duration,
    /// All of it.
    pub deadline: Duration,
}

impl Default for CloneLimits {
    fn default() -> Self {
        Self {
            data_mib_per_s: 0,
            network_mib_per_s: 0,
            stalled_after: Duration::from_secs(60),
            deadline: Duration::from_secs(86_400),
        }
    }
}

/// A finished CLONE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloned {
    /// What it copied.
    pub progress: CopyProgress,
    /// How long it took.
    pub took: Duration,
}

/// Why a CLONE that still runs is being ended.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Cancelled,
    Stalled,
    Late,
}

impl Door {
    /// Copies all data into a new folder. This server runs the statement: it is the recipient, or copies itself.
    ///
    /// `progress` is told twice a second how far it is. When `cancel` becomes ready, the copy is ended in the server and the
    /// error is [`CopyError::Cancelled`]. A future that is dropped leaves the statement to the next [`Door::control`], which
    /// ends it. In every case but success the folder may be there, half filled: the caller removes it.
    ///
    /// # Errors
    /// See [`CopyError`].
    pub async fn clone_data(
        &self,
        order: &CloneOrder,
        progress: &watch::Sender<CopyProgress>,
        cancel: impl Future<Output = ()> + Send,
    ) -> Result<Cloned, CopyError> {
        let what = order.what();
        let statement = order.statement(&what)?;
        let mut link = self.open(Purpose::Reading, until(SHORT)).await?;
        let before = match set_limits(&mut link, order).await {
            // A server that somebody else has started.
            Err(CopyError::Sql(error)) if error.is_code(UNKNOWN_VARIABLE) => {
                self.control(SHORT).await?.load_clone_plugin(SHORT).await?;
                set_limits(&mut link, order).await?
            }
            outcome => outcome?,
        };
        let (started, id) = (Instant::now(), link.id());
        let limits = order.limits;
        let mut ending: Option<Ending> = None;
        let outcome = {
            // Longer than the deadline that is watched here, so that the server is told to stop first.
            let mut run = pin!(link.run(&what, statement, until(limits.deadline + SHORT + ENDS_WITHIN)));
            let mut cancel = pin!(cancel);
            let mut looks = interval(LOOK_EVERY);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut moved = (Instant::now(), CopyProgress::default());
            let mut give_up_at: Option<Instant> = None;
            loop {
                let end = tokio::select! {
                    biased;
                    outcome = &mut run => break Some(outcome),
                    () = &mut cancel, if ending.is_none() => Some(Ending::Cancelled),
                    _ = looks.tick() => {
                        if let Ok(now) = self.clone_progress(LOOK_DEADLINE).await
                            && now != moved.1
                        {
                            progress.send_replace(now.clone());
                            moved = (Instant::now(), now);
                        }
                        match () {
                            () if ending.is_some() => None,
                            () if started.elapsed() >= limits.deadline => Some(Ending::Late),
                            () if moved.0.elapsed() >= patience(&limits, &moved.1) => Some(Ending::Stalled),
                            () => None,
                        }
                    }
                };
                if let Some(end) = end {
                    ending = Some(end);
                    give_up_at = Some(Instant::now() + ENDS_WITHIN);
                    // Should it fail, the statement goes on and is given up below.
                    if let Err(error) = self.end_query(id).await {
                        tracing::warn!(%error, "cannot end CLONE");
                    }
                }
                if give_up_at.is_some_and(|at| Instant::now() >= at) {
                    break None;
                }
            }
        };
        restore_limits(&mut link, &before).await;
        let took = started.elapsed();
        let last = self.clone_progress(LOOK_DEADLINE).await.unwrap_or_default();
        progress.send_replace(last.clone());
        match (outcome, ending) {
            // Told to stop and done all the same: it is whole.
            (Some(Ok(())), _) => Ok(Cloned { progress: last, took }),
            (_, Some(Ending::Cancelled)) => Err(CopyError::Cancelled { what }),
            (_, Some(Ending::Stalled)) => Err(too_slow(what, "no byte has moved", limits.stalled_after)),
            (_, Some(Ending::Late)) => Err(too_slow(what, "it is not finished", limits.deadline)),
            (Some(Err(error)), None) => Err(explained(what, error)),
            (None, None) => Err(too_slow(what, "it does not end", took)),
        }
    }

    async fn end_query(&self, id: u32) -> Result<(), SqlError> {
        let until = until(SHORT);
        let mut link = self.open(Purpose::Reading, until).await?;
        link.run("ending CLONE", format!("KILL QUERY {id}"), until).await
    }
}

impl CloneOrder {
    fn what(&self) -> String {
        match &self.from {
            CloneFrom::Local => format!("copying this server's data to {}", self.to.display()),
            CloneFrom::Donor(donor) => {
                format!("copying the data of {}:{} to {}", donor.host, donor.port, self.to.display())
            }
        }
    }

    fn statement(&self, what: &str) -> Result<String, CopyError> {
        let Some(to) = self.to.to_str().filter(|_| self.to.is_absolute()) else {
            return Err(CopyError::impossible(what, "the folder must be an absolute path of UTF-8 text"));
        };
        let to = quoted_line(what, to)?;
        let CloneFrom::Donor(donor) = &self.from else {
            return Ok(format!("CLONE LOCAL DATA DIRECTORY = {to}"));
        };
        check_host(what, &donor.host)?;
        let tls = if donor.require_tls { " REQUIRE SSL" } else { "" };
        Ok(format!(
            "CLONE INSTANCE FROM {}@{}:{} IDENTIFIED BY {} DATA DIRECTORY = {to}{tls}",
            quoted_line(what, &donor.user)?,
            quoted(&donor.host),
            donor.port,
            quoted_line(what, donor.password.reveal())?,
        ))
    }
}

/// The list of allowed donors is `host:port,host:port`, so neither `,` nor `:` can be part of a host.
fn check_host(what: &str, host: &str) -> Result<(), CopyError> {
    if host.contains(':') {
        let why = format!(
            "CLONE takes no IPv6 address ({host}); give the node a name in DNS or /etc/hosts, or copy by stream (--method xtrabackup)"
        );
        return Err(CopyError::impossible(what, why));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(good) {
        return Err(CopyError::impossible(what, format!("'{host}' is not the name of a host")));
    }
    Ok(())
}

/// The variables that an order changes; what they were comes back, for [`restore_limits`].
async fn set_limits(link: &mut Link, order: &CloneOrder) -> Result<String, CopyError> {
    let what = "setting the limits of CLONE";
    let sql = "SELECT @@global.clone_max_data_bandwidth, @@global.clone_max_network_bandwidth, \
               @@global.clone_valid_donor_list";
    let sets = link.ask(what, sql, until(SHORT)).await?;
    let row = sets.first().and_then(|rows| rows.first());
    let column = |index| row.and_then(|row| text(row, index)).unwrap_or_default();
    let number = |index| column(index).parse::<u64>().unwrap_or(0);
    // An empty list is refused, and NULL is the default.
    let before = match column(2) {
        list if list.is_empty() => "DEFAULT".to_owned(),
        list => quoted(&list),
    };
    let set = |data: u64, network: u64, donors: &str| {
        format!(
            "SET GLOBAL clone_max_data_bandwidth = {data}, GLOBAL clone_max_network_bandwidth = {network}, \
             GLOBAL clone_valid_donor_list = {donors}"
        )
    };
    let donors = match &order.from {
        CloneFrom::Local => before.clone(),
        CloneFrom::Donor(donor) => quoted(&format!("{}:{}", donor.host, donor.port)),
    };
    let limits = order.limits;
    let wanted = set(limits.data_mib_per_s.into(), limits.network_mib_per_s.into(), &donors);
    link.run(what, wanted, until(SHORT)).await?;
    Ok(set(number(0), number(1), &before))
}

async fn restore_limits(link: &mut Link, before: &str) {
    if !link.is_usable() {
        return;
    }
    if let Err(error) = link.run("restoring the limits of CLONE", before, until(SHORT)).await {
        tracing::warn!(%error, "the clone_… variables stay as this copy had them");
    }
}

fn patience(limits: &CloneLimits, now: &CopyProgress) -> Duration {
    if now.stage == SYNCING { limits.stalled_after.saturating_mul(10) } else { limits.stalled_after }
}

fn too_slow(what: String, state: &'static str, after: Duration) -> CopyError {
    CopyError::TooSlow { what, state, after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) }
}

/// No such variable: the plugin is not loaded.
const UNKNOWN_VARIABLE: u16 = 1193;
/// The folder is there already.
const FOLDER_EXISTS: u16 = 1007;
const WRONG_VALUE: u16 = 1525;
/// The folder is inside the data folder.
const WITHIN_DATA: u16 = 3632;
const DDL_IN_PROGRESS: u16 = 3633;
const TOO_MANY: u16 = 3634;
const DONOR: u16 = 3862;
const PROTOCOL: u16 = 3863;
/// Version, system, platform, character set, two kinds of settings, plugins, itself, encryption.
const NOT_ALIKE: [u16; 9] = [3864, 3865, 3866, 3867, 3868, 3869, 3870, 3871, 3872];
const DISK_SPACE: u16 = 3873;
const IN_PROGRESS: u16 = 3874;
/// Errors of the file system, among them a full disk.
const FILE_ERRORS: [u16; 6] = [3, 1004, 1006, 1021, 1026, 1030];

/// The server's error in our words.
fn explained(what: String, error: SqlError) -> CopyError {
    let SqlError::Server { code, message, .. } = &error else {
        return match &error {
            // The donor's refusal arrives as an error of its own (3862), so this one is the recipient's.
            SqlError::AccessDenied { .. } => CopyError::impossible(
                &what,
                format!(
                    "{error}; the administrative account needs CLONE_ADMIN, or BACKUP_ADMIN for its own data"
                ),
            ),
            _ => CopyError::Sql(error),
        };
    };
    let cause = message.clone();
    match *code {
        FOLDER_EXISTS => {
            CopyError::impossible(&what, "the folder is there already; remove it or name another")
        }
        WRONG_VALUE => CopyError::impossible(&what, format!("{cause}; the folder must be an absolute path")),
        WITHIN_DATA => CopyError::impossible(
            &what,
            "the folder is inside the data folder of the server that copies; name one outside",
        ),
        DISK_SPACE => CopyError::NoSpace { what, cause },
        TOO_MANY | IN_PROGRESS | DDL_IN_PROGRESS => CopyError::DonorBusy { what, cause },
        // The donor's own error number is in the text.
        DONOR
            if [TOO_MANY, IN_PROGRESS, DDL_IN_PROGRESS]
                .iter()
                .any(|code| cause.contains(&code.to_string())) =>
        {
            CopyError::DonorBusy { what, cause }
        }
        DONOR | PROTOCOL => CopyError::Donor { what, cause },
        code if NOT_ALIKE.contains(&code) => CopyError::impossible(
            &what,
            format!(
                "{cause} (error {code}); a stream may do (xenoncli mysql rebuildme --method xtrabackup, with Percona XtraBackup on both hosts), or another donor"
            ),
        ),
        code if FILE_ERRORS.contains(&code) && is_full(&cause) => CopyError::NoSpace { what, cause },
        code => CopyError::impossible(&what, format!("mysqld answered error {code}: {cause}")),
    }
}

/// `Errcode: 28 - No space left on device`, in whatever language.
fn is_full(message: &str) -> bool {
    message.contains("28") || message.to_ascii_lowercase().contains("full")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(host: &str, to: &str) -> CloneOrder {
        let from = CloneFrom::Donor(Donor {
            host: host.to_owned(),
            port: 3306,
            user: "re'pl".to_owned(),
            password: r"p'\s".into(),
            require_tls: true,
        });
        CloneOrder { from, to: to.into(), limits: CloneLimits::default() }
    }

    #[test]
    fn statements_are_quoted_and_bad_input_is_told() {
        let statement = order("10.0.0.1", "/data/it's").statement("x").expect("statement");
        assert_eq!(
            statement,
            r"CLONE INSTANCE FROM 're\'pl'@'10.0.0.1':3306 IDENTIFIED BY 'p\'\\s' DATA DIRECTORY = '/data/it\'s' REQUIRE SSL"
        );
        for (host, to, says) in [
            ("10.0.0.1", "data", "absolute"),
            ("::1", "/data", "IPv6"),
            ("a,b", "/data", "name of a host"),
            ("", "/data", "name of a host"),
            ("h", "/data\n", "line break"),
        ] {
            let error = order(host, to).statement("x").expect_err(says).to_string();
            assert!(error.contains(says) && !error.contains("p'"), "{error}");
        }
        assert!(!format!("{:?}", order("h", "/data")).contains("p'"), "no password in Debug");
    }

    #[test]
    fn errors_are_sorted() {
        let sorted = |code: u16, message: &str| {
            let error =
                SqlError::Server { what: "x".into(), code, state: "HY000".into(), message: message.into() };
            explained("x".into(), error)
        };
        assert!(matches!(sorted(3862, "Connect failed: 1045 : Access denied"), CopyError::Donor { .. }));
        assert!(matches!(
            sorted(3862, "Clone Donor Error: 3634 : Too many concurrent clone operations."),
            CopyError::DonorBusy { .. }
        ));
        assert!(matches!(sorted(3864, "version"), CopyError::Impossible { .. }));
        assert!(matches!(sorted(3873, "needs 10"), CopyError::NoSpace { .. }));
        assert!(matches!(sorted(1026, "(errno: 28 - No space left)"), CopyError::NoSpace { .. }));
    }
}
