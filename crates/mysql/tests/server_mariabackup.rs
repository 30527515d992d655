//! The stream with the real programs of one family: mariadb-backup copies a MariaDB server that runs, mbstream unpacks, the copy is
//! prepared, says its position, and a server starts on it. The same functions carry xtrabackup's stream for MySQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use xenon_mysql::{
    CopyPosition, Door, DoorOptions, Give, GiveOrder, StreamLimits, Take, Tool, find_kit, prepare_copy,
    read_position, tidy_copy,
};

/// Every character that a wrong quoting in an option file would trip over.
const PASSWORD: &str = r#"p'a\s"s#w;ä b"#;

struct MariaDb {
    base: PathBuf,
    folder: PathBuf,
    child: Child,
}

impl MariaDb {
    fn my_cnf(folder: &Path) -> PathBuf {
        let path = folder.join("my.cnf");
        let text = format!(
            "[mysqld]\nuser = root\ndatadir = {folder}/data\nsocket = {folder}/s\npid-file = {folder}/pid\nskip-networking\n\
             log-bin = mariadb-bin\nserver-id = 7\ninnodb-buffer-pool-size = 32M\ninnodb-log-file-size = 8M\n",
            folder = folder.display()
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    fn program(base: &Path, name: &str) -> PathBuf {
        let places = [base.join("bin").join(name), base.join("sbin").join(name)];
        places.into_iter().find(|path| path.is_file()).expect(name)
    }

    fn server(base: &Path, folder: &Path) -> Command {
        let mut command = Command::new(Self::program(base, "mariadbd"));
        let share = base.join("share/mysql");
        command.arg(format!("--defaults-file={}", Self::my_cnf(folder).display()));
        command.arg(format!("--lc-messages-dir={}", share.display()));
        command.arg(format!("--character-sets-dir={}", share.join("charsets").display()));
        command
    }

    fn initialize(base: &Path, folder: &Path) {
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let share = base.join("share/mysql");
        let mut sql = b"CREATE DATABASE mysql;\nUSE mysql;\n".to_vec();
        for file in ["mysql_system_tables.sql", "mysql_system_tables_data.sql"] {
            sql.extend(std::fs::read(share.join(file)).unwrap());
        }
        let mut command = Self::server(base, folder);
        command.arg("--bootstrap").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&sql).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn start(base: &Path, folder: &Path) -> Self {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = Self::server(base, folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { base: base.to_owned(), folder: folder.to_owned(), child };
        let began = Instant::now();
        while server.client("root", "SELECT 1").is_err() {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(server.child.try_wait().unwrap().is_none(), "it has ended: {log}");
            assert!(began.elapsed() < Duration::from_secs(30), "it does not serve: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn client(&self, user: &str, sql: &str) -> Result<String, String> {
        let output = Command::new(Self::program(&self.base, "mariadb"))
            .args(["--no-defaults", "-N", "-B", "-u", user, "-e", sql])
            .arg(format!("--socket={}", self.folder.join("s").display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn sql(&self, sql: &str) -> String {
        self.client("root", sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn server_mariadb_is_copied_by_its_own_tools_stream() {
    let Some(base) = std::env::var_os("MARIADB_BASEDIR").filter(|base| !base.is_empty()).map(PathBuf::from)
    else {
        eprintln!("SKIPPED: no MariaDB; to have this run: MARIADB_BASEDIR=$(scripts/mariadb basedir)");
        return;
    };
    let folder = tempfile::Builder::new().prefix("xenon-mariadb-").tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    MariaDb::initialize(&base, &from);
    std::fs::create_dir(&to).unwrap();
    let donor = MariaDb::start(&base, &from);
    let quoted = PASSWORD.replace('\\', "\\\\").replace('\'', "\\'");
    donor.sql(&format!(
        "CREATE USER agent@localhost IDENTIFIED BY '{quoted}'; GRANT ALL ON *.* TO agent@localhost; CREATE DATABASE app;
         CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, b VARCHAR(2000));
         INSERT INTO app.t (b) VALUES (REPEAT('x', 2000))"
    ));
    for _ in 0..11 {
        donor.sql("INSERT INTO app.t (b) SELECT b FROM app.t");
    }
    let position = donor.sql("SELECT @@global.gtid_current_pos");
    let sum = donor.sql("CHECKSUM TABLE app.t");

    let kit = find_kit(Tool::Mariabackup, &base.join("bin")).await.expect("the tools");
    assert!(kit.version.contains("MariaDB"), "{kit:?}");
    let order = GiveOrder {
        door: Door::new(DoorOptions {
            host: "localhost".to_owned(),
            port: 3306,
            socket: Some(from.join("s")),
            user: "agent".to_owned(),
            password: PASSWORD.into(),
            connect_deadline: Duration::from_secs(5),
        }),
        defaults_file: from.join("my.cnf"),
        data_dir: from.join("data"),
        parent: from.clone(),
        parallel: 2,
        iops: 100_000,
        throttle_mib_s: 0,
    };
    let limits = StreamLimits::default();
    let mut give = Give::start(&kit, &order, limits).await.expect("begun");
    let mut take = Take::start(&kit, &to.join("data"), &to, limits).expect("begun");
    while let Some(piece) = give.next().await.expect("more") {
        take.write(&piece).await.expect("taken");
    }
    let bytes = give.finish().await.expect("the tool says that it is done");
    take.finish().await.expect("unpacked");
    assert!(bytes > 4 << 20, "{bytes} bytes");
    assert!(!from.join("stream-give/login.cnf").exists(), "the password's file is gone");

    prepare_copy(&kit, &to.join("data"), &to, 64 << 20, limits).await.expect("prepared");
    assert_eq!(read_position(&to.join("data")).expect("a position"), CopyPosition::MariaDb(position));
    tidy_copy(&to.join("data")).expect("tidied");
    assert!(!to.join("data/xtrabackup_info").exists() && to.join("data/ibdata1").exists());
    // Written after the copy, so not in it.
    donor.sql("DELETE FROM app.t WHERE id = 1");
    let copy = MariaDb::start(&base, &to);
    assert_eq!(copy.sql("CHECKSUM TABLE app.t"), sum);

    // An account without rights: the tool's own words say so.
    donor.sql("REVOKE ALL PRIVILEGES, GRANT OPTION FROM agent@localhost");
    let mut give = Give::start(&kit, &order, limits).await.expect("begun");
    let failed = loop {
        match give.next().await {
            Ok(Some(_)) => {}
            Ok(None) => break give.finish().await.map(drop),
            Err(error) => break Err(error),
        }
    };
    let error = failed.expect_err("no rights").to_string();
    assert!(error.contains("mariadb-backup ended with") && !error.contains(PASSWORD), "{error}");
    assert!(!error.contains("IDENTIFIED"), "nor its hash: {error}");
    println!("{error}");
}
