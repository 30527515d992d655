//! A server that one test has for itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the server may take until it answers on its socket. It takes one or two seconds.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The first version with the parser that the crate follows; before it, numbers were read by C's `strtoll`.
const LEAST_VERSION: (u32, u32) = (9, 7);

/// A server of its own, gone with this value.
pub(crate) struct Server {
    process: Child,
    base: PathBuf,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Server {
        let base = base_folder();
        let folder = TempDir::with_prefix("xenon-gtid-").unwrap();
        let initialized = mysqld(&base, folder.path()).arg("--initialize-insecure").status().unwrap();
        assert!(initialized.success(), "mysqld --initialize-insecure: {initialized}\n{}", log(folder.path()));
        let process = mysqld(&base, folder.path())
            .args(["--skip-networking", "--mysqlx=OFF", "--disable-log-bin", "--innodb-buffer-pool-size=32M"])
            .args(["--socket=socket", "--pid-file=pid"])
            .spawn()
            .unwrap();
        let mut server = Server { process, base, folder };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let output = self.client().args(["--execute", "SELECT VERSION()"]).output().unwrap();
            if output.status.success() {
                return assert_version(&String::from_utf8_lossy(&output.stdout));
            }
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("mysqld ended: {status}\n{}", log(self.folder.path()));
            }
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < deadline, "no answer: {words}\n{}", log(self.folder.path()));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn client(&self) -> Command {
        let mut client = Command::new(self.base.join("bin/mysql"));
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"]);
        client.arg("--socket").arg(self.folder.path().join("data/socket"));
        client
    }

    /// The values of SQL expressions by index. An expression that the server calls a malformed GTID set has no value;
    /// any other error fails the test.
    pub(crate) fn ask(&self, expressions: impl Iterator<Item = String>) -> BTreeMap<usize, String> {
        let mut sql = String::new();
        for (index, expression) in expressions.enumerate() {
            writeln!(sql, "SELECT {index}, {expression};").unwrap();
        }
        sql.push_str("SELECT 'end', '';\n");
        let path = self.folder.path().join("questions.sql");
        fs::write(&path, sql).unwrap();
        let input = File::open(&path).unwrap();
        let output = self.client().arg("--force").stdin(input).output().unwrap();

        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let other = errors.lines().find(|line| line.starts_with("ERROR") && !line.starts_with("ERROR 1772 "));
        assert_eq!(other, None, "another error than \"malformed GTID set\"");
        let answers = String::from_utf8(output.stdout).unwrap();
        let Some(answers) = answers.strip_suffix("end\t\n") else {
            panic!("the client stopped early: {errors}")
        };
        let answers = answers.lines().map(|line| {
            let (index, value) = line.split_once('\t').unwrap();
            (index.parse().unwrap(), value.to_owned())
        });
        answers.collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing of its data is wanted any more. Errors: it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn base_folder() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/mysql");
    let output = Command::new(script).arg("basedir").stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "scripts/mysql basedir found no server; its words are above");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}

fn mysqld(base: &Path, folder: &Path) -> Command {
    let program = ["bin/mysqld", "sbin/mysqld"].map(|program| base.join(program));
    let program = program.into_iter().find(|program| program.exists()).unwrap();
    let mut mysqld = Command::new(program);
    // The first option must come first. Linux tells the user's number as the owner of the process's own folder.
    mysqld.arg("--no-defaults").arg("--basedir").arg(base).arg("--datadir").arg(folder.join("data"));
    let own = fs::metadata("/proc/self").map(|own| own.uid());
    if own.is_ok_and(|uid| uid == 0) {
        mysqld.arg("--user=root");
    }
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    mysqld.arg("--secure-file-priv=NULL").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    mysqld
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_else(|error| format!("(no log: {error})"))
}

fn assert_version(version: &str) {
    let mut parts = version.split('.').map_while(|part| part.parse().ok());
    let found: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let (major, minor) = LEAST_VERSION;
    assert!(
        found >= LEAST_VERSION,
        "MySQL {version} reads odd texts otherwise than {major}.{minor}, which the crate follows; set MYSQL_BASEDIR"
    );
}
