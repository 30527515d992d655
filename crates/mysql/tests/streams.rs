//! The programs of a copy by stream, and every way in which they go wrong. Stand-ins with their command lines; no servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use xenon_mysql::{
    Door, DoorOptions, Give, GiveOrder, Kit, StreamError, StreamLimits, Take, Tool, end_marked, find_kit,
    forget_given, prepare_copy,
};

const PASSWORD: &str = r#"s3cr"et\word"#;
const LIMITS: StreamLimits = StreamLimits {
    idle: Duration::from_millis(700),
    ends_within: Duration::from_secs(5),
    prepare_silence: Duration::from_millis(700),
    total: Duration::from_secs(30),
};

struct Stand {
    folder: tempfile::TempDir,
    kit: Kit,
}

impl Stand {
    async fn new(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools").canonicalize().unwrap();
        for name in ["xtrabackup", "xbstream"] {
            symlink(tools.join(name), folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("mode"), format!("plain {mode}")).unwrap();
        let source = folder.path().join("source");
        std::fs::create_dir_all(source.join("app")).unwrap();
        std::fs::write(source.join("ibdata1"), vec![7; 3_000_000]).unwrap();
        std::fs::write(source.join("app/t.ibd"), "rows").unwrap();
        std::fs::write(folder.path().join("my.cnf"), "[mysqld]\n").unwrap();
        std::fs::create_dir(folder.path().join("meta")).unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        let kit = find_kit(Tool::Xtrabackup, folder.path()).await.unwrap();
        Self { folder, kit }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn order(&self) -> GiveOrder {
        let door = Door::new(DoorOptions {
            host: "localhost".to_owned(),
            port: 3306,
            socket: Some("/nowhere/s".into()),
            user: "agent".to_owned(),
            password: PASSWORD.into(),
            connect_deadline: Duration::from_secs(1),
        });
        GiveOrder {
            door,
            defaults_file: self.at("my.cnf"),
            data_dir: self.at("source"),
            parent: self.at("meta"),
            parallel: 2,
            iops: 100_000,
            throttle_mib_s: 0,
        }
    }

    async fn given(&self) -> Result<Vec<u8>, StreamError> {
        let mut give = Give::start(&self.kit, &self.order(), LIMITS).await?;
        let mut all = Vec::new();
        while let Some(piece) = give.next().await? {
            all.extend_from_slice(&piece);
        }
        let bytes = give.finish().await?;
        assert_eq!(bytes, all.len() as u64);
        Ok(all)
    }

    async fn taken(&self, stream: &[u8]) -> Result<(), StreamError> {
        let mut take = Take::start(&self.kit, &self.at("work/data"), &self.at("work"), LIMITS)?;
        for piece in stream.chunks(64 << 10) {
            take.write(piece).await?;
        }
        take.finish().await
    }

    /// Programs that were started for this stand and live.
    fn left(&self) -> usize {
        let marks = [self.at("meta/stream-give"), self.at("work")];
        let wanted: Vec<String> =
            marks.iter().map(|mark| format!("XENON_STREAM={}", mark.display())).collect();
        let is_ours = |entry: &std::fs::DirEntry| {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| wanted.iter().any(|w| w.as_bytes() == variable))
        };
        std::fs::read_dir("/proc").unwrap().flatten().filter(is_ours).count()
    }

    async fn all_gone(&self) {
        let began = Instant::now();
        while self.left() > 0 {
            assert!(began.elapsed() < Duration::from_secs(5), "{} programs are left", self.left());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!self.at("meta/stream-give/login.cnf").exists(), "the password's file is gone");
    }
}

#[tokio::test]
async fn a_stream_arrives_and_no_password_shows() {
    let stand = Stand::new("").await;
    let stream = stand.given().await.unwrap();
    stand.taken(&stream).await.unwrap();
    assert_eq!(std::fs::read(stand.at("work/data/ibdata1")).unwrap(), vec![7; 3_000_000]);
    prepare_copy(&stand.kit, &stand.at("work/data"), &stand.at("work"), 64 << 20, LIMITS).await.unwrap();
    let calls = std::fs::read_to_string(stand.at("calls")).unwrap();
    assert!(calls.contains("login=600") && !calls.contains("s3cr"), "{calls}");
    assert!(calls.starts_with("backup --defaults-file="), "the file comes first: {calls}");
    for option in ["--parallel=2", "--throttle=100000", "--socket=/nowhere/s", "--use-memory=67108864"] {
        assert!(calls.contains(option), "{option}: {calls}");
    }
    stand.all_gone().await;
}

#[tokio::test]
async fn a_donors_tool_that_fails_in_any_way_gives_nothing() {
    for (mode, says) in [
        ("exit1", "exit status: 1"),
        ("unfinished", "are not \"completed OK!\""),
        ("hang", "has given no byte for 700 ms"),
        ("chatter", "has given no byte"),
    ] {
        let stand = Stand::new(mode).await;
        let error = stand.given().await.expect_err(mode).to_string();
        assert!(error.contains(says) && error.len() < 1500, "{mode}: {error}");
        stand.all_gone().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_none_is_not_unpacked() {
    for mode in ["garbage", "truncated"] {
        let stand = Stand::new(mode).await;
        let stream = stand.given().await.unwrap();
        let error = stand.taken(&stream).await.expect_err(mode).to_string();
        assert!(error.contains("xbstream ended with exit status"), "{mode}: {error}");
        stand.all_gone().await;
    }
    let stand = Stand::new("").await;
    let error = stand.taken(b"").await.expect_err("nothing").to_string();
    assert!(
        error.contains("no complete") || error.contains("no file") || error.contains("exit status"),
        "{error}"
    );
}

#[tokio::test]
async fn an_unpacker_that_fails_says_why() {
    for (mode, says) in
        [("full", "No space left on device"), ("unpack-hangs", "has taken no byte for 700 ms")]
    {
        let stand = Stand::new(mode).await;
        let stream = stand.given().await.unwrap();
        let error = stand.taken(&stream).await.expect_err(mode).to_string();
        assert!(error.contains(says), "{mode}: {error}");
        stand.all_gone().await;
    }
}

#[tokio::test]
async fn a_preparation_that_fails_in_any_way_is_none() {
    for (mode, says) in [
        ("prepare-fails", "is in the future"),
        ("prepare-unfinished", "are not \"completed OK!\""),
        ("prepare-hangs", "has said nothing for 700 ms"),
    ] {
        let stand = Stand::new(mode).await;
        let prepared =
            prepare_copy(&stand.kit, &stand.at("source"), &stand.at("work"), 64 << 20, LIMITS).await;
        let error = prepared.expect_err(mode).to_string();
        assert!(error.contains(says), "{mode}: {error}");
        stand.all_gone().await;
    }
}

#[tokio::test]
async fn what_is_dropped_or_left_behind_ends() {
    let stand = Stand::new("hang").await;
    let mut give = Give::start(&stand.kit, &stand.order(), LIMITS).await.unwrap();
    assert!(give.next().await.unwrap().is_some());
    assert!(stand.left() > 0 && stand.at("meta/stream-give/login.cnf").exists());
    drop(give);
    stand.all_gone().await;
    // As an agent that crashed leaves it, were there nothing that ends it.
    let mut give = Give::start(&stand.kit, &stand.order(), LIMITS).await.unwrap();
    assert!(give.next().await.unwrap().is_some());
    std::mem::forget(give);
    assert!(stand.left() > 0);
    end_marked(&stand.at("meta/stream-give")).await.unwrap();
    assert_eq!(stand.left(), 0);
    forget_given(&stand.at("meta")).await.unwrap();
    assert!(!stand.at("meta/stream-give").exists(), "nor the password");
}

#[tokio::test]
async fn the_speed_is_kept_to() {
    let stand = Stand::new("").await;
    let order = GiveOrder { throttle_mib_s: 4, ..stand.order() };
    let began = Instant::now();
    let mut give = Give::start(&stand.kit, &order, LIMITS).await.unwrap();
    let mut bytes = 0;
    while let Some(piece) = give.next().await.unwrap() {
        bytes += piece.len();
    }
    give.finish().await.unwrap();
    let (took, least) = (began.elapsed(), Duration::from_millis(600));
    assert!(bytes > 3_000_000 && took >= least, "{bytes} bytes in {took:?}");
    assert!(std::fs::read_to_string(stand.at("calls")).unwrap().contains("--throttle=1 "));
}
