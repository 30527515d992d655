//! The output of tools that print stacks, as frames by thread. They differ in their heads (`TID 7:`, `Thread 2 (LWP 7):`) and
//! agree in their frames (`#0 …`).

use std::collections::BTreeMap;

/// So many frames of a thread are kept.
const FRAMES: usize = 64;
/// So much of each, letters.
const LETTERS: usize = 240;

/// Frames by the thread's number in the system, innermost first.
pub(super) fn by_thread(output: &str) -> BTreeMap<u32, Vec<String>> {
    let mut threads: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in output.lines().map(str::trim) {
        if let Some(tid) = head(line) {
            current = Some(tid);
            threads.entry(tid).or_default();
            continue;
        }
        let Some(frames) = current.and_then(|tid| threads.get_mut(&tid)) else { continue };
        if line.starts_with('#') && frames.len() < FRAMES {
            frames.push(line.chars().filter(|c| !c.is_control()).take(LETTERS).collect());
        }
    }
    threads
}

/// The thread whose frames follow.
fn head(line: &str) -> Option<u32> {
    if line.starts_with('#') {
        return None;
    }
    let behind = match line.strip_prefix("TID ") {
        Some(behind) => behind,
        None if line.starts_with("Thread ") => line.split_once("LWP ")?.1,
        None => return None,
    };
    let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
    behind[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gdb_and_eu_stack() {
        let gdb = "[New LWP 12]\nThread 2 (Thread 0x7f00 (LWP 12) \"ib_io_rd-1\"):\n#0  0x1 in io_getevents ()\n\
                   #1  0x2 in start ()\n\nThread 1 (Thread 0x7f01 (LWP 11) \"mysqld\"):\n#0  poll () at x.c:1\n";
        let threads = by_thread(gdb);
        assert_eq!(threads[&12], ["#0  0x1 in io_getevents ()", "#1  0x2 in start ()"]);
        assert_eq!(threads[&11], ["#0  poll () at x.c:1"]);
        let eu = "PID 11 - process\nTID 11:\n#0  0x1 poll\n#1  0x2 main\nTID 12:\n#0  0x3 x\n";
        let threads = by_thread(eu);
        assert_eq!((threads[&11].len(), threads[&12].len()), (2, 1));
    }

    #[test]
    fn anything_else_is_no_stack() {
        for text in
            ["", "#0 alone", "TID x:\n#0 a", "Thread 1\n#0 a", "TID 99999999999:\n#0", "\u{0}\u{1}TID 1"]
        {
            assert!(by_thread(text).is_empty(), "{text:?}");
        }
    }
}
