//! L6: a disk that is full, read-only, failing or stalled, told from one that is busy.

use xenon_plan::disk::{
    BUSY_STALLED_MS, Disk, DiskReport, DiskWatch, NONE_LEFT_BYTES, ROOM_AGAIN_BYTES, STALLED_MS, Written,
    worst,
};

const GIB: u64 = 1 << 30;

fn report(written: Written, free_bytes: u64) -> DiskReport {
    DiskReport { written, free_bytes: Some(free_bytes), total_bytes: 100 * GIB, read_only: false }
}

/// The verdict after the same report so many times.
fn after(report: &DiskReport, times: usize) -> Disk {
    let mut watch = DiskWatch::default();
    (0..times).for_each(|_| watch.on_report(report.clone()));
    watch.verdict()
}

#[test]
fn verdicts_of_reports() {
    use Written::*;
    let table = [
        (report(Done, 50 * GIB), Disk::Well),
        // Little is what is little in both ways.
        (report(Done, 2 * GIB), Disk::Well),
        (report(Done, GIB / 2), Disk::Low { free_bytes: GIB / 2 }),
        (DiskReport { total_bytes: 4 * GIB, ..report(Done, GIB / 2) }, Disk::Well),
        // InnoDB could not make a file longer.
        (report(Done, NONE_LEFT_BYTES - 1), Disk::Full),
        (report(Done, NONE_LEFT_BYTES), Disk::Low { free_bytes: NONE_LEFT_BYTES }),
        // root's own reserve, which is not counted when mysqld is root.
        (DiskReport { free_bytes: None, ..report(Done, 0) }, Disk::Well),
        (report(NoSpace, GIB), Disk::Full),
        (report(ReadOnly, GIB), Disk::ReadOnly),
        (
            report(Failed("Input/output error".to_owned()), GIB),
            Disk::Failing("Input/output error".to_owned()),
        ),
        // Not ours to write to: what the system says of it must do.
        (report(NotAllowed, 50 * GIB), Disk::Well),
        (report(NotAllowed, 0), Disk::Full),
        (DiskReport { read_only: true, ..report(NotAllowed, 50 * GIB) }, Disk::ReadOnly),
    ];
    for (report, expected) in table {
        assert_eq!(after(&report, 2), expected, "{report:?}");
    }
}

#[test]
fn one_bad_report_is_no_verdict_and_one_good_one_ends_it() {
    let mut watch = DiskWatch::default();
    assert_eq!(watch.verdict(), Disk::Unknown);
    watch.on_report(report(Written::NoSpace, 0));
    assert_eq!(watch.verdict().cannot_serve(), None);
    assert!(watch.is_suspicious(), "another is wanted soon");
    watch.on_report(report(Written::NoSpace, 0));
    assert_eq!(watch.verdict(), Disk::Full);
    assert!(!watch.is_suspicious());
    watch.on_report(report(Written::Done, 50 * GIB));
    assert_eq!(watch.verdict(), Disk::Well);
}

#[test]
fn a_full_one_has_room_again_with_more_than_a_server_that_fails_gives_up() {
    let mut watch = DiskWatch::default();
    (0..2).for_each(|_| watch.on_report(report(Written::NoSpace, 0)));
    // What mysqld has given up, and takes again in a moment.
    watch.on_report(report(Written::Done, 16 << 20));
    assert_eq!(watch.verdict(), Disk::Full);
    watch.on_report(report(Written::Done, ROOM_AGAIN_BYTES - 1));
    assert_eq!(watch.verdict(), Disk::Full);
    watch.on_report(report(Written::Done, ROOM_AGAIN_BYTES));
    assert_eq!(watch.verdict(), Disk::Low { free_bytes: ROOM_AGAIN_BYTES });
    // From above, little is little only.
    watch.on_report(report(Written::Done, 16 << 20));
    assert_eq!(watch.verdict(), Disk::Low { free_bytes: 16 << 20 });
    // One report is no verdict.
    watch.on_report(report(Written::NoSpace, 0));
    watch.on_report(report(Written::Done, 16 << 20));
    assert_eq!(watch.verdict(), Disk::Low { free_bytes: 16 << 20 });
    // A small disk, and one that does not say what is free.
    for room in [
        DiskReport { total_bytes: 80 << 20, ..report(Written::Done, 10 << 20) },
        DiskReport { free_bytes: None, ..report(Written::Done, 0) },
    ] {
        (0..2).for_each(|_| watch.on_report(report(Written::NoSpace, 0)));
        watch.on_report(room);
        assert_eq!(watch.verdict().cannot_serve(), None);
    }
}

#[test]
fn a_device_that_finishes_nothing_is_stalled_one_that_works_is_busy() {
    let waited = |still: bool, until_ms: u64| {
        let mut watch = DiskWatch::default();
        watch.on_report(report(Written::Done, 50 * GIB));
        (0..=until_ms).step_by(250).for_each(|now_ms| watch.on_waiting(1_000 + now_ms, still));
        watch.verdict()
    };
    assert_eq!(waited(true, 1_000), Disk::Well);
    assert_eq!(waited(true, 3_000), Disk::Slow { waited_ms: 3_000 });
    assert_eq!(waited(true, STALLED_MS), Disk::Stalled { waited_ms: STALLED_MS });
    assert_eq!(waited(false, STALLED_MS), Disk::Slow { waited_ms: STALLED_MS });
    assert_eq!(waited(false, BUSY_STALLED_MS), Disk::Stalled { waited_ms: BUSY_STALLED_MS });
}

#[test]
fn an_agent_that_was_stopped_itself_blames_nobody() {
    let mut watch = DiskWatch::default();
    watch.on_report(report(Written::Done, 50 * GIB));
    watch.on_waiting(1_000, true);
    watch.on_waiting(601_000, true);
    assert_eq!(watch.verdict(), Disk::Well);
}

#[test]
fn the_worst_of_several_is_shown() {
    let disks = [("/data", Disk::Well), ("/binlog", Disk::Full), ("/redo", Disk::Low { free_bytes: 1 })];
    assert_eq!(worst(disks), ("/binlog".to_owned(), Disk::Full));
    assert_eq!(worst([]), (String::new(), Disk::Unknown));
}
