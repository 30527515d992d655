//! Real servers for the tests of this crate, started through its own process module.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use xenon_mysql::{Door, DoorOptions, Mysqld, MysqldOptions, find_mysqld};

pub const ADMIN: &str = "agent";
/// Every character that a wrong quoting would trip over.
pub const PASSWORD: &str = r#"p'a\s"s%w;ä"#;
pub const SECOND: Duration = Duration::from_secs(1);
pub const LONG: Duration = Duration::from_secs(20);

/// One server with its own data folder, address and door. Killed when dropped.
pub struct Server {
    pub door: Door,
    pub mysqld: Mysqld,
    pub options: MysqldOptions,
    pub host: String,
    pub port: u16,
    pub folder: tempfile::TempDir,
}

impl Server {
    /// Starts one; `number` gives its address (127.0.71.N) and server id.
    pub async fn start(number: u8) -> Self {
        Self::start_with(number, "").await
    }

    pub async fn start_with(number: u8, settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("xenon-mysql-").tempdir_in(scratch()).unwrap();
        copy_template(folder.path());
        let host = format!("127.0.71.{number}");
        let port = free_port(&host);
        let options = write_defaults(folder.path(), &host, port, number, settings);
        let door = Door::new(door_options(&host, port));
        let mysqld = Mysqld::start(&options).await.expect("start");
        let server = Self { door, mysqld, options, host, port, folder };
        server.wait_serving().await;
        server
    }

    pub async fn wait_serving(&self) {
        let started = Instant::now();
        while let Err(error) = self.door.probe(SECOND).await {
            assert!(started.elapsed() < LONG, "{error}; {}", self.mysqld.exit_record().await);
            assert!(self.mysqld.is_alive(), "{}", self.mysqld.exit_record().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts it again after its end.
    pub async fn restart(&mut self) {
        self.mysqld = Mysqld::start(&self.options).await.expect("start");
        self.wait_serving().await;
    }

    /// A client of its own, without the door.
    pub async fn client(&self) -> Conn {
        client(&self.host, self.port, ADMIN, PASSWORD).await.expect("client")
    }

    pub async fn sql(&self, sql: &str) {
        self.client().await.query_drop(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.mysqld.kill();
        let started = Instant::now();
        while self.mysqld.is_alive() && started.elapsed() < SECOND {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

pub async fn client(host: &str, port: u16, user: &str, password: &str) -> Result<Conn, mysql_async::Error> {
    let options = OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(port)
        .user(Some(user))
        .pass(Some(password))
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 24))
        .wait_timeout(Some(1000));
    Conn::new(options).await
}

pub fn door_options(host: &str, port: u16) -> DoorOptions {
    DoorOptions {
        host: host.to_owned(),
        port,
        socket: None,
        user: ADMIN.to_owned(),
        password: PASSWORD.into(),
        connect_deadline: Duration::from_secs(5),
    }
}

/// Until `look` says yes, or a test failure after `LONG`.
pub async fn eventually<F, R>(what: &str, mut look: F)
where
    F: FnMut() -> R,
    R: Future<Output = bool>,
{
    let started = Instant::now();
    while !look().await {
        assert!(started.elapsed() < LONG, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn free_port(host: &str) -> u16 {
    std::net::TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port()
}

pub fn write_defaults(folder: &Path, host: &str, port: u16, number: u8, settings: &str) -> MysqldOptions {
    let (data, base) = (folder.join("data"), basedir());
    let defaults_file = folder.join("my.cnf");
    let text = format!(
        "[mysqld]\nbasedir = {base}\nplugin-dir = {base}/lib/plugin\ndatadir = {data}\nbind-address = {host}\nport = {port}\n\
         socket = {folder}/s\nserver-id = {number}\nlog-bin = binlog\ngtid-mode = ON\nenforce-gtid-consistency = ON\n\
         mysqlx = OFF\nskip-name-resolve\ninnodb-buffer-pool-size = 32M\ninnodb-redo-log-capacity = 16M\n\
         innodb-flush-log-at-trx-commit = 2\nsync-binlog = 1\nrelay-log = relay\nrelay-log-recovery = OFF\n\
         report-host = {host}\nmax-connections = 40\n{settings}\n",
        base = base.display(),
        data = data.display(),
        folder = folder.display(),
    );
    std::fs::write(&defaults_file, text).unwrap();
    let program = find_mysqld(&base).expect("mysqld below the base folder");
    MysqldOptions {
        mysqld: program,
        defaults_file,
        extra_args: vec![],
        user: None,
        meta_dir: folder.to_owned(),
    }
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The base folder of the server under test.
pub fn basedir() -> PathBuf {
    static BASEDIR: OnceLock<PathBuf> = OnceLock::new();
    BASEDIR
        .get_or_init(|| {
            if let Some(folder) = std::env::var_os("MYSQL_BASEDIR") {
                return folder.into();
            }
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let output = Command::new(root.join("scripts/mysql")).arg("basedir").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
        })
        .clone()
}

/// Copies the data folder that is initialised once for all tests.
pub fn copy_template(folder: &Path) {
    let template = template();
    let to = folder.join("data");
    let copied = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .arg(template.join("data"))
        .arg(&to)
        .status()
        .unwrap();
    assert!(copied.success());
    // Two servers must not have the same server_uuid.
    let _ = std::fs::remove_file(to.join("auto.cnf"));
}

fn template() -> PathBuf {
    let name = basedir().file_name().unwrap().to_string_lossy().into_owned();
    let folder = scratch().join(format!("template-1-{name}"));
    let lock = std::fs::File::create(scratch().join("template.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    if folder.join("complete").exists() {
        return folder;
    }
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let init = folder.join("init.sql");
    let password = PASSWORD.replace('\\', "\\\\").replace('\'', "''");
    std::fs::write(
        &init,
        format!(
            "CREATE USER {ADMIN}@'%' IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO {ADMIN}@'%' WITH GRANT OPTION;\n"
        ),
    )
    .unwrap();
    let base = basedir();
    let mut command = Command::new(find_mysqld(&base).unwrap());
    command
        .arg("--no-defaults")
        .arg(format!("--basedir={}", base.display()))
        .arg(format!("--datadir={}", folder.join("data").display()))
        .arg(format!("--init-file={}", init.display()))
        .args(["--initialize-insecure", "--skip-log-bin", "--character-set-server=utf8mb4"])
        .args(["--innodb-redo-log-capacity=16M", "--innodb-buffer-pool-size=32M"]);
    if rustix::process::geteuid().is_root() {
        command.arg("--user=root");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(folder.join("complete"), "").unwrap();
    folder
}
