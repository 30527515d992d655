//! T1: what is refused, or waited for, before writes are closed.

use xenon_plan::{Work, hindrances};

fn work() -> Work {
    Work { session: 7, user: "app".to_owned(), ..Work::default() }
}

fn running(statement: &str, seconds: u64) -> Work {
    Work { statement: statement.to_owned(), seconds, ..work() }
}

fn said(work: Work) -> String {
    hindrances(&[work]).into_iter().map(|found| format!("{}; {}", found.what, found.cure)).collect()
}

#[test]
fn t1_ordinary_work_stands_in_nobodys_way() {
    let short = running("insert into t values (1)", 0);
    let reads = running("SELECT sleep(100)", 90);
    let idle = Work { seconds: 3_000, ..work() };
    let just_begun = Work { rows_changed: 10, open_s: 0, ..work() };
    let only_reads = Work { rows_changed: 0, open_s: 500, ..work() };
    assert_eq!(hindrances(&[short, reads, idle, just_begun, only_reads]), []);
}

#[test]
fn t1_what_closing_would_wait_for() {
    assert!(said(running("alter table t add c int", 0)).contains("runs ALTER"));
    assert!(said(running("  UPDATE t SET a = 1", 4)).contains("a UPDATE of session 7 of app runs for 4 s"));
    let locks = said(Work { locks_tables: true, ..work() });
    assert!(locks.contains("LOCK TABLES") && locks.contains("KILL 7"), "{locks}");
}

#[test]
fn t1_what_a_client_would_lose() {
    let open = said(Work { rows_changed: 3, open_s: 61, ..work() });
    assert!(open.contains("open for 61 s") && open.contains("3 row(s)"), "{open}");
}

#[test]
fn t1_a_crowd_is_counted() {
    let crowd: Vec<Work> = (0..9).map(|session| Work { session, ..running("drop table t", 1) }).collect();
    let found = hindrances(&crowd);
    assert_eq!(found.len(), 6);
    assert!(found[5].what.starts_with("4 more"));
}
