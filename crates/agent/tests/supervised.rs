//! The agent under a service manager: a witness, which needs no mysqld, beside a socket that plays systemd.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a helper is a failed test")]

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A machine that is busy with other tests is slow.
const PATIENCE: Duration = Duration::from_secs(30);

struct Agent {
    child: Child,
    socket: UnixDatagram,
    heard: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Agent {
    fn start(watchdog: Duration) -> Agent {
        let folder = tempfile::tempdir().unwrap();
        let (config, path) = (folder.path().join("xenon.json"), folder.path().join("notify"));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            r#"{{"server": {{"endpoint": "127.0.0.1:{port}", "secret": "a secret for this test alone"}},
                "raft": {{"witness": true, "meta-datadir": {:?}}}}}"#,
            folder.path()
        );
        std::fs::write(&config, text).unwrap();
        std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_xenon"))
            .arg("-c")
            .arg(&config)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Agent { child, socket, heard: Vec::new(), _folder: folder }
    }

    /// Listens until `done` with all that was heard.
    fn listen(&mut self, what: &str, done: impl Fn(&[String]) -> bool) {
        let began = Instant::now();
        let mut bytes = [0; 4096];
        while !done(&self.heard) {
            assert!(began.elapsed() < PATIENCE, "{what}: {:?}", self.heard);
            match self.socket.recv(&mut bytes) {
                Ok(length) => self.heard.push(String::from_utf8_lossy(&bytes[..length]).into_owned()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    fn count(heard: &[String], message: &str) -> usize {
        heard.iter().filter(|other| *other == message).count()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ready_alive_and_stopping() {
    let mut agent = Agent::start(Duration::from_millis(400));
    agent.listen("ready", |heard| heard.iter().any(|message| message == "READY=1"));
    agent.listen("alive", |heard| Agent::count(heard, "WATCHDOG=1") >= 3);
    assert!(agent.heard.iter().any(|message| message == "STATUS=member of no cluster"), "{:?}", agent.heard);
    let pid = rustix::process::Pid::from_child(&agent.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    agent.listen("stopping", |heard| heard.iter().any(|message| message == "STOPPING=1"));
    assert!(agent.child.wait().unwrap().success());
    assert_eq!(Agent::count(&agent.heard, "READY=1"), 1);
}
