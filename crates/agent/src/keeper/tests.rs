//! What is kept on disk, and what becomes of a disk that takes nothing.

use super::*;
use std::os::unix::fs::PermissionsExt;
use xenon_api::EventKind;
use xenon_election::NodeId;

fn event(seq: u64) -> Event {
    let (node, text) = (NodeId::new("127.0.0.1:1"), format!("number {seq}"));
    Event { seq, unix_ms: seq * 10, node, kind: EventKind::Step, text, since_start_ms: None }
}

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{what}");
}

#[test]
fn events_are_there_after_a_restart_and_a_torn_line_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (keeper, earlier) = Keeper::open(folder.path());
    assert!(earlier.is_empty());
    (1..=3).for_each(|seq| keeper.event(&event(seq)));
    keeper.flush();
    let path = event_files(&folder.path().join(EVENTS)).pop().unwrap().1;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"seq\":4,\"unix").unwrap();
    let (keeper, earlier) = Keeper::open(folder.path());
    assert_eq!(seqs(&earlier), [1, 2, 3]);
    keeper.event(&event(4));
    keeper.flush();
    let (_, earlier) = Keeper::open(folder.path());
    assert_eq!(seqs(&earlier), [1, 2, 3, 4]);
    assert_eq!(event_files(&folder.path().join(EVENTS)).len(), 1, "the file is gone on with");
}

#[test]
fn files_are_bounded_and_searched() {
    let folder = tempfile::tempdir().unwrap();
    let (keeper, _) = Keeper::open(folder.path());
    let long = "x".repeat(4000);
    let count = (FILES as u64 + 2) * FILE_BYTES / 4000;
    for seq in 1..=count {
        keeper.event(&Event { text: long.clone(), ..event(seq) });
        if seq % 1000 == 0 {
            keeper.flush();
        }
    }
    keeper.flush();
    let files = event_files(&folder.path().join(EVENTS));
    assert_eq!(files.len(), FILES);
    let shelf = keeper.shelf();
    let query = EventQuery { newest: true, limit: 3, ..EventQuery::default() };
    assert_eq!(seqs(&shelf.events(&query, count)), [count - 3, count - 2, count - 1]);
    let first = files[1].0;
    let query = EventQuery { after: first - 2, limit: 4, ..EventQuery::default() };
    assert_eq!(seqs(&shelf.events(&query, u64::MAX)), [first - 1, first, first + 1, first + 2]);
    let query = EventQuery { since_unix_ms: first * 10, limit: 1, ..EventQuery::default() };
    assert_eq!(seqs(&shelf.events(&query, u64::MAX)), [first]);
}

#[test]
fn a_full_disk_is_told_once_and_the_next_room_is_used() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let full = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_full = Arc::clone(&full);
    let open: Open = Box::new(move |path| {
        if is_full.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(Box::new(Full));
        }
        open_for_events(path)
    });
    let keeper = Keeper::start(folder.path(), open);
    keeper.event(&event(1));
    keeper.flush();
    let told = keeper.not_kept().unwrap();
    assert!(told.contains("not kept on disk") && told.contains("no storage space"), "{told}");
    full.store(false, std::sync::atomic::Ordering::Relaxed);
    keeper.event(&event(2));
    keeper.flush();
    assert_eq!(keeper.not_kept(), None);
    assert_eq!(seqs(&Keeper::open(folder.path()).1), [2]);
}

#[test]
fn a_disk_that_hangs_holds_nobody_up() {
    let (release, hang) = sync_channel::<()>(0);
    let folder = tempfile::tempdir().unwrap();
    let open: Open = Box::new(move |path| {
        let _ = hang.recv();
        open_for_events(path)
    });
    let keeper = Keeper::start(folder.path(), open);
    let begun = std::time::Instant::now();
    (1..=2 * QUEUE as u64).for_each(|seq| keeper.event(&event(seq)));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(keeper.not_kept().is_some_and(|what| what.contains("too slowly")));
    drop(release);
    until("it goes on", || keeper.not_kept().is_none());
}

#[test]
fn names_from_outside_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret.json"), "{}").unwrap();
    let (keeper, _) = Keeper::open(folder.path());
    for id in ["", "../secret", "a/b", "a.b", &"a".repeat(300)] {
        assert!(keeper.shelf().report(id).unwrap().is_none(), "{id}");
    }
}

#[test]
fn a_damaged_report_is_passed_over_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join(REPORTS_FOLDER);
    std::fs::create_dir(&reports).unwrap();
    std::fs::write(reports.join("20260101T000000-1-a.json"), "{ torn").unwrap();
    let found = Keeper::open(folder.path()).0.shelf().reports();
    assert!(found.heads.is_empty());
    assert!(found.damaged[0].contains("20260101T000000-1-a.json"), "{:?}", found.damaged);
}
